/**
 * Orders of failure that would lose, repeat or reorder what a spool has acknowledged: a full disk,
 * a mark that cannot be written, a process that is killed between any two of its steps.
 */
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { Spool, SpooledRecord, SpoolOptions } from '../../../ingest/delivery/spool.ts';
import { openSpool } from '../../../ingest/delivery/spool.ts';
import type { LogFile } from '../../../ingest/segment-log/log-file.ts';
import { openLogFile } from '../../../ingest/segment-log/log-file.ts';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import type { OutgoingRecord } from '../../../schemas/ports/record.ts';
import { failed, failingFile } from '../segment-log/failing-file.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-spool-faults-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let made = 0;
const folder = (): string => join(root, String(made++));
const all = { maxRecords: 1_000, maxBytes: 1_000_000 };
const opened = (dir: string, more: Partial<SpoolOptions> = {}): Promise<Spool> =>
  openSpool({ dir, clock: manualClock(1_000_000), maxBytes: 1_000_000, ...more });
const record = (text: string): OutgoingRecord => ({ key: 'k', value: [Buffer.from(text)] });
const textOf = ({ record: { value } }: SpooledRecord): string => Buffer.concat(value).toString();

async function textsOf(spool: Spool): Promise<readonly string[]> {
  const texts: string[] = [];
  for (let found = await spool.read(all); found.length > 0; found = await spool.read(all))
    texts.push(...found.map(textOf));
  return texts;
}

describe('a spool on a disk that is full', () => {
  it('refuses, keeps what it has, and takes records again once there is room', async () => {
    let isFull = false;
    const openFile = async (path: string): Promise<LogFile> => {
      const file = await openLogFile(path);
      return {
        ...file,
        write: async (bytes, position) => {
          if (!isFull) return file.write(bytes, position);
          await file.write(bytes.subarray(0, bytes.length >> 1), position);
          return failed('ENOSPC');
        },
      };
    };
    const dir = folder();
    const spool = await opened(dir, { openFile });
    await spool.append([record('a')]);
    isFull = true;
    expect(await spool.append([record('b')])).toMatchObject({ kind: 'refused', code: 'disk-full' });
    expect(spool.records).toBe(1);
    isFull = false;
    await spool.append([record('c')]);
    expect(await textsOf(spool)).toEqual(['a', 'c']);
    await spool.close();
    const again = await opened(dir);
    expect(await textsOf(again)).toEqual(['a', 'c']);
    await again.close();
  });

  it('frees its segments although the mark finds no room, and says that it did not', async () => {
    const dir = folder();
    const spool = await opened(dir, { segmentMaxBytes: 200 });
    for (let n = 0; n < 6; n++) await spool.append([record(`${n}`.repeat(120))]);
    await textsOf(spool);
    // Stands for a mark that cannot be written.
    mkdirSync(join(dir, 'drained.new'));
    await expect(spool.drainedTo(3)).rejects.toThrow();
    expect(readdirSync(dir).filter((name) => name.endsWith('.log'))).toHaveLength(2);
    // In this run it is drained all the same, and the next one begins no later.
    expect(spool.records).toBe(2);
    const crashed = folder();
    cpSync(dir, crashed, { recursive: true, filter: (path) => !path.endsWith('.new') });
    const next = await opened(crashed, { segmentMaxBytes: 200 });
    expect((await textsOf(next)).at(-1)).toBe('5'.repeat(120));
    await next.close();
    rmdirSync(join(dir, 'drained.new'));
    await spool.drainedTo(4);
    await spool.close();
    const again = await opened(dir, { segmentMaxBytes: 200 });
    expect(await textsOf(again)).toEqual(['5'.repeat(120)]);
    await again.close();
  });

  it('that cannot begin a new file once all is drained keeps the old one, and begins it with the next record', async () => {
    let fail = false;
    const openFile = (path: string): Promise<LogFile> =>
      fail ? failed('ENOSPC') : openLogFile(path);
    const dir = folder();
    const spool = await opened(dir, { maxBytes: 10_000, openFile });
    await spool.append([record('x'.repeat(5_000))]);
    await textsOf(spool);
    fail = true;
    await spool.drainedTo(0);
    expect(spool.pending).toBe(false);
    expect(await spool.append([record('y')])).toMatchObject({ kind: 'refused', code: 'disk-full' });
    fail = false;
    expect(await spool.append([record('z')])).toEqual({ kind: 'applied', firstOffset: 1 });
    expect(await textsOf(spool)).toEqual(['z']);
    await spool.drainedTo(1);
    expect(readdirSync(dir).filter((name) => name.endsWith('.log'))).toEqual([
      '00000000000000000001.log',
    ]);
    await spool.close();
  });
});

