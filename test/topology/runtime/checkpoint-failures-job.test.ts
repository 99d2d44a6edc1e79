/**
 * Checkpoints that fail. As shipped before, a store that could not be written was silent: the
 * status said `running`, without an error, until the next try, which came after nine times as long
 * as the failed one had taken; then the run ended.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import type { OperationalCode } from '../../../schemas/kernel/error-codes.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import { limits } from '../../../schemas/limits.ts';
import type { BlobStore } from '../../../schemas/ports/blob-store.ts';
import type { CheckpointNews } from '../../../topology/checkpoint/health.ts';
import { checkpointAlarmFailures } from '../../../topology/checkpoint/health.ts';
import { manifestVersion, noState } from '../../../topology/checkpoint/manifest.ts';
import { checkpointStore } from '../../../topology/checkpoint/store.ts';
import type { Job, JobConnectors, JobNews, Topology } from '../../../topology/index.ts';
import { createJob, schemaOf, stream, table, topology } from '../../../topology/index.ts';
import {
  checkpointLastMaxMs,
  checkpointRetryBaseMs,
  checkpointRetryMaxMs,
  checkpointsKept,
  checkpointTriesInFlightMax,
  fenceCheckMs,
  JobCheckpoints,
} from '../../../topology/runtime/job-checkpoints.ts';
import type { World } from '../support.ts';
import { event, memoryBlobs, memoryStream, put, world } from '../support.ts';

const anyRow = schemaOf<unknown>({
  $id: 'https://sluice.example/test/any-row',
  type: 'object',
  properties: { id: { type: 'string' } },
});

const rows = topology('rows', { version: 1, owner: 'a/b' }, (t) => {
  t.source('events', stream('a/b'))
    .map((e) => ({ id: e.id }))
    .sinkTo('table', table('rows', anyRow));
});

/** What becomes of a manifest that is to be stored. */
type Fate = 'stored' | 'disk-full' | 'denied' | 'hangs' | 'lost';

interface Rig {
  readonly made: World;
  readonly clock: ReturnType<typeof manualClock>;
  readonly blobs: ReturnType<typeof memoryBlobs>;
  readonly news: JobNews[];
  /** Of each manifest that is to be stored from now on; none: all are. */
  fate: () => Fate;
  /** Lets what hangs go on: it is stored, or fails. */
  release(how: 'stored' | 'failed'): void;
  stores: number;
  start(of?: Topology): Job;
}

function rigOf(): Rig {
  const made = world({ 'a/b': memoryStream(['kinesis', '0'], ['kinesis', '1']) });
  const clock = manualClock(5_000_000);
  const blobs = memoryBlobs();
  const hanging: ((how: 'stored' | 'failed') => void)[] = [];
  const fault = (code: OperationalCode): SluiceError =>
    new SluiceError(code, `${code}: no room`, {
      retryable: code !== 's3-refused',
      fix: 'free some space',
    });
  const store: BlobStore = {
    ...blobs,
    async createIfAbsent(key, bytes) {
      rig.stores++;
      switch (rig.fate()) {
        case 'stored':
          return blobs.createIfAbsent(key, bytes);
        case 'disk-full':
          throw fault('disk-full');
        case 'denied':
          throw fault('s3-refused');
        case 'lost':
          await blobs.createIfAbsent(key, bytes);
          throw fault('s3-failed');
        case 'hangs':
          return new Promise((resolve, reject) => {
            hanging.push((how) =>
              how === 'stored'
                ? resolve(blobs.createIfAbsent(key, bytes))
                : reject(fault('s3-failed')),
            );
          });
      }
    },
  };
  const rig: Rig = {
    made,
    clock,
    blobs,
    news: [],
    fate: () => 'stored',
    release: (how) => {
      for (const settle of hanging.splice(0)) settle(how);
    },
    stores: 0,
    start: (of = rows) =>
      createJob({
        topology: of,
        blobs: store,
        connectors: made.connectors,
        clock,
        random: seededRandom(1),
        checkpointIntervalMs: 1_000,
        turnBounds: { maxRecords: 3, maxBytes: 1e6 },
        tell: (told) => rig.news.push(told),
      }),
  };
  return rig;
}

let sent = 0;

function send({ made }: Rig, count: number): readonly string[] {
  const to = made.streams['a/b'];
  if (to === undefined) throw new Error('no stream');
  return Array.from({ length: count }, () => {
    const id = `e${sent++}`;
    put(to, sent % 2, event(id, {}));
    return id;
  });
}

