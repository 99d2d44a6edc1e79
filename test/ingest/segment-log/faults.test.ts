/**
 * Orders of failure that would lose or repeat acknowledged records: a disk that fails while a
 * segment is closed, a sync that fails, damage at every bit, retention behind a reader's back,
 * positions that the log does not have.
 */
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { LogFile } from '../../../ingest/segment-log/log-file.ts';
import { openLogFile } from '../../../ingest/segment-log/log-file.ts';
import type { SegmentLogOptions } from '../../../ingest/segment-log/segment-log.ts';
import { SegmentLog } from '../../../ingest/segment-log/segment-log.ts';
import { SegmentReader } from '../../../ingest/segment-log/segment-reader.ts';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { failed, failingFile } from './failing-file.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-faults-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let made = 0;
const folder = (): string => join(root, String(made++));
const record = (text: string): { key: string; value: Uint8Array[] } => ({
  key: 'k',
  value: [Buffer.from(text)],
});
const first = '00000000000000000000.log';

const options = (dir: string, more: Partial<SegmentLogOptions> = {}): SegmentLogOptions => ({
  dir,
  clock: manualClock(1_000_000),
  segmentMaxBytes: 1_000_000,
  pendingMaxBytes: 1_000_000,
  retentionMaxBytes: 1e12,
  retentionMaxMs: 1e12,
  ...more,
});

async function textsOf(dir: string, end: number, from = 0): Promise<string[]> {
  const reader = new SegmentReader(dir, () => end);
  const texts: string[] = [];
  try {
    while (from + texts.length < end) {
      const frames = await reader.read(from + texts.length, {
        maxRecords: 1_000,
        maxBytes: 100_000,
      });
      for (const frame of frames) texts.push(Buffer.from(frame.value).toString());
    }
    return texts;
  } finally {
    await reader.close();
  }
}

/** Two acknowledged commits of one record in one segment. */
async function twoCommits(dir: string): Promise<Buffer> {
  const log = await SegmentLog.open(options(dir));
  await log.append([record('first')]);
  await log.append([record('second')]);
  await log.close();
  return readFileSync(join(dir, first));
}

