/**
 * No operator sees a time that it was not given. A restored look-up gives out what it held before
 * the first tick: everything in it was from the future then, as time was 0, and a process function
 * was told that it is 1970.
 */
import { describe, expect, it } from 'vitest';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import type { Job, Topology } from '../../../topology/index.ts';
import {
  asyncLookup,
  createJob,
  schemaOf,
  stream,
  table,
  topology,
  value,
} from '../../../topology/index.ts';
import { createDriver, event as driven } from '../../../topology/testing.ts';
import { event, memoryBlobs, memoryStream, put, world } from '../support.ts';

interface Data {
  readonly at: number;
}

const now = 1_700_000_000_000;
const anyRow = schemaOf<unknown>({
  $id: 'https://sluice.example/test/any-row',
  type: 'object',
  properties: { id: { type: 'string' } },
});
const data = schemaOf<Data>({
  $id: 'https://sluice.example/test/at',
  type: 'object',
  properties: { at: { type: 'integer' } },
});

/**
 * The look-up answers when `gate` is open; what comes out of it has its time set, guarded against
 * the future, and is told what time it is.
 */
function guarded(gate: { open: boolean }): Topology {
  return topology('guarded', { version: 1, owner: 'a/b' }, (t) => {
    t.source('events', stream('a/b'))
      .validate('valid', data)
      .map((e) => e.data)
      .lookup(
        'look',
        asyncLookup(() => (gate.open ? Promise.resolve(1) : new Promise<number>(() => undefined))),
        { by: ({ at }) => `${at}`, timeout: '1h' },
        (row) => row,
      )
      .eventTime('time', (row) => row.at, { outOfOrderness: 0, future: { max: '5m' } })
      .keyBy(() => 'all')
      .process('told', {
        state: { n: value<number>() },
        onElement: (_row, ctx) => [{ told: ctx.processingTime }],
      })
      .sinkTo('out', table('out', anyRow));
  });
}

describe('processing time', () => {
  it('is known before a restored look-up gives out what it held', async () => {
    const made = world({ 'a/b': memoryStream(['kinesis', '0']) });
    const clock = manualClock(now);
    const blobs = memoryBlobs();
    const gate = { open: false };
    const events = made.streams['a/b'];
    if (events === undefined) throw new Error('no stream');
    const pass = async (rounds: number): Promise<void> => {
      for (let i = 0; i < rounds; i++) {
        await new Promise((resolve) => setImmediate(resolve));
        clock.advance(50);
      }
    };
    const start = (): Job =>
      createJob({
        topology: guarded(gate),
        blobs,
        connectors: made.connectors,
        clock,
        random: seededRandom(1),
        checkpointIntervalMs: 100,
      });
    for (let n = 0; n < 20; n++) put(events, 0, event(`e${n}`, { at: now + n }));
    // The second run's own splits wait behind what it restored, and are in its checkpoints' way: a
    // set is no JSON.
    for (let run = 1; run <= 2; run++) {
      put(events, 0, event(`r${run}`, { at: now }));
      const held = start();
      await held.open();
      void held.run().catch(() => undefined);
      await pass(20);
    }
    expect(made.tables['out']?.visible ?? []).toEqual([]);

    gate.open = true;
    const job = start();
    await job.open();
    const running = job.run();
    await pass(20);
    job.stop();
    await pass(5);
    await running;
    await job.close();
    const told = (made.tables['out']?.visible ?? []) as { readonly told: number }[];
    expect(told).toHaveLength(22);
    expect(Math.min(...told.map((row) => row.told))).toBeGreaterThanOrEqual(now);
    expect(made.tables['rejected']?.visible ?? []).toEqual([]);
  });

  it('is known to the first element of a driver, restored or not', async () => {
    const of = guarded({ open: true });
    let driver = await createDriver(of, { now });
    const snapshot = driver.snapshot();
    await driver.push('events', driven({ at: now }));
    expect([driver.read('out').map((row) => row.value), driver.rejected()]).toEqual([
      [{ told: now }],
      [],
    ]);
    driver = await createDriver(of, { now: now + 7 });
    await driver.restore(snapshot);
    await driver.push('events', driven({ at: now + 60_000 }));
    expect([driver.read('out').map((row) => row.value), driver.rejected()]).toEqual([
      [{ told: now + 7 }],
      [],
    ]);
  });
});
