/**
 * `sluice send`: posts a file of events, a line each, in batches under way at the same time. Honours 429 and 503, rides out an ingress that is
 * started again, and goes on where it was interrupted.
 *
 * Invariants:
 * 1. A line counts as sent only when its own result said so.
 * 2. Progress is a low-water mark: every line before it was sent or refused for good. Lines behind it may be sent twice, under their ids.
 * 3. At most `concurrency` batches are in memory.
 */
import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { dirname, join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { backoffMs } from '../../schemas/kernel/backoff.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { sleep } from '../../schemas/kernel/clock.ts';
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import { findInstance } from '../host/instance.ts';
import type { Output } from './output.ts';
import type { Batch, LineResult } from './send-batch.ts';
import { batchLines, decideRetry } from './send-batch.ts';
import { sendProgress } from './send-progress.ts';

export interface SendCommand {
  readonly file: string;
  readonly own: Readonly<Record<string, string | boolean>>;
  readonly dir: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly output: Output;
}

interface Totals {
  sent: number;
  bytes: number;
  readonly byRoute: Record<string, number>;
  readonly refused: { readonly line: number; readonly code: string; readonly message: string }[];
  refusedCount: number;
  retried: number;
}

const defaultUrl = 'http://127.0.0.1:8080';
const bodyMaxBytes = 4 * 1_024 * 1_024;
const refusedShown = 20;
const retryBackoff = { baseMs: 100, maxMs: 2_000 };
const saveEveryMs = 250;

/** Returns the exit code: 1 when events were refused for good. */
export async function sendCommand(command: SendCommand): Promise<number> {
  const { file, own, clock, output } = command;
  const stream = String(own['stream']);
  if (!/^[^/\s]+\/[^/\s]+$/.test(stream))
    throw new SluiceError('stream-invalid', `--stream ${stream} is no stream`, { fix: "write it as 'team/app'" });
  const batchEvents = wholeNumber('--batch', own['batch'], 1, 10_000);
  const concurrency = wholeNumber('--concurrency', own['concurrency'], 1, 64);
  const giveUpMs = wholeNumber('--give-up-after', own['giveUpAfter'], 1, 86_400) * 1_000;
  const url = typeof own['url'] === 'string' ? own['url'] : ((await findInstance(command.dir))?.url ?? defaultUrl);
  const target = new URL(`/v1/${stream}`, url);

  const marker = file === '-' ? undefined : markerOf(command.dir, file, target.href, own['resume'] !== false);
  const progress = sendProgress(file === '-' ? 0 : statSync(file).size, output, clock);
  const totals: Totals = { sent: 0, bytes: 0, byRoute: {}, refused: [], refusedCount: 0, retried: 0 };
  const startedMs = clock.monotonic();
  if (marker !== undefined && marker.line > 0) output.note(`${file}: going on after line ${marker.line}, which was reached before`);

  let interrupted = false;
  const onInterrupt = (): void => {
    interrupted = true;
  };
  process.once('SIGINT', onInterrupt);
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency });
  const under = new Map<number, Promise<void>>();
  const open = new Map<number, number>();
  let number = 0;
  let lastLine = marker?.line ?? 0;
  let savedMs = startedMs;
  let failure: unknown;
  const { input, consumed } = openInput(file);
  try {
    for await (const batch of batchLines(input, { events: batchEvents, bytes: bodyMaxBytes, after: marker?.line ?? 0 })) {
      if (interrupted || failure !== undefined) break;
      const id = number++;
      open.set(id, batch.firstLine);
      lastLine = batch.lastLine;
      under.set(
        id,
        post(batch, { target, agent, giveUpMs, command, totals })
          .then(() => {
            open.delete(id);
          })
          .catch((thrown: unknown) => {
            failure ??= thrown;
          })
          .finally(() => {
            under.delete(id);
          }),
      );
      if (under.size >= concurrency) await Promise.race(under.values());
      const now = clock.monotonic();
      if (now - savedMs > saveEveryMs) {
        savedMs = now;
        marker?.save(lowWater(open, lastLine));
        progress.update(totals.sent + totals.refusedCount, consumed());
      }
    }
    await Promise.all(under.values());
  } catch (thrown) {
    failure ??= thrown;
  } finally {
    process.removeListener('SIGINT', onInterrupt);
    agent.destroy();
    input.destroy();
    progress.stop(totals.sent + totals.refusedCount, consumed());
  }
  const seconds = (clock.monotonic() - startedMs) / 1_000;
  if (failure !== undefined || interrupted) {
    marker?.save(lowWater(open, lastLine));
    if (failure !== undefined) throw failure;
    output.note(`interrupted after ${totals.sent} events; the same command goes on from there`);
    return 1;
  }
  marker?.clear();
  report(totals, seconds, stream, output);
  return totals.refusedCount > 0 ? 1 : 0;
}

function report(totals: Totals, seconds: number, stream: string, output: Output): void {
  const rate = Math.round(totals.sent / Math.max(seconds, 0.001));
  if (output.json) {
    output.line(
      JSON.stringify({
        stream,
        sent: totals.sent,
        bytes: totals.bytes,
        seconds,
        rate,
        byRoute: totals.byRoute,
        refused: totals.refusedCount,
        retried: totals.retried,
        samples: totals.refused,
      }),
    );
    return;
  }
  const routes = Object.entries(totals.byRoute).map(([route, count]) => `${count} to ${route}`);
  output.line(
    `${totals.sent} events (${(totals.bytes / 1_048_576).toFixed(1)} MiB) to ${stream} in ${seconds.toFixed(1)} s, ${rate}/s: ${routes.join(', ') || 'none'}`,
  );
  if (totals.refusedCount === 0) return;
  output.line(`${totals.refusedCount} refused:`);
  for (const { line, code, message } of totals.refused) output.line(`  line ${line}: ${code}: ${message}`);
  if (totals.refusedCount > totals.refused.length) output.line(`  and ${totals.refusedCount - totals.refused.length} more`);
}

