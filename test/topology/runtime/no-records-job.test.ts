/**
 * Splits that have places without a record: markers of transactions, what was broken off, what
 * compaction took. A drain that waited for the last position of such a split waited forever, its
 * lag was never 0, and what an open transaction held back was taken for silence.
 */
import { describe, expect, it } from 'vitest';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import type { BlobStore } from '../../../schemas/ports/blob-store.ts';
import type { IncomingRecord } from '../../../schemas/ports/record.ts';
import type { RecordReader } from '../../../schemas/ports/record-reader.ts';
import type { Job } from '../../../topology/index.ts';
import {
  count,
  createJob,
  rejected,
  schemaOf,
  stream,
  table,
  topology,
  tumbling,
} from '../../../topology/index.ts';
import type { World } from '../support.ts';
import { event, memoryBlobs, world } from '../support.ts';

const anyRow = schemaOf<unknown>({
  $id: 'https://sluice.example/test/any-row',
  type: 'object',
  properties: { id: { type: 'string' } },
});
const data = schemaOf<{ readonly at: number }>({
  $id: 'https://sluice.example/test/at',
  type: 'object',
  properties: { at: { type: 'integer' } },
});

const hundreds = topology('hundreds', { version: 1, owner: 'a/b' }, (t) => {
  const events = t
    .source('events', stream('a/b'))
    .validate('valid', data)
    .eventTime('time', (e) => e.data.at, {
      outOfOrderness: 0,
      idleAfter: '1s',
      future: { max: 0 },
    });
  events.map((e) => ({ id: e.id })).sinkTo('ids', table('ids', anyRow));
  const windows = events
    .keyBy(() => 'all')
    .window('windows', tumbling(100), { late: 'side' })
    .aggregate({ n: count() });
  windows.out
    .map(({ windowStart, n }) => ({ windowStart, n }))
    .sinkTo('counts', table('counts', anyRow));
  windows.late.sinkTo('late', rejected());
});

/** The time of an event, or a place without a record. */
type Place = number | null;

interface Log {
  readonly places: Place[];
  /** Places that can be read: an open transaction ends them. */
  stable: number | undefined;
  /** What was asked for. */
  readonly asked: (string | undefined)[];
  /** Called when the end is asked for: what comes then is behind it. */
  onLatest: () => void;
}

const logOf = (...places: readonly Place[]): Log => ({
  places: [...places],
  stable: undefined,
  asked: [],
  onLatest: () => undefined,
});

/** `most`: places that one read looks at. */
function readerOf(log: Log, most: number): RecordReader {
  const recordAt = (offset: number, at: number): IncomingRecord => ({
    key: 'k',
    position: String(offset),
    arrivedAtMs: 1_000,
    ...event(`e${offset}`, { at }),
  });
  const endOf = (): number => log.stable ?? log.places.length;
  return {
    route: 'kafka',
    splits: () => Promise.resolve([{ id: 'partition-0', parents: [] }]),
    async read(_split, after) {
      log.asked.push(after);
      const from = after === undefined ? 0 : Number(after) + 1;
      const to = Math.min(from + most, endOf());
      const records = log.places
        .slice(from, to)
        .flatMap((at, n) => (at === null ? [] : [recordAt(from + n, at)]));
      if (records.length > 0) return { records, ended: false };
      const reached = to > from ? { reached: String(to - 1) } : {};
      if (to === log.places.length) return { records, ended: false, ...reached };
      const waitsFor = log.stable === to ? { waitsFor: 'a transaction is open' } : {};
      return { records, ended: false, inconclusive: true, ...reached, ...waitsFor };
    },
    async latest() {
      const end = endOf();
      log.onLatest();
      return end === 0 ? undefined : String(end - 1);
    },
    lag: async (_split, after) => endOf() - (after === undefined ? 0 : Number(after) + 1),
    oldest: () => Promise.resolve({ position: undefined, counts: false }),
    positionAt: () => Promise.resolve(null),
    close: () => Promise.resolve(),
  };
}

interface Rig {
  readonly made: World;
  readonly log: Log;
  readonly clock: ReturnType<typeof manualClock>;
  readonly blobs: BlobStore;
  readonly most: number;
}

const rigOf = (log: Log, most: number): Rig => ({
  made: world({}),
  log,
  clock: manualClock(5_000_000),
  blobs: memoryBlobs(),
  most,
});