async function pass({ clock }: Rig, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 50) {
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(50);
  }
  await new Promise((resolve) => setImmediate(resolve));
}

interface Running {
  readonly job: Job;
  readonly running: Promise<void>;
  /** The code that it ended with; undefined while it runs. */
  ended(): string | undefined;
}

async function opened(rig: Rig, of?: Topology): Promise<Running> {
  const job = rig.start(of);
  await job.open();
  let code: string | undefined;
  const running = job.run();
  running.then(
    () => {
      code = 'stopped';
    },
    (thrown: unknown) => {
      code = thrown instanceof SluiceError ? thrown.code : String(thrown);
    },
  );
  return { job, running, ended: () => code };
}

async function stopped(rig: Rig, { job, running }: Running): Promise<void> {
  job.stop();
  await pass(rig, 500);
  await running;
  await job.close();
}

const visible = ({ made }: Rig): readonly string[] =>
  (made.tables['rows']?.visible ?? []).map((row) => (row as { id: string }).id).sort();
const failures = ({ news }: Rig): number =>
  news.filter(({ kind }) => kind === 'checkpoint-failed').length;

describe('a checkpoint that cannot be stored', () => {
  it('is an error with its cause at once, is tried again soon, and takes nothing from the results', async () => {
    for (const fate of ['disk-full', 'denied', 'lost'] as const) {
      const rig = rigOf();
      const run = await opened(rig);
      const first = send(rig, 10);
      rig.fate = () => fate;
      await pass(rig, 1_200);
      const { checkpoints } = await run.job.status();
      expect(checkpoints).toMatchObject({
        inARow: 1,
        alarm: false,
        last: { message: expect.stringContaining('no room') as string },
      });
      expect(checkpoints.last?.againInMs).toBeLessThanOrEqual(checkpointRetryBaseMs * 3);
      rig.fate = () => 'stored';
      const more = send(rig, 10);
      await pass(rig, 3_000);
      expect(visible(rig), fate).toEqual([...first, ...more].sort());
      expect((await run.job.status()).checkpoints).toMatchObject({
        inARow: 0,
        failures: 1,
        last: null,
        alarm: false,
      });
      expect(rig.news.map(({ kind }) => kind)).toContain('checkpoint-completed');
      await stopped(rig, run);
      expect(visible(rig), fate).toEqual([...first, ...more].sort());
    }
  });

  it('is an alarm after three failures in a row, until one is complete', async () => {
    const rig = rigOf();
    const run = await opened(rig);
    rig.fate = () => 'disk-full';
    const ids = send(rig, 5);
    await pass(rig, 15_000);
    expect(failures(rig)).toBeGreaterThanOrEqual(checkpointAlarmFailures);
    expect((await run.job.status()).checkpoints).toMatchObject({
      alarm: true,
      last: { code: 'disk-full' },
    });
    expect(run.ended()).toBeUndefined();
    rig.fate = () => 'stored';
    await pass(rig, checkpointRetryMaxMs + 1_000);
    expect((await run.job.status()).checkpoints).toMatchObject({
      inARow: 0,
      alarm: false,
      last: null,
    });
    await stopped(rig, run);
    expect(visible(rig)).toEqual([...ids].sort());
  });

  it('holds no event back meanwhile, and leaves nothing behind', async () => {
    const rig = rigOf();
    const run = await opened(rig);
    rig.fate = () => 'disk-full';
    const ids: string[] = [];
    for (let n = 0; n < 30; n++) {
      ids.push(...send(rig, 4));
      await pass(rig, 500);
    }
    expect((await run.job.status()).splits.every(({ lag }) => lag === 0)).toBe(true);
    rig.fate = () => 'stored';
    await pass(rig, checkpointRetryMaxMs + 2_000);
    expect(visible(rig)).toEqual([...ids].sort());
    await stopped(rig, run);
    expect(rig.blobs.blobs.size).toBeLessThanOrEqual(checkpointsKept);
  });

  it('is tried again as soon when its failing took long', async () => {
    const rig = rigOf();
    const run = await opened(rig);
    send(rig, 5);
    rig.fate = () => 'hangs';
    await pass(rig, 50_000);
    expect(failures(rig)).toBe(0);
    const before = rig.stores;
    rig.fate = () => 'stored';
    rig.release('failed');
    await pass(rig, checkpointRetryBaseMs * 3);
    expect(failures(rig)).toBe(1);
    expect(rig.stores).toBeGreaterThan(before);
    expect(visible(rig)).toHaveLength(5);
    await stopped(rig, run);
  });

  it('that is never answered is a failure in its time, is asked twice at most meanwhile, and counts when the answer comes after all', async () => {
    for (const how of ['stored', 'failed'] as const) {
      const rig = rigOf();
      const run = await opened(rig);
      const ids = send(rig, 5);
      rig.fate = () => 'hangs';
      const before = rig.stores;
      await pass(rig, 5 * limits.checkpointTryMaxMs);
      expect(rig.stores - before).toBe(checkpointTriesInFlightMax);
      const { checkpoints } = await run.job.status();
      expect(checkpoints).toMatchObject({ alarm: true, last: { code: 'checkpoint-timeout' } });
      rig.fate = () => 'stored';
      rig.release(how);
      await pass(rig, checkpointRetryMaxMs + 1_000);
      expect(visible(rig), how).toEqual([...ids].sort());
      expect((await run.job.status()).checkpoints.inARow).toBe(0);
      await stopped(rig, run);
    }
  });

  it('keeps a run that is told to stop for so long only, and the next one repeats and loses nothing', async () => {
    for (const fate of ['disk-full', 'hangs'] as const) {
      const rig = rigOf();
      const run = await opened(rig);
      const ids = send(rig, 5);
      await pass(rig, 3_000);
      rig.fate = () => fate;
      const more = send(rig, 5);
      await pass(rig, 2_000);
      run.job.stop();
      await pass(rig, checkpointLastMaxMs + 1_000);
      expect(run.ended(), fate).toMatch(/^(disk-full|checkpoint-timeout)$/);
      await run.job.close();
      rig.fate = () => 'stored';
      const again = await opened(rig);
      await pass(rig, 3_000);
      await stopped(rig, again);
      expect(visible(rig), fate).toEqual([...ids, ...more].sort());
    }
  });

  it('of a run that was taken over is not tried again: the run ends as that', async () => {
    const rig = rigOf();
    const old = await opened(rig);
    rig.fate = () => 'disk-full';
    const ids = send(rig, 5);
    await pass(rig, 5_000);
    rig.fate = () => 'stored';
    const newer = await opened(rig);
    await pass(rig, checkpointRetryMaxMs + 2_000);
    expect(old.ended()).toBe('fenced');
    await old.job.close();
    await stopped(rig, newer);
    expect(visible(rig)).toEqual([...ids].sort());
  });
});

