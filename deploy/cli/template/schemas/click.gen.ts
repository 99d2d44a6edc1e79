// Made by `sluice schema types` from click.schema.json. Do not edit.
import { type Schema, schemaOf } from 'sluice';

/**
 * Somebody clicked on a promotion.
 */
export interface Click {
/**
 * Who
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
clickedAt: string
}

export const click: Schema<Click> = schemaOf({
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "https://example.com/shop/click",
  "title": "Click",
  "description": "Somebody clicked on a promotion.",
  "type": "object",
  "additionalProperties": false,
  "required": [
    "user",
    "promo",
    "price",
    "clickedAt"
  ],
  "properties": {
    "user": {
      "type": "string",
      "minLength": 1,
      "description": "Who"
    },
    "promo": {
      "type": "string",
      "minLength": 1,
      "description": "On which promotion"
    },
    "price": {
      "type": "number",
      "description": "What the click is worth"
    },
    "clickedAt": {
      "type": "string",
      "format": "date-time",
      "description": "When"
    }
  }
});
