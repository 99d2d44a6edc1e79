/**
 * Everything that may pause reading: streams that fail, say nothing, or never answer, look-ups that
 * are full, sinks that take nothing, state that changed more than a checkpoint may hold,
 * checkpoints that cannot be stored. A pause never outlives its
 * cause: when all of it is over, everything that was sent is in the table, once.
 */
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import { limits } from '../../../schemas/limits.ts';
import type { RecordReader } from '../../../schemas/ports/record-reader.ts';
import type { Job, Sink } from '../../../topology/index.ts';
import {
  connector,
  createJob,
  schemaOf,
  stream,
  table,
  topology,
} from '../../../topology/index.ts';
import { lookupRetryMaxMs } from '../../../topology/operators/lookup/operator.ts';
import { checkpointRetryMaxMs } from '../../../topology/runtime/job-checkpoints.ts';
import { FirstSeen } from '../../../topology/state/first-seen.ts';
import type { World } from '../support.ts';
import { event, memoryBlobs, memoryStream, put, world } from '../support.ts';

const anyRow = schemaOf<unknown>({
  $id: 'https://sluice.example/test/any-row',
  type: 'object',
  properties: { id: { type: 'string' } },
});
const data = schemaOf<{ at: number }>({
  $id: 'https://sluice.example/test/at',
  type: 'object',
  properties: { at: { type: 'integer' } },
});

const priced = topology('priced', { version: 1, owner: 'a/b' }, (t) => {
  t.source('events', stream('a/b'))
    .validate('valid', data)
    .eventTime('time', (e) => e.data.at, { outOfOrderness: 0, future: { max: 0 } })
    .deduplicate('once', { by: (e) => e.id, within: '1d' })
    .lookup('price', connector('prices'), { by: (e) => e.id, capacity: 4, timeout: '2s' }, (e) => ({
      id: e.id,
    }))
    .sinkTo('table', table('rows', anyRow));
});

/** What can go wrong, one switch each. */
const causes = [
  'unreachable',
  'damaged',
  'unreadable-file',
  'silent',
  'throttled',
  'unlisted',
  'look-up-fails',
  'look-up-hangs',
  'sink',
  'changes',
  'store',
] as const;
type Cause = (typeof causes)[number];

class Rig {
  readonly on = new Set<Cause>();
  readonly made: World = world({
    'a/b': memoryStream(['kinesis', '0'], ['kinesis', '1'], ['kafka', '0']),
  });
  readonly clock = manualClock(5_000_000);
  readonly job: Job;
  /** What waits for a cause to be over. */
  #waiting: (() => void)[] = [];
  #sent = 0;

  constructor(seed: number) {
    const { connectors } = this.made;
    const blobs = memoryBlobs();
    vi.spyOn(FirstSeen.prototype, 'changedBytes', 'get').mockImplementation(() =>
      this.on.has('changes') ? 2 ** 30 : 0,
    );
    this.made.lookups['prices'] = (_key, { signal }) => {
      if (this.on.has('look-up-fails')) return Promise.reject(new Error('the service is away'));
      if (!this.on.has('look-up-hangs')) return Promise.resolve(1);
      return new Promise((_resolve, reject) =>
        signal.addEventListener('abort', () => reject(new Error('aborted'))),
      );
    };
    this.job = createJob({
      topology: priced,
      blobs: {
        ...blobs,
        createIfAbsent: (key, bytes) =>
          this.on.has('store')
            ? Promise.reject(new SluiceError('disk-full', 'no room', { retryable: true }))
            : blobs.createIfAbsent(key, bytes),
      },
      connectors: {
        ...connectors,
        readers: async (...given) =>
          (await connectors.readers(...given)).map((reader) => this.#faulty(reader)),
        sink: (...given) => this.#narrow(connectors.sink(...given)),
      },
      clock: this.clock,
      random: seededRandom(seed),
      checkpointIntervalMs: 500,
      turnBounds: { maxRecords: 3, maxBytes: 1e6 },
    });
  }

  #faulty(reader: RecordReader): RecordReader {
    return {
      ...reader,
      splits: () =>
        this.on.has('unlisted')
          ? Promise.reject(new SluiceError('stream-unreachable', 'no list', { retryable: true }))
          : reader.splits(),
      read: (split, after, bounds) => {
        // The last split is never to blame: what is fine goes on meanwhile.
        if (split === '1') return reader.read(split, after, bounds);
        if (this.on.has('unreachable'))
          return Promise.reject(new SluiceError('stream-unreachable', 'away', { retryable: true }));
        if (this.on.has('damaged'))
          return Promise.reject(
            new SluiceError('stream-corrupt', 'damaged at byte 4', { fix: 'mend it' }),
          );
        if (this.on.has('unreadable-file'))
          return Promise.reject(Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' }));
        if (this.on.has('throttled'))
          return Promise.resolve({ records: [], ended: false, inconclusive: true });
        if (this.on.has('silent')) return new Promise(() => undefined);
        return reader.read(split, after, bounds);
      },
    };
  }

  #narrow(sink: Sink): Sink {
    const room = async (): Promise<void> => {
      while (this.on.has('sink')) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    };
    return {
      ...sink,
      write: async (batch) => {
        await room();
        return sink.write(batch);
      },
      prepare: async (checkpoint, last) => {
        await room();
        return sink.prepare(checkpoint, last);
      },
    };
  }

