/**
 * What a sink is told of where its rows are from: each row is told from all others, and one that is
 * made again after a restart is known again. Windows, joins and timers once gave rows without that,
 * so that two equal ones of two batches had one `row_id`, and a reader that keeps one of each lost
 * the other.
 *
 * The sink here is one that delivers at once, as Firehose does: what a run wrote after its last
 * checkpoint comes again.
 */
import { describe, expect, it } from 'vitest';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import type {
  Sink,
  Stream,
  StreamDefinition,
  Topology,
  TopologyBuilder,
} from '../../../topology/index.ts';
import {
  asyncLookup,
  count,
  createJob,
  identityOf,
  list,
  schemaOf,
  session,
  sliding,
  stream,
  table,
  topology,
  tumbling,
} from '../../../topology/index.ts';
import type { MemoryStream } from '../support.ts';
import { event, memoryBlobs, memoryStream, put, world } from '../support.ts';

interface Reading {
  readonly id: string;
  readonly data: { readonly at: number; readonly k: string; readonly n?: number };
}
interface Row {
  readonly n: number;
}

const row = schemaOf<Row>({
  $id: 'row',
  type: 'object',
  required: ['n'],
  properties: { n: { type: 'integer' } },
});
const build = (flow: (t: TopologyBuilder) => Stream<Row>): Topology =>
  topology('told', { version: 1, owner: 'a/b' }, (t) => flow(t).sinkTo('rows', table('rows', row)));
const timed = (t: TopologyBuilder, id = 'in') =>
  t
    .source(id, stream('a/b') as StreamDefinition<Reading>)
    .eventTime(`${id}-time`, (e) => e.data.at, {
      outOfOrderness: 0,
      idleAfter: 0,
      future: { max: 0 },
    });

interface Written {
  readonly attempt: number;
  readonly identity: string;
  readonly value: string;
}

interface Told {
  /** All that was written, in order, what came again too. */
  readonly written: readonly Written[];
  readonly attempts: number;
}

/**
 * Plays the topology to the end of the stream, and drains it where that is asked. `killAfter`: the
 * run dies at every so many writes of the sink, and the next goes on from the last checkpoint with
 * other turns.
 */
async function told(
  of: Topology,
  events: MemoryStream,
  { killAfter = Number.POSITIVE_INFINITY, drain = true, blobs = memoryBlobs() } = {},
): Promise<Told> {
  const made = world({ 'a/b': events });
  const clock = manualClock(5_000_000);
  const written: Written[] = [];
  let attempts = 0;
  let writes = 0;
  const sink = (): Sink => ({
    open: () => Promise.resolve(),
    write(batch) {
      if (++writes % killAfter === 0)
        return Promise.reject(
          new SluiceError('worker-ended', 'the run dies here', { retryable: true }),
        );
      for (let i = 0; i < batch.length; i++)
        written.push({
          attempt: attempts,
          identity: JSON.stringify(identityOf(batch.origins[i])),
          value: JSON.stringify(batch.values[i]),
        });
      return Promise.resolve([]);
    },
    prepare: () => Promise.resolve(null),
    commit: () => Promise.resolve(),
    pendingRows: () => 0,
    close: () => Promise.resolve(),
  });
  for (let ended = false; !ended && attempts < 200; attempts++) {
    const job = createJob({
      topology: of,
      blobs,
      connectors: { ...made.connectors, sink },
      clock,
      random: seededRandom(attempts),
      checkpointIntervalMs: attempts % 2 === 0 ? 0 : 60,
      turnBounds: { maxRecords: 1 + (attempts % 3), maxBytes: 1e6 },
    });
    await job.open();
    const running = job.run().then(
      () => true,
      () => false,
    );
    let over = false;
    void running.then(() => {
      over = true;
    });
    if (drain) await job.drain();
    for (let i = 0; i < 4_000 && !over; i++) {
      clock.advance(25);
      await new Promise((resolve) => setImmediate(resolve));
      const { splits, nodes } = await job.status();
      if (
        !drain &&
        i > 100 &&
        splits.every(({ lag }) => lag === 0) &&
        nodes.every(({ waiting = 0 }) => waiting === 0)
      )
        break;
    }
    job.stop();
    clock.advance(50);
    ended = await running;
    await job.close();
  }
  return { written, attempts };
}

