// Made by `sluice schema types` from attributed-row.schema.json. Do not edit.
import { type Schema, schemaOf } from 'sluice';

/**
 * One row a click, with the impression that came before it.
 */
export interface AttributedRow {
/**
 * The click's event
 */
id: string
/**
 * Who clicked
 */
user: string
/**
 * On which promotion
 */
promo: string
/**
 * What the click is worth
 */
price: number
/**
 * When
 */
clicked: string
/**
 * When the promotion was shown; null when it was not
 */
seen: (string | null)
}

export const attributedRow: Schema<AttributedRow> = schemaOf({
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "https://example.com/shop/attributed-row",
  "title": "AttributedRow",
  "description": "One row a click, with the impression that came before it.",
  "type": "object",
  "additionalProperties": false,
  "required": [
    "id",
    "user",
    "promo",
    "price",
    "clicked",
    "seen"
  ],
  "properties": {
    "id": {
      "type": "string",
      "description": "The click's event"
    },
    "user": {
      "type": "string",
      "description": "Who clicked"
    },
    "promo": {
      "type": "string",
      "description": "On which promotion"
    },
    "price": {
      "type": "number",
      "description": "What the click is worth"
    },
    "clicked": {
      "type": "string",
      "format": "date-time",
      "description": "When"
    },
    "seen": {
      "type": [
        "string",
        "null"
      ],
      "format": "date-time",
      "description": "When the promotion was shown; null when it was not"
    }
  }
});
