// Made by `sluice schema types` from per-minute-row.schema.json. Do not edit.
import { type Schema, schemaOf } from 'sluice';

/**
 * One row a promotion and minute.
 */
export interface PerMinuteRow {
/**
 * The promotion
 */
promo: string
/**
 * Begin of the minute
 */
minute: string
/**
 * How many clicks
 */
clicks: number
/**
 * What they are worth
 */
revenue: number
/**
 * About how many people
 */
users: number
}

export const perMinuteRow: Schema<PerMinuteRow> = schemaOf({
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "https://example.com/shop/per-minute-row",
  "title": "PerMinuteRow",
  "description": "One row a promotion and minute.",
  "type": "object",
  "additionalProperties": false,
  "required": [
    "promo",
    "minute",
    "clicks",
    "revenue",
    "users"
  ],
  "properties": {
    "promo": {
      "type": "string",
      "description": "The promotion"
    },
    "minute": {
      "type": "string",
      "format": "date-time",
      "description": "Begin of the minute"
    },
    "clicks": {
      "type": "integer",
      "description": "How many clicks"
    },
    "revenue": {
      "type": "number",
      "description": "What they are worth"
    },
    "users": {
      "type": "integer",
      "description": "About how many people"
    }
  }
});
