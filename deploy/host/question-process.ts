/**
 * Runs one question in a child process, which can be ended whatever a database does with it.
 *
 * Invariants:
 * 1. The child ends: after `questionMaxMs`, when it takes more than `questionMemoryMaxBytes`, when
 *    it says more than `questionOutputMaxBytes`, when the signal aborts, and with this process.
 * 2. The kernel bounds its address space, so that it also stays small while this process is too
 *    busy to look, and lets it write to no file (RLIMIT_FSIZE 0).
 * 3. Where the kernel has Landlock, it reads only `readableFiles`, writes no file, and reaches no
 *    network and no other process.
 * 4. It has nothing of this process' environment and descriptors, an empty folder to be in, a lower
 *    priority, and is the first to go where memory is short.
 */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants, setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Answer } from '../../enrich/answer.ts';
import { readingAddressBytes } from '../../enrich/graph/ladybug/ask-ladybug.ts';
import { mebi } from '../../schemas/kernel/bytes.ts';
import type { Clock, Timer } from '../../schemas/kernel/clock.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import { limits } from '../../schemas/limits.ts';
import type { Question, QuestionReply } from './question.ts';
import { readableFiles } from './question-files.ts';

/**
 * A question: how long it may take, how often the memory of its process is looked at, and what the
 * kernel is told as address space on top of it, as a process reserves more than it uses.
 */
export const questionMaxMs = 10_000;
const questionWatchMs = 10;
export const questionReservedBytes = 2_048 * mebi;

export interface QuestionOptions {
  readonly clock: Clock;
  /** Aborts when the asker goes away. */
  readonly signal?: AbortSignal | undefined;
  /** Hears of the process, for tests and drills. */
  readonly onStart?: (pid: number) => void;
}

type Ending = 'time' | 'memory' | 'output' | 'gone';

const sandboxFile = fileURLToPath(new URL('./question-sandbox.js', import.meta.url));
const childFile = fileURLToPath(new URL('./question-child.js', import.meta.url));
/**
 * No core file, no byte into any file, so much address space; a shell that cannot bound the latter
 * (macOS) continues without.
 */
const bounded = 'ulimit -c 0; ulimit -f 0; ulimit -v "$0" 2>/dev/null; exec "$@"';

/** Throws `SluiceError` `query-failed`, and what opening a database throws. */
export async function askInChild(
  question: Question,
  { clock, signal, onStart }: QuestionOptions,
): Promise<Answer> {
  if (signal?.aborted === true) throw endingError('gone', null);
  const folder = mkdtempSync(join(tmpdir(), 'sluice-question-'));
  const child = spawnChild(question, folder);
  let ending: Ending | undefined;
  const end = (why: Ending): void => {
    ending ??= why;
    child.kill('SIGKILL');
  };
  const gone = (): void => end('gone');
  signal?.addEventListener('abort', gone, { once: true });
  const deadline = clock.setTimer(questionMaxMs, () => end('time'));
  const watch = watchMemory(child.pid, clock, () => end('memory'));
  try {
    if (child.pid !== undefined) onStart?.(child.pid);
    const { said, signalled } = await conversation(child, question, () => end('output'));
    if (ending !== undefined) throw endingError(ending, null);
    return answerOf(said, signalled);
  } finally {
    signal?.removeEventListener('abort', gone);
    deadline.cancel();
    watch.cancel();
    rmSync(folder, { recursive: true, force: true });
  }
}

