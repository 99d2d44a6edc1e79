/**
 * An element on which an operator fails for no reason of its own came again after each restart, and
 * its topology restarted for ever. It is found by what checkpoints remember of failed runs, set
 * aside with its bytes, and everything else is counted as if it had never been.
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import { encodeKey } from '../../../schemas/kernel/key.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import type { RejectedEvent } from '../../../schemas/rejection.ts';
import { checkpointAlarmFailures } from '../../../topology/checkpoint/health.ts';
import { isolationTriesMax } from '../../../topology/checkpoint/isolation.ts';
import type {
  Job,
  JobNews,
  JobOptions,
  StreamDefinition,
  Topology,
} from '../../../topology/index.ts';
import {
  collect,
  count,
  createJob,
  schemaOf,
  stream,
  table,
  topology,
  tumbling,
} from '../../../topology/index.ts';
import type { Batch } from '../../../topology/operators/batch.ts';
import { rowKinds } from '../../../topology/operators/batch.ts';
import { DeduplicateOperator } from '../../../topology/operators/deduplicate/operator.ts';
import { inlineWorkers } from '../../../topology/runtime/parallel/inline-workers.ts';
import { FirstSeen } from '../../../topology/state/first-seen.ts';
import { createDriver, event as driven } from '../../../topology/testing.ts';
import type { World } from '../support.ts';
import { event, memoryBlobs, memoryStream, put, world } from '../support.ts';

const row = schemaOf<{ key: string; n: number }>({
  $id: 'counted',
  type: 'object',
  required: ['key', 'n'],
  properties: { key: { type: 'string' }, n: { type: 'integer' } },
});

type Click = { readonly id: string; readonly data: { readonly n: number } };

const counted = (): Topology =>
  topology('counted', { version: 1, owner: 'a/b' }, (t) => {
    t.source('in', stream('a/b') as StreamDefinition<Click>)
      .eventTime('time', (e) => e.data.n, { outOfOrderness: '1d', future: { max: 0 } })
      .deduplicate('once', { by: (e) => e.id, within: '1d' })
      .keyBy((e) => `k${e.data.n % 3}`)
      .window('per-hour', tumbling('1h'))
      .aggregate({ n: count() })
      .out.map(({ key, n }) => ({ key, n }))
      .sinkTo('rows', table('counted', row));
  });

interface Rig {
  readonly made: World;
  readonly news: JobNews[];
  job(more?: Partial<JobOptions>): Job;
  /** Ends a run with what it threw, or undefined when it has read everything. */
  run(more?: Partial<JobOptions>): Promise<unknown>;
  /** Runs until one has read everything; how many failed before. */
  restarts(): Promise<number>;
  /** Gives out everything. */
  drain(): Promise<void>;
}

function rig(events: number, checkpointIntervalMs = 1_000): Rig {
  const made = world({ 'a/b': memoryStream(['kinesis', 'shard-0'], ['kinesis', 'shard-1']) });
  for (let n = 0; n < events; n++) put(made.streams['a/b'] as never, n % 2, event(`e${n}`, { n }));
  const blobs = memoryBlobs();
  const clock = manualClock(5_000_000);
  const news: JobNews[] = [];
  const jobOf = (more: Partial<JobOptions> = {}): Job =>
    createJob({
      topology: counted(),
      blobs,
      connectors: made.connectors,
      clock,
      random: seededRandom(1),
      checkpointIntervalMs,
      turnBounds: { maxRecords: 16, maxBytes: 1e6 },
      tell: (told) => news.push(told),
      ...more,
    });
  const run = async (more: Partial<JobOptions> = {}, drains = false): Promise<unknown> => {
    const job = jobOf(more);
    await job.open();
    let ended = false;
    let failed: unknown;
    const running = job.run().then(
      () => {
        ended = true;
      },
      (thrown: unknown) => {
        ended = true;
        failed = thrown;
      },
    );
    if (drains) await job.drain();
    for (let i = 0; i < 4_000 && !ended; i++) {
      clock.advance(25);
      await new Promise((resolve) => setImmediate(resolve));
      const { splits, uncommittedRows, turns } = await job.status();
      if (!drains && turns > 100 && uncommittedRows === 0 && splits.every(({ lag }) => lag === 0))
        break;
    }
    job.stop();
    clock.advance(50);
    await running;
    await job.close();
    return failed;
  };
  return {
    made,
    news,
    job: jobOf,
    run,
    async restarts() {
      for (let failures = 0; ; failures++) if ((await run()) === undefined) return failures;
    },
    async drain() {
      expect(await run({}, true)).toBeUndefined();
    },
  };
}

