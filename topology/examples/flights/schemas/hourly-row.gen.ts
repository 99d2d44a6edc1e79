// Made by `sluice schema types` from hourly-row.schema.json. Do not edit.
import { type Schema, schemaOf } from 'sluice';

/**
 * One row an airport and hour of actual departures.
 */
export interface HourlyRow {
/**
 * IATA code of the airport
 */
origin: string
/**
 * Begin of the hour, inclusive
 */
window_start: string
/**
 * End of the hour, exclusive
 */
window_end: string
/**
 * Flights that left
 */
departures: number
/**
 * Summed delay, minutes; early ones count negative
 */
delay_min: number
}

export const hourlyRow: Schema<HourlyRow> = schemaOf({
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "https://sluice.example/flights/hourly-row",
  "title": "HourlyRow",
  "description": "One row an airport and hour of actual departures.",
  "type": "object",
  "additionalProperties": false,
  "required": [
    "origin",
    "window_start",
    "window_end",
    "departures",
    "delay_min"
  ],
  "properties": {
    "origin": {
      "type": "string",
      "minLength": 1,
      "description": "IATA code of the airport"
    },
    "window_start": {
      "type": "string",
      "format": "date-time",
      "description": "Begin of the hour, inclusive"
    },
    "window_end": {
      "type": "string",
      "format": "date-time",
      "description": "End of the hour, exclusive"
    },
    "departures": {
      "type": "integer",
      "description": "Flights that left"
    },
    "delay_min": {
      "type": "integer",
      "description": "Summed delay, minutes; early ones count negative"
    }
  }
});
