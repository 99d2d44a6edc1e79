// Made by `sluice schema types` from airline.schema.json. Do not edit.
import { type Schema, schemaOf } from 'sluice';

/**
 * One row of airlines.json.
 */
export interface Airline {
/**
 * IATA code
 */
carrier: string
/**
 * Name
 */
name: string
}

export const airline: Schema<Airline> = schemaOf({
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "https://sluice.example/flights/airline",
  "title": "Airline",
  "description": "One row of airlines.json.",
  "type": "object",
  "additionalProperties": false,
  "required": [
    "carrier",
    "name"
  ],
  "properties": {
    "carrier": {
      "type": "string",
      "description": "IATA code"
    },
    "name": {
      "type": "string",
      "description": "Name"
    }
  }
});
