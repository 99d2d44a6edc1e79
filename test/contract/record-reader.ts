/**
 * What every record reader promises beyond what is read back in order (record-stream.ts): bounds,
 * repeating, and what it knows of the end.
 */
import { describe, expect, it } from 'vitest';
import type { IncomingRecord } from '../../schemas/ports/record.ts';
import type { RecordReader } from '../../schemas/ports/record-reader.ts';
import type { StreamHarness } from './record-stream.ts';
import { readNow, same } from './record-stream.ts';

const bounds = { maxRecords: 1_000, maxBytes: 1_000_000 };
const key = 'one-key';
const textOf = ({ value }: IncomingRecord): string => Buffer.from(value).toString();

async function textsOf(
  reader: RecordReader,
  split: string,
  after: string | undefined,
  within = bounds,
): Promise<readonly string[]> {
  return (await readNow(reader, split, after, within)).records.map((record) =>
    Buffer.from(record.value).toString(),
  );
}

export function recordReaderContract(name: string, make: () => Promise<StreamHarness>): void {
  /** `texts` in the one split that the key goes to. */
  const filled =
    (
      texts: readonly string[],
      run: (harness: StreamHarness, split: string, positions: readonly string[]) => Promise<void>,
    ) =>
    async (): Promise<void> => {
      const harness = await make();
      try {
        const outcomes = await harness.writer.write(
          harness.stream,
          texts.map((text) => ({ key, value: [Buffer.from(text)] })),
        );
        const places = outcomes.map((outcome) => {
          if (outcome.kind !== 'applied') throw new Error(outcome.message);
          return outcome;
        });
        await run(
          harness,
          places[0]?.split ?? '',
          places.map((place) => place.position),
        );
      } finally {
        await harness.close();
      }
    };
  const ten = Array.from({ length: 10 }, (_, n) => `text ${n}`);

  describe(name, () => {
    it(
      'has splits with names of their own, parents before their children',
      filled([], async ({ reader, writer, stream, written = same }) => {
        const splits = await reader().splits();
        expect(splits.map((split) => written(split.id))).toEqual(
          (await writer.describe(stream)).splits,
        );
        const seen = new Set<string>();
        for (const { id, parents } of splits) {
          expect(seen.has(id)).toBe(false);
          for (const parent of parents) expect(seen.has(parent)).toBe(true);
          seen.add(id);
        }
        expect(seen.size).toBeGreaterThan(0);
      }),
    );

    it(
      'says of an empty split that it is empty, and not that it has ended',
      filled([], async ({ reader }) => {
        const asked = reader();
        for (const { id } of await asked.splits()) {
          expect(await readNow(asked, id, undefined, bounds)).toMatchObject({
            records: [],
            ended: false,
          });
          if ((await asked.latest(id)) === null) continue;
          expect(await asked.latest(id)).toBeUndefined();
          expect(await asked.lag(id, undefined)).toBe(0);
        }
      }),
    );

    it(
      'knows the newest position, and how many records are behind each',
      filled(ten, async ({ reader }, split, positions) => {
        const asked = reader();
        // Where it cannot be asked, a read says that it is at the end.
        if ((await asked.latest(split)) === null) {
          expect((await readNow(asked, split, positions.at(-1), bounds)).behindMs).toBe(0);
          expect(await asked.lag(split, undefined)).toBeUndefined();
          return;
        }
        expect(await asked.latest(split)).toBe(positions.at(-1));
        expect(await asked.lag(split, undefined)).toBe(10);
        for (const [n, position] of positions.entries())
          expect(await asked.lag(split, position)).toBe(9 - n);
      }),
    );

    it(
      'knows where the oldest record is, and where reading begins from a time on, or with what comes',
      filled(ten, async ({ reader, writer, stream }, split, positions) => {
        const asked = reader();
        expect((await asked.oldest(split)).position).toBe(positions[0]);
        const [first] = (await readNow(asked, split, undefined, bounds)).records;
        const fromMs = (first?.arrivedAtMs ?? 0) - 1_000;
        if ((await asked.positionAt(split, 'latest')) === null) {
          // Only a read can begin there.
          const since = await readNow(reader(), split, undefined, bounds, { from: fromMs });
          expect(since.records.map((record) => record.position)).toEqual(positions);
          const next = reader();
          expect(
            (await readNow(next, split, undefined, bounds, { from: 'latest' })).records,
          ).toEqual([]);
          await writer.write(stream, [{ key, value: [Buffer.from('later')] }]);
          let found: readonly string[] = [];
          while (found.length === 0)
            found = (await readNow(next, split, undefined, bounds, { from: 'latest' })).records.map(
              textOf,
            );
          expect(found).toEqual(['later']);
          return;
        }
        expect(await asked.positionAt(split, 'latest')).toBe(positions.at(-1));
        expect(await asked.positionAt(split, fromMs)).toBeUndefined();
        expect(await asked.positionAt(split, Date.now() + 3_600_000)).toBe(positions.at(-1));
        expect((await asked.oldest(split)).counts).toBe(true);
      }),
    );

    it(
      'gives the same records for the same position, in whatever order it is asked',
      filled(ten, async ({ reader }, split, positions) => {
        const asked = reader();
        for (const n of [5, 2, 5, 9, 0, 8, 3])
          expect(await textsOf(asked, split, positions[n])).toEqual(ten.slice(n + 1));
        expect(await textsOf(asked, split, undefined)).toEqual(ten);
        expect(await textsOf(asked, split, undefined)).toEqual(ten);
      }),
    );

    it(
      'keeps to its bounds, and gets through with any of them',
      filled(ten, async ({ reader }, split) => {
        for (const within of [
          { maxRecords: 1, maxBytes: 1_000_000 },
          { maxRecords: 3, maxBytes: 1_000_000 },
          { maxRecords: 1_000, maxBytes: 1 },
          { maxRecords: 1_000, maxBytes: 150 },
        ]) {
          const asked = reader();
          const texts: string[] = [];
          for (let after: string | undefined; ; ) {
            const { records } = await readNow(asked, split, after, within);
            if (records.length === 0) break;
            expect(records.length).toBeLessThanOrEqual(within.maxRecords);
            const bytes = records.reduce((sum, record) => sum + record.value.length, 0);
            if (records.length > 1) expect(bytes).toBeLessThanOrEqual(within.maxBytes);
            texts.push(...records.map((record) => Buffer.from(record.value).toString()));
            after = records.at(-1)?.position;
          }
          expect(texts).toEqual(ten);
        }
      }),
    );

    it(
      'leaves records as they are while it reads on',
      filled(ten, async ({ reader, writer, stream }, split, positions) => {
        const asked = reader();
        const { records } = await readNow(asked, split, undefined, bounds);
        await writer.write(stream, [{ key, value: [Buffer.from('later')] }]);
        expect(await textsOf(asked, split, positions.at(-1))).toEqual(['later']);
        expect(
          records.map((record) => [
            record.key,
            Buffer.from(record.value).toString(),
            record.position,
          ]),
        ).toEqual(ten.map((text, n) => [key, text, positions[n]]));
        for (const { arrivedAtMs } of records)
          expect(Number.isInteger(arrivedAtMs) && arrivedAtMs > 0).toBe(true);
      }),
    );
  });
}
