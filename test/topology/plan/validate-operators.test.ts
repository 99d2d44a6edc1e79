/**
 * What authors can get wrong about windows, joins, look-ups and processes is told by validation,
 * with the node, before anything runs.
 */
import { expect, it } from 'vitest';
import type { Duration, Stream, TopologyBuilder } from '../../../topology/index.ts';
import {
  asyncLookup,
  collect,
  count,
  fileTable,
  schemaOf,
  session,
  sliding,
  stream,
  topology,
  tumbling,
  validateTopology,
  value,
} from '../../../topology/index.ts';

interface Row {
  readonly k: string;
  readonly at: number;
}

const row = schemaOf<Row>({ $id: 'row', type: 'object', properties: { k: { type: 'string' } } });

function problemsOf(
  build: (rows: Stream<Row>, t: TopologyBuilder) => void,
  timed = true,
): readonly string[] {
  const made = topology('wrong', { version: 1, owner: 'a/b' }, (t) => {
    const raw = t
      .source('in', stream('a/b'))
      .validate('valid', row)
      .map((e) => e.data);
    build(timed ? raw.eventTime('time', (r) => r.at, { outOfOrderness: 0 }) : raw, t);
  });
  return validateTopology(made).map(({ node, message }) => `${node}: ${message}`);
}

it.each([
  [
    'an offset as large as the window',
    tumbling('1h', { offset: '1h' }),
    'the offset 3600000 ms must be less than the window',
  ],
  [
    'a negative offset as large as the slide',
    sliding('1h', '10m', { offset: '-10m' }),
    'must be less than the slide',
  ],
  ['a window of no length', tumbling(0), 'size must be at least 1 ms'],
  ['a session without a gap', session(0), 'gap must be at least 1 ms'],
  [
    'an element in too many windows',
    sliding('31d', '1s'),
    'an element would be in 2678400 windows; at most 10000',
  ],
] as const)('%s is refused', (_, window, message) => {
  const problems = problemsOf((rows) =>
    rows
      .keyBy((r) => r.k)
      .window('w', window)
      .aggregate({ n: count() })
      .out.sinkTo('out', collect()),
  );
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(message);
});

it('a duration that a Date or a number cannot hold is refused wherever one is written, and the longest that can be is not', () => {
  const built = (long: Duration) =>
    problemsOf((rows) => {
      const keyed = rows
        .eventTime('time-too', (r) => r.at, {
          outOfOrderness: long,
          idleAfter: long,
          future: { max: long },
        })
        .keyBy((r) => r.k);
      keyed
        .window('w', session(long), { allowedLateness: long, early: long })
        .aggregate({ n: count() })
        .out.sinkTo('w-out', collect());
      keyed
        .intervalJoin('j', keyed, { lower: long, upper: long }, (l) => l)
        .out.sinkTo('j-out', collect());
      keyed
        .process('p', { state: { n: value<number>({ ttl: long }) }, onElement: () => [] })
        .sinkTo('p-out', collect());
      rows.deduplicate('d', { by: (r) => r.k, within: long }).sinkTo('d-out', collect());
      const ask = asyncLookup<string, number>(() => Promise.resolve(1));
      rows
        .lookup(
          'l',
          ask,
          { by: (r) => r.k, timeout: long, cache: { maxEntries: 1, ttl: long } },
          (r) => r,
        )
        .sinkTo('l-out', collect());
    }).filter((problem) => problem.includes('too long'));
  expect(built('3652501d').map((problem) => problem.split(' is too long')[0])).toEqual([
    'time-too: outOfOrderness',
    'time-too: idleAfter',
    'time-too: future.max',
    'w: gap',
    'w: allowedLateness',
    'w: early',
    'j: lower',
    'j: upper',
    'p: state.n.ttl',
    'd: within',
    'l: cache.ttl',
    'l: timeout',
  ]);
  expect(built(Number.MAX_VALUE)).toHaveLength(12);
  expect(built('3652500d')).toEqual([]);
  // For ever, where something is kept; a time cannot be moved by it.
  expect(built(Number.MAX_SAFE_INTEGER).map((problem) => problem.split(' is too long')[0])).toEqual(
    [
      'time-too: outOfOrderness',
      'time-too: idleAfter',
      'time-too: future.max',
      'w: gap',
      'w: early',
      'j: lower',
      'j: upper',
      'l: timeout',
    ],
  );
});