  set(cause: Cause, on: boolean): void {
    if (on) this.on.add(cause);
    else this.on.delete(cause);
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  send(count: number): void {
    const to = this.made.streams['a/b'];
    if (to === undefined) throw new Error('no stream');
    for (let n = 0; n < count; n++)
      put(to, this.#sent % 3, event(`e${this.#sent}`, { at: this.#sent++ }));
  }

  get sent(): readonly string[] {
    return Array.from({ length: this.#sent }, (_, n) => `e${n}`).sort();
  }

  get rows(): readonly string[] {
    return (this.made.tables['rows']?.visible ?? [])
      .map((row) => (row as { id: string }).id)
      .sort();
  }

  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 100) {
      await new Promise((resolve) => setImmediate(resolve));
      this.clock.advance(100);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** As long as anything may take to be noticed: a read that is never answered, then a checkpoint. */
const graceMs = limits.readMaxMs + lookupRetryMaxMs + checkpointRetryMaxMs + 10_000;

async function over(rig: Rig, running: Promise<void>): Promise<void> {
  for (const cause of causes) rig.set(cause, false);
  await rig.pass(graceMs);
  expect(rig.rows).toEqual(rig.sent);
  rig.job.stop();
  await rig.pass(1_000);
  await running;
  await rig.job.close();
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe('reading goes on once it is over', () => {
  it.each(causes)('that: %s', async (cause) => {
    const rig = new Rig(1);
    await rig.job.open();
    let isOver = false;
    const running = rig.job.run().finally(() => {
      isOver = true;
    });
    rig.send(12);
    await rig.pass(2_000);
    rig.set(cause, true);
    rig.send(30);
    await rig.pass(30_000);
    expect(isOver).toBe(false);
    rig.send(9);
    await over(rig, running);
  });

  it('whatever comes together, in whatever order', async () => {
    const steps = fc.array(
      fc.record({
        cause: fc.constantFrom(...causes),
        on: fc.boolean(),
        ms: fc.integer({ min: 100, max: 20_000 }),
      }),
      {
        minLength: 1,
        maxLength: 12,
      },
    );
    await fc.assert(
      fc.asyncProperty(steps, fc.nat(1_000), async (history, seed) => {
        const rig = new Rig(seed);
        await rig.job.open();
        const running = rig.job.run();
        for (const { cause, on, ms } of history) {
          rig.set(cause, on);
          rig.send(7);
          await rig.pass(ms);
        }
        await over(rig, running);
      }),
      { numRuns: 40, seed: 11 },
    );
  }, 120_000);
});

describe('state that changed more than a checkpoint may hold', () => {
  it('pauses reading, and is named', async () => {
    const rig = new Rig(1);
    await rig.job.open();
    const running = rig.job.run();
    rig.send(3);
    await rig.pass(2_000);
    expect((await rig.job.status()).pausedBy).toEqual([]);
    rig.set('changes', true);
    rig.send(30);
    await rig.pass(5_000);
    expect((await rig.job.status()).pausedBy).toEqual(['the next checkpoint']);
    expect(rig.rows.length).toBeLessThan(33);
    await over(rig, running);
  });
});

describe('a split that cannot be read', () => {
  it.each(['damaged', 'unreadable-file'] as const)(
    '(%s) holds its place and is named, and the others go on',
    async (cause) => {
      const rig = new Rig(1);
      rig.set(cause, true);
      await rig.job.open();
      const running = rig.job.run();
      rig.send(12);
      await rig.pass(20_000);
      expect(rig.rows).toEqual(['e1', 'e10', 'e4', 'e7']);
      const { splits, totals } = await rig.job.status();
      expect(splits.map(({ split, hearing }) => [split, hearing])).toEqual([
        ['0', 'unreadable'],
        ['1', 'caught-up'],
        ['0', 'unreadable'],
      ]);
      expect(splits[0]?.failure).toMatch(/^damaged at byte 4 \(mend it\)$|EIO/);
      expect(totals.unheard).toBe(2);
      await over(rig, running);
    },
  );

  it('is not one when a reader has a defect: that ends the run', async () => {
    const rig = new Rig(1);
    const broken = createJob({
      topology: priced,
      blobs: memoryBlobs(),
      connectors: {
        ...rig.made.connectors,
        readers: async (...given) =>
          (await rig.made.connectors.readers(...given)).map((reader) => ({
            ...reader,
            read: () => Promise.reject(new TypeError('a defect')),
          })),
      },
      clock: rig.clock,
      random: seededRandom(1),
      checkpointIntervalMs: 500,
    });
    await broken.open();
    const ended = expect(broken.run()).rejects.toThrow('a defect');
    await rig.pass(2_000);
    await ended;
    await broken.close();
  });
});
