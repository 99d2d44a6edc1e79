/**
 * Emptying a spool into its stream: order, what is marked and when, and that neither the stream's
 * nor the disk's faults lose a record, stop the drain or fill the memory.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { Batcher } from '../../../ingest/delivery/batcher.ts';
import type { Breaker } from '../../../ingest/delivery/breaker.ts';
import { createBreaker } from '../../../ingest/delivery/breaker.ts';
import type { Spool, SpoolOutcome } from '../../../ingest/delivery/spool.ts';
import { openSpool } from '../../../ingest/delivery/spool.ts';
import type { DrainNews } from '../../../ingest/delivery/spool-drain.ts';
import { SpoolDrain, spoolReadMaxBytes } from '../../../ingest/delivery/spool-drain.ts';
import { SpoolMemory } from '../../../ingest/delivery/spool-memory.ts';
import type { ManualClock } from '../../../schemas/kernel/clock.ts';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import { limits } from '../../../schemas/limits.ts';
import type { OutgoingRecord } from '../../../schemas/ports/record.ts';
import type { ReadBounds } from '../../../schemas/ports/record-reader.ts';
import type { StreamDouble } from './support.ts';
import { down, never, streamDouble, textOf, until } from './support.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-drain-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let made = 0;
const folder = (): string => join(root, String(made++));
const record = (text: string, key = 'k'): OutgoingRecord => ({ key, value: [Buffer.from(text)] });

interface Rig {
  readonly clock: ManualClock;
  readonly stream: StreamDouble;
  readonly spool: Spool;
  readonly news: DrainNews[];
  /** Marks and reads as they are asked for. */
  readonly marks: number[];
  readonly reads: ReadBounds[];
  /** How many records each read gave. */
  readonly found: number[];
  readonly breaker: Breaker;
  readonly aside: string[];
  readonly faults: {
    read?: Error | undefined;
    mark?: Error | undefined;
    aside?: SpoolOutcome | Error | undefined;
  };
  start(): SpoolDrain;
  close(): Promise<void>;
}

const open: Rig[] = [];
afterEach(async () => {
  for (const rig of open.splice(0)) await rig.close();
});

