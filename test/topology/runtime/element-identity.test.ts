/**
 * Two elements that one `flatMap` made of one event had one identity, so that the rejected table
 * showed one of them and called the other a repeat. An element's number among those of its event
 * tells them apart, and is the same whenever the event is read again.
 */
import { expect, it } from 'vitest';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import type { RejectedEvent } from '../../../schemas/rejection.ts';
import { rejectionIdentityOf } from '../../../schemas/rejection.ts';
import type { StreamDefinition, Topology, TopologyBuilder } from '../../../topology/index.ts';
import {
  asyncLookup,
  count,
  createJob,
  rejected,
  schemaOf,
  stream,
  table,
  topology,
  tumbling,
} from '../../../topology/index.ts';
import { event, memoryBlobs, memoryStream, put, world } from '../support.ts';

const row = schemaOf<{ n: number }>({
  $id: 'row',
  type: 'object',
  required: ['n'],
  properties: { n: { type: 'integer' } },
});
const build = (flow: (t: TopologyBuilder) => void): Topology =>
  topology('numbers', { version: 1, owner: 'a/b' }, flow);
const source = (t: TopologyBuilder, id = 'in') =>
  t.source(id, stream('a/b') as StreamDefinition<{ id: string; data: readonly number[] }>);
const odd = (n: number): { n: number } => {
  if (n % 2 === 1) throw new Error(`${n} is odd`);
  return { n };
};

/**
 * What is rejected of the lists, each an event, as `message element`; read by a run that is cut
 * after a checkpoint, and by the one that goes on.
 */
async function refusalsOf(
  of: Topology,
  lists: readonly (readonly number[])[],
  cut = 0,
  ticks = 0,
): Promise<readonly RejectedEvent[]> {
  const made = world({ 'a/b': memoryStream(['kinesis', 'shard-0']) });
  lists.forEach((list, n) => put(made.streams['a/b'] as never, 0, event(`e${n}`, list)));
  const blobs = memoryBlobs();
  const clock = manualClock(5_000_000);
  for (let attempt = 0; attempt <= cut; attempt++) {
    const job = createJob({
      topology: of,
      blobs,
      connectors: made.connectors,
      clock,
      random: seededRandom(1),
      checkpointIntervalMs: 0,
      turnBounds: { maxRecords: attempt < cut ? 1 : 100, maxBytes: 1e6 },
    });
    await job.open();
    let ended = false;
    const running = job.run().finally(() => {
      ended = true;
    });
    for (let i = 0; i < 400 && !ended; i++) {
      clock.advance(25);
      await new Promise((resolve) => setImmediate(resolve));
      const { splits, uncommittedRows, nodes } = await job.status();
      const waits = nodes.some(({ waiting = 0 }) => waiting > 0);
      if (i >= ticks && !waits && uncommittedRows === 0 && splits.every(({ lag }) => lag === 0))
        break;
      if (attempt < cut && (made.tables['rejected']?.visible.length ?? 0) > 0) break;
    }
    job.stop();
    clock.advance(50);
    await running;
    await job.close();
  }
  return (made.tables['rejected']?.visible ?? []) as readonly RejectedEvent[];
}

const shown = (rows: readonly RejectedEvent[]): readonly string[] =>
  rows.map(({ id, message, element }) => `${id}: ${message} ${element}`);

it('numbers what a flatMap makes, and counts those that pass', async () => {
  const flow = build((t) =>
    source(t)
      .flatMap((e) => [...e.data])
      .map(odd)
      .sinkTo('rows', table('rows', row)),
  );
  const refused = await refusalsOf(flow, [
    [2, 1, 4, 3],
    [5, 5],
  ]);
  expect(shown(refused)).toEqual([
    'e0: 1 is odd 1',
    'e0: 3 is odd 3',
    'e1: 5 is odd 0',
    'e1: 5 is odd 1',
  ]);
  expect(new Set(refused.map(rejectionIdentityOf)).size).toBe(4);
  expect(refused.every(({ data }) => data.startsWith('['))).toBe(true);
});

it('numbers lists of lists, and what a process makes', async () => {
  const nested = build((t) =>
    source(t)
      .flatMap((e) => e.data.map((n) => [n, n + 2]))
      .flatMap((pair) => pair)
      .map(odd)
      .sinkTo('rows', table('rows', row)),
  );
  expect((await refusalsOf(nested, [[1, 3]])).map(({ element }) => element)).toEqual([
    '0',
    '0.1',
    '1',
    '1.1',
  ]);
  const processed = build((t) =>
    source(t)
      .eventTime('time', () => 1_000, { outOfOrderness: 0, future: { max: 0 } })
      .keyBy(() => 'k')
      .process('p', { state: {}, onElement: (e) => [...e.data] })
      .map(odd)
      .sinkTo('rows', table('rows', row)),
  );
  expect((await refusalsOf(processed, [[1, 2, 3]])).map(({ element }) => element)).toEqual([
    '0',
    '2',
  ]);
});