it('a duration that is none, or too long, is one problem', () => {
  for (const wrong of ['9999999d', '5 minutes'] as Duration[]) {
    const problems = problemsOf((rows) => {
      rows
        .keyBy((r) => r.k)
        .window('w', tumbling(wrong))
        .aggregate({ n: count() })
        .out.sinkTo('w-out', collect());
      rows.deduplicate('d', { by: (r) => r.k, within: wrong }).sinkTo('d-out', collect());
      const ask = asyncLookup<string, number>(() => Promise.resolve(1));
      rows
        .lookup('l', ask, { by: (r) => r.k, timeout: wrong }, (r) => r)
        .sinkTo('l-out', collect());
    });
    expect(problems.map((problem) => problem.split(' ').slice(0, 2).join(' '))).toEqual([
      'w: size',
      'd: within',
      'l: timeout',
    ]);
  }
});

it('windows, joins and processes need event time, and unions need it everywhere or nowhere', () => {
  const problems = problemsOf((rows) => {
    const keyed = rows.keyBy((r) => r.k);
    keyed.window('w', tumbling('1h')).aggregate({ n: count() }).out.sinkTo('w-out', collect());
    keyed.intervalJoin('j', keyed, { lower: 0, upper: 1 }, (l) => l).out.sinkTo('j-out', collect());
    keyed.process('p', { state: {}, onElement: (r) => [r] }).sinkTo('p-out', collect());
    rows
      .union(
        'u',
        rows.eventTime('late-time', (r) => r.at, { outOfOrderness: 0 }),
      )
      .sinkTo('u-out', collect());
  }, false);
  expect(problems).toEqual([
    'w: a window fires by event time: put eventTime() before it',
    'j: an interval join compares event times: put eventTime() before it',
    'p: timers and their outputs have event time: put eventTime() before it',
    'u: some of its inputs have event time and others not: put eventTime() before each, or none',
  ]);
});

it('names that rows cannot have, an empty interval, and look-ups out of bounds are refused', () => {
  const problems = problemsOf((rows) => {
    const keyed = rows.keyBy((r) => r.k);
    keyed
      .window('w', tumbling('1h'))
      .aggregate({ key: count(), ['__proto__']: count(), 'a b': count() })
      .out.sinkTo('w-out', collect());
    keyed
      .intervalJoin('j', keyed, { lower: '1s', upper: 0 }, (l) => l)
      .out.sinkTo('j-out', collect());
    keyed
      .process('p', { state: { constructor: value<number>() }, onElement: (r) => [r] })
      .sinkTo('p-out', collect());
    rows
      .lookup(
        'l',
        asyncLookup((key: string) => Promise.resolve(key)),
        { by: (r) => r.k, capacity: 0, retry: { attempts: 1.5 } },
        (r) => r,
      )
      .lookup('t', fileTable('t.json', row, { key: 'at' }), { by: (r) => r.k }, (r) => r)
      .sinkTo('l-out', collect());
  });
  expect(problems).toEqual([
    "w: an aggregate cannot be named 'key': every result of a window already has that property",
    expect.stringContaining("not '__proto__'") as string,
    expect.stringContaining("not 'a b'") as string,
    'j: its interval is empty: the lower bound 1000 ms is above the upper bound 0 ms',
    expect.stringContaining("not 'constructor'") as string,
    'l: capacity must be an integer from 1 to 1000, not 0',
    'l: retry.attempts must be an integer from 1 to 100, not 1.5',
    "t: the key 'at' of t.json is not a property of its schema",
  ]);
});

it('streams of two topologies do not meet', () => {
  let other: Stream<Row> | undefined;
  problemsOf((rows) => {
    other = rows;
  });
  const problems = problemsOf((rows) => {
    const keyed = rows.keyBy((r) => r.k);
    if (other === undefined) return;
    keyed
      .intervalJoin(
        'j',
        other.keyBy((r) => r.k),
        { lower: 0, upper: 1 },
        (l) => l,
      )
      .out.sinkTo('out', collect());
  });
  expect(problems[0]).toBe('j: its right input is not a keyed stream of this topology');
});
