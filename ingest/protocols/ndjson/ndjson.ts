/**
 * NDJSON (https://github.com/ndjson/ndjson-spec): a line is an event, in a body of any length. A
 * short one is answered like every batch, a longer one while it comes (stream.ts).
 */
import { limits } from '../../../schemas/limits.ts';
import { answerEvents } from '../../event/answer.ts';
import type { BodyProtocol } from '../protocol.ts';
import { readLines } from './lines.ts';
import { streamLines } from './stream.ts';

export const ndjson: BodyProtocol = {
  kind: 'body',
  name: 'ndjson',
  summary: 'A line is an event, in a body of any length.',
  match: {
    types: [
      'application/x-ndjson',
      'application/ndjson',
      'application/jsonl',
      'application/jsonlines',
      'application/x-jsonlines',
    ],
    expected: 'application/x-ndjson (an event a line)',
  },
  read: readLines,
  answer: answerEvents,
  stream: { collectedMaxBytes: limits.ndjsonCollectedMaxBytes, take: streamLines },
  limits: {
    ndjsonCollectedMaxBytes: limits.ndjsonCollectedMaxBytes,
    ndjsonOpenMaxBytes: limits.ndjsonOpenMaxBytes,
    ndjsonOpenMaxEvents: limits.ndjsonOpenMaxEvents,
  },
  conformance: ['limits.yaml', 'more-limits.yaml', 'protocols.yaml'],
  documentation: {
    body: {
      schema: { type: 'string', description: 'One JSON value a line, any number of lines' },
    },
  },
};