it('numbers the ways on which one event comes, also when two sources read one stream or both sides of a join do', async () => {
  const ways = build((t) => {
    const numbers = source(t).flatMap((e) => [...e.data]);
    const doubled = numbers.filter((n) => n < 3);
    numbers.union('both', doubled).map(odd).sinkTo('rows', table('rows', row));
  });
  expect(
    (await refusalsOf(ways, [[1, 3]])).map(({ message, element }) => `${message} ${element}`),
  ).toEqual(['1 is odd 0', '3 is odd 1', '1 is odd 0.1']);
  const twice = build((t) => {
    source(t)
      .union('both', source(t, 'again'))
      .map((e) => odd(e.data[0] ?? 0))
      .sinkTo('rows', table('rows', row));
  });
  expect(new Set((await refusalsOf(twice, [[1]])).map(({ element }) => element))).toEqual(
    new Set(['0', '1']),
  );
  const selfJoin = build((t) => {
    const numbers = source(t).eventTime('time', () => 1_000, {
      outOfOrderness: 0,
      future: { max: 0 },
    });
    const keyOf = (e: { id: string }): string => {
      throw new Error(`no key for ${e.id}`);
    };
    const keyed = (): ReturnType<typeof numbers.keyBy<string>> => numbers.keyBy(keyOf);
    keyed()
      .intervalJoin('pairs', keyed(), { lower: 0, upper: 0 }, () => ({ n: 1 }))
      .out.sinkTo('rows', table('rows', row));
  });
  expect((await refusalsOf(selfJoin, [[1]])).map(({ element }) => element)).toEqual(['0', '1']);
});

it('keeps the number while an element waits for an answer, through a restart too', async () => {
  const flow = build((t) =>
    source(t)
      .flatMap((e) => [...e.data])
      .lookup(
        'look',
        asyncLookup((n) => Promise.resolve(n)),
        { by: (n) => n, order: 'unordered' },
        (n) => odd(n),
      )
      .sinkTo('rows', table('rows', row)),
  );
  const lists = [
    [1, 2, 3],
    [4, 5],
    [7, 7],
  ];
  const once = await refusalsOf(flow, lists);
  expect(shown(once).toSorted()).toEqual([
    'e0: 1 is odd 0',
    'e0: 3 is odd 2',
    'e1: 5 is odd 1',
    'e2: 7 is odd 0',
    'e2: 7 is odd 1',
  ]);
  expect(shown(await refusalsOf(flow, lists, 2, 100)).toSorted()).toEqual(shown(once).toSorted());
});

it('is 0 for an event as it came, and for what a topology sends to the rejected table', async () => {
  const flow = build((t) => source(t).sinkTo('refused', rejected()));
  expect((await refusalsOf(flow, [[1], [2]])).map(({ element }) => element)).toEqual(['0', '0']);
});

it('tells equal rows apart that a topology made, of two windows as of two timers, and knows them again after a restart', async () => {
  const flow = build((t) => {
    const numbers = source(t).eventTime('time', (e) => 1_000 * (e.data[0] ?? 0), {
      outOfOrderness: 0,
      idleAfter: 0,
      future: { max: 0 },
    });
    numbers
      .keyBy(() => 'k')
      .window('w', tumbling('1s'))
      .aggregate({ n: count() })
      .out.map(() => odd(1))
      .sinkTo('rows', table('rows', row));
    numbers
      .keyBy(() => 'k')
      .process('p', {
        state: {},
        onElement: (_e, { timers, timestamp }) => {
          timers.event(timestamp + 1);
          return [];
        },
        onTimer: () => [1, 1],
      })
      .map(odd)
      .sinkTo('timed', table('timed', row));
  });
  const lists = [[1], [2], [3], [4]];
  const once = await refusalsOf(flow, lists, 0, 100);
  // The windows and timers of all but the last number.
  expect(once.map(({ operator }) => operator).toSorted()).toEqual(
    [...Array<string>(3).fill('w/map'), ...Array<string>(6).fill('p/map')].toSorted(),
  );
  const ids = (rows: readonly RejectedEvent[]): readonly string[] =>
    rows.map(({ id }) => id).toSorted();
  expect(new Set(ids(once)).size).toBe(9);
  expect([...new Set(ids(await refusalsOf(flow, lists, 2, 100)))]).toEqual(ids(once));
});
