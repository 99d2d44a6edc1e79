/**
 * What the reference says of `lookup`, from a file and by a call.
 */
import { mebi } from '../../../schemas/kernel/bytes.ts';
import type { Key } from '../../../schemas/kernel/key.ts';
import type { AsyncLookupOptions, LookupOptions } from '../../dsl/lookups.ts';
import type { DocsOf, KindDocs } from '../kind-docs.ts';
import { durationText } from '../kind-docs.ts';
import { answersMaxBytes } from './answer-cache.ts';
import { lookupAttemptsMax, lookupCacheMaxEntries, lookupCapacityMax } from './lookup-problems.ts';
import { waitingMaxBytes } from './operator.ts';

export const lookupDocs: KindDocs = {
  call: 'lookup(id, fileTable(...) or asyncLookup(call) or connector(name), options, (value, found) => result)',
  sql: [
    [
      '`JOIN` a small table',
      '`lookup(id, fileTable(file, schema, { key, whenChanged }), { by }, (x, row) => ...)`',
    ],
    [
      'a value from a service',
      '`lookup(id, asyncLookup(call) or connector(name), { by, cache, capacity, timeout, retry, order, whenFailing }, (x, value) => ...)`',
    ],
  ],
  summary:
    'Puts each element together with what is found for its key, or undefined: the row of a file that is read whole at the start, or the answer of your own function or of a connector of the configuration. All options but `by` are for calls.',
  options: {
    by: { value: '`(value) => key`', summary: 'What is looked up' },
    cache: {
      value: `\`{ maxEntries, ttl }\`: up to ${lookupCacheMaxEntries.toLocaleString('en-US')} answers, each for a duration`,
      byDefault: 'none',
      summary: `Answers are kept, at most about ${answersMaxBytes / mebi} MiB of them; the least recently used go first. Equal keys share a call in flight`,
    },
    capacity: {
      value: `1 to ${lookupCapacityMax.toLocaleString('en-US')} calls`,
      byDefault: '64',
      summary: `Calls in flight at once. With as many elements inside, or about ${waitingMaxBytes / mebi} MiB of them, nothing more is read`,
    },
    timeout: { value: durationText, byDefault: "`'5s'`", summary: 'How long one try may take' },
    retry: {
      value: `\`{ attempts }\`: 1 to ${lookupAttemptsMax} tries`,
      byDefault: '`{ attempts: 3 }`',
      summary: 'Tries before a look-up counts as failing',
    },
    order: {
      value: "`'ordered'` or `'unordered'`",
      byDefault: "`'ordered'`",
      summary: 'The order of the input, or as answers come, but never across a watermark',
    },
    whenFailing: {
      value: "`'hold'` or `'reject'`",
      byDefault: "`'hold'`",
      summary: '`hold` tries until there is an answer; `reject` rejects the element',
    },
  } satisfies DocsOf<LookupOptions<never, Key> & AsyncLookupOptions>,
  outputs: 'One stream of the results, which must be JSON.',
  lateness: 'None: the watermark waits behind the elements that wait for an answer.',
  state: 'Of calls the elements that wait for an answer; of a file nothing.',
  example: `
import { asyncLookup, fileTable, schemaOf } from 'sluice';

const page = schemaOf<{ path: string; title: string }>({
  $id: 'page',
  type: 'object',
  properties: { path: { type: 'string' }, title: { type: 'string' } },
});
const score = asyncLookup(async (user: string, { signal }) => {
  const answer = await fetch(\`https://scores.example/\${user}\`, { signal });
  return answer.ok ? Number(await answer.text()) : undefined;
});
export const scored = clicks
  .lookup(
    'titles',
    fileTable('pages.json', page, { key: 'path' }),
    { by: (click) => click.page },
    (click, found) => ({ user: click.user, title: found?.title ?? null }),
  )
  .lookup(
    'scores',
    score,
    { by: ({ user }) => user, cache: { maxEntries: 10_000, ttl: '1m' }, order: 'unordered' },
    (titled, found) => ({ ...titled, score: found ?? 0 }),
  );
`,
  more: `### Failing calls

Look-ups of one connector share one retry budget: a hundred at once, then one a second and two for each
answer. An answer with \`Retry-After\` stops calls to that target for that long, an hour at most; your own
function says the same with \`retryAfterMs\` on the error that it rejects with. \`sluice status\` says how long
calls take and what waits.

### Files that change

When the file of a look-up table changes while the topology runs, it is read again, and the topology resumes
from its last checkpoint with the new rows. With \`whenChanged: 'keep'\` it keeps the old ones, and
\`sluice status\` asks for a restart.
`,
};
