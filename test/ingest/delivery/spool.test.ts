/**
 * The spool as a durable queue: what it keeps, in which order it gives it back, how its disk is
 * bounded and freed, and what it tells of files that are not as it left them.
 */
import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { Spool, SpooledRecord, SpoolOptions } from '../../../ingest/delivery/spool.ts';
import { openSpool } from '../../../ingest/delivery/spool.ts';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import type { OutgoingRecord } from '../../../schemas/ports/record.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-spool-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let made = 0;
const folder = (): string => join(root, String(made++));
const all = { maxRecords: 1_000, maxBytes: 1_000_000 };
const clock = manualClock(1_000_000);

const opened = (dir: string, more: Partial<SpoolOptions> = {}): Promise<Spool> =>
  openSpool({ dir, clock, maxBytes: 1_000_000, ...more });
const record = (text: string): OutgoingRecord => ({ key: 'k', value: [Buffer.from(text)] });
const textOf = ({ record: { value } }: SpooledRecord): string => Buffer.concat(value).toString();

async function filled(
  dir: string,
  texts: readonly string[],
  more: Partial<SpoolOptions> = {},
): Promise<Spool> {
  const spool = await opened(dir, more);
  for (const text of texts) expect((await spool.append([record(text)])).kind).toBe('applied');
  return spool;
}

/** Reads to the end. */
async function textsOf(spool: Spool): Promise<readonly string[]> {
  const texts: string[] = [];
  for (let found = await spool.read(all); found.length > 0; found = await spool.read(all))
    texts.push(...found.map(textOf));
  return texts;
}

const diskBytes = (dir: string): number =>
  readdirSync(dir)
    .filter((name) => name.endsWith('.log'))
    .reduce((sum, name) => sum + statSync(join(dir, name)).size, 0);

describe('the folder of a spool', () => {
  it('is of one process, by whatever path, until the spool is closed', async () => {
    const dir = folder();
    const spool = await filled(dir, ['a']);
    const link = folder();
    symlinkSync(dir, link);
    for (const path of [dir, link])
      await expect(opened(path)).rejects.toMatchObject({ code: 'folder-in-use' });
    await spool.read(all);
    await spool.drainedTo(0);
    await expect(opened(link)).rejects.toMatchObject({ code: 'folder-in-use' });
    await spool.close();
    await (await opened(link)).close();
  });

  it('is let go of only when what was drained is marked', async () => {
    for (let n = 0; n < 20; n++) {
      const dir = folder();
      const spool = await filled(dir, ['a', 'b']);
      await spool.read(all);
      const marking = spool.drainedTo(0);
      await spool.close();
      expect(readFileSync(join(dir, 'drained'), 'utf8')).toBe('1');
      await marking;
    }
  });
});

