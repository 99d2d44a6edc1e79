/**
 * A topology with every kind of state, and the two halves of what it is given: the manifest in
 * version3.json was made by Sluice of manifest version 3 after the first, the rows of it by that
 * version after the second.
 */
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import type { BlobStore } from '../../../schemas/ports/blob-store.ts';
import type { SluiceEvent, Stream, Topology } from '../../../topology/index.ts';
import {
  approxDistinct,
  avg,
  count,
  createJob,
  list,
  max,
  schemaOf,
  session,
  sliding,
  stream,
  sum,
  table,
  topology,
  tumbling,
  value,
} from '../../../topology/index.ts';
import type { World } from '../support.ts';
import { event, memoryStream, put, world } from '../support.ts';

interface Data {
  readonly at: number;
  readonly user: string;
  readonly n: number;
}

const anything = schemaOf<unknown>({ $id: 'anything', type: 'object', properties: { id: {} } });
const dataOf = (e: SluiceEvent): Data => e.data as Data;
const kept = (name: string) => table(name, anything);

export const flow: Topology = topology('t', { version: 1, owner: 'a/b' }, (t) => {
  const timed = (source: string, name: string): Stream<SluiceEvent> =>
    t.source(source, stream(name)).eventTime(`${source}-time`, (e) => dataOf(e).at, {
      outOfOrderness: 0,
      idleAfter: 0,
      future: { max: 0 },
    });
  const once = timed('in', 'a/b').deduplicate('once', { by: (e) => e.id, within: '1h' });
  once.map((e) => ({ id: e.id })).sinkTo('once-out', kept('once'));
  const users = once.keyBy((e) => dataOf(e).user);
  users
    .window('minutes', tumbling('1m'), { allowedLateness: '1m' })
    .aggregate({
      n: count(),
      total: sum((e) => dataOf(e).n / 10),
      mean: avg((e) => dataOf(e).n),
      most: max((e) => dataOf(e).n),
      ids: approxDistinct((e) => e.id),
    })
    .out.sinkTo('minutes-out', kept('minutes'));
  users
    .window('slides', sliding('2m', '30s'), { early: '10s' })
    .aggregate({ n: count() })
    .out.sinkTo('slides-out', kept('slides'));
  users
    .window('visits', session('15s'))
    .aggregate({ n: count(), total: sum((e) => dataOf(e).n) })
    .out.sinkTo('visits-out', kept('visits'));
  users
    .process('last', {
      state: { last: value<number>({ ttl: '1d' }), all: list<number>() },
      onElement: (e, ctx) => {
        const before = ctx.state.last.get() ?? null;
        ctx.state.last.set(dataOf(e).n);
        ctx.state.all.add(dataOf(e).n);
        ctx.timers.event(dataOf(e).at + 90_000);
        return [{ id: e.id, before, all: [] as readonly number[] }];
      },
      onTimer: (timer, ctx) => [
        { id: `timer ${timer.at}`, before: null, all: ctx.state.all.get() },
      ],
    })
    .sinkTo('last-out', kept('last'));
  users
    .intervalJoin(
      'pairs',
      timed('others', 'a/c').keyBy((e) => dataOf(e).user),
      { lower: '-1m', upper: '30s', join: 'left' },
      (left, right) => ({ id: left.id, other: right?.id ?? null }),
    )
    .out.sinkTo('pairs-out', kept('pairs'));
});

/** Events of `[from, to)`, out of order within 10 s, with repeats. */
export function feed({ streams }: World, from: number, to: number): void {
  for (let n = from; n < to; n++) {
    const at = n * 7_000 + ((n * 37) % 10) * 1_000;
    const data: Data = { at, user: `u${n % 3}`, n: (n * 17) % 23 };
    const [left, right] = [streams['a/b'], streams['a/c']];
    if (left === undefined || right === undefined) throw new Error('no streams');
    put(left, 0, event(`e${n}`, data));
    if (n % 4 === 0) put(left, 0, event(`e${Math.max(0, n - 6)}`, data));
    if (n % 2 === 0) put(right, 0, event(`o${n}`, { ...data, at: at + 5_000 }, { app: 'c' }));
  }
}

export function newWorld(): World {
  return world({
    'a/b': memoryStream(['kinesis', 'shard-0']),
    'a/c': memoryStream(['kinesis', 'shard-0']),
  });
}

/** Runs until all is read and committed; then drains it, or stops. */
export async function runAll(made: World, blobs: BlobStore, how: 'drain' | 'stop'): Promise<void> {
  const clock = manualClock(5_000_000);
  const job = createJob({
    topology: flow,
    blobs,
    connectors: made.connectors,
    clock,
    random: seededRandom(1),
    checkpointIntervalMs: 0,
    turnBounds: { maxRecords: 2, maxBytes: 1e6 },
  });
  await job.open();
  const running = job.run();
  let isOver = false;
  void running.then(
    () => {
      isOver = true;
    },
    () => {
      isOver = true;
    },
  );
  const turn = async (): Promise<void> => {
    for (let tick = 0; tick < 20; tick++) await Promise.resolve();
    clock.advance(50);
    await new Promise((resolve) => setImmediate(resolve));
  };
  for (let quiet = 0, turns = 0; quiet < 3 && turns < 5_000 && !isOver; turns++) {
    await turn();
    const { splits, uncommittedRows } = await job.status();
    quiet = uncommittedRows === 0 && splits.every(({ lag }) => lag === 0) ? quiet + 1 : 0;
  }
  if (how === 'drain') {
    await job.drain();
    for (let turns = 0; turns < 5_000 && !isOver; turns++) await turn();
  } else {
    job.stop();
    clock.advance(50);
  }
  await running;
  await job.close();
}

/** What became visible, by table. */
export function rowsOf({ tables }: World): Readonly<Record<string, readonly unknown[]>> {
  return Object.fromEntries(
    Object.entries(tables)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, { visible }]) => [name, visible]),
  );
}
