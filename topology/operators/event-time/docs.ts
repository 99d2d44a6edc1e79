/**
 * What the reference says of `eventTime`.
 */
import type { DocsOf, KindDocs } from '../kind-docs.ts';
import { durationText } from '../kind-docs.ts';
import type { EventTimeOptions } from './build.ts';

export const eventTimeDocs: KindDocs = {
  call: 'eventTime(id, (value) => time, options)',
  summary:
    'Says which time counts, and makes watermarks, for each split of the source. The time is RFC 3339 text or whole epoch milliseconds. Everything that waits for time needs one before it.',
  options: {
    outOfOrderness: {
      value: durationText,
      summary: 'How late an element may come behind the latest one of its split',
    },
    idleAfter: {
      value: `${durationText}; 0: never`,
      byDefault: "`'30s'`",
      summary: 'A split without events for longer than this does not hold the watermark back',
    },
    future: {
      value: '`{ max: duration }`; max 0: any',
      byDefault: "`{ max: '24h' }`",
      summary: 'Events further ahead of processing time are rejected',
    },
  } satisfies DocsOf<EventTimeOptions>,
  outputs: 'The same elements, with their time. Elements without a usable time are rejected.',
  lateness: 'It drops nothing: the operator that waits for time decides what is late.',
  state: 'The latest time of each split.',
  example: `
export const timed = clicks.eventTime('again', (click) => click.at, { outOfOrderness: '10s' });
`,
};