type Step =
  | { readonly kind: 'append'; readonly texts: readonly string[] }
  | { readonly kind: 'read'; readonly maxRecords: number }
  | { readonly kind: 'drain'; readonly share: number }
  | { readonly kind: 'fail'; readonly call: 'open' | 'write' | 'datasync' | 'truncate' | 'close' }
  | { readonly kind: 'fail-mark' }
  | { readonly kind: 'crash' }
  | { readonly kind: 'reopen' };

const steps = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('append' as const),
        texts: fc.array(fc.string({ maxLength: 150 }), { minLength: 1, maxLength: 4 }),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('read' as const),
        maxRecords: fc.integer({ min: 1, max: 6 }),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('drain' as const),
        share: fc.double({ min: 0, max: 1, noNaN: true }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('fail' as const),
        call: fc.constantFrom('open', 'write', 'datasync', 'truncate', 'close'),
      }),
    },
    { weight: 1, arbitrary: fc.constant({ kind: 'fail-mark' as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'crash' as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'reopen' as const }) },
  ),
  { maxLength: 50 },
) as fc.Arbitrary<readonly Step[]>;

describe('a spool under any faults and crashes', () => {
  it('hands out all that it acknowledged in order, and after a crash begins no later than where it was drained to', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (run) => {
        let failing: string | undefined;
        const fails = (call: string): boolean => {
          if (failing !== call) return false;
          failing = undefined;
          return true;
        };
        const openFile = failingFile(fails);
        let dir = folder();
        const open = (): Promise<Spool> =>
          opened(dir, { segmentMaxBytes: 300, maxBytes: 4_000, openFile });
        let spool = await open();
        /** All that was ever acknowledged, by offset. */
        const model: string[] = [];
        /** What may be found behind it. */
        let doubtful: readonly string[] = [];
        /** The next offset to be handed out, and the first that is not drained. */
        let next = 0;
        let drained = 0;
        /** As far as the mark is known to be on the disk. */
        let marked = 0;
        let markFails = false;
        const drainTo = async (offset: number): Promise<void> => {
          if (markFails) mkdirSync(join(dir, 'drained.new'));
          drained = offset + 1;
          const held = await spool.drainedTo(offset).then(
            () => true,
            () => false,
          );
          expect(held).toBe(!markFails);
          if (held) marked = drained;
          else rmdirSync(join(dir, 'drained.new'));
          markFails = false;
        };
        const expectHanded = (found: readonly SpooledRecord[]): void => {
          expect(found.map(({ offset }) => offset)).toEqual(found.map((_, index) => next + index));
          expect(found.map(textOf)).toEqual(model.slice(next, next + found.length));
          next += found.length;
        };
        const again = async (): Promise<void> => {
          failing = undefined;
          spool = await open();
          const found: SpooledRecord[] = [];
          for (let more = await spool.read(all); more.length > 0; more = await spool.read(all))
            found.push(...more);
          const from = found[0]?.offset ?? model.length;
          // Nothing that was not drained is skipped, and nothing whose mark was written comes
          // again.
          expect(from).toBeGreaterThanOrEqual(marked);
          expect(from).toBeLessThanOrEqual(Math.max(drained, marked));
          const texts = found.map(textOf);
          const late = texts.slice(model.length - from);
          expect(texts.slice(0, model.length - from)).toEqual(model.slice(from));
          expect(late).toEqual(doubtful.slice(0, late.length));
          model.push(...late);
          doubtful = [];
          await spool.close();
          spool = await open();
          next = from;
          drained = from;
          marked = Math.max(marked, from);
        };
        for (const step of run) {
          if (step.kind === 'fail') failing = step.call;
          else if (step.kind === 'fail-mark') markFails = true;
          else if (step.kind === 'append') {
            const outcome = await spool.append(step.texts.map(record));
            if (outcome.kind === 'applied') {
              expect(outcome.firstOffset).toBe(model.length);
              model.push(...step.texts);
            } else if (outcome.kind === 'unknown') doubtful = step.texts;
          } else if (step.kind === 'read')
            expectHanded(await spool.read({ maxRecords: step.maxRecords, maxBytes: 100_000 }));
          else if (step.kind === 'drain') {
            const offset = drained + Math.floor(step.share * (next - drained)) - 1;
            if (offset >= drained) await drainTo(offset);
          } else {
            if (step.kind === 'crash') {
              // What a killed process leaves: the files as they are.
              const copy = folder();
              cpSync(dir, copy, { recursive: true });
              await spool.close().catch(() => undefined);
              dir = copy;
            } else await spool.close().catch(() => undefined);
            await again();
          }
          expect(spool.records).toBe(model.length - drained);
          expect(spool.pending).toBe(drained < model.length);
          expect(spool.bytes).toBeLessThanOrEqual(4_000);
        }
        await spool.close().catch(() => undefined);
        await again();
        await spool.close();
      }),
      { numRuns: 120 },
    );
  });
});

