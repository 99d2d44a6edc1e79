// Made by `sluice schema types` from departure.schema.json. Do not edit.
import { type Schema, schemaOf } from 'sluice';

/**
 * A flight that left New York.
 */
export interface Departure {
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
 * Actual departure; a cancelled flight has none and is refused
 */
departed: string
/**
 * Minutes; negative is early
 */
depDelayMin: number
/**
 * Minutes; negative is early
 */
arrDelayMin: (number | null)
/**
 * Minutes
 */
airTimeMin: (number | null)
/**
 * Miles
 */
distanceMiles: number
}

export const departure: Schema<Departure> = schemaOf({
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "https://sluice.example/flights/departure",
  "title": "Departure",
  "description": "A flight that left New York.",
  "type": "object",
  "additionalProperties": false,
  "required": [
    "carrier",
    "flight",
    "tailnum",
    "origin",
    "dest",
    "scheduled",
    "departed",
    "depDelayMin",
    "arrDelayMin",
    "airTimeMin",
    "distanceMiles"
  ],
  "properties": {
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
      "description": "Actual departure; a cancelled flight has none and is refused"
    },
    "depDelayMin": {
      "type": "integer",
      "description": "Minutes; negative is early"
    },
    "arrDelayMin": {
      "type": [
        "integer",
        "null"
      ],
      "description": "Minutes; negative is early"
    },
    "airTimeMin": {
      "type": [
        "integer",
        "null"
      ],
      "description": "Minutes"
    },
    "distanceMiles": {
      "type": "integer",
      "description": "Miles"
    }
  }
});
