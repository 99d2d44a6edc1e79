// Made by `sluice schema types` from plane.schema.json. Do not edit.
import { type Schema, schemaOf } from 'sluice';

/**
 * One row of planes.json, the register of the FAA.
 */
export interface Plane {
/**
 * Registration
 */
tailnum: string
/**
 * Year in which it was built
 */
year: (number | null)
/**
 * Kind of plane
 */
type: (string | null)
/**
 * Who built it
 */
manufacturer: (string | null)
/**
 * Model
 */
model: (string | null)
/**
 * Engines
 */
engines: (number | null)
/**
 * Seats
 */
seats: (number | null)
/**
 * Cruising speed, miles an hour
 */
speed: (number | null)
/**
 * Kind of engine
 */
engine: (string | null)
}

export const plane: Schema<Plane> = schemaOf({
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "https://sluice.example/flights/plane",
  "title": "Plane",
  "description": "One row of planes.json, the register of the FAA.",
  "type": "object",
  "additionalProperties": false,
  "required": [
    "tailnum",
    "year",
    "type",
    "manufacturer",
    "model",
    "engines",
    "seats",
    "speed",
    "engine"
  ],
  "properties": {
    "tailnum": {
      "type": "string",
      "description": "Registration"
    },
    "year": {
      "type": [
        "integer",
        "null"
      ],
      "description": "Year in which it was built"
    },
    "type": {
      "type": [
        "string",
        "null"
      ],
      "description": "Kind of plane"
    },
    "manufacturer": {
      "type": [
        "string",
        "null"
      ],
      "description": "Who built it"
    },
    "model": {
      "type": [
        "string",
        "null"
      ],
      "description": "Model"
    },
    "engines": {
      "type": [
        "integer",
        "null"
      ],
      "description": "Engines"
    },
    "seats": {
      "type": [
        "integer",
        "null"
      ],
      "description": "Seats"
    },
    "speed": {
      "type": [
        "integer",
        "null"
      ],
      "description": "Cruising speed, miles an hour"
    },
    "engine": {
      "type": [
        "string",
        "null"
      ],
      "description": "Kind of engine"
    }
  }
});
