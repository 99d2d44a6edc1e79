import { setTimeout as realTime } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { beforeEach, describe, expect, it } from 'vitest';
import { Batcher, batchPaceMaxMs } from '../../../ingest/delivery/batcher.ts';
import { createBreaker } from '../../../ingest/delivery/breaker.ts';
import {
  aggregateGzipMaxBytes,
  aggregateMaxBytes,
  aggregateMaxEvents,
} from '../../../ingest/delivery/packing.ts';
import type { Aggregation } from '../../../schemas/config.ts';
import type { ManualClock } from '../../../schemas/kernel/clock.ts';
import { manualClock, sleep } from '../../../schemas/kernel/clock.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import { decodeAggregate } from '../../../schemas/kpl.ts';
import { limits } from '../../../schemas/limits.ts';
import type { RecordWriter, WriteOutcome } from '../../../schemas/ports/record-writer.ts';

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
    route: 'kinesis',
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

  const batcherOf = (writer: RecordWriter, aggregate: Aggregation = 'none'): Batcher => {
    const random = seededRandom(1);
    const breaker = createBreaker(
      { failuresToOpen: 5, pauseBaseMs: 500, pauseMaxMs: 15_000 },
      random,
    );
    return new Batcher({
      writer,
      stream: 'a/b',
      order: 'none',
      aggregate,
      breaker,
      clock,
      random,
    });
  };
  const add = (batcher: Batcher, bytes = 10): void => {
    const sinceMs = clock.monotonic();
    batcher.add({ key: 'k', value: [Buffer.alloc(1)] }, bytes, () =>
      waited.push(clock.monotonic() - sinceMs),
    );
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

  it.each([
    ['at once', 10, 4],
    ['only after some time', limits.writeAgainMaxMs, 1],
  ])(
    'writes again what is refused %s as long as its sender may still listen',
    async (_name, busMs, times) => {
      let writes = 0;
      const refusal: WriteOutcome = {
        kind: 'refused',
        code: 'replicas-missing',
        message: 'too few',
        retryable: true,
      };
      const batcher = batcherOf({
        route: 'kafka',
        describe: () => Promise.resolve({ recordMaxBytes: 1_000_000, splits: ['0'] }),
        async write(_stream, records) {
          writes++;
          await sleep(clock, busMs);
          return records.map(() => refusal);
        },
        close: () => Promise.resolve(),
      });
      const settled: WriteOutcome[] = [];
      batcher.add({ key: 'k', value: [Buffer.alloc(1)] }, 10, (outcome) => settled.push(outcome));
      await turn();
      await pass(limits.writeAgainMaxMs + 1_000);
      expect({ writes, settled }).toEqual({ writes: times, settled: [refusal] });
    },
  );

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
    await pass(batchPaceMaxMs - 1);
    expect(writes.length).toBe(2);
    await pass(1);
    expect(writes.length).toBe(3);
  });

  describe.each(['kpl', 'kpl-gzip'] as const)('where events share records (%s)', (aggregate) => {
    /** What is in each record that was written; nothing is in the stream before `open`. */
    const rigOf = (path: 'kinesis' | 'kafka' = 'kinesis') => {
      const records: (readonly string[])[] = [];
      const sizes: number[] = [];
      let refusals = 0;
      const writer: RecordWriter = {
        route: path,
        describe: () => Promise.resolve({ recordMaxBytes: 1_000_000, splits: ['0'] }),
        async write(_stream, given) {
          const values = given.map(({ value }) => Buffer.concat(value as Uint8Array[]));
          await sleep(clock, 20);
          return values.map((value, n): WriteOutcome => {
            if (refusals-- > 0)
              return { kind: 'refused', code: 'throughput-exceeded', message: '', retryable: true };
            sizes.push(value.length);
            const whole = value[0] === 0x1f && value[1] === 0x8b ? gunzipSync(value) : value;
            const parts = decodeAggregate(whole) ?? [{ key: given[n]?.key ?? '', value: whole }];
            records.push(
              parts.map((part) => `${part.key}=${Buffer.from(part.value).toString().trimEnd()}`),
            );
            return { kind: 'applied', split: '0', position: String(records.length) };
          });
        },
        close: () => Promise.resolve(),
      };
      return {
        batcher: batcherOf(writer, aggregate),
        records,
        sizes,
        refuse: (count: number) => (refusals = count),
      };
    };
    const positions: string[] = [];
    beforeEach(() => void positions.splice(0));
    const send = (batcher: Batcher, n: number, bytes: number): void => {
      const value = [Buffer.from(`${n}`.padEnd(bytes))];
      batcher.add({ key: `k${n}`, value }, bytes, (outcome) =>
        positions.push(outcome.kind === 'applied' ? outcome.position : outcome.code),
      );
    };
    const settled = async (count: number): Promise<void> => {
      for (let i = 0; i < 3_000 && positions.length < count; i++) {
        await pass(1);
        // What compresses is a thread: it has its own time.
        if (aggregate === 'kpl-gzip') await realTime(1);
      }
    };

    it('what comes together does, each under its own key, and a lone event is a record of its own', async () => {
      const { batcher, records } = rigOf();
      send(batcher, 0, 100);
      await settled(1);
      for (let n = 1; n < 6; n++) send(batcher, n, 100);
      await settled(6);
      expect(records).toEqual([['k0=0'], ['k1=1', 'k2=2', 'k3=3', 'k4=4', 'k5=5']]);
      expect(positions).toEqual(['1', '2', '2', '2', '2', '2']);
      expect(batcher.pendingBytes).toBe(0);
    });

    it('a record keeps to its bounds, and a large event is alone', async () => {
      const { batcher, records, sizes } = rigOf();
      const bound = aggregate === 'kpl' ? aggregateMaxBytes : aggregateGzipMaxBytes;
      for (let n = 0; n < 9; n++) send(batcher, n, bound / 4);
      send(batcher, 9, bound + 1);
      send(batcher, 10, 10);
      for (let n = 11; n < 11 + aggregateMaxEvents; n++) send(batcher, n, 10);
      await settled(11 + aggregateMaxEvents);
      expect(records.map(({ length }) => length)).toEqual([4, 4, 1, 1, aggregateMaxEvents, 1]);
      // Two PUT payload units of 25 KB, or far less.
      const shared = sizes.filter((_, n) => (records[n]?.length ?? 0) > 1);
      expect(Math.max(...shared)).toBeLessThanOrEqual(
        aggregate === 'kpl' ? 2 * 25 * 1_024 : 10_000,
      );
    });

    it('a record that is refused is written again, whole', async () => {
      const { batcher, records, refuse } = rigOf();
      refuse(1);
      for (let n = 0; n < 3; n++) send(batcher, n, 100);
      await settled(3);
      expect(records).toEqual([['k0=0', 'k1=1', 'k2=2']]);
      expect(positions).toEqual(['1', '1', '1']);
    });

    it('on the large route nothing is shared', async () => {
      const { batcher, records } = rigOf('kafka');
      for (let n = 0; n < 3; n++) send(batcher, n, 100);
      await settled(3);
      expect(records).toEqual([['k0=0'], ['k1=1'], ['k2=2']]);
    });
  });
});

