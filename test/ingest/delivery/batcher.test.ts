import { beforeEach, describe, expect, it } from 'vitest';
import type { Batcher } from '../../../ingest/delivery/batcher.ts';
import { createBatcher } from '../../../ingest/delivery/batcher.ts';
import { createBreaker } from '../../../ingest/delivery/breaker.ts';
import type { ManualClock } from '../../../schemas/kernel/clock.ts';
import { manualClock, sleep } from '../../../schemas/kernel/clock.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import { limits } from '../../../schemas/limits.ts';
import type { RecordWriter } from '../../../schemas/ports/record-writer.ts';

interface Write {
  readonly atMs: number;
  readonly records: number;
}

/** A stream whose writes take `busMs` of the clock, however many there are. */
function slowStream(
  clock: ManualClock,
  busMs: number,
): { readonly writer: RecordWriter; readonly writes: Write[]; readonly most: () => number } {
  const writes: Write[] = [];
  let underWay = 0;
  let most = 0;
  const writer: RecordWriter = {
    path: 'kinesis',
    describe: () => Promise.resolve({ recordMaxBytes: 1_000_000, splits: ['0'] }),
    async write(_stream, records) {
      writes.push({ atMs: clock.monotonic(), records: records.length });
      most = Math.max(most, ++underWay);
      await sleep(clock, busMs);
      underWay--;
      return records.map((_record, n) => ({ kind: 'applied', split: '0', position: String(n) }));
    },
    close: () => Promise.resolve(),
  };
  return { writer, writes, most: () => most };
}

describe('a batcher', () => {
  let clock: ManualClock;
  let waited: number[];
  beforeEach(() => {
    clock = manualClock();
    waited = [];
  });

  const batcherOf = (writer: RecordWriter): Batcher => {
    const random = seededRandom(1);
    const breaker = createBreaker({ failuresToOpen: 5, pauseBaseMs: 500, pauseMaxMs: 15_000 }, random);
    return createBatcher({ writer, stream: 'a/b', order: 'none', breaker, clock, random });
  };
  const add = (batcher: Batcher, bytes = 10): void => {
    const sinceMs = clock.monotonic();
    batcher.add({ key: 'k', value: [Buffer.alloc(1)] }, bytes, () => waited.push(clock.monotonic() - sinceMs));
  };
  /** What is ready in the event loop happens; no time passes. */
  const turn = async (): Promise<void> => {
    for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve));
  };
  const pass = async (ms: number): Promise<void> => {
    for (let i = 0; i < ms; i++) {
      clock.advance(1);
      await turn();
    }
  };

  it('writes a lone event at once', async () => {
    const { writer, writes } = slowStream(clock, 20);
    const batcher = batcherOf(writer);
    for (let i = 0; i < 3; i++) {
      add(batcher);
      await turn();
      await pass(25);
    }
    expect(writes.map(({ atMs }) => atMs)).toEqual([0, 25, 50]);
    expect(waited).toEqual([20, 20, 20]);
  });

  it('starts writes a quarter of the last one apart, so that no event waits for a whole write', async () => {
    const { writer, writes } = slowStream(clock, 20);
    const batcher = batcherOf(writer);
    add(batcher);
    await turn();
    await pass(20);
    const before = writes.length;
    for (let ms = 0; ms < 200; ms++) {
      add(batcher);
      await turn();
      await pass(1);
    }
    await pass(40);
    const steady = writes.slice(before);
    const gaps = steady.slice(1).map(({ atMs }, n) => atMs - (steady[n]?.atMs ?? 0));
    expect(new Set(gaps)).toEqual(new Set([5]));
    expect(waited.length).toBe(201);
    expect(Math.max(...waited)).toBe(25);
  });

  it('does not hold a full batch back, in records or in bytes, nor writes more at once than it may', async () => {
    const { writer, writes, most } = slowStream(clock, 20);
    const batcher = batcherOf(writer);
    add(batcher);
    await turn();
    await pass(20);
    add(batcher);
    await turn();
    for (let i = 0; i < limits.batchMaxRecords; i++) add(batcher);
    await turn();
    expect(writes.map(({ records }) => records)).toEqual([1, 1, limits.batchMaxRecords]);
    add(batcher, limits.batchMaxBytes);
    await turn();
    expect(writes.length).toBe(4);
    for (let i = 0; i < limits.batchMaxRecords * limits.batchesInFlightMax; i++) add(batcher);
    await turn();
    expect(most()).toBe(limits.batchesInFlightMax);
    await pass(100);
    expect(batcher.pendingBytes).toBe(0);
    expect(waited.length).toBe(3 + limits.batchMaxRecords * (1 + limits.batchesInFlightMax));
  });

  it('lets no event wait longer for its write than the longest pause, however slow the stream', async () => {
    const { writer, writes } = slowStream(clock, 1_000);
    const batcher = batcherOf(writer);
    add(batcher);
    await turn();
    await pass(1_000);
    add(batcher);
    await turn();
    add(batcher);
    await pass(limits.batchPaceMaxMs - 1);
    expect(writes.length).toBe(2);
    await pass(1);
    expect(writes.length).toBe(3);
  });
});