describe('a run that was taken over', () => {
  it('ends as that also when it has nothing to store', async () => {
    const rig = rigOf();
    const old = await opened(rig);
    await pass(rig, 2_000);
    const newer = await opened(rig);
    await pass(rig, fenceCheckMs + 2_000);
    expect(old.ended()).toBe('fenced');
    await old.job.close();
    await stopped(rig, newer);
  });

  it('ends as that also when what it fails of is a sink', async () => {
    const rig = rigOf();
    const old = await opened(rig);
    const newer = await opened(rig);
    send(rig, 5);
    rig.made.crash = (step) => {
      if (step.startsWith('rows prepare'))
        throw new SluiceError('staged-file-missing', 'the newer run has removed it');
    };
    await pass(rig, 2_000);
    expect(old.ended()).toBe('fenced');
    await old.job.close();
    await newer.job.close();
  });
});

describe('a checkpoint whose sink fails', () => {
  it('ends the run with the cause, told as a failed checkpoint, and the next run loses and repeats nothing', async () => {
    for (const step of ['rows prepare', 'rejected prepare', 'rows commit']) {
      const rig = rigOf();
      const run = await opened(rig);
      const ids = send(rig, 10);
      rig.made.crash = (at) => {
        if (at.startsWith(step))
          throw new SluiceError('disk-full', 'no room for rows', { retryable: true });
      };
      await pass(rig, 2_000);
      expect(run.ended(), step).toBe('disk-full');
      expect((await run.job.status()).checkpoints, step).toMatchObject({
        inARow: 1,
        last: { code: 'disk-full', againInMs: null },
      });
      await run.job.close();
      rig.made.crash = () => undefined;
      const next = await opened(rig);
      await pass(rig, 3_000);
      await stopped(rig, next);
      expect(visible(rig), step).toEqual([...ids].sort());
    }
  });

  it('by not answering ends the run, too', async () => {
    const rig = rigOf();
    const { connectors } = rig.made;
    const silent: JobConnectors = {
      ...connectors,
      sink: (...given) => ({ ...connectors.sink(...given), prepare: never }),
    };
    Object.assign(rig.made, { connectors: silent });
    const run = await opened(rig);
    send(rig, 5);
    await pass(rig, limits.checkpointSinksMaxMs + 5_000);
    expect(run.ended()).toBe('checkpoint-timeout');
    await run.job.close();
  });
});

