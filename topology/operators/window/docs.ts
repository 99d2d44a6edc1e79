/**
 * What the reference says of `window` and of aggregates.
 */
import type { WindowOptions } from '../../dsl/stream.ts';
import type { DocsOf, KindDocs } from '../kind-docs.ts';
import { durationText, lateOption } from '../kind-docs.ts';

export const windowDocs: KindDocs = {
  call: 'keyBy(key).window(id, tumbling(size) or sliding(size, slide) or session(gap), options).aggregate({ name: aggregate, ... })',
  sql: [
    [
      '`GROUP BY key, TUMBLE / HOP / SESSION`',
      '`keyBy(...).window(id, tumbling(size, { offset }) or sliding(size, slide) or session(gap), { allowedLateness, late, mode, early }).aggregate({ ... })`',
    ],
    [
      '`count(*)`, `count(x)`, `sum`, `avg`, `min`, `max`, `approx_count_distinct`, your own',
      '`count()`, `count(f)`, `sum(f)`, `avg(f)`, `min(f)`, `max(f)`, `approxDistinct(f)`, `aggregator({ create, add, merge, result })`',
    ],
  ],
  summary:
    'Results for each key and window of event time: windows of one size (`tumbling`), overlapping ones (`sliding`), or one for each burst of a key (`session`). Needs `eventTime` before it.',
  options: {
    allowedLateness: {
      value: `${durationText}; \`Number.MAX_SAFE_INTEGER\`: forever`,
      byDefault: '0',
      summary:
        'How far the watermark may be past the end of a window that still takes elements; it fires again for each',
    },
    late: lateOption,
    mode: {
      value: "`'accumulating'` or `'discarding'`",
      byDefault: "`'accumulating'`",
      summary: 'Whether a later firing has all of the window so far, or only what came since',
    },
    early: {
      value: durationText,
      byDefault: 'not',
      summary: 'Fires also before the end, each time this much event time passes, if it changed',
    },
  } satisfies DocsOf<WindowOptions>,
  outputs:
    "`{ out }`; with `late: 'side'` also `late`. A result has the aggregates, `key`, `windowStart`, `windowEnd` (epoch ms) and `pane`: its `index`, its `timing` (`early`, `onTime` or `late`), and whether it is the `last`. Its time is the end of the window - 1 ms.",
  lateness:
    'An element is late when no window takes it: all of its windows are past the end and the allowed lateness.',
  state:
    'An accumulator for each key, window and aggregate, until the watermark passes the end of the window and the allowed lateness.',
  example: `
import { approxDistinct, count, rejected, sum, tumbling } from 'sluice';

const minutes = clicks
  .keyBy(({ page }) => page)
  .window('minutes', tumbling('1m'), { allowedLateness: '5m', late: 'side' })
  .aggregate({
    clicks: count(),
    spent: sum(({ price }: { price: number }) => price),
    users: approxDistinct(({ user }: { user: string }) => user),
  });
minutes.late.sinkTo('minutes-late', rejected());
export const busy = minutes.out.filter((minute) => minute.clicks > 100);
`,
  more: `### Aggregates and null

As in SQL:

| of a window's elements | skips null, undefined and missing | when all are null | an element with another value |
|---|---|---|---|
| \`count()\` | no: it counts elements | their number | |
| \`count(f)\` | yes | 0 | counts, whatever it is |
| \`sum(f)\`, \`avg(f)\`, \`min(f)\`, \`max(f)\` | yes | null; the type of \`f\` says whether that can happen | text, NaN, Infinity, a boolean: rejected, and the window continues without it |
| \`approxDistinct(f)\` | yes | 0 | a value that cannot be a key (NaN, an object, a tuple with null in it): rejected |
| \`aggregator({ ... })\` | no: your \`add\` receives it | | your \`add\` throws: rejected |

\`-0\` counts as 0. A sum that no double can hold rejects the pane, because there is no right row.
`,
};
