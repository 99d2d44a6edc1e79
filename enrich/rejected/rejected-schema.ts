/**
 * The `rejected` table's columns.
 */
import type { JsonSchema } from '../../schemas/registry.ts';

const text = (description: string): JsonSchema => ({ type: 'string', description });
const maybe = (description: string): JsonSchema => ({ type: ['string', 'null'], description });
const time = (description: string): JsonSchema => ({
  type: 'string',
  format: 'date-time',
  description,
});

const properties: Readonly<Record<string, JsonSchema>> = {
  id: text("The event's id; for a record that is no event, its place"),
  source: text("The event's source"),
  type: text("The event's type"),
  team: text('The team whose stream it came on'),
  app: text('The app whose stream it came on'),
  receivedtime: time('When it was first received'),
  element: maybe(
    'Which of the elements that were made of the event; 0 is the event itself, or the first',
  ),
  topology: text('The topology that refused it'),
  topology_version: {
    type: 'integer',
    description: "The topology's version when it was first refused",
  },
  operator: text('The id of the operator that refused it'),
  code: text('Why, as a stable code'),
  message: text('Why, as a sentence'),
  pointer: maybe('JSON pointer into the data'),
  schema: maybe('The schema and the place in it that the data breaks'),
  stream: text('team/app of the stream'),
  path: text('kinesis or kafka'),
  split: text('The shard or partition'),
  position: text('The sequence number or offset'),
  data: text('The original bytes of the data'),
  data_encoding: text('utf8, or base64 where the bytes are no UTF-8'),
  seen: { type: 'integer', description: 'How many times it was refused' },
  first_seen: time('When it was first received'),
  last_seen: time('When it was last received'),
};

export const rejectedSchema: JsonSchema = {
  $id: 'https://sluice.example/rejected-row',
  title: 'RejectedRow',
  description: 'One row for each refused element of an event, operator and code.',
  type: 'object',
  additionalProperties: false,
  required: Object.keys(properties),
  properties,
};