describe('a segment log that fails', () => {
  it('while it closes a segment loses nothing of what it acknowledges afterwards', async () => {
    for (const failing of ['open', 'close'] as const) {
      const dir = folder();
      let fail = false;
      const openFile = async (path: string): Promise<LogFile> => {
        const file = await openLogFile(path);
        if (fail && failing === 'open') {
          // The file was created; what comes after its creation failed.
          await file.close();
          return failed('EIO');
        }
        return {
          ...file,
          close: () =>
            file.close().then(() => (fail && failing === 'close' ? failed('EIO') : undefined)),
        };
      };
      const log = await SegmentLog.open(options(dir, { segmentMaxBytes: 200, openFile }));
      const expected: string[] = [];
      const append = async (text: string): Promise<void> => {
        if ((await log.append([record(text)])).kind === 'applied') expected.push(text);
      };
      await append('x'.repeat(100));
      fail = true;
      await append('y'.repeat(100));
      fail = false;
      // Small enough for the old segment, were it still written.
      await append('small');
      expect(expected.at(-1)).toBe('small');
      await log.close();
      const again = await SegmentLog.open(options(dir));
      expect(again.durableEnd, failing).toBe(expected.length);
      await again.append([record('last')]);
      await again.close();
      for (let from = 0; from <= expected.length; from++)
        expect(await textsOf(dir, expected.length + 1, from), failing).toEqual(
          [...expected, 'last'].slice(from),
        );
    }
  });

  it('to delete an old segment still takes records, and deletes it the next time', async () => {
    const dir = folder();
    const log = await SegmentLog.open(
      options(dir, { segmentMaxBytes: 200, retentionMaxBytes: 300 }),
    );
    const append = async (): Promise<unknown> =>
      expect((await log.append([record('x'.repeat(120))])).kind).toBe('applied');
    for (let n = 0; n < 2; n++) await append();
    const path = join(dir, first);
    // A folder can not be unlinked.
    unlinkSync(path);
    mkdirSync(path);
    for (let n = 0; n < 4; n++) await append();
    expect(readdirSync(dir).length).toBe(7); // segments, and the lock
    // Deleted by somebody else is deleted as well.
    rmdirSync(path);
    await append();
    expect(readdirSync(dir).length).toBeLessThan(5);
    await log.close();
  });

  it('to sync never writes again to the file whose pages are in doubt', async () => {
    const dir = folder();
    let fail = false;
    const actions: string[] = [];
    const openFile = async (path: string): Promise<LogFile> => {
      const file = await openLogFile(path);
      const name = Number(path.slice(-24, -4));
      return {
        ...file,
        write: (bytes, position) => {
          actions.push(`write ${name}`);
          return file.write(bytes, position);
        },
        datasync: async () => {
          if (!fail) return file.datasync();
          fail = false;
          return failed('EIO');
        },
      };
    };
    const log = await SegmentLog.open(options(dir, { openFile }));
    await log.append([record('before')]);
    fail = true;
    expect(await log.append([record('in doubt')])).toMatchObject({
      kind: 'refused',
      code: 'io-error',
    });
    expect(await log.append([record('after')])).toEqual({ kind: 'applied', firstOffset: 1 });
    expect(actions).toEqual(['write 0', 'write 0', 'write 1']);
    await log.close();
    const again = await SegmentLog.open(options(dir));
    expect(again.durableEnd).toBe(2);
    await again.close();
    expect(await textsOf(dir, 2)).toEqual(['before', 'after']);
  });

  it('to sync its very first commit goes on in a fresh file of the same name', async () => {
    const dir = folder();
    let fail = false;
    const openFile = async (path: string): Promise<LogFile> => {
      const file = await openLogFile(path);
      return {
        ...file,
        datasync: async () => {
          if (!fail) return file.datasync();
          fail = false;
          return failed('ENOSPC');
        },
      };
    };
    const log = await SegmentLog.open(options(dir, { openFile }));
    fail = true;
    expect(await log.append([record('in doubt')])).toMatchObject({
      kind: 'refused',
      code: 'disk-full',
    });
    expect(await log.append([record('after')])).toEqual({ kind: 'applied', firstOffset: 0 });
    await log.close();
    expect(await textsOf(dir, 1)).toEqual(['after']);
    expect(readdirSync(dir)).toEqual([first, 'lock']);
  });

  it('to cut back says that the outcome is unknown: the bytes may be found when it is opened again', async () => {
    const dir = folder();
    let broken = false;
    const openFile = async (path: string): Promise<LogFile> => {
      const file = await openLogFile(path);
      return {
        ...file,
        datasync: () => (broken ? failed('EIO') : file.datasync()),
        truncate: (length) => (broken ? failed('EIO') : file.truncate(length)),
      };
    };
    const log = await SegmentLog.open(options(dir, { openFile }));
    await log.append([record('good')]);
    broken = true;
    const [doubtful, queued] = await Promise.all([
      log.append([record('doubtful')]),
      Promise.resolve()
        .then(() => Promise.resolve())
        .then(() => log.append([record('queued')])),
    ]);
    expect(doubtful).toMatchObject({ kind: 'unknown', code: 'io-error' });
    // Nothing of it was written.
    expect(queued).toMatchObject({ kind: 'refused', code: 'io-error' });
    await log.close();
    const again = await SegmentLog.open(options(dir));
    expect(again.durableEnd).toBe(2);
    await again.close();
  });
});

type Step =
  | { readonly kind: 'append'; readonly texts: readonly string[] }
  | { readonly kind: 'fail'; readonly call: 'open' | 'write' | 'datasync' | 'truncate' | 'close' }
  | { readonly kind: 'crash' }
  | { readonly kind: 'reopen' };

const steps = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant('append' as const),
        texts: fc.array(fc.string({ maxLength: 80 }), { minLength: 1, maxLength: 4 }),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('fail' as const),
        call: fc.constantFrom('open', 'write', 'datasync', 'truncate', 'close'),
      }),
    },
    { weight: 1, arbitrary: fc.constant({ kind: 'crash' as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'reopen' as const }) },
  ),
  { maxLength: 40 },
) as fc.Arbitrary<readonly Step[]>;