const never = (): Promise<never> => new Promise(() => undefined);

const noTables = {
  none: noState,
  seal: () => 'sealed',
  write: () => Promise.resolve(noState),
  stored: () => undefined,
  kept: () => Promise.resolve(),
  tidy: () => undefined,
};

describe('a state that has no text', () => {
  it('fails the checkpoint by the name of its operator, before anything was staged, and the next one is taken soon', async () => {
    const clock = manualClock(5_000_000);
    const store = checkpointStore(memoryBlobs(), 'held');
    const head = {
      manifestVersion: manifestVersion as typeof manifestVersion,
      topology: 'held',
      version: 1,
      stateful: [],
      positions: {},
      counts: {},
      keyExamples: {},
    };
    const fence = await store.takeOver(seededRandom(1), (attempt, checkpoint) => ({
      ...head,
      attempt,
      checkpoint,
      createdAtMs: 0,
      operators: {},
      sinks: {},
      retiring: [],
    }));
    const staged: number[] = [];
    const news: CheckpointNews[] = [];
    const sinks = {
      prepare: async (checkpoint: number) => {
        staged.push(checkpoint);
        return { sinks: {}, retiring: [] };
      },
      commit: async () => undefined,
    };
    const tell = (told: CheckpointNews): void => void news.push(told);
    const savepoints = { isCopying: false, completed: () => undefined };
    const options = { store, tables: noTables, sinks, savepoints };
    const checkpoints = new JobCheckpoints(
      { ...options, clock, random: seededRandom(1), intervalMs: 60_000, tell },
      fence,
    );
    const circular: { self?: unknown } = {};
    circular.self = circular;
    for (const state of [{ sum: 1n }, circular]) {
      expect(
        await checkpoints.take({ ...head, operators: { fine: 1, keeper: state } }, false),
      ).toBe(false);
      expect(news.at(-1)).toMatchObject({
        failure: {
          code: 'state-unwritable',
          message: expect.stringContaining("'keeper'") as string,
        },
      });
      clock.advance(checkpointRetryBaseMs + checkpointRetryMaxMs);
      expect(checkpoints.isDue).toBe(true);
    }
    expect(staged).toEqual([]);
    expect(await checkpoints.take({ ...head, operators: { fine: 1, keeper: [2] } }, false)).toBe(
      true,
    );
    await checkpoints.settled();
    expect(news.at(-1)).toEqual({ kind: 'checkpoint-completed', checkpoint: 2 });
    expect((await store.latest())?.operators).toEqual({ fine: 1, keeper: [2] });
  });
});

it('whatever becomes of each try to store a checkpoint, nothing is lost or doubled', async () => {
  const fates = fc.array(
    fc.constantFrom<Fate>('stored', 'stored', 'disk-full', 'denied', 'lost', 'hangs'),
    { maxLength: 30 },
  );
  await fc.assert(
    fc.asyncProperty(fates, fc.array(fc.boolean(), { maxLength: 3 }), async (planned, restarts) => {
      const rig = rigOf();
      const left = [...planned];
      const ids: string[] = [];
      for (const isStopped of [...restarts, true]) {
        rig.fate = () => 'stored';
        const run = await opened(rig);
        rig.fate = () => left.shift() ?? 'stored';
        for (let n = 0; n < 4; n++) {
          ids.push(...send(rig, 3));
          await pass(rig, 1_500);
        }
        rig.release(ids.length % 2 === 0 ? 'stored' : 'failed');
        // One that is not stopped goes on beside the next, which takes over from it.
        if (!isStopped) continue;
        run.job.stop();
        await pass(rig, 12_000);
        await run.running.catch(() => undefined);
        await run.job.close();
      }
      rig.fate = () => 'stored';
      const last = await opened(rig);
      await pass(rig, 3_000);
      await stopped(rig, last);
      expect(visible(rig)).toEqual([...ids].sort());
      expect(rig.blobs.blobs.size).toBeLessThanOrEqual(checkpointsKept);
    }),
    { numRuns: 60, seed: 7 },
  );
});