const refusedOf = ({ made }: Rig): readonly RejectedEvent[] =>
  (made.tables['rejected']?.visible ?? []) as readonly RejectedEvent[];

/** The windows' counts of everything but what was set aside. */
function expectCounted({ made }: Rig, events: number, without: readonly number[]): void {
  const counts = new Map<string, number>();
  for (let n = 0; n < events; n++)
    if (!without.includes(n)) counts.set(`k${n % 3}`, (counts.get(`k${n % 3}`) ?? 0) + 1);
  const rows = made.tables['counted']?.visible as readonly { key: string; n: number }[];
  expect(new Map(rows.map(({ key, n }) => [key, n]))).toEqual(counts);
  expect(rows).toHaveLength(3);
}

afterEach(() => {
  vi.restoreAllMocks();
});

/** To be called by what stands in its place. */
const methodOf = <T, K extends keyof T>(of: T, name: K): T[K] => of[name];

/** A deduplication with a fault: it takes the element, and then fails. */
function failOn(ids: readonly string[], fail: (operator: DeduplicateOperator) => void): void {
  const process = methodOf(DeduplicateOperator.prototype, 'process');
  vi.spyOn(DeduplicateOperator.prototype, 'process').mockImplementation(function (
    this: DeduplicateOperator,
    input,
    batch: Batch,
    out,
  ) {
    process.call(this, input, batch, out);
    for (let i = 0; i < batch.length; i++)
      if (batch.kinds[i] === rowKinds.element && ids.includes((batch.values[i] as Click).id))
        fail(this);
  });
}

/** The same in the middle of an element: it is counted in, and half in state. */
function failOnKey(key: string): void {
  const add = methodOf(FirstSeen.prototype, 'add');
  vi.spyOn(FirstSeen.prototype, 'add').mockImplementation(function (
    this: FirstSeen,
    digest,
    of,
    time,
  ) {
    if (of === encodeKey(key)) broken();
    return add.call(this, digest, of, time);
  });
}

const broken = (): never => {
  throw new TypeError("Cannot read properties of undefined (reading 'x')");
};