describe('a batcher in order of keys, whose writer refuses one record of several for good', () => {
  it('tells each event what became of it, and goes on with the key', async () => {
    const clock = manualClock();
    const random = seededRandom(1);
    const breaker = createBreaker(
      { failuresToOpen: 1, pauseBaseMs: 500, pauseMaxMs: 15_000 },
      random,
    );
    const writes: string[][] = [];
    const writer: RecordWriter = {
      route: 'kafka',
      describe: () => Promise.resolve({ recordMaxBytes: 1_000_000, splits: ['0'] }),
      async write(_stream, records) {
        const texts = records.map(({ value }) => Buffer.concat(value as Uint8Array[]).toString());
        writes.push(texts);
        return texts.map((text, n) =>
          text === 'bad'
            ? { kind: 'refused', code: 'record-too-large', message: 'too large', retryable: false }
            : { kind: 'applied', split: '0', position: String(n) },
        );
      },
      close: () => Promise.resolve(),
    };
    const batcher = new Batcher({
      writer,
      stream: 'a/b',
      order: 'key',
      aggregate: 'none',
      breaker,
      clock,
      random,
    });
    const settled: string[] = [];
    const add = (text: string): void =>
      batcher.add({ key: 'k', value: [Buffer.from(text)] }, 10, (outcome) =>
        settled.push(`${text} ${outcome.kind}`),
      );
    for (const text of ['one', 'bad', 'two']) add(text);
    while (settled.length < 3) await new Promise((resolve) => setImmediate(resolve));
    add('three');
    while (settled.length < 4) {
      clock.advance(50);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(settled).toEqual(['one applied', 'bad refused', 'two applied', 'three applied']);
    expect(writes).toEqual([['one', 'bad', 'two'], ['three']]);
    expect(batcher.pendingBytes).toBe(0);
  });
});
