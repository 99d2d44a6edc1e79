/**
 * What the reference says of `deduplicate`.
 */
import type { DocsOf, KindDocs } from '../kind-docs.ts';
import { durationText, lateOption } from '../kind-docs.ts';
import type { DeduplicateOptions } from './build.ts';

export const deduplicateDocs: KindDocs = {
  call: 'deduplicate(id, { by, within, late })',
  sql: [
    [
      '`SELECT DISTINCT ON`',
      '`deduplicate(id, { by, within, late })`: the first of a key within a time',
    ],
  ],
  summary:
    'The first element of a key passes; repeats within the time are counted. The order of arrival decides which one is first.',
  options: {
    by: { value: '`(value) => key`', summary: 'What makes two elements the same' },
    within: {
      value: `${durationText}; \`Number.MAX_SAFE_INTEGER\`: forever`,
      summary: 'How long repeats are recognized: event time, from the first element',
    },
    late: lateOption,
  } satisfies DocsOf<DeduplicateOptions<never>>,
  outputs: "One stream of the same elements; with `late: 'side'` `{ out, late }`.",
  lateness:
    'An element is late when its time plus `within` is not above the watermark: the first element of its key may be forgotten.',
  state:
    'For each key the time of its first element, until the watermark passes that plus `within`.',
  example: `
import { rejected } from 'sluice';

const once = clicks.deduplicate('once', { by: ({ id }) => id, within: '1h', late: 'side' });
once.late.sinkTo('late-clicks', rejected());
export const clicksOnce = once.out;
`,
};