describe('an element on which an operator fails', () => {
  it('is set aside after a restart, with its bytes, and everything else is counted', async () => {
    failOn(['e13'], broken);
    const rigged = rig(100);
    expect(await rigged.restarts()).toBe(1);
    await rigged.drain();
    expectCounted(rigged, 100, [13]);
    expect(refusedOf(rigged)).toMatchObject([
      {
        id: 'e13',
        code: 'operator-failed',
        operator: 'once',
        data: '{"n":13}',
        split: 'shard-1',
        position: '7',
        element: '0',
      },
    ]);
    expect(refusedOf(rigged)[0]).toMatchObject({ code: 'operator-failed', operator: 'once' });
  });

  it('is found in one thread where the operator of a worker failed on it', async () => {
    failOnKey('e13');
    const rigged = rig(100);
    const made: number[] = [];
    const keyedWorkers: JobOptions['keyedWorkers'] = (of) => {
      made.push(rigged.news.length);
      return inlineWorkers(of, 3, { clock: manualClock(), random: seededRandom(1) });
    };
    expect(await rigged.run({ keyedWorkers })).toBeInstanceOf(Error);
    // Its first run fails too, the next does without the element, and the last has workers.
    const beside = made.length;
    expect(await rigged.run({ keyedWorkers })).toBeUndefined();
    expect([beside, made.length]).toEqual([1, 2]);
    await rigged.drain();
    expectCounted(rigged, 100, [13]);
    expect(refusedOf(rigged)).toMatchObject([
      { id: 'e13', code: 'operator-failed', operator: 'once', position: '7' },
    ]);
  });

  it('is said in the status of every later run, and told by each that meets it', async () => {
    failOn(['e13'], broken);
    const rigged = rig(100);
    await rigged.restarts();
    expect(rigged.news.filter(({ kind }) => kind === 'set-aside')).toMatchObject([
      { aside: { place: '7', operator: 'once' } },
    ]);
    const job = rigged.job();
    await job.open();
    expect((await job.status()).setAside).toMatchObject([
      {
        split: 'in kinesis shard-1',
        place: '7',
        operator: 'once',
        message: expect.stringContaining('undefined') as string,
      },
    ]);
    await job.close();
  });

  it('is one of several: each turn that has some takes one restart', async () => {
    failOn(['e13', 'e14', 'e15', 'e60'], broken);
    const rigged = rig(100);
    // 13 and 15 are in one turn, 14 and 60 each in another.
    expect(await rigged.restarts()).toBe(3);
    await rigged.drain();
    expectCounted(rigged, 100, [13, 14, 15, 60]);
    expect(
      refusedOf(rigged)
        .map(({ id }) => id)
        .toSorted(),
    ).toEqual(['e13', 'e14', 'e15', 'e60']);
  });

  it('only when its state is written is found by checkpoints that come closer', async () => {
    const spoiled = new WeakSet<DeduplicateOperator>();
    failOn(['e33'], (operator) => spoiled.add(operator));
    const snapshot = methodOf(DeduplicateOperator.prototype, 'snapshot');
    vi.spyOn(DeduplicateOperator.prototype, 'snapshot').mockImplementation(function (
      this: DeduplicateOperator,
    ) {
      if (spoiled.has(this)) broken();
      return snapshot.call(this);
    });
    const rigged = rig(100);
    expect(await rigged.restarts()).toBe(2);
    await rigged.drain();
    expectCounted(rigged, 100, [33]);
    expect(refusedOf(rigged)).toMatchObject([
      { id: 'e33', code: 'operator-failed', operator: 'in' },
    ]);
  });

  it('that leaves a state which has no text is found too, after three checkpoints that failed', async () => {
    const spoiled = new WeakSet<DeduplicateOperator>();
    failOn(['e33'], (operator) => spoiled.add(operator));
    const snapshot = methodOf(DeduplicateOperator.prototype, 'snapshot');
    vi.spyOn(DeduplicateOperator.prototype, 'snapshot').mockImplementation(function (
      this: DeduplicateOperator,
    ) {
      const state = snapshot.call(this);
      return spoiled.has(this) ? { ...state, watermark: 1n as unknown as number } : state;
    });
    const rigged = rig(100);
    expect(await rigged.restarts()).toBe(2);
    await rigged.drain();
    expectCounted(rigged, 100, [33]);
    expect(
      rigged.news.filter(({ kind }) => kind === 'checkpoint-failed').length,
    ).toBeGreaterThanOrEqual(checkpointAlarmFailures);
    expect(refusedOf(rigged)).toMatchObject([{ id: 'e33', code: 'operator-failed' }]);
  });

  it('only when a sink takes what came of it is set aside too', async () => {
    const rigged = rig(60);
    const { connectors } = rigged.made;
    const flow = topology('counted', { version: 1, owner: 'a/b' }, (t) => {
      t.source('in', stream('a/b') as StreamDefinition<Click>)
        .map(({ data: { n } }) => ({ key: 'k', n }))
        .sinkTo('rows', table('counted', row));
    });
    const poisoned: JobOptions['connectors'] = {
      ...connectors,
      sink: (node, plan, attempt) => {
        const sink = connectors.sink(node, plan, attempt);
        return {
          ...sink,
          write: (batch) =>
            (batch.values as { n: number }[]).some(({ n }) => n === 20)
              ? Promise.reject(new TypeError('no'))
              : sink.write(batch),
        };
      },
    };
    let failures = 0;
    while ((await rigged.run({ topology: flow, connectors: poisoned })) !== undefined) failures++;
    expect(failures).toBe(1);
    expect(rigged.made.tables['counted']?.visible).toHaveLength(59);
    expect(refusedOf(rigged)).toMatchObject([{ id: 'e20', code: 'operator-failed' }]);
  });
});

