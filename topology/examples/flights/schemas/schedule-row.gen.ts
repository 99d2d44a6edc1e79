// Made by `sluice schema types` from schedule-row.schema.json. Do not edit.
import { type Schema, schemaOf } from 'sluice';

/**
 * One row a published schedule.
 */
export interface ScheduleRow {
/**
 * The event
 */
id: string
/**
 * The day
 */
day: string
/**
 * The schedule as it was sent, byte for byte
 */
data: string
}

export const scheduleRow: Schema<ScheduleRow> = schemaOf({
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "https://sluice.example/flights/schedule-row",
  "title": "ScheduleRow",
  "description": "One row a published schedule.",
  "type": "object",
  "additionalProperties": false,
  "required": [
    "id",
    "day",
    "data"
  ],
  "properties": {
    "id": {
      "type": "string",
      "description": "The event"
    },
    "day": {
      "type": "string",
      "format": "date",
      "description": "The day"
    },
    "data": {
      "type": "string",
      "contentMediaType": "application/json",
      "description": "The schedule as it was sent, byte for byte"
    }
  }
});
