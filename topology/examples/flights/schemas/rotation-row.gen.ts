// Made by `sluice schema types` from rotation-row.schema.json. Do not edit.
import { type Schema, schemaOf } from 'sluice';

/**
 * One row a run of departures of one plane from New York, no two of them six hours or more apart.
 */
export interface RotationRow {
/**
 * Registration of the plane
 */
tailnum: string
/**
 * The first departure
 */
first_departed: string
/**
 * Six hours after the last departure
 */
window_end: string
/**
 * Departures of the run
 */
departures: number
}

export const rotationRow: Schema<RotationRow> = schemaOf({
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "https://sluice.example/flights/rotation-row",
  "title": "RotationRow",
  "description": "One row a run of departures of one plane from New York, no two of them six hours or more apart.",
  "type": "object",
  "additionalProperties": false,
  "required": [
    "tailnum",
    "first_departed",
    "window_end",
    "departures"
  ],
  "properties": {
    "tailnum": {
      "type": "string",
      "description": "Registration of the plane"
    },
    "first_departed": {
      "type": "string",
      "format": "date-time",
      "description": "The first departure"
    },
    "window_end": {
      "type": "string",
      "format": "date-time",
      "description": "Six hours after the last departure"
    },
    "departures": {
      "type": "integer",
      "description": "Departures of the run"
    }
  }
});