async function rigOf(
  dir = folder(),
  order: 'none' | 'key' = 'none',
  memory = new SpoolMemory(),
): Promise<Rig> {
  const clock = manualClock(1_000_000);
  const stream = streamDouble();
  const random = seededRandom(1);
  const breaker = createBreaker(
    { failuresToOpen: 5, pauseBaseMs: 500, pauseMaxMs: 15_000 },
    random,
  );
  const batcher = new Batcher({
    writer: stream,
    stream: 'a/b',
    order,
    aggregate: 'none',
    breaker,
    clock,
    random,
  });
  const real = await openSpool({ dir, clock, maxBytes: 10_000_000 });
  const rig: Pick<Rig, 'news' | 'marks' | 'reads' | 'found' | 'aside' | 'faults'> = {
    news: [],
    marks: [],
    reads: [],
    found: [],
    aside: [],
    faults: {},
  };
  const watched: Pick<Spool, 'read' | 'drainedTo'> = {
    async read(bounds: ReadBounds) {
      rig.reads.push(bounds);
      if (rig.faults.read !== undefined) throw rig.faults.read;
      const found = await real.read(bounds);
      rig.found.push(found.length);
      return found;
    },
    async drainedTo(offset: number) {
      rig.marks.push(offset);
      await real.drainedTo(offset);
      if (rig.faults.mark !== undefined) throw rig.faults.mark;
    },
  };
  const spool: Spool = new Proxy(real, {
    get(target, name) {
      const value: unknown = Reflect.get(name in watched ? watched : target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const setAside = async (refused: OutgoingRecord): Promise<SpoolOutcome> => {
    const { aside } = rig.faults;
    if (aside instanceof Error) throw aside;
    if (aside !== undefined) return aside;
    rig.aside.push(textOf(refused));
    return { kind: 'applied', firstOffset: 0 };
  };
  const drains: SpoolDrain[] = [];
  const made_: Rig = {
    ...rig,
    clock,
    stream,
    spool,
    breaker,
    start() {
      const drain = new SpoolDrain({
        spool,
        batcher,
        breaker,
        setAside,
        memory,
        clock,
        tell: (news) => void rig.news.push(news),
      });
      drains.push(drain);
      return drain;
    },
    async close() {
      for (const drain of drains) {
        let stopped = false;
        const stopping = drain.stop().then(() => {
          stopped = true;
        });
        await until(() => stopped, clock);
        await stopping;
      }
      await real.close();
    },
  };
  open.push(made_);
  return made_;
}

const numbered = (count: number): string[] =>
  Array.from({ length: count }, (_, n) => `record ${n}`);

describe('a drain', () => {
  it('writes in order what waits, and marks it only once the stream has it', async () => {
    const rig = await rigOf();
    await rig.spool.append(numbered(1_200).map((text) => record(text)));
    let release: () => void = () => undefined;
    rig.stream.gate = new Promise((resolve) => {
      release = resolve;
    });
    rig.start();
    await until(() => rig.stream.writes.length > 0, rig.clock);
    for (let n = 0; n < 20; n++) await new Promise((resolve) => setImmediate(resolve));
    expect(rig.marks).toEqual([]);
    release();
    await until(() => !rig.spool.pending, rig.clock);
    expect(rig.stream.texts).toEqual(numbered(1_200));
    expect(rig.marks.at(-1)).toBe(1_199);
  });

  it('goes on with what is appended while it waits for nothing else', async () => {
    const rig = await rigOf();
    const drain = rig.start();
    for (const text of numbered(5)) {
      await rig.spool.append([record(text)]);
      drain.wake();
      await until(() => !rig.spool.pending, rig.clock);
      for (let n = 0; n < 20; n++) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(rig.stream.texts).toEqual(numbered(5));
    // Nothing had failed: there is nothing to tell.
    expect(rig.news).toEqual([]);
  });

  it('tells once that all is in the stream that an earlier run, or a failure, had left', async () => {
    const dir = folder();
    const before = await rigOf(dir);
    await before.spool.append(numbered(3).map((text) => record(text)));
    await before.close();
    open.length = 0;
    const rig = await rigOf(dir);
    const drain = rig.start();
    await until(() => rig.news.length > 0, rig.clock);
    expect(rig.news).toEqual([{ kind: 'spool-drained', records: 3 }]);
    rig.stream.decide = (_text, attempt) => (attempt < 9 ? down : undefined);
    await rig.spool.append([record('late')]);
    drain.wake();
    await until(() => rig.news.length > 1, rig.clock);
    expect(rig.news[1]).toEqual({ kind: 'spool-drained', records: 1 });
    expect(rig.stream.texts).toEqual([...numbered(3), 'late']);
  });

  it('sends again only what the stream did not take, and marks nothing behind the first of these', async () => {
    const rig = await rigOf();
    let works = false;
    rig.stream.decide = (text) => (works || text !== 'record 2' ? undefined : down);
    await rig.spool.append(numbered(6).map((text) => record(text)));
    rig.start();
    await until(() => rig.stream.texts.length === 5 && rig.stream.writes.length > 6, rig.clock);
    expect(rig.marks).toEqual([1]);
    works = true;
    await until(() => !rig.spool.pending, rig.clock);
    expect(rig.stream.texts.filter((text) => text !== 'record 2')).toEqual(
      numbered(6).filter((text) => text !== 'record 2'),
    );
    expect(rig.stream.texts.filter((text) => text === 'record 2')).toHaveLength(1);
    // The one it had not taken was read again alone, then the three behind it that it had.
    expect(rig.marks).toEqual([1, 2, 5]);
  });

  it('takes nothing into memory for a stream that is down but a record to try it with', async () => {
    const rig = await rigOf();
    rig.stream.decide = () => down;
    for (let n = 0; n < 5; n++) rig.breaker.failed(rig.clock.monotonic());
    expect(rig.breaker.state).toBe('open');
    await rig.spool.append(numbered(3_000).map((text) => record(text)));
    rig.start();
    await until(() => rig.stream.writes.length >= 20, rig.clock);
    expect(new Set(rig.found)).toEqual(new Set([1]));
    expect(rig.stream.writes.every((texts) => texts.length === 1)).toBe(true);
    rig.stream.decide = () => undefined;
    await until(() => !rig.spool.pending, rig.clock);
    expect(rig.stream.texts).toEqual(numbered(3_000));
  });

  it('holds nothing of a stream that went down in the middle, and sends again only what it did not take', async () => {
    const memory = new SpoolMemory();
    const rig = await rigOf(folder(), 'none', memory);
    let isUp = true;
    rig.stream.decide = (text) => (isUp || text === 'record 3' ? undefined : down);
    await rig.spool.append(numbered(6).map((text) => record(text)));
    isUp = false;
    rig.start();
    await until(() => rig.breaker.state === 'open' && memory.readBytes === 0, rig.clock);
    expect(rig.stream.texts).toEqual(['record 3']);
    isUp = true;
    await until(() => !rig.spool.pending && memory.readBytes === 0, rig.clock);
    expect(rig.stream.texts.toSorted()).toEqual(numbered(6));
    expect(rig.marks.at(-1)).toBe(5);
  });

  it('waits for its turn where many spools are drained at once, and all of them are', async () => {
    const memory = new SpoolMemory({ readMaxBytes: spoolReadMaxBytes });
    const rigs = await Promise.all(
      Array.from({ length: 6 }, () => rigOf(folder(), 'none', memory)),
    );
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    for (const rig of rigs) {
      rig.stream.gate = gate;
      await rig.spool.append(numbered(1_200).map((text) => record(text)));
      rig.start();
    }
    const [first] = rigs;
    await until(
      () => rigs.filter(({ stream }) => stream.writes.length > 0).length === 1,
      (first as Rig).clock,
    );
    for (let n = 0; n < 50; n++) await new Promise((resolve) => setImmediate(resolve));
    expect(rigs.filter(({ found }) => found.length > 0)).toHaveLength(1);
    expect(memory.readBytes).toBeLessThanOrEqual(spoolReadMaxBytes);
    release();
    for (const rig of rigs) await until(() => !rig.spool.pending, rig.clock);
    await until(() => memory.readBytes === 0, (first as Rig).clock);
    for (const { stream } of rigs) expect(stream.texts).toEqual(numbered(1_200));
  });

  it('sets a record aside that the stream will never take, and goes on with the others', async () => {
    const rig = await rigOf();
    rig.stream.decide = (text) => (text === 'record 1' ? never : undefined);
    await rig.spool.append(numbered(3).map((text) => record(text)));
    rig.start();
    await until(() => !rig.spool.pending, rig.clock);
    expect(rig.stream.texts).toEqual(['record 0', 'record 2']);
    expect(rig.aside).toEqual(['record 1']);
    const { code, message } = never;
    expect(rig.news).toEqual([{ kind: 'set-aside', code, message }]);
  });

  it('does not let go of a record that neither the stream takes nor the disk beside it', async () => {
    for (const fault of [
      new Error('no folder'),
      { kind: 'refused', code: 'spool-full', message: 'no folder' } as const,
    ]) {
      const rig = await rigOf();
      rig.stream.decide = (text) => (text === 'record 1' ? never : undefined);
      rig.faults.aside = fault;
      await rig.spool.append(numbered(3).map((text) => record(text)));
      rig.start();
      await until(() => rig.stream.writes.length > 4, rig.clock);
      expect(rig.marks).toEqual([0]);
      // Said once, however often it is tried.
      expect(rig.news).toEqual([{ kind: 'spool-fault', message: 'no folder' }]);
      rig.faults.aside = undefined;
      await until(() => !rig.spool.pending, rig.clock);
      expect(rig.aside).toEqual(['record 1']);
      expect(rig.stream.texts).toEqual(['record 0', 'record 2']);
    }
  });

  it('goes on once the disk can be read again', async () => {
    const rig = await rigOf();
    rig.faults.read = new Error('EIO: it cannot be read');
    await rig.spool.append([record('a')]);
    rig.start();
    await until(() => rig.reads.length > 4, rig.clock);
    expect(rig.news).toEqual([{ kind: 'spool-fault', message: 'EIO: it cannot be read' }]);
    rig.faults.read = undefined;
    await until(() => !rig.spool.pending, rig.clock);
    expect(rig.stream.texts).toEqual(['a']);
  });

  it('writes each record once although its mark cannot be written', async () => {
    const rig = await rigOf();
    rig.faults.mark = new Error('ENOSPC: no room');
    rig.stream.decide = (text, attempt) => (text === 'record 7' && attempt < 3 ? down : undefined);
    await rig.spool.append(numbered(20).map((text) => record(text)));
    const drain = rig.start();
    await until(() => rig.stream.texts.length === 20, rig.clock);
    await rig.spool.append([record('more')]);
    drain.wake();
    await until(() => !rig.spool.pending, rig.clock);
    expect([...rig.stream.texts].sort()).toEqual([...numbered(20), 'more'].sort());
    expect(rig.news.filter(({ kind }) => kind === 'spool-fault')).toHaveLength(1);
  });

  it('that is stopped waits for the write that is under way and marks it', async () => {
    const rig = await rigOf();
    let release: () => void = () => undefined;
    rig.stream.gate = new Promise((resolve) => {
      release = resolve;
    });
    await rig.spool.append([record('a')]);
    const drain = rig.start();
    await until(() => rig.stream.writes.length > 0, rig.clock);
    let stopped = false;
    const stopping = drain.stop().then(() => {
      stopped = true;
    });
    for (let n = 0; n < 20; n++) await new Promise((resolve) => setImmediate(resolve));
    expect(stopped).toBe(false);
    release();
    await stopping;
    expect(rig.marks).toEqual([0]);
  });

  it('that is stopped does not wait for ever for a stream that does not answer', async () => {
    const rig = await rigOf();
    rig.stream.gate = new Promise(() => undefined);
    await rig.spool.append([record('a')]);
    const drain = rig.start();
    await until(() => rig.stream.writes.length > 0, rig.clock);
    const stopping = drain.stop();
    rig.clock.advance(limits.shutdownMaxMs);
    await stopping;
    expect(rig.marks).toEqual([]);
    expect(rig.spool.records).toBe(1);
  });
});

describe('a drain of a stream with order', () => {
  it('tries a stream that went down while it wrote with the first record, until that is in it', async () => {
    const rig = await rigOf(folder(), 'key');
    rig.stream.decide = () => (rig.stream.writes.length < 15 ? down : undefined);
    await rig.spool.append(numbered(5).map((text) => record(text)));
    rig.start();
    await until(() => !rig.spool.pending, rig.clock);
    expect(rig.stream.texts).toEqual(numbered(5));
    expect(
      rig.stream.writes
        .filter((texts) => texts.length === 1)
        .every(([text]) => text === 'record 0'),
    ).toBe(true);
    expect(rig.marks).toEqual([...rig.marks].sort((a, b) => a - b));
  });

  it('gives each key its records in order, none skipped, under any failures and restarts', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 1_000_000 }),
        fc.array(fc.integer({ min: 1, max: 15 }), { maxLength: 3 }),
        async (keys, seed, stopsAfter) => {
          const dir = folder();
          const random = seededRandom(seed);
          const stream: string[] = [];
          const texts = keys.map((key, n) => `${key} ${n}`);
          for (const [run, stopAfter] of [...stopsAfter, Number.POSITIVE_INFINITY].entries()) {
            const rig = await rigOf(dir, 'key');
            // Records of one key are one request of their partition: all of them are taken or none.
            const fates = new Map<string, number>();
            rig.stream.decide = (text) => {
              const request = `${rig.stream.writes.length} ${text.slice(0, 1)}`;
              const chance = fates.get(request) ?? random.next();
              fates.set(request, chance);
              return chance < 0.3 ? down : chance < 0.4 ? 'lost' : undefined;
            };
            if (run === 0) await rig.spool.append(texts.map((text, n) => record(text, keys[n])));
            rig.start();
            await until(
              () => !rig.spool.pending || rig.stream.writes.length >= stopAfter,
              rig.clock,
            );
            await rig.close();
            open.length = 0;
            stream.push(...rig.stream.texts);
          }
          for (const key of ['a', 'b', 'c']) {
            const own = stream.filter((text) => text.startsWith(key));
            expect([...new Set(own)]).toEqual(texts.filter((text) => text.startsWith(key)));
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});
