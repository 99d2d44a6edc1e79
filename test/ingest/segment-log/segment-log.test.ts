/**
 * The segment log's durability: order of write, sync and acknowledgement; torn tails, damage, a
 * full disk, a killed process, retention.
 */
import { spawn } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { LogFile, OpenLogFile } from '../../../ingest/segment-log/log-file.ts';
import { openLogFile } from '../../../ingest/segment-log/log-file.ts';
import type { SegmentLogOptions } from '../../../ingest/segment-log/segment-log.ts';
import { SegmentLog } from '../../../ingest/segment-log/segment-log.ts';
import { SegmentReader } from '../../../ingest/segment-log/segment-reader.ts';
import { manualClock } from '../../../schemas/kernel/clock.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-segments-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let made = 0;
const folder = (): string => join(root, String(made++));
const clock = manualClock(1_000_000);
const options = (dir: string, more: Partial<SegmentLogOptions> = {}): SegmentLogOptions => ({
  dir,
  clock,
  segmentMaxBytes: 1_000_000,
  pendingMaxBytes: 1_000_000,
  retentionMaxBytes: 1e12,
  retentionMaxMs: 1e12,
  ...more,
});
const record = (text: string): { key: string; value: Uint8Array[] } => ({
  key: 'k',
  value: [Buffer.from(text)],
});
const firstSegment = (dir: string): string => join(dir, '00000000000000000000.log');

async function contentOf(dir: string, end: number, from = 0): Promise<string[]> {
  const reader = new SegmentReader(dir, () => end);
  const texts: string[] = [];
  try {
    for (let offset = from; offset < end; ) {
      const frames = await reader.read(offset, { maxRecords: 7, maxBytes: 200 });
      if (frames.length === 0) throw new Error(`nothing at ${offset} of ${end}`);
      for (const frame of frames) {
        expect(frame.offset).toBe(offset++);
        texts.push(Buffer.from(frame.value).toString());
      }
    }
    return texts;
  } finally {
    await reader.close();
  }
}

async function filled(
  dir: string,
  texts: readonly string[],
  more: Partial<SegmentLogOptions> = {},
): Promise<void> {
  const log = await SegmentLog.open(options(dir, more));
  for (const text of texts) expect((await log.append([record(text)])).kind).toBe('applied');
  await log.close();
}

