/**
 * What every record writer promises beyond what is read back in order (record-stream.ts): bounds,
 * closing, and who owns the bytes.
 */
import { describe, expect, it } from 'vitest';
import { limits } from '../../schemas/limits.ts';
import type { OutgoingRecord } from '../../schemas/ports/record.ts';
import type { WriteOutcome } from '../../schemas/ports/record-writer.ts';
import type { StreamHarness } from './record-stream.ts';
import { readAll, readNow } from './record-stream.ts';

const record = (key: string, text: string): OutgoingRecord => ({ key, value: [Buffer.from(text)] });
const codesOf = (outcomes: readonly WriteOutcome[]): readonly string[] =>
  outcomes.map((outcome) => (outcome.kind === 'refused' ? outcome.code : outcome.kind));

export function recordWriterContract(name: string, make: () => Promise<StreamHarness>): void {
  const within = (run: (harness: StreamHarness) => Promise<void>) => async (): Promise<void> => {
    const harness = await make();
    try {
      await run(harness);
    } finally {
      await harness.close();
    }
  };

  describe(name, () => {
    it(
      'takes a record of exactly the size it names, key counted, and refuses one byte more',
      within(async ({ writer, stream }) => {
        const { recordMaxBytes } = await writer.describe(stream);
        const of = (bytes: number): OutgoingRecord => ({
          key: 'é',
          value: [Buffer.alloc(bytes - 2, 120)],
        });
        expect(
          codesOf(await writer.write(stream, [of(recordMaxBytes), of(recordMaxBytes + 1)])),
        ).toEqual(['applied', 'record-too-large']);
      }),
    );

    it(
      'takes a key of the longest length in characters, and refuses a longer one',
      within(async ({ writer, stream, longestKey }) => {
        const longest = longestKey ?? '𝄞'.repeat(limits.partitionKeyMaxChars);
        expect(
          codesOf(await writer.write(stream, [record(longest, '1'), record(`${longest}k`, '2')])),
        ).toEqual(['applied', 'key-invalid']);
      }),
    );

    it(
      'keeps headers on the large route and refuses them on the small one',
      within(async ({ writer, stream, reader, path }) => {
        const headers = { ce_id: 'é "1"', empty: '' };
        const [outcome] = await writer.write(stream, [{ ...record('k', '1'), headers }]);
        if (path === 'kinesis') {
          expect(outcome).toMatchObject({ kind: 'refused', retryable: false });
          return;
        }
        if (outcome?.kind !== 'applied') throw new Error('not applied');
        const { records } = await readNow(reader(), outcome.split, undefined, {
          maxRecords: 1,
          maxBytes: 10_000,
        });
        expect(records[0]?.headers).toEqual(headers);
      }),
    );

    it(
      'lets the caller have its bytes back once it answered',
      within(async ({ writer, stream, reader }) => {
        const bytes = Buffer.from('as written');
        await writer.write(stream, [{ key: 'k', value: [bytes] }]);
        bytes.fill(0);
        expect([...(await readAll(reader())).values()].flat().map((read) => read.text)).toEqual([
          'as written',
        ]);
      }),
    );

    it(
      'gives every record of overlapping writes a place of its own, and none for no records',
      within(async ({ writer, stream, reader }) => {
        const writes = Array.from({ length: 20 }, (_, n) =>
          writer.write(stream, [record(`k${n}`, `${n}a`), record('same', `${n}b`)]),
        );
        const outcomes = (await Promise.all(writes)).flat();
        const places = outcomes.map((outcome) =>
          outcome.kind === 'applied' ? `${outcome.split}:${outcome.position}` : outcome.message,
        );
        expect(new Set(places).size).toBe(40);
        expect([...(await readAll(reader())).values()].flat().length).toBe(40);
        expect(await writer.write(stream, [])).toEqual([]);
      }),
    );

    it(
      'refuses records for a stream that is not there, as outcomes',
      within(async ({ writer }) => {
        expect(
          codesOf(await writer.write('no/such', [record('k', '1'), record('k', '2')])),
        ).toEqual(['stream-missing', 'stream-missing']);
      }),
    );

    it(
      'finishes what is under way when it is closed, and refuses what comes after',
      within(async ({ writer, stream, reader }) => {
        const before = writer.write(stream, [record('k', 'before')]);
        let settled = false;
        void before.then(() => {
          settled = true;
        });
        await writer.close();
        expect(settled).toBe(true);
        expect(codesOf(await before)).toEqual(['applied']);
        expect(await writer.write(stream, [record('k', 'after')])).toMatchObject([
          { kind: 'refused', code: 'closed', retryable: true },
        ]);
        expect([...(await readAll(reader())).values()].flat().map((read) => read.text)).toEqual([
          'before',
        ]);
      }),
    );
  });
}
