// Made by `sluice schema types` from schedule.schema.json. Do not edit.
import { type Schema, schemaOf } from 'sluice';

/**
 * All flights of one day, as they were published.
 */
export interface Schedule {
/**
 * The day
 */
day: string
/**
 * The flights of the day
 */
flights: {

}[]
}

export const schedule: Schema<Schedule> = schemaOf({
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "https://sluice.example/flights/schedule",
  "title": "Schedule",
  "description": "All flights of one day, as they were published.",
  "type": "object",
  "additionalProperties": false,
  "required": [
    "day",
    "flights"
  ],
  "properties": {
    "day": {
      "type": "string",
      "format": "date",
      "description": "The day"
    },
    "flights": {
      "type": "array",
      "description": "The flights of the day",
      "items": {
        "type": "object"
      }
    }
  }
});
