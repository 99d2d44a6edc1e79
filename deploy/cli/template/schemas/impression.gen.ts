// Made by `sluice schema types` from impression.schema.json. Do not edit.
import { type Schema, schemaOf } from 'sluice';

/**
 * A promotion was shown to somebody.
 */
export interface Impression {
/**
 * Who saw it
 */
user: string
/**
 * Which promotion
 */
promo: string
/**
 * When
 */
seenAt: string
}

export const impression: Schema<Impression> = schemaOf({
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "https://example.com/shop/impression",
  "title": "Impression",
  "description": "A promotion was shown to somebody.",
  "type": "object",
  "additionalProperties": false,
  "required": [
    "user",
    "promo",
    "seenAt"
  ],
  "properties": {
    "user": {
      "type": "string",
      "minLength": 1,
      "description": "Who saw it"
    },
    "promo": {
      "type": "string",
      "minLength": 1,
      "description": "Which promotion"
    },
    "seenAt": {
      "type": "string",
      "format": "date-time",
      "description": "When"
    }
  }
});