describe('a segment log', () => {
  it('acknowledges after the sync, and lets readers see nothing before it', async () => {
    const actions: string[] = [];
    const openFile: OpenLogFile = async (path) => {
      const file = await openLogFile(path);
      return {
        ...file,
        write: async (bytes, position) => {
          await file.write(bytes, position);
          actions.push('written');
        },
        datasync: async () => {
          await file.datasync();
          actions.push('synced');
        },
      };
    };
    const log = await SegmentLog.open(
      options(folder(), { openFile, publish: (end) => actions.push(`visible ${end}`) }),
    );
    actions.length = 0;
    await log.append([record('a'), record('b')]).then(() => actions.push('acknowledged'));
    expect(actions).toEqual(['written', 'synced', 'visible 2', 'acknowledged']);
    await log.close();
  });

  it('commits together what arrives together', async () => {
    let syncs = 0;
    const openFile: OpenLogFile = async (path) => {
      const file = await openLogFile(path);
      return { ...file, datasync: async () => void (await file.datasync(), syncs++) };
    };
    const dir = folder();
    const log = await SegmentLog.open(options(dir, { openFile }));
    syncs = 0;
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, (_, n) => log.append([record(String(n))])),
    );
    expect(
      outcomes.map((outcome) => (outcome.kind === 'applied' ? outcome.firstOffset : -1)),
    ).toEqual(Array.from({ length: 100 }, (_, n) => n));
    expect(syncs).toBeLessThanOrEqual(2);
    await log.close();
    expect(await contentOf(dir, 100)).toEqual(Array.from({ length: 100 }, (_, n) => String(n)));
  });

  it('has after any appends and reopenings what a list would have', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.oneof(
            fc.constant('reopen' as const),
            fc.array(fc.string({ maxLength: 60 }), { minLength: 1, maxLength: 5 }),
          ),
          {
            maxLength: 25,
          },
        ),
        async (steps) => {
          const dir = folder();
          const model: string[] = [];
          let log = await SegmentLog.open(options(dir, { segmentMaxBytes: 300 }));
          for (const step of steps) {
            if (step === 'reopen') {
              await log.close();
              log = await SegmentLog.open(options(dir, { segmentMaxBytes: 300 }));
            } else {
              const outcome = await log.append(step.map(record));
              expect(outcome).toEqual({ kind: 'applied', firstOffset: model.length });
              model.push(...step);
            }
          }
          expect(log.durableEnd).toBe(model.length);
          await log.close();
          expect(await contentOf(dir, model.length)).toEqual(model);
          if (model.length > 3)
            expect(await contentOf(dir, model.length, 3)).toEqual(model.slice(3));
        },
      ),
      { numRuns: 40 },
    );
  });

  it('cuts a torn tail wherever the write broke off, and loses nothing before it', async () => {
    const dir = folder();
    await filled(dir, ['first', 'second']);
    const whole = statSync(firstSegment(dir)).size;
    await filled(dir, ['third']);
    const full = readFileSync(firstSegment(dir));
    for (let cut = whole; cut < full.length; cut++) {
      writeFileSync(firstSegment(dir), full.subarray(0, cut));
      const log = await SegmentLog.open(options(dir));
      expect(log.durableEnd, `cut at ${cut}`).toBe(2);
      await log.close();
      expect(statSync(firstSegment(dir)).size).toBe(whole);
    }
    await filled(dir, ['again']);
    expect(await contentOf(dir, 3)).toEqual(['first', 'second', 'again']);
  });

  it('cuts a commit whose middle did not reach the disk, though its end did', async () => {
    const dir = folder();
    const log = await SegmentLog.open(options(dir));
    await log.append([record('kept')]);
    const whole = statSync(firstSegment(dir)).size;
    await log.append([record('x'.repeat(50)), record('y'.repeat(50)), record('z')]);
    await log.close();
    const bytes = readFileSync(firstSegment(dir));
    bytes.fill(0, whole + 20, whole + 60);
    writeFileSync(firstSegment(dir), bytes);
    const again = await SegmentLog.open(options(dir));
    expect(again.durableEnd).toBe(1);
    await again.close();
  });

  it('does not open over damage to what was acknowledged, and says file and byte', async () => {
    const dir = folder();
    await filled(dir, ['first', 'second', 'third']);
    const bytes = readFileSync(firstSegment(dir));
    bytes[20] = (bytes[20] ?? 0) ^ 1;
    writeFileSync(firstSegment(dir), bytes);
    await expect(SegmentLog.open(options(dir))).rejects.toMatchObject({
      code: 'stream-corrupt',
      details: { path: firstSegment(dir), byte: 0, offset: 0 },
    });
  });

  it('does not read over damage in a closed segment', async () => {
    const dir = folder();
    await filled(
      dir,
      Array.from({ length: 20 }, (_, n) => `value ${n}`),
      { segmentMaxBytes: 300 },
    );
    const bytes = readFileSync(firstSegment(dir));
    bytes[60] = (bytes[60] ?? 0) ^ 1;
    writeFileSync(firstSegment(dir), bytes);
    await expect(contentOf(dir, 20)).rejects.toMatchObject({ code: 'stream-corrupt' });
    truncateSync(firstSegment(dir), 50);
    await expect(contentOf(dir, 20)).rejects.toMatchObject({ code: 'stream-corrupt' });
  });

  it('refuses while the disk is full, loses nothing, and goes on when there is room', async () => {
    const dir = folder();
    let full = false;
    const openFile: OpenLogFile = async (path) => {
      const file = await openLogFile(path);
      return {
        ...file,
        write: async (bytes, position) => {
          if (!full) return file.write(bytes, position);
          await file.write(bytes.subarray(0, bytes.length / 2), position);
          throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
        },
      };
    };
    const log = await SegmentLog.open(options(dir, { openFile }));
    await log.append([record('before')]);
    const size = statSync(firstSegment(dir)).size;
    full = true;
    expect(await log.append([record('refused')])).toMatchObject({
      kind: 'refused',
      code: 'disk-full',
    });
    expect(statSync(firstSegment(dir)).size).toBe(size);
    full = false;
    expect(await log.append([record('after')])).toEqual({ kind: 'applied', firstOffset: 1 });
    await log.close();
    expect(await contentOf(dir, 2)).toEqual(['before', 'after']);
  });

  it('refuses everything after a fault that it could not cut back', async () => {
    let broken = false;
    const openFile: OpenLogFile = async (path) => {
      const file: LogFile = await openLogFile(path);
      const fail = async (): Promise<void> =>
        Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' }));
      return {
        ...file,
        datasync: () => (broken ? fail() : file.datasync()),
        truncate: (length) => (broken ? fail() : file.truncate(length)),
      };
    };
    const dir = folder();
    const log = await SegmentLog.open(options(dir, { openFile }));
    await log.append([record('good')]);
    broken = true;
    expect(await log.append([record('bad')])).toMatchObject({ kind: 'unknown', code: 'io-error' });
    broken = false;
    expect(await log.append([record('still bad')])).toMatchObject({
      kind: 'refused',
      code: 'io-error',
    });
    await log.close();
    const again = await SegmentLog.open(options(dir));
    expect((await again.append([record('next')])).kind).toBe('applied');
    await again.close();
  });

  it('refuses what would pass its bound of waiting bytes', async () => {
    const log = await SegmentLog.open(options(folder(), { pendingMaxBytes: 200 }));
    const outcomes = await Promise.all([
      log.append([record('x'.repeat(100))]),
      log.append([record('y'.repeat(100))]),
    ]);
    expect(
      outcomes.map((outcome) => (outcome.kind === 'refused' ? outcome.code : outcome.kind)),
    ).toEqual(['applied', 'backlog-full']);
    expect((await log.append([record('y'.repeat(100))])).kind).toBe('applied');
    await log.close();
    expect(await log.append([record('late')])).toMatchObject({ code: 'closed' });
  });

  it('lets go of the oldest segments by bytes and by age, and tells a reader that comes too late', async () => {
    const dir = folder();
    await filled(
      dir,
      Array.from({ length: 60 }, (_, n) => `value ${n}`),
      { segmentMaxBytes: 300, retentionMaxBytes: 900 },
    );
    const segments = readdirSync(dir).sort();
    expect(segments.length).toBeGreaterThan(2);
    expect(segments.length).toBeLessThan(7);
    expect(segments[0]).not.toBe('00000000000000000000.log');
    await expect(contentOf(dir, 60)).rejects.toMatchObject({ code: 'position-trimmed' });
    const oldest = Number.parseInt(segments[0] ?? '', 10);
    expect((await contentOf(dir, 60, oldest)).at(-1)).toBe('value 59');

    const aged = folder();
    const moving = manualClock(0);
    const log = await SegmentLog.open(
      options(aged, { clock: moving, segmentMaxBytes: 300, retentionMaxMs: 1_000 }),
    );
    for (let n = 0; n < 20; n++) await log.append([record(`value ${n}`)]);
    moving.advance(5_000);
    for (let n = 20; n < 40; n++) await log.append([record(`value ${n}`)]);
    expect(log.start).toBeGreaterThan(10);
    await log.close();
  });

  it('has all that it acknowledged after SIGKILL', async () => {
    const dir = folder();
    mkdirSync(dir, { recursive: true });
    const module = new URL('../../../ingest/segment-log/segment-log.js', import.meta.url).href;
    const script = `
      const { SegmentLog } = await import(${JSON.stringify(module)});
      const clock = { now: () => 1, monotonic: () => 1, setTimer: () => ({ cancel() {} }) };
      const log = await SegmentLog.open({ dir: ${JSON.stringify(dir)}, clock, segmentMaxBytes: 20000, pendingMaxBytes: 1e8, retentionMaxBytes: 1e12, retentionMaxMs: 1e12 });
      for (let n = 0; ; n += 10) {
        const outcome = await log.append(Array.from({ length: 10 }, (_, i) => ({ key: 'k', value: [Buffer.from(String(n + i).padEnd(200))] })));
        process.stdout.write(outcome.firstOffset + 10 + '\\n');
      }`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script]);
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.length > 3_000) child.kill('SIGKILL');
    });
    await new Promise((resolve) => child.once('close', resolve));
    const acknowledged = Number(said.split('\n').slice(0, -1).at(-1));
    expect(acknowledged).toBeGreaterThan(100);
    const log = await SegmentLog.open(options(dir));
    expect(log.durableEnd).toBeGreaterThanOrEqual(acknowledged);
    const end = log.durableEnd;
    await log.close();
    expect((await contentOf(dir, end)).map(Number)).toEqual(
      Array.from({ length: end }, (_, n) => n),
    );
  });

  it('ignores bytes behind the durable end', async () => {
    const dir = folder();
    await filled(dir, ['a', 'b']);
    copyFileSync(firstSegment(dir), `${firstSegment(dir)}.copy`);
    appendFileSync(firstSegment(dir), readFileSync(`${firstSegment(dir)}.copy`));
    const reader = new SegmentReader(dir, () => 1);
    expect(await reader.read(0, { maxRecords: 9, maxBytes: 1_000 })).toHaveLength(1);
    await reader.close();
  });
});
