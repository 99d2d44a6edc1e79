// Made by `sluice schema types` from departure-row.schema.json. Do not edit.
import { type Schema, schemaOf } from 'sluice';

/**
 * One row a flight that left New York.
 */
export interface DepartureRow {
/**
 * The event
 */
id: string
/**
 * IATA code of the airline
 */
carrier: string
/**
 * Flight number
 */
flight: number
/**
 * Registration of the plane
 */
tailnum: (string | null)
/**
 * IATA code of the airport
 */
origin: string
/**
 * IATA code of the airport
 */
dest: string
/**
 * Scheduled departure
 */
scheduled: string
/**
 * Actual departure
 */
departed: string
/**
 * Minutes; negative is early
 */
dep_delay_min: number
/**
 * Minutes; negative is early
 */
arr_delay_min: (number | null)
/**
 * Minutes
 */
air_time_min: (number | null)
/**
 * Miles
 */
distance_miles: number
}

export const departureRow: Schema<DepartureRow> = schemaOf({
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "https://sluice.example/flights/departure-row",
  "title": "DepartureRow",
  "description": "One row a flight that left New York.",
  "type": "object",
  "additionalProperties": false,
  "required": [
    "id",
    "carrier",
    "flight",
    "tailnum",
    "origin",
    "dest",
    "scheduled",
    "departed",
    "dep_delay_min",
    "arr_delay_min",
    "air_time_min",
    "distance_miles"
  ],
  "properties": {
    "id": {
      "type": "string",
      "description": "The event"
    },
    "carrier": {
      "type": "string",
      "minLength": 1,
      "description": "IATA code of the airline"
    },
    "flight": {
      "type": "integer",
      "description": "Flight number"
    },
    "tailnum": {
      "type": [
        "string",
        "null"
      ],
      "description": "Registration of the plane"
    },
    "origin": {
      "type": "string",
      "minLength": 1,
      "description": "IATA code of the airport"
    },
    "dest": {
      "type": "string",
      "minLength": 1,
      "description": "IATA code of the airport"
    },
    "scheduled": {
      "type": "string",
      "format": "date-time",
      "description": "Scheduled departure"
    },
    "departed": {
      "type": "string",
      "format": "date-time",
      "description": "Actual departure"
    },
    "dep_delay_min": {
      "type": "integer",
      "description": "Minutes; negative is early"
    },
    "arr_delay_min": {
      "type": [
        "integer",
        "null"
      ],
      "description": "Minutes; negative is early"
    },
    "air_time_min": {
      "type": [
        "integer",
        "null"
      ],
      "description": "Minutes"
    },
    "distance_miles": {
      "type": "integer",
      "description": "Miles"
    }
  }
});
