/**
 * What the reference says of `process`.
 */
import type { Key } from '../../../schemas/kernel/key.ts';
import type { ProcessOptions, StateOptions, StateVersion } from '../../dsl/state.ts';
import type { DocsOf, KindDocs } from '../kind-docs.ts';
import { durationText } from '../kind-docs.ts';

const ttl: DocsOf<StateOptions & StateVersion<never>> = {
  ttl: {
    value: `${durationText}; \`Number.MAX_SAFE_INTEGER\`: forever`,
    byDefault: 'forever',
    summary: 'Of a piece of state: how long it is kept after its last access, in processing time',
  },
  refresh: {
    value: "`'write'` or `'readWrite'`",
    byDefault: "`'write'`",
    summary: 'Of a piece of state: which access counts',
  },
  version: {
    value: 'a whole number',
    byDefault: '1',
    summary: 'Of a piece of state: of its schema, one more with each change',
  },
  migrate: {
    value: '`(old, version) => value`',
    byDefault: 'none, with version 1',
    summary:
      'Of a piece of state: makes a value of this version of one that an earlier version kept; of a list, of each element',
  },
};

export const processDocs: KindDocs = {
  call: 'keyBy(key).process(id, { state, onElement, onTimer })',
  sql: [
    [
      'a stored procedure with its own tables',
      '`keyBy(...).process(id, { state: { n: value<number>({ ttl }), all: list<string>() }, onElement, onTimer })`',
    ],
  ],
  summary:
    'Your own function with state and timers for each key. It sees the key, the timestamp, the watermark and the processing time. What it did to state and timers is undone when it throws. Needs `eventTime` before it.',
  options: {
    state: {
      value: '`{ name: value<T>({ ttl, refresh }) or list<T>({ ttl, refresh }), ... }`',
      summary: 'What is kept for each key, by name; `{}` for nothing',
    },
    onElement: {
      value: '`(value, context) => [result, ...]`',
      summary: "Its results have the element's time",
    },
    onTimer: {
      value: '`(timer, context) => [result, ...]`',
      byDefault: 'no timers',
      summary: "Its results have the timer's time. Timers are of event time or processing time",
    },
    ...ttl,
  } satisfies DocsOf<ProcessOptions<never, Key, never, never> & StateOptions & StateVersion<never>>,
  outputs: 'One stream of the results, which must be JSON.',
  lateness:
    'Nothing is late: the function decides by `context.watermark`. A timer of event time that is not in the future fires with the next watermark.',
  state: 'The declared state and the timers of each key.',
  example: `
import { list, value } from 'sluice';

export const visits = clicks
  .keyBy(({ user }) => user)
  .process('visits', {
    state: { last: value<number>({ ttl: '7d' }), pages: list<string>() },
    onElement: (click, { state, timers, timestamp }) => {
      state.last.set(timestamp);
      state.pages.add(click.page);
      timers.event(timestamp + 1_800_000);
      return [];
    },
    onTimer: ({ at }, { key, state }) => {
      if ((state.last.get() ?? 0) + 1_800_000 > at) return [];
      const pages = state.pages.get();
      state.pages.clear();
      return [{ user: key, pages }];
    },
  });
`,
};
