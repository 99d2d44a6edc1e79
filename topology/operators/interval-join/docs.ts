/**
 * What the reference says of `intervalJoin`.
 */
import type { DocsOf, KindDocs } from '../kind-docs.ts';
import { durationText, lateOption } from '../kind-docs.ts';
import type { IntervalJoinOptions } from './build.ts';

const bound = `${durationText}, also negative ones`;
const exclusive = (limit: string) => ({
  value: '`true` or `false`',
  byDefault: '`false`',
  summary: `Whether a pair exactly at \`${limit}\` is left out`,
});

export const intervalJoinDocs: KindDocs = {
  call: 'keyBy(key).intervalJoin(id, right.keyBy(key), { lower, upper }, (left, right) => result)',
  sql: [
    [
      '`JOIN ... ON key AND time BETWEEN`',
      '`keyBy(...).intervalJoin(id, right.keyBy(...), { lower, upper, join, late }, (l, r) => ...)`',
    ],
  ],
  summary:
    "Pairs of elements of one key whose times are close: left + lower <= right <= left + upper. The later one of both is the pair's time. Needs `eventTime` before both sides.",
  options: {
    lower: { value: bound, summary: 'Right minus left is at least this' },
    upper: { value: bound, summary: 'Right minus left is at most this' },
    lowerExclusive: exclusive('lower'),
    upperExclusive: exclusive('upper'),
    join: {
      value: "`'inner'` or `'left'`",
      byDefault: "`'inner'`",
      summary:
        '`left` also emits left elements without a match, with right undefined, once none can come any more',
    },
    late: {
      ...lateOption,
      summary:
        'Late elements are dropped and counted, or emitted as the side outputs `lateLeft` and `lateRight`',
    },
  } satisfies DocsOf<IntervalJoinOptions>,
  outputs:
    "`{ out }`; with `late: 'side'` also `lateLeft` and `lateRight`. Results must be JSON. A pair on which the function throws is rejected and counts as no match.",
  lateness:
    'An element is late when its time is below the watermark of both sides together; it joins nothing.',
  state:
    'The elements of both sides: a left one until the watermark passes its time plus `upper`, a right one until it passes its time minus `lower`.',
  example: `
export const seen = clicks
  .keyBy(({ user }) => user)
  .intervalJoin(
    'seen',
    views.keyBy(({ user }) => user),
    { lower: '-10m', upper: 0, join: 'left' },
    (click, view) => ({ page: click.page, viewed: view?.page ?? null }),
  ).out;
`,
};