async function opened({ made, log, clock, blobs, most }: Rig): Promise<Job> {
  const connectors = { ...made.connectors, readers: () => Promise.resolve([readerOf(log, most)]) };
  const job = createJob({
    topology: hundreds,
    blobs,
    connectors,
    clock,
    random: seededRandom(1),
    checkpointIntervalMs: 500,
  });
  await job.open();
  return job;
}

async function pass({ clock }: Rig, rounds: number): Promise<void> {
  for (let i = 0; i < rounds; i++) {
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(50);
  }
}

async function run(
  rig: Rig,
  during: (job: Job) => Promise<void>,
  end: 'drain' | 'stop',
): Promise<string | null | undefined> {
  const job = await opened(rig);
  const running = job.run();
  await during(job);
  if (end === 'drain') await job.drain();
  else job.stop();
  await pass(rig, 200);
  await running;
  const position = (await job.status()).splits[0]?.position;
  await job.close();
  return position;
}

const idsOf = ({ made }: Rig): readonly unknown[] =>
  (made.tables['ids']?.visible ?? []).map((row) => (row as { readonly id: string }).id);
const countsOf = ({ made }: Rig): readonly unknown[] =>
  (made.tables['counts']?.visible ?? []).map((row) => {
    const { windowStart, n } = row as { readonly windowStart: number; readonly n: number };
    return [windowStart, n];
  });

describe('places of a split that have no record', () => {
  for (const most of [1, 2, 3, 100]) {
    it(`are gone past, also at the end of a drain, and what comes later is the next run's (${most} a read)`, async () => {
      const rig = rigOf(logOf(null, 10, null, null, 20, 30, null, null), most);
      const position = await run(rig, () => Promise.resolve(), 'drain');
      expect(idsOf(rig)).toEqual(['e1', 'e4', 'e5']);
      expect(position).toBe('7');
      rig.log.places.push(40, null);
      expect(await run(rig, () => Promise.resolve(), 'drain')).toBe('9');
      expect(idsOf(rig)).toEqual(['e1', 'e4', 'e5', 'e8']);
    });

    it(`end a drain where it began, whatever comes behind them meanwhile (${most} a read)`, async () => {
      const rig = rigOf(logOf(10, null), most);
      let more = true;
      rig.log.onLatest = () => {
        if (more) rig.log.places.push(20, null, null, 30);
        more = false;
      };
      expect(await run(rig, () => Promise.resolve(), 'drain')).toBe('1');
      expect(idsOf(rig)).toEqual(['e0']);
      expect(await run(rig, () => Promise.resolve(), 'drain')).toBe('5');
      expect(idsOf(rig)).toEqual(['e0', 'e2', 'e5']);
    });
  }

  it('are in a checkpoint, so that no retention can overtake a split that has nothing else', async () => {
    const rig = rigOf(logOf(null, null, null, null, null), 2);
    await run(rig, () => pass(rig, 100), 'stop');
    rig.log.asked.length = 0;
    const job = await opened(rig);
    expect((await job.status()).splits).toMatchObject([{ position: '4' }]);
    const running = job.run();
    await pass(rig, 20);
    expect(new Set(rig.log.asked)).toEqual(new Set(['4']));
    expect((await job.status()).splits).toMatchObject([{ lag: 0, hearing: 'caught-up' }]);
    job.stop();
    await pass(rig, 20);
    await running;
    await job.close();
  });
});

it('a split whose end is held back by the stream holds time, says why, and its records are not late when they come', async () => {
  const rig = rigOf(logOf(110, 150, 160, 170), 100);
  rig.log.stable = 1;
  await run(
    rig,
    async (job) => {
      await pass(rig, 200);
      const [split] = (await job.status()).splits;
      expect(split).toMatchObject({
        lag: 0,
        idle: false,
        hearing: 'slow',
        waitsFor: 'a transaction is open',
      });
      expect(countsOf(rig)).toEqual([]);
      rig.log.stable = undefined;
      await pass(rig, 200);
      const [later] = (await job.status()).splits;
      expect(later).toMatchObject({ lag: 0, hearing: 'caught-up' });
      expect(later?.waitsFor).toBeUndefined();
    },
    'drain',
  );
  expect(countsOf(rig)).toEqual([[100, 4]]);
  expect(rig.made.tables['rejected']?.visible ?? []).toEqual([]);
});
