/**
 * A window that fires more than once gives a table rows that count an element again. It is said
 * when a topology is checked, as nothing of a row shows it later.
 */
import { expect, it } from 'vitest';
import type { TableOptions, Topology } from '../../../topology/index.ts';
import {
  collect,
  count,
  paneWarnings,
  schemaOf,
  session,
  stream,
  table,
  topology,
  tumbling,
  validateTopology,
} from '../../../topology/index.ts';

interface Row {
  readonly k: string;
  readonly at: number;
}
interface Out {
  readonly k: string;
  readonly start: number;
  readonly n: number;
}

const row = schemaOf<Row>({
  $id: 'row',
  type: 'object',
  properties: { k: { type: 'string' }, at: { type: 'number' } },
});
const out = (more: object = {}): ReturnType<typeof schemaOf<Out>> =>
  schemaOf<Out>({
    $id: 'out',
    type: 'object',
    properties: {
      k: { type: 'string' },
      start: { type: 'integer' },
      n: { type: 'integer' },
      ...more,
    },
  });

type WindowOptions = NonNullable<Parameters<ReturnType<typeof keyed>['window']>[2]>;
const keyed = (t: Parameters<Parameters<typeof topology>[2]>[0]) =>
  t
    .source('in', stream('a/b'))
    .validate('valid', row)
    .map((e) => e.data)
    .eventTime('time', (r) => r.at, { outOfOrderness: 0 })
    .keyBy((r) => r.k);

function built(
  options: WindowOptions,
  to: {
    readonly table?: TableOptions<Out>;
    readonly more?: object;
    readonly session?: boolean;
  } = {},
): Topology {
  return topology('panes', { version: 1, owner: 'a/b' }, (t) => {
    keyed(t)
      .window('w', to.session === true ? session('1m') : tumbling('1m'), options)
      .aggregate({ n: count() })
      .out.map((w) => ({ k: w.key, start: w.windowStart, n: w.n }))
      .filter((r) => r.n > 0)
      .sinkTo('rows', table('rows', out(to.more), to.table));
  });
}

const warningsOf = (of: Topology): readonly string[] =>
  paneWarnings(of.plan).map(({ node, message }) => `${node}: ${message}`);
const again = (why: string): string =>
  `rows: the window 'w' fires more than once (${why}), and rows of the table 'rows' do not say which pane they are of, so sums over it count elements more than once`;

it('a window that fires more than once, before a table without panes', () => {
  expect(warningsOf(built({}))).toEqual([]);
  expect(warningsOf(built({ allowedLateness: '1m' }))).toEqual([again('allowedLateness')]);
  expect(warningsOf(built({ early: '10s' }))).toEqual([again('early')]);
  expect(warningsOf(built({ early: '10s', allowedLateness: '1m' }))).toEqual([
    again('allowedLateness and early'),
  ]);
  // Neither keeps the topology from running.
  expect(validateTopology(built({ early: '10s' }))).toEqual([]);
});

it('no warning where rows have their pane, stand in place of each other, or are parts that add up', () => {
  const options = { allowedLateness: '1m' } as const;
  for (const name of ['pane', 'pane_index', 'paneIndex', 'window_pane'])
    expect(warningsOf(built(options, { more: { [name]: { type: 'integer' } } }))).toEqual([]);
  expect(warningsOf(built(options, { table: { upsert: ['k', 'start'] } }))).toEqual([]);
  expect(warningsOf(built({ ...options, mode: 'discarding' }))).toEqual([]);
});

it('a table by key of what does not replace what was before: parts, and sessions that grow', () => {
  const by = { table: { upsert: ['k', 'start'] } } as const;
  expect(warningsOf(built({ allowedLateness: '1m', mode: 'discarding' }, by))[0]).toContain(
    "mode: 'discarding'",
  );
  expect(warningsOf(built({ allowedLateness: '1m' }, { ...by, session: true }))[0]).toContain(
    "the sessions of 'w' can grow after they fire",
  );
  expect(warningsOf(built({}, { ...by, session: true }))).toEqual([]);
});

it('is said of each way that panes come on, through unions and splits, and not behind what makes one row of them', () => {
  const of = topology('ways', { version: 1, owner: 'a/b' }, (t) => {
    const panes = keyed(t)
      .window('w', tumbling('1m'), { allowedLateness: '1m', late: 'side' })
      .aggregate({ n: count() });
    const rows = panes.out.map((w) => ({ k: w.key, start: w.windowStart, n: w.n }));
    const parts = rows.branch({ many: (r) => r.n > 10 });
    parts.many.sinkTo('many', table('many', out()));
    parts.rest.union('all', rows).sinkTo('few', table('few', out()));
    rows
      .deduplicate('once', { by: (r) => [r.k, r.start], within: '1d' })
      .sinkTo('firsts', table('firsts', out()));
    rows.sinkTo('test', collect());
    panes.late.map((r) => ({ k: r.k, start: r.at, n: 1 })).sinkTo('late', table('late', out()));
  });
  expect(paneWarnings(of.plan).map(({ node }) => node)).toEqual(['many', 'few']);
});

it('upsert that names no column does not compile', () => {
  // @ts-expect-error It is no column of the row.
  table('rows', out(), { upsert: ['k', 'pane'] });
});