const readings = (splits: number, each: number): MemoryStream => {
  const made = memoryStream(
    ...Array.from({ length: splits }, (_, n) => ['kinesis', `shard-${n}`] as const),
  );
  for (let n = 0; n < each; n++)
    for (let split = 0; split < splits; split++)
      put(
        made,
        split,
        event(`e${split}-${n}`, { at: 1_000 + n * 400, k: `k${(n + split) % 2}`, n: split }),
      );
  return made;
};

const flows: Readonly<Record<string, (t: TopologyBuilder) => Stream<Row>>> = {
  'tumbling windows of several keys, whose rows are equal': (t) =>
    timed(t)
      .keyBy((e) => e.data.k)
      .window('w', tumbling('1s'))
      .aggregate({ n: count() })
      .out.map(() => ({ n: 1 })),
  'sliding windows with early panes': (t) =>
    timed(t)
      .keyBy((e) => e.data.k)
      .window('w', sliding('2s', '1s'), { early: '500ms' })
      .aggregate({ n: count() })
      .out.map(() => ({ n: 1 })),
  'sessions with early panes': (t) =>
    timed(t)
      .keyBy((e) => e.data.k)
      .window('w', session('700ms'), { early: '300ms' })
      .aggregate({ n: count() })
      .out.map(() => ({ n: 1 })),
  'sessions, and what is made of each': (t) =>
    timed(t)
      .keyBy((e) => e.data.k)
      .window('w', session('700ms'))
      .aggregate({ n: count() })
      .out.flatMap(({ n }) => [{ n: 0 }, { n: 0 }, { n: n > 100 ? 1 : 0 }]),
  'pairs of two rows, of which many are equal': (t) => {
    const all = timed(t);
    return all
      .keyBy((e) => e.data.k)
      .intervalJoin(
        'j',
        all.keyBy((e) => e.data.k),
        { lower: '-1s', upper: '1s' },
        () => ({ n: 1 }),
      )
      .out.flatMap((pair) => [pair, pair]);
  },
  'left rows that found none, and pairs of pairs': (t) => {
    const all = timed(t);
    const keyed = () => all.keyBy((e) => e.data.k);
    const none = keyed().intervalJoin(
      'none',
      all.filter((e) => e.data.n === 5).keyBy((e) => e.data.k),
      { lower: 0, upper: '1s', join: 'left' },
      (l, r) => ({ k: l.data.k, r: r === undefined ? 0 : 1 }),
    );
    return none.out
      .keyBy((l) => l.k)
      .intervalJoin(
        'again',
        none.out.keyBy((l) => l.k),
        { lower: 0, upper: '400ms' },
        () => ({ n: 1 }),
      ).out;
  },
  'timers of event time, also those set anew and for times that are over': (t) =>
    timed(t)
      .keyBy((e) => e.data.k)
      .process('p', {
        state: { all: list<number>() },
        onElement: (e, { timers, state, timestamp }) => {
          state.all.add(1);
          timers.event(0);
          timers.event(timestamp + 700 - (timestamp % 100));
          return [{ n: e.data.n === 9 ? 2 : 1 }, { n: 1 }];
        },
        onTimer: ({ at }, { timers, watermark }) => {
          if (at % 300 === 0 && watermark !== Number.POSITIVE_INFINITY) timers.event(at + 100);
          return [{ n: 1 }, { n: 1 }];
        },
      }),
  'one event on two ways, and lists of lists': (t) => {
    const all = timed(t).flatMap((e) => [e, e]);
    return all
      .union(
        'both',
        all.filter((e) => e.data.k === 'k0'),
      )
      .flatMap(() => [{ n: 1 }, { n: 1 }]);
  },
  'windows on two ways, through a look-up': (t) => {
    const windows = timed(t)
      .keyBy((e) => e.data.k)
      .window('w', tumbling('1s'))
      .aggregate({ n: count() })
      .out.flatMap(() => [{ n: 1 }, { n: 1 }]);
    return windows
      .union(
        'both',
        windows.map(({ n }) => ({ n })),
      )
      .lookup(
        'ask',
        asyncLookup(() => Promise.resolve(1)),
        { by: ({ n }) => n, order: 'unordered' },
        ({ n }) => ({ n }),
      )
      .flatMap((r) => [r, r]);
  },
  'what was late for both sides of one join': (t) => {
    const all = timed(t);
    const late = all.filter((e) => e.data.k === 'k0');
    const join = all
      .keyBy((e) => e.data.k)
      .intervalJoin(
        'j',
        late.keyBy((e) => e.data.k),
        { lower: 0, upper: 0, late: 'side' },
        () => ({ n: 1 }),
      );
    const both = [join.lateLeft, join.lateRight].map((side) =>
      side.flatMap(() => [{ n: 1 }, { n: 1 }]),
    );
    return join.out.union('all', both[0] as Stream<Row>, both[1] as Stream<Row>);
  },
};