describe('a segment log under any faults and crashes', () => {
  it('has all that it acknowledged, nothing that it refused, each once and in order', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (run) => {
        let failing: (Step & { kind: 'fail' }) | undefined;
        const fails = (call: string): boolean => {
          if (failing?.call !== call) return false;
          failing = undefined;
          return true;
        };
        const openFile = failingFile(fails);
        let dir = folder();
        const opened = (): Promise<SegmentLog> =>
          SegmentLog.open(options(dir, { segmentMaxBytes: 300, openFile }));
        let log = await opened();
        const model: string[] = [];
        let doubtful: readonly string[] = [];
        const again = async (): Promise<void> => {
          failing = undefined;
          log = await opened();
          // Of what is unknown, the records from the first on may be there.
          const found = await textsOf(dir, log.durableEnd, model.length);
          expect(found).toEqual(doubtful.slice(0, found.length));
          model.push(...found);
          doubtful = [];
        };
        for (const step of run) {
          if (step.kind === 'fail') failing = step;
          else if (step.kind === 'append') {
            const outcome = await log.append(step.texts.map(record));
            if (outcome.kind === 'applied') {
              expect(outcome.firstOffset).toBe(model.length);
              model.push(...step.texts);
            } else if (outcome.kind === 'unknown') doubtful = step.texts;
          } else if (step.kind === 'crash') {
            // What a killed process leaves: the files as they are.
            const copy = folder();
            cpSync(dir, copy, { recursive: true });
            await log.close().catch(() => undefined);
            dir = copy;
            await again();
          } else {
            await log.close().catch(() => undefined);
            await again();
          }
        }
        await log.close().catch(() => undefined);
        await again();
        for (const from of [0, Math.floor(model.length / 3), Math.floor(model.length / 2)])
          expect(await textsOf(dir, model.length, from)).toEqual(model.slice(from));
        await log.close();
      }),
      { numRuns: 150 },
    );
  });
});

describe('damage', () => {
  it('of any bit of acknowledged data, with later data behind it, is found by opening and by reading', async () => {
    const dir = folder();
    const whole = await twoCommits(dir);
    const frame = 8 + whole.readUInt32LE(0);
    const path = join(dir, first);
    for (let bit = 0; bit < frame * 8; bit++) {
      const bytes = Buffer.from(whole);
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      writeFileSync(path, bytes);
      await expect(SegmentLog.open(options(dir)), `opened over bit ${bit}`).rejects.toMatchObject({
        code: 'stream-corrupt',
      });
      await expect(textsOf(dir, 2), `read over bit ${bit}`).rejects.toMatchObject({
        code: 'stream-corrupt',
        details: { path, byte: 0, offset: 0 },
      });
    }
  });

  it('of the last frame is found by a reader that knows it to be durable', async () => {
    const dir = folder();
    const whole = await twoCommits(dir);
    for (let at = 8 + whole.readUInt32LE(0); at < whole.length; at++) {
      const bytes = Buffer.from(whole);
      bytes[at] = (bytes[at] ?? 0) ^ 0x80;
      writeFileSync(join(dir, first), bytes);
      await expect(textsOf(dir, 2), `byte ${at}`).rejects.toMatchObject({ code: 'stream-corrupt' });
    }
  });
});

describe('a reader', () => {
  it('that retention overtook is told so, not that the data is damaged', async () => {
    const dir = folder();
    const log = await SegmentLog.open(
      options(dir, { segmentMaxBytes: 200, retentionMaxBytes: 300 }),
    );
    for (let n = 0; n < 2; n++) await log.append([record('x'.repeat(120))]);
    const reader = new SegmentReader(dir, () => log.durableEnd);
    // It is at the end of the first segment, whose file it still holds open.
    expect(await reader.read(0, { maxRecords: 1, maxBytes: 10_000 })).toHaveLength(1);
    for (let n = 0; n < 8; n++) await log.append([record('x'.repeat(120))]);
    await expect(reader.read(1, { maxRecords: 1, maxBytes: 10_000 })).rejects.toMatchObject({
      code: 'position-trimmed',
    });
    await reader.close();
    await log.close();
  });

  it('gets a record however small its bound of bytes is', async () => {
    const dir = folder();
    await twoCommits(dir);
    const reader = new SegmentReader(dir, () => 2);
    for (const maxBytes of [1, 7, 8, 9, 40])
      expect(await reader.read(0, { maxRecords: 9, maxBytes })).toHaveLength(1);
    await reader.close();
  });

  it('that asks for what the log never had is told so, instead of waiting for other records to take those places', async () => {
    const dir = folder();
    await twoCommits(dir);
    const reader = new SegmentReader(dir, () => 2);
    expect(await reader.read(2, { maxRecords: 9, maxBytes: 1_000 })).toEqual([]);
    await expect(reader.read(3, { maxRecords: 9, maxBytes: 1_000 })).rejects.toMatchObject({
      code: 'stream-corrupt',
    });
    await reader.close();
  });

  it('does not hold on to more memory than what it returns, by far', async () => {
    const dir = folder();
    await twoCommits(dir);
    const reader = new SegmentReader(dir, () => 2);
    const [frame] = await reader.read(0, { maxRecords: 9, maxBytes: 8 * 1_024 * 1_024 });
    expect(frame?.value.buffer.byteLength).toBeLessThan(100_000);
    await reader.close();
  });
});