const child = `
import { openSpool } from ${JSON.stringify(new URL('../../../ingest/delivery/spool.js', import.meta.url).href)};
import { systemClock } from ${JSON.stringify(new URL('../../../schemas/kernel/clock.js', import.meta.url).href)};
const spool = await openSpool({ dir: process.argv[1], clock: systemClock, maxBytes: 1e7, segmentMaxBytes: 2_000 });
const say = (line) => new Promise((resolve) => process.stdout.write(line + '\\n', resolve));
const drain = async () => {
  for (;;) {
    const batch = await spool.read({ maxRecords: 7, maxBytes: 1e6 });
    if (batch.length === 0) { await new Promise((resolve) => setTimeout(resolve, 1)); continue; }
    await say('stream has ' + batch.at(-1).offset);
    await spool.drainedTo(batch.at(-1).offset);
    await say('drained ' + batch.at(-1).offset);
  }
};
drain();
for (let n = 0; ; n++) {
  const outcome = await spool.append([{ key: 'k', value: [Buffer.from(String(n) + ' ' + 'x'.repeat(100))] }]);
  if (outcome.kind !== 'applied' || outcome.firstOffset !== n) throw new Error(JSON.stringify(outcome));
  await say('acknowledged ' + n);
}
`;

describe('a process that is killed while it fills and empties a spool', () => {
  it('leaves all that was acknowledged and is not in the stream', async () => {
    for (const killAfter of [1, 23, 80]) {
      const dir = folder();
      const process_ = spawn(process.execPath, ['--input-type=module', '-e', child, dir], {
        cwd: fileURLToPath(new URL('.', import.meta.url)),
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const last = { acknowledged: -1, 'stream has': -1, drained: -1 };
      for await (const line of createInterface({ input: process_.stdout })) {
        const at = line.lastIndexOf(' ');
        const what = line.slice(0, at) as keyof typeof last;
        last[what] = Number(line.slice(at + 1));
        if (last.acknowledged >= killAfter && last.drained >= 0) process_.kill('SIGKILL');
      }
      expect(last.acknowledged).toBeGreaterThanOrEqual(killAfter);
      const spool = await opened(dir);
      const texts = (await textsOf(spool)).map((text) => Number(text.split(' ')[0]));
      const from = texts[0] ?? last.acknowledged + 1;
      expect(from).toBeGreaterThan(last.drained);
      // Its last words may not have arrived: the stream had them.
      if (texts.length > 0)
        expect(texts).toEqual(Array.from({ length: texts.length }, (_, index) => from + index));
      expect(from + texts.length).toBeGreaterThan(last.acknowledged);
      await spool.close();
    }
  });
});