/**
 * What comes out depends on how far the watermark goes at once, so that a run after a restart gives
 * other ones beside the same.
 */
const paced = new Set([
  'sliding windows with early panes',
  'sessions with early panes',
  'timers of event time, also those set anew and for times that are over',
]);

describe('rows are told apart, and known again after any restart:', () => {
  it.each(Object.entries(flows))('%s', async (name, flow) => {
    const once = await told(build(flow), readings(1, 12));
    const identities = once.written.map(({ identity }) => identity);
    expect(identities.length).toBeGreaterThan(5);
    expect(identities).not.toContain(undefined);
    expect(new Set(identities).size).toBe(identities.length);
    for (const killAfter of [2, 3, 5]) {
      const again = await told(build(flow), readings(1, 12), { killAfter });
      expect(again.attempts).toBeGreaterThan(1);
      const byRun = again.written.map(({ attempt, identity }) => `${attempt} ${identity}`);
      expect(new Set(byRun).size).toBe(byRun.length);
      if (paced.has(name)) continue;
      // No more than there are: what came twice is known.
      expect([...new Set(again.written.map(({ identity }) => identity))].toSorted()).toEqual(
        identities.toSorted(),
      );
    }
  });
});

it('does not depend on the order in which splits are read', async () => {
  for (const name of [
    'tumbling windows of several keys, whose rows are equal',
    'pairs of two rows, of which many are equal',
  ]) {
    const flow = flows[name] as (typeof flows)[string];
    const once = await told(build(flow), readings(3, 6));
    const again = await told(build(flow), readings(3, 6), { killAfter: 2 });
    expect(new Set(once.written.map(({ identity }) => identity)).size).toBe(once.written.length);
    expect(new Set(again.written.map(({ identity }) => identity))).toEqual(
      new Set(once.written.map(({ identity }) => identity)),
    );
  }
});

it('tells a late pane from those before it, whatever it counts', async () => {
  const events = memoryStream(['kinesis', 'shard-0']);
  for (const at of [1_000, 2_500, 1_200, 1_200, 1_300])
    put(events, 0, event(`e${at}`, { at, k: 'k' }));
  const flow = build((t) =>
    timed(t)
      .keyBy((e) => e.data.k)
      .window('w', tumbling('1s'), { allowedLateness: '1m', mode: 'discarding' })
      .aggregate({ n: count() })
      .out.map(({ n }) => ({ n })),
  );
  const { written } = await told(flow, events);
  expect(written.map(({ value }) => value)).toEqual([
    '{"n":1}',
    '{"n":1}',
    '{"n":1}',
    '{"n":1}',
    '{"n":1}',
  ]);
  expect(new Set(written.map(({ identity }) => identity)).size).toBe(5);
});

it('tells a window from the one of the same time before a drain', async () => {
  const events = readings(1, 3);
  const flow = build(
    flows['tumbling windows of several keys, whose rows are equal'] as (typeof flows)[string],
  );
  const blobs = memoryBlobs();
  const before = await told(flow, events, { blobs });
  for (const at of [1_000, 1_400]) put(events, 0, event(`again${at}`, { at, k: 'k0' }));
  const after = await told(flow, events, { blobs });
  expect(after.written).toHaveLength(1);
  const identities = [...before.written, ...after.written].map(({ identity }) => identity);
  expect(new Set(identities).size).toBe(identities.length);
});

it('tells timers of processing time, each by what set it', async () => {
  const flow = build((t) =>
    timed(t)
      .keyBy((e) => e.data.k)
      .process('p', {
        state: {},
        onElement: (_e, { timers, processingTime }) => {
          timers.processing(processingTime + 1);
          timers.processing(processingTime + 2);
          return [];
        },
        onTimer: ({ at }, { timers }) => {
          if (at % 2 === 0) timers.processing(at + 31);
          return [{ n: 1 }];
        },
      }),
  );
  const events = readings(1, 6);
  const once = await told(flow, events, { drain: false });
  expect(once.written.length).toBeGreaterThan(5);
  expect(new Set(once.written.map(({ identity }) => identity)).size).toBe(once.written.length);
});
