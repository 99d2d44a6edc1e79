/**
 * What every pair of record writer and reader must do: run on the embedded streams, and on whatever
 * else stands behind the ports.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { OutgoingRecord, Route } from '../../schemas/ports/record.ts';
import type {
  ReadBounds,
  ReadKnown,
  ReadResult,
  RecordReader,
} from '../../schemas/ports/record-reader.ts';
import { comparePositions } from '../../schemas/ports/record-reader.ts';
import type { RecordWriter } from '../../schemas/ports/record-writer.ts';

export interface StreamHarness {
  readonly path: Route;
  readonly stream: string;
  readonly writer: RecordWriter;
  readonly reader: () => RecordReader;
  /** What the writer calls a split of the reader. Default: the same. */
  readonly written?: (split: string) => string;
  /** Where the server does not count a key as it should: the longest one that it takes. */
  readonly longestKey?: string;
  close(): Promise<void>;
}

const record = (key: string, text: string): OutgoingRecord => ({
  key,
  value: [Buffer.from(text.slice(0, 1)), Buffer.from(text.slice(1))],
});
export const same = (split: string): string => split;
const bounds = { maxRecords: 1_000, maxBytes: 1_000_000 };

/**
 * What is behind a position now. A reader may give nothing because it may not ask again yet, or has
 * not heard; that it is at the end it says itself, or the newest position tells.
 */
export async function readNow(
  reader: RecordReader,
  split: string,
  after: string | undefined,
  within: ReadBounds,
  known?: ReadKnown,
): Promise<ReadResult> {
  for (;;) {
    const result = await reader.read(split, after, within, known);
    if (result.records.length > 0 || result.ended) return result;
    const latest = await reader.latest(split);
    const atEnd =
      latest === null
        ? result.behindMs === 0
        : latest === undefined || (after !== undefined && comparePositions(after, latest) >= 0);
    if (atEnd) return result;
    await sleep(20);
  }
}

/** Everything in the stream, split by split, in order. */
export async function readAll(
  reader: RecordReader,
  maxRecords = 1_000,
): Promise<ReadonlyMap<string, readonly { key: string; text: string; position: string }[]>> {
  const all = new Map<string, { key: string; text: string; position: string }[]>();
  for (const { id } of await reader.splits()) {
    const records: { key: string; text: string; position: string }[] = [];
    for (let after: string | undefined; ; ) {
      const { records: read } = await readNow(reader, id, after, {
        maxRecords,
        maxBytes: 1_000_000,
      });
      if (read.length === 0) break;
      for (const { key, value, position } of read)
        records.push({ key, text: Buffer.from(value).toString(), position });
      after = read.at(-1)?.position;
    }
    all.set(id, records);
  }
  return all;
}

export function recordStreamContract(make: () => Promise<StreamHarness>): void {
  const within = (run: (harness: StreamHarness) => Promise<void>) => async (): Promise<void> => {
    const harness = await make();
    try {
      await run(harness);
    } finally {
      await harness.close();
    }
  };

  it(
    'gives an outcome for each record, in order, and what is applied can be read at its place',
    within(async ({ writer, stream, reader, written = same }) => {
      const records = Array.from({ length: 50 }, (_, n) => record(`key-${n % 7}`, `value ${n}`));
      const outcomes = await writer.write(stream, records);
      const all = new Map(
        [...(await readAll(reader()))].map(([split, read]) => [written(split), read]),
      );
      for (const [n, outcome] of outcomes.entries()) {
        if (outcome.kind !== 'applied') throw new Error(outcome.message);
        const found = all.get(outcome.split)?.find((read) => read.position === outcome.position);
        expect(found).toMatchObject({ key: `key-${n % 7}`, text: `value ${n}` });
      }
      expect([...all.values()].flat().length).toBe(50);
    }),
  );

  it(
    'keeps the order of a key, and a key in one split',
    within(async ({ writer, stream, reader }) => {
      for (let n = 0; n < 30; n++) await writer.write(stream, [record(`k${n % 3}`, String(n))]);
      const splitOfKey = new Map<string, string>();
      for (const [split, records] of await readAll(reader(), 4)) {
        for (const key of ['k0', 'k1', 'k2']) {
          const own = records.filter((read) => read.key === key).map((read) => Number(read.text));
          expect(own).toEqual([...own].sort((a, b) => a - b));
          if (own.length > 0) expect(splitOfKey.has(key)).toBe(false);
          if (own.length > 0) splitOfKey.set(key, split);
        }
        const positions = records.map((read) => read.position);
        expect(positions).toEqual([...positions].sort(comparePositions));
      }
      expect(splitOfKey.size).toBe(3);
    }),
  );

  it(
    'reads only what comes after a position, once, also for a new reader',
    within(async ({ writer, stream, reader }) => {
      await writer.write(stream, [record('k', 'one'), record('k', 'two')]);
      const [split] = [...(await readAll(reader()))].find(([, records]) => records.length > 0) ?? [
        '',
      ];
      const first = await readNow(reader(), split, undefined, {
        maxRecords: 1,
        maxBytes: 1_000_000,
      });
      expect(first.records.map((read) => Buffer.from(read.value).toString())).toEqual(['one']);
      const rest = reader();
      const second = await readNow(rest, split, first.records[0]?.position, bounds);
      expect(second.records.map((read) => Buffer.from(read.value).toString())).toEqual(['two']);
      expect((await readNow(rest, split, second.records[0]?.position, bounds)).records).toEqual([]);
      await writer.write(stream, [record('k', 'three')]);
      expect((await readNow(rest, split, second.records[0]?.position, bounds)).records.length).toBe(
        1,
      );
      if ((await rest.latest(split)) === null) return;
      expect(await rest.latest(split)).not.toBe(second.records[0]?.position);
      expect(await rest.lag(split, second.records[0]?.position)).toBe(1);
    }),
  );

  it(
    'returns a record that alone passes the bound of bytes',
    within(async ({ writer, stream, reader }) => {
      await writer.write(stream, [record('k', 'x'.repeat(50_000)), record('k', 'y')]);
      for (const [split, records] of await readAll(reader())) {
        if (records.length === 0) continue;
        const { records: read } = await readNow(reader(), split, undefined, {
          maxRecords: 10,
          maxBytes: 1_000,
        });
        expect(read.map((each) => each.value.length)).toEqual([50_000]);
      }
    }),
  );

  it(
    'refuses a record that the stream can not hold, and takes the others',
    within(async ({ writer, stream }) => {
      const { recordMaxBytes } = await writer.describe(stream);
      const huge: OutgoingRecord = { key: 'k', value: [Buffer.alloc(recordMaxBytes + 1)] };
      const outcomes = await writer.write(stream, [
        record('k', 'small'),
        huge,
        record('', 'no key'),
      ]);
      expect(
        outcomes.map((outcome) =>
          outcome.kind === 'refused' ? [outcome.code, outcome.retryable] : outcome.kind,
        ),
      ).toEqual(['applied', ['record-too-large', false], ['key-invalid', false]]);
    }),
  );

  it(
    'knows no stream that is not there',
    within(async ({ writer }) => {
      await expect(Promise.resolve().then(() => writer.describe('no/such'))).rejects.toMatchObject({
        code: 'stream-missing',
      });
    }),
  );
}
