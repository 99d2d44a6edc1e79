/**
 * What a drain must not lose: an input that was idle, or behind, has its windows opened by the end
 * of time like any other, and what they give must not meet an operator that is already at the end.
 */
import { describe, expect, it } from 'vitest';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import type { Job, Topology, TopologyBuilder } from '../../../topology/index.ts';
import {
  count,
  createJob,
  list,
  rejected,
  schemaOf,
  stream,
  table,
  topology,
  tumbling,
} from '../../../topology/index.ts';
import type { World } from '../support.ts';
import { event, memoryBlobs, memoryStream, put, world } from '../support.ts';

interface Row {
  readonly key: string;
  readonly at: number;
}

const anyRow = schemaOf<unknown>({
  $id: 'https://sluice.example/test/drained',
  type: 'object',
  properties: { key: { type: 'string' } },
});
const dataSchema = schemaOf<Row>({
  $id: 'https://sluice.example/test/row',
  type: 'object',
  properties: { key: { type: 'string' } },
});

function rows(t: TopologyBuilder, id: string, name: string) {
  return t
    .source(id, stream(name))
    .validate(`${id}-valid`, dataSchema)
    .eventTime(`${id}-time`, (e) => e.data.at, {
      outOfOrderness: 0,
      idleAfter: '1s',
      future: { max: 0 },
    })
    .map((e): Row => e.data);
}

function hundreds(t: TopologyBuilder) {
  return rows(t, 'b', 'a/c')
    .keyBy((row) => row.key)
    .window('hundreds', tumbling(100))
    .aggregate({ n: count() })
    .out.map((row): Row => ({ key: row.key, at: row.windowEnd - 1 }));
}

interface Rig {
  readonly made: World;
  readonly clock: ReturnType<typeof manualClock>;
  readonly job: Job;
}

async function rigOf(of: Topology): Promise<Rig> {
  const made = world({
    'a/b': memoryStream(['kinesis', '0']),
    'a/c': memoryStream(['kinesis', '0']),
  });
  const clock = manualClock(5_000_000);
  const [ab, ac] = [made.streams['a/b'], made.streams['a/c']];
  if (ab === undefined || ac === undefined) throw new Error('no stream');
  put(ab, 0, event('a1', { key: 'k', at: 500 }));
  put(ac, 0, event('b1', { key: 'k', at: 420 }, { app: 'c', source: '/a/c' }));
  const job = createJob({
    topology: of,
    blobs: memoryBlobs(),
    connectors: made.connectors,
    clock,
    random: seededRandom(1),
    checkpointIntervalMs: 1_000_000,
  });
  await job.open();
  return { made, clock, job };
}

async function pass(clock: Rig['clock'], rounds: number): Promise<void> {
  for (let i = 0; i < rounds; i++) {
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(50);
  }
}

/** Runs until every split is idle, then drains. */
async function idleThenDrained({ clock, job }: Rig): Promise<void> {
  const running = job.run();
  await pass(clock, 200);
  expect((await job.status()).splits.map((split) => split.idle)).toEqual([true, true]);
  await job.drain();
  await pass(clock, 200);
  await running;
  await job.close();
}

describe('a drain', () => {
  it('fires timers until none is left, and none after the end', async () => {
    const rig = await rigOf(
      topology('timers', { version: 1, owner: 'a/b' }, (t) => {
        rows(t, 'b', 'a/c').sinkTo('others', table('others', anyRow));
        rows(t, 'a', 'a/b')
          .flatMap((row) => ['first', 'second', 'third'].map((part) => ({ ...row, part })))
          .keyBy((row) => row.key)
          .process('parts', {
            state: { waiting: list<string>() },
            onElement: (
              row,
              { state, timers, processingTime },
            ): readonly { readonly key: string; readonly part: string }[] => {
              state.waiting.add(row.part);
              timers.event(row.at + 60_000);
              timers.processing(processingTime + 3_600_000);
              return [];
            },
            onTimer: (timer, { key, state, timers }) => {
              if (timer.domain === 'processing') return [{ key, part: 'of the clock' }];
              const [part = '', ...others] = state.waiting.get();
              state.waiting.set(others);
              if (others.length > 0) timers.event(timer.at + 1);
              return [{ key, part }];
            },
          })
          .sinkTo('table', table('parts', anyRow));
      }),
    );
    await idleThenDrained(rig);
    expect(rig.made.tables['parts']?.visible).toMatchObject([
      { part: 'first' },
      { part: 'second' },
      { part: 'third' },
    ]);
  });
});

describe('a drain of idle inputs', () => {
  it.each(['first', 'second'])(
    'loses nothing that a window gives to a union as its %s input',
    async (place) => {
      const rig = await rigOf(
        topology('union', { version: 1, owner: 'a/b' }, (t) => {
          const a = rows(t, 'a', 'a/b');
          const b = hundreds(t);
          const windows = (place === 'first' ? b.union('all', a) : a.union('all', b))
            .keyBy((row) => row.key)
            .window('thousands', tumbling(1_000), { late: 'side' })
            .aggregate({ n: count() });
          windows.out.sinkTo('table', table('thousands', anyRow));
          windows.late.sinkTo('late', rejected());
        }),
      );
      await idleThenDrained(rig);
      expect(rig.made.tables['rejected']?.visible).toEqual([]);
      expect(rig.made.tables['thousands']?.visible).toMatchObject([{ n: 2 }]);
    },
  );

  it('loses nothing that a window gives to a join', async () => {
    const rig = await rigOf(
      topology('join', { version: 1, owner: 'a/b' }, (t) => {
        const joined = rows(t, 'a', 'a/b')
          .keyBy((row) => row.key)
          .intervalJoin(
            'join',
            hundreds(t).keyBy((row) => row.key),
            { lower: -1_000, upper: 1_000, join: 'left', late: 'side' },
            (left, right) => ({ key: left.key, left: left.at, right: right?.at ?? null }),
          );
        joined.out.sinkTo('table', table('joined', anyRow));
        joined.lateLeft.sinkTo('late-left', rejected());
        joined.lateRight.sinkTo('late-right', rejected());
      }),
    );
    await idleThenDrained(rig);
    expect(rig.made.tables['rejected']?.visible).toEqual([]);
    expect(rig.made.tables['joined']?.visible).toEqual([{ key: 'k', left: 500, right: 499 }]);
  });
});