function lowWater(open: ReadonlyMap<number, number>, lastLine: number): number {
  return open.size === 0 ? lastLine : Math.min(...open.values()) - 1;
}

function wholeNumber(option: string, value: unknown, min: number, max: number): number {
  const number = Number(value);
  if (Number.isInteger(number) && number >= min && number <= max) return number;
  throw new SluiceError('option-invalid', `${option} ${String(value)} is not taken`, { fix: `a whole number from ${min} to ${max}` });
}

interface PostContext {
  readonly target: URL;
  readonly agent: Agent;
  readonly giveUpMs: number;
  readonly command: SendCommand;
  readonly totals: Totals;
}

/** Sends a batch until each of its lines has a final result. */
async function post(batch: Batch, { target, agent, giveUpMs, command, totals }: PostContext): Promise<void> {
  const { clock, random } = command;
  let left = batch.lines.map((text, index) => ({ text, line: batch.lineNumbers[index] as number }));
  let failingSince: number | undefined;
  for (let attempt = 0; left.length > 0; attempt++) {
    const answered = await postOnce(
      target,
      agent,
      left.map((entry) => entry.text),
    ).catch((thrown: unknown) => ({ status: 0, retryAfter: undefined, body: messageOf(thrown) }));
    const decision = decideRetry(answered.status, answered.body, left.length);
    if (decision.kind === 'stop') {
      throw new SluiceError('send-refused', `${target.href} answers ${answered.status}: ${decision.message}`, {
        fix: 'check --stream and --url',
      });
    }
    const again: typeof left = [];
    for (const [index, entry] of left.entries()) {
      const result = decision.kind === 'all-again' ? ({ kind: 'again' } as const) : (decision.results[index] as LineResult);
      if (result.kind === 'again') again.push(entry);
      else if (result.kind === 'sent') {
        totals.sent++;
        totals.bytes += entry.text.length;
        totals.byRoute[result.route] = (totals.byRoute[result.route] ?? 0) + 1;
      } else {
        totals.refusedCount++;
        if (totals.refused.length < refusedShown) totals.refused.push({ line: entry.line, code: result.code, message: result.message });
      }
    }
    if (again.length === 0) return;
    totals.retried += again.length;
    failingSince = again.length < left.length ? undefined : (failingSince ?? clock.monotonic());
    left = again;
    if (failingSince !== undefined && clock.monotonic() - failingSince > giveUpMs) {
      throw new SluiceError(
        'send-gave-up',
        `${target.href} took nothing for ${giveUpMs / 1_000} s: ${answered.status === 0 ? answered.body : `status ${answered.status}`}`,
        {
          fix: 'the same command goes on from there once it answers again',
          retryable: true,
        },
      );
    }
    const asked = Number(answered.retryAfter) * 1_000;
    await sleep(clock, (Number.isFinite(asked) ? asked : 0) + backoffMs(attempt, retryBackoff, random));
  }
}

function postOnce(
  target: URL,
  agent: Agent,
  lines: readonly Buffer[],
): Promise<{ status: number; retryAfter: string | undefined; body: string }> {
  return new Promise((resolvePost, reject) => {
    const length = lines.reduce((sum, line) => sum + line.length + 1, 0);
    const req = request(
      target,
      { agent, method: 'POST', headers: { 'content-type': 'application/x-ndjson', 'content-length': length } },
      (res) => {
        const chunks: Buffer[] = [];
        res.on('data', (chunk: Buffer) => chunks.push(chunk));
        res.once('error', reject);
        res.once('end', () =>
          resolvePost({
            status: res.statusCode ?? 0,
            retryAfter: res.headers['retry-after'],
            body: Buffer.concat(chunks).toString('utf8'),
          }),
        );
        res.once('close', () => reject(new Error('the connection was closed before the answer was whole')));
      },
    );
    req.once('error', reject);
    const newline = Buffer.from('\n');
    req.end(Buffer.concat(lines.flatMap((line) => [line, newline])));
  });
}

function openInput(file: string): { readonly input: Readable; readonly consumed: () => number } {
  if (file === '-') return { input: process.stdin, consumed: () => 0 };
  const raw = createReadStream(file);
  const gzip = file.endsWith('.gz');
  const input = gzip ? raw.pipe(createGunzip()) : raw;
  if (gzip) raw.once('error', (thrown) => input.destroy(thrown));
  return { input, consumed: () => raw.bytesRead };
}

interface Marker {
  readonly line: number;
  save(line: number): void;
  clear(): void;
}

/** Where the progress of this file to this stream is kept; a file that changed begins anew. */
function markerOf(dir: string, file: string, target: string, resume: boolean): Marker {
  let stats: ReturnType<typeof statSync>;
  try {
    stats = statSync(file);
  } catch (cause) {
    throw new SluiceError('file-missing', `${file} cannot be read: ${messageOf(cause)}`, { cause });
  }
  const { pathname } = new URL(target);
  const identity = createHash('sha256')
    .update(`${resolve(file)} ${stats.size} ${stats.mtimeMs} ${pathname}`)
    .digest('hex');
  const path = join(dir, 'send', `${identity.slice(0, 24)}.json`);
  let line = 0;
  if (resume) {
    try {
      line = (JSON.parse(readFileSync(path, 'utf8')) as { line: number }).line;
    } catch {
      line = 0;
    }
  }
  return {
    line,
    save(reached) {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(`${path}.tmp`, JSON.stringify({ file, target, line: reached }));
      renameSync(`${path}.tmp`, path);
    },
    clear: () => rmSync(path, { force: true }),
  };
}