describe('a spool', () => {
  it('gives back key, headers and value byte for byte, in pieces or whole', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            key: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 64 }),
            pieces: fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 4 }),
            headers: fc.option(
              fc.dictionary(fc.stringMatching(/^[a-z_]{1,20}$/), fc.string({ unit: 'grapheme' }), {
                minKeys: 1,
                noNullPrototype: true,
              }),
              { nil: undefined },
            ),
          }),
          { minLength: 1, maxLength: 20 },
        ),
        async (records) => {
          const dir = folder();
          const spool = await opened(dir);
          await spool.append(
            records.map(({ key, pieces, headers }) => ({
              key,
              value: pieces,
              ...(headers === undefined ? {} : { headers }),
            })),
          );
          const found = await spool.read(all);
          await spool.close();
          expect(found.map(({ offset }) => offset)).toEqual(records.map((_, index) => index));
          for (const [index, { key, pieces, headers }] of records.entries()) {
            const { record: got } = found[index] as SpooledRecord;
            expect(got.key).toBe(key);
            expect(got.headers).toEqual(headers);
            expect(Buffer.concat(got.value).equals(Buffer.concat(pieces))).toBe(true);
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  it('hands records out once, in order, within the bounds of each read', async () => {
    const spool = await filled(folder(), ['a', 'b', 'c', 'd', 'e']);
    expect((await spool.read({ maxRecords: 2, maxBytes: 10_000 })).map(textOf)).toEqual(['a', 'b']);
    // One that alone is beyond the bound comes alone.
    expect((await spool.read({ maxRecords: 9, maxBytes: 1 })).map(textOf)).toEqual(['c']);
    expect((await spool.read(all)).map(textOf)).toEqual(['d', 'e']);
    expect(await spool.read(all)).toEqual([]);
    await spool.append([record('f')]);
    expect((await spool.read(all)).map(textOf)).toEqual(['f']);
    await spool.close();
  });

  it('waits for nobody once all is drained, and says how much waits, and for how long, until then', async () => {
    const own = manualClock(5_000);
    const dir = folder();
    const spool = await opened(dir, { clock: own });
    expect([spool.pending, spool.records, spool.bytes, spool.oldestAgeMs(9_000)]).toEqual([
      false,
      0,
      0,
      0,
    ]);
    const appending = spool.append([record('a')]);
    // What is on its way counts: nothing may pass it.
    expect(spool.pending).toBe(true);
    await appending;
    own.advance(100);
    await spool.append([record('b')]);
    own.advance(100);
    expect([spool.pending, spool.records, spool.oldestAgeMs(own.now())]).toEqual([true, 2, 200]);
    expect(spool.bytes).toBe(diskBytes(dir));
    // The system clock may have been stepped back.
    expect(spool.oldestAgeMs(0)).toBe(0);
    await spool.read({ maxRecords: 1, maxBytes: 10_000 });
    await spool.drainedTo(0);
    await spool.read(all);
    expect([spool.pending, spool.records, spool.oldestAgeMs(own.now())]).toEqual([true, 1, 100]);
    await spool.drainedTo(1);
    expect([spool.pending, spool.records, spool.bytes, spool.oldestAgeMs(own.now())]).toEqual([
      false,
      0,
      0,
      0,
    ]);
    await spool.close();
  });

  it('knows the age of what an earlier run left before anything is read', async () => {
    const own = manualClock(5_000);
    const dir = folder();
    await (await filled(dir, ['a'], { clock: own })).close();
    own.advance(60_000);
    const spool = await opened(dir, { clock: own });
    expect(spool.oldestAgeMs(own.now())).toBe(60_000);
    await spool.close();
  });

  it('hands out again after a restart what was not drained, and nothing that was', async () => {
    const dir = folder();
    let spool = await filled(dir, ['a', 'b', 'c'], { segmentMaxBytes: 50 });
    await spool.read(all);
    await spool.drainedTo(0);
    await spool.close();
    spool = await opened(dir, { segmentMaxBytes: 50 });
    expect([spool.pending, spool.records]).toEqual([true, 2]);
    await spool.append([record('d')]);
    expect(await textsOf(spool)).toEqual(['b', 'c', 'd']);
    await spool.drainedTo(3);
    await spool.close();
    spool = await opened(dir);
    expect(spool.pending).toBe(false);
    expect(await spool.read(all)).toEqual([]);
    await spool.close();
  });

  it('refuses at once what is beyond its bound, all of it or nothing, and keeps what it has', async () => {
    const spool = await filled(folder(), ['x'.repeat(400)], { maxBytes: 1_000 });
    const refused = await spool.append([record('small'), record('y'.repeat(600))]);
    expect(refused).toMatchObject({ kind: 'refused', code: 'spool-full' });
    expect((await spool.append([record('small')])).kind).toBe('applied');
    expect(await textsOf(spool)).toEqual(['x'.repeat(400), 'small']);
    await spool.close();
  });

  it('counts what is on its way against its bound', async () => {
    const spool = await opened(folder(), { maxBytes: 1_000 });
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, () => spool.append([record('z'.repeat(200))])),
    );
    expect(outcomes.map(({ kind }) => kind)).toEqual([
      ...Array<string>(4).fill('applied'),
      ...Array<string>(6).fill('refused'),
    ]);
    await spool.close();
  });

  it('that was full takes as much again once it is drained, many times over', async () => {
    const dir = folder();
    for (const reopened of [false, true]) {
      let spool = await opened(dir, { maxBytes: 20_000 });
      let expected = 0;
      for (let round = 0; round < 5; round++) {
        let taken = 0;
        while (
          (await spool.append([record(`${round}:${taken} ${'x'.repeat(1_000)}`)])).kind ===
          'applied'
        )
          taken++;
        // All but the drained beginning of one segment is free again.
        expect(taken).toBeGreaterThanOrEqual(16);
        let drainedNow = 0;
        for (
          let found = await spool.read({ maxRecords: 3, maxBytes: 10_000 });
          found.length > 0;
        ) {
          drainedNow += found.length;
          await spool.drainedTo((found.at(-1) as SpooledRecord).offset);
          found = await spool.read({ maxRecords: 3, maxBytes: 10_000 });
        }
        expect(drainedNow).toBe(taken);
        expected += taken;
        expect(diskBytes(dir)).toBeLessThanOrEqual(2_500);
        if (reopened) {
          await spool.close();
          spool = await opened(dir, { maxBytes: 20_000 });
          expect(spool.pending).toBe(false);
        }
      }
      expect(expected).toBeGreaterThan(80);
      await spool.close();
    }
  });

  it('that one append had filled takes as much again once that is drained', async () => {
    const dir = folder();
    const spool = await opened(dir, { maxBytes: 10_000 });
    for (let n = 0; n < 3; n++) {
      expect(await spool.append([record(`${n}`.repeat(9_000))])).toEqual({
        kind: 'applied',
        firstOffset: n,
      });
      expect((await spool.read(all)).map(textOf)).toEqual([`${n}`.repeat(9_000)]);
      await spool.drainedTo(n);
      expect(diskBytes(dir)).toBe(0);
    }
    await spool.close();
  });

  it('frees segments while it is drained, not only at the end', async () => {
    const dir = folder();
    const spool = await filled(
      dir,
      Array.from({ length: 20 }, () => 'x'.repeat(1_000)),
      { segmentMaxBytes: 2_200 },
    );
    const before = diskBytes(dir);
    const found = await spool.read({ maxRecords: 10, maxBytes: 100_000 });
    await spool.drainedTo((found.at(-1) as SpooledRecord).offset);
    expect(found.length).toBeGreaterThan(0);
    let drained = found.length;
    while (drained < 10) {
      const more = await spool.read({ maxRecords: 10 - drained, maxBytes: 100_000 });
      drained += more.length;
      await spool.drainedTo((more.at(-1) as SpooledRecord).offset);
    }
    expect(diskBytes(dir)).toBeLessThanOrEqual(before / 2);
    expect(spool.records).toBe(10);
    await spool.close();
  });

  it('does not begin a new file for every few records that come and go', async () => {
    const dir = folder();
    const spool = await opened(dir);
    for (let n = 0; n < 20; n++) {
      await spool.append([record('x')]);
      await spool.read(all);
      await spool.drainedTo(n);
    }
    expect(readdirSync(dir).sort()).toEqual(['00000000000000000000.log', 'drained', 'lock']);
    await spool.close();
  });

  it('takes records that are appended while it begins a new file', async () => {
    const dir = folder();
    const spool = await filled(dir, ['x'.repeat(5_000)], { maxBytes: 20_000 });
    await spool.read(all);
    const draining = spool.drainedTo(0);
    const outcomes = await Promise.all(
      Array.from({ length: 9 }, (_, n) => spool.append([record(`late ${n}`)])),
    );
    await draining;
    expect(outcomes.every(({ kind }) => kind === 'applied')).toBe(true);
    const late = Array.from({ length: 9 }, (_, n) => `late ${n}`);
    expect(await textsOf(spool)).toEqual(late);
    await spool.close();
    const again = await opened(dir);
    expect((await again.read(all)).map(textOf)).toEqual(late);
    await again.close();
  });

  it('refuses what comes after it was closed, and leaves the mark alone', async () => {
    const dir = folder();
    const spool = await filled(dir, ['a', 'b']);
    await spool.read(all);
    await spool.close();
    expect(await spool.append([record('c')])).toMatchObject({ kind: 'refused', code: 'closed' });
    await spool.drainedTo(1);
    const again = await opened(dir);
    expect(again.records).toBe(2);
    await again.close();
  });
});