function spawnChild(question: Question, folder: string): ChildProcessWithoutNullStreams {
  const node = [process.execPath, `--max-old-space-size=${limits.questionHeapMaxBytes / mebi}`];
  const command = [
    ...node,
    sandboxFile,
    JSON.stringify(readableFiles(question)),
    ...node,
    childFile,
  ];
  const reserved = question.kind === 'graph' ? readingAddressBytes(question.file) : 0;
  const [shell, ...args] = boundedCommand(command, reserved);
  const libraries = process.env['LD_LIBRARY_PATH'];
  const child = spawn(shell, args, {
    cwd: folder,
    // Arenas of the allocator are address space that is not used; the system's configuration of
    // OpenSSL cannot be read.
    env: {
      MALLOC_ARENA_MAX: '2',
      OPENSSL_CONF: '/dev/null',
      ...(libraries === undefined ? {} : { LD_LIBRARY_PATH: libraries }),
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  yieldTo(child.pid);
  return child;
}

/**
 * The command with the bounds of the kernel. `reservedBytes` is address space beyond what any
 * question reserves.
 */
export function boundedCommand(
  command: readonly string[],
  reservedBytes: number,
): readonly [shell: string, ...args: string[]] {
  const addressMaxBytes = questionReservedBytes + limits.questionMemoryMaxBytes + reservedBytes;
  return ['/bin/sh', '-c', bounded, String(Math.ceil(addressMaxBytes / 1_024)), ...command];
}

/** Where the system does not let us, the question runs all the same. */
function yieldTo(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
    writeFileSync(`/proc/${pid}/oom_score_adj`, '1000');
  } catch {
    // It has ended, or this is no Linux.
  }
}

interface Said {
  readonly said: string;
  readonly signalled: NodeJS.Signals | null;
}

function conversation(
  child: ChildProcessWithoutNullStreams,
  question: Question,
  tooMuch: () => void,
): Promise<Said> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    child.stdout.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > limits.questionOutputMaxBytes) return tooMuch();
      chunks.push(chunk);
    });
    // What a database prints is no answer.
    child.stderr.resume();
    child.once('error', (cause) =>
      reject(
        new SluiceError(
          'query-failed',
          `no process can be started for the statement: ${cause.message}`,
          { cause },
        ),
      ),
    );
    child.once('close', (_, signalled) =>
      resolve({ said: Buffer.concat(chunks).toString(), signalled }),
    );
    // A child that has ended reads no more.
    child.stdin.on('error', () => undefined);
    child.stdin.write(`${JSON.stringify(question)}\n`);
  });
}

/** Its memory that is not a file's: looked at by the process that can end it. */
function watchMemory(pid: number | undefined, clock: Clock, exceeded: () => void): Timer {
  let timer: Timer;
  const look = (): void => {
    if (residentBytes(pid) > limits.questionMemoryMaxBytes) return exceeded();
    timer = clock.setTimer(questionWatchMs, look);
  };
  look();
  return { cancel: () => timer.cancel() };
}

/** 0 where it cannot be told. */
export function residentBytes(pid: number | undefined): number {
  try {
    return (
      1_024 *
      Number(/^RssAnon:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)
    );
  } catch {
    return 0;
  }
}

function answerOf(said: string, signalled: NodeJS.Signals | null): Answer {
  const reply = parsed(said);
  if (reply === undefined) throw endingError(undefined, signalled);
  if (reply.ok) return reply.answer;
  if (outOfMemory.test(reply.message)) throw endingError('memory', null);
  throw new SluiceError(
    reply.code,
    reply.message,
    reply.fix === undefined ? {} : { fix: reply.fix },
  );
}

/** What the databases say when they meet a bound. */
const outOfMemory = /std::bad_alloc|^Out of Memory Error|buffer pool is full/;

function parsed(said: string): QuestionReply | undefined {
  try {
    return JSON.parse(said) as QuestionReply;
  } catch {
    return undefined;
  }
}

const narrower = 'ask for less: filter earlier, join on keys, or add LIMIT before what collects';

function endingError(ending: Ending | undefined, signalled: NodeJS.Signals | null): SluiceError {
  const [message, fix] = endingWords(ending, signalled);
  const details = { ending: ending ?? 'process', signal: signalled };
  return new SluiceError('query-failed', message, { fix, details });
}

function endingWords(
  ending: Ending | undefined,
  signalled: NodeJS.Signals | null,
): readonly [message: string, fix: string] {
  switch (ending) {
    case 'time':
      return [`the statement took more than ${questionMaxMs / 1_000} s`, narrower];
    case 'memory':
      return [
        `the statement needed more memory than a question gets (${limits.questionMemoryMaxBytes / mebi} MiB)`,
        narrower,
      ];
    case 'output':
      return [`the answer has more than ${limits.questionOutputMaxBytes / mebi} MiB`, narrower];
    case 'gone':
      return ['the statement was cancelled, as nobody waits for its answer', 'ask again'];
    case undefined:
      return [
        `the database ended at this statement${signalled === null ? '' : ` (${signalled})`}`,
        narrower,
      ];
  }
}