describe('a run that fails of nobody', () => {
  it('sets nothing aside, however often a sink or a store fails', async () => {
    const rigged = rig(60, 0);
    let writes = 0;
    rigged.made.crash = (step) => {
      if (step.startsWith('counted write') || step.startsWith('rejected prepare'))
        if (++writes <= 12) throw new SluiceError('disk-full', 'no room');
    };
    expect(await rigged.restarts()).toBe(12);
    rigged.made.crash = () => undefined;
    await rigged.drain();
    expectCounted(rigged, 60, []);
    expect(refusedOf(rigged)).toEqual([]);
  });

  it('gives up to set elements aside when it fails on all of them', async () => {
    failOn(
      Array.from({ length: 300 }, (_, n) => `e${n}`),
      broken,
    );
    const rigged = rig(300);
    const setAside = async (): Promise<number> => {
      rigged.news.length = 0;
      expect(await rigged.run()).toBeInstanceOf(TypeError);
      return rigged.news.filter(({ kind }) => kind === 'set-aside').length;
    };
    for (let failures = 0; failures < isolationTriesMax; failures++) await setAside();
    const most = await setAside();
    expect(most).toBeGreaterThan(isolationTriesMax / 3);
    expect(await setAside()).toBe(most);
  });
});

describe('a run that could not say how it ended', () => {
  it('is told of by whoever saw it: the element that was alone is set aside the second time', async () => {
    const rigged = rig(40);
    const span = { split: 'in kinesis shard-0', from: '1', through: '8' };
    const message = 'its thread ended without a word';
    const turn = { kind: 'turn', span, place: undefined, operator: undefined, message } as const;
    const before = rigged.job({ failure: turn });
    await before.open();
    await before.close();
    const alone = { ...turn, span: { ...span, from: '3', through: '3' }, place: '3' };
    const again = rigged.job({ failure: alone });
    await again.open();
    await again.close();
    expect(await rigged.run({ failure: alone })).toBeUndefined();
    await rigged.drain();
    expectCounted(rigged, 40, [4]);
    expect(refusedOf(rigged)).toMatchObject([
      { id: 'e4', code: 'operator-failed', operator: 'in' },
    ]);
  });
});

describe('the test driver', () => {
  it('goes on after an operator failed: the element is rejected, and what comes with it and after it is counted', async () => {
    failOnKey('b');
    const flow = topology('driven', { version: 1, owner: 'a/b' }, (t) => {
      t.source('in', stream('a/b'))
        .eventTime('time', () => 1_000, { outOfOrderness: 0, future: { max: 0 } })
        .deduplicate('once', { by: (e) => e.id, within: '1d' })
        .map((e) => e.id)
        .sinkTo('out', collect());
    });
    const driver = await createDriver(flow);
    await driver.push(
      'in',
      ['a', 'b', 'c'].map((id) => driven({ n: 1 }, { id })),
    );
    expect(driver.read('out').map(({ value }) => value)).toEqual(['a', 'c']);
    expect(driver.rejected()).toMatchObject([
      { operator: 'once', code: 'operator-failed', value: { id: 'b' } },
    ]);
    await driver.push('in', driven({ n: 1 }, { id: 'd' }));
    expect(driver.read('out').map(({ value }) => value)).toEqual(['d']);
    expect(driver.counts('once')).toMatchObject({ in: 4, passed: 3, rejected: 1 });
    await driver.advanceWatermark('max');
    expect(driver.signals('out').at(-1)).toBe('max');
  });
});