describe('a spool that is opened', () => {
  it('over a torn append has all that was acknowledged and goes on', async () => {
    const dir = folder();
    await (await filled(dir, ['a', 'b', 'c'])).close();
    const whole = diskBytes(dir);
    const file = join(dir, '00000000000000000000.log');
    for (let cut = 1; cut < whole / 3; cut += 5) {
      const copy = folder();
      cpSync(dir, copy, { recursive: true });
      truncateSync(join(copy, '00000000000000000000.log'), whole - cut);
      const spool = await opened(copy);
      expect(spool.records).toBe(2);
      await spool.append([record('d')]);
      expect((await spool.read(all)).map(textOf)).toEqual(['a', 'b', 'd']);
      await spool.close();
    }
    expect(statSync(file).size).toBe(whole);
  });

  it('over damage in any of its segments says which file, and what to do about it', async () => {
    const dir = folder();
    const texts = Array.from({ length: 6 }, (_, n) => `${n}`.repeat(100));
    await (await filled(dir, texts, { segmentMaxBytes: 300 })).close();
    const names = readdirSync(dir).filter((name) => name.endsWith('.log'));
    expect(names.length).toBeGreaterThan(2);
    for (const name of names.slice(0, -1)) {
      const copy = folder();
      cpSync(dir, copy, { recursive: true });
      const bytes = readFileSync(join(copy, name));
      bytes[60] = (bytes[60] ?? 0) ^ 1;
      writeFileSync(join(copy, name), bytes);
      await expect(opened(copy)).rejects.toMatchObject({
        code: 'stream-corrupt',
        details: { path: join(copy, name), byte: 0, dir: copy },
        message: expect.stringContaining(join(copy, name)) as string,
        fix: expect.stringContaining(copy) as string,
      });
    }
  });

  it('without one of its segments says so', async () => {
    const dir = folder();
    await (
      await filled(
        dir,
        Array.from({ length: 6 }, () => 'x'.repeat(100)),
        { segmentMaxBytes: 300 },
      )
    ).close();
    const [, second] = readdirSync(dir).filter((name) => name.endsWith('.log'));
    unlinkSync(join(dir, second ?? ''));
    await expect(opened(dir)).rejects.toMatchObject({
      code: 'stream-corrupt',
      fix: expect.stringContaining('away') as string,
    });
  });

  it('without its last segments, which the mark says it had, says so', async () => {
    const dir = folder();
    const spool = await filled(dir, ['a', 'b']);
    await spool.read(all);
    await spool.drainedTo(1);
    await spool.close();
    truncateSync(join(dir, '00000000000000000000.log'), 0);
    await expect(opened(dir)).rejects.toMatchObject({
      code: 'stream-corrupt',
      message: expect.stringContaining('drained') as string,
    });
  });

  it('with a mark that cannot be read hands out again rather than skip', async () => {
    for (const mark of ['', 'nonsense', '-1', '1e99']) {
      const dir = folder();
      const spool = await filled(dir, ['a', 'b']);
      await spool.read(all);
      await spool.drainedTo(0);
      await spool.close();
      writeFileSync(join(dir, 'drained'), mark);
      const again = await opened(dir);
      expect((await again.read(all)).map(textOf)).toEqual(['a', 'b']);
      await again.close();
    }
  });
});
