/**
 * Tries a build of a topology beside the one that runs: loads it in a process of its own, and asks
 * whether it could take over.
 *
 * Invariant: it ends within bounds, whatever the author's code does, and leaves no process behind.
 */
import type { ChildProcess } from 'node:child_process';
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Clock, Timer } from '../../schemas/kernel/clock.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import { limits } from '../../schemas/limits.ts';
import type { FileStamps } from './file-stamps.ts';
import type { FromTrial, TrialInput, TrialVerdict } from './worker-protocol.ts';
import { errorOf } from './worker-protocol.ts';

const child = fileURLToPath(new URL('./topology-trial-child.js', import.meta.url));
const lastWordsMaxChars = 4_000;

export interface TrialOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** The tables that it read are noted here. */
  readonly stamps: FileStamps;
}

/**
 * All that would keep the build from taking over. Rejects with `SluiceError` `topology-load`,
 * `topology-out-of-memory`, `trial-timeout`, `trial-aborted`, and with what the bindings throw.
 */
export async function tryTopology(input: TrialInput, options: TrialOptions): Promise<TrialVerdict> {
  const tried = fork(child, [], {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  try {
    return await verdictOf(tried, alone(input), options);
  } finally {
    tried.kill('SIGKILL');
  }
}

/** Streams in shared memory stay here: a trial only asks whether they are there. */
function alone(input: TrialInput): TrialInput {
  const { place } = input;
  if (place.kind !== 'local') return input;
  const streams = Object.fromEntries(
    Object.entries(place.streams).map(([name, handles]) => [
      name,
      handles.map(({ route }) => ({ route, splits: [] })),
    ]),
  );
  return { ...input, place: { ...place, streams } };
}

function verdictOf(
  tried: ChildProcess,
  input: TrialInput,
  { clock, signal, stamps }: TrialOptions,
): Promise<TrialVerdict> {
  return new Promise((resolve, reject) => {
    let timer: Timer | undefined;
    let phase: 'starting' | 'importing' | 'checking' = 'starting';
    let lastWords = '';
    const settle = (verdict: TrialVerdict | SluiceError): void => {
      timer?.cancel();
      signal.removeEventListener('abort', abort);
      if (verdict instanceof SluiceError) reject(verdict);
      else resolve(verdict);
    };
    const abort = (): void =>
      settle(new SluiceError('trial-aborted', 'the trial was ended: Sluice is shutting down'));
    const within = (next: typeof phase, maxMs: number): void => {
      phase = next;
      timer?.cancel();
      timer = clock.setTimer(maxMs, () =>
        settle(next === 'importing' ? neverLoaded(input.file) : tooSlow(input.file)),
      );
    };
    within('starting', limits.topologyTrialMaxMs);
    signal.addEventListener('abort', abort);
    if (signal.aborted) abort();
    tried.stderr?.on('data', (chunk: Buffer) => {
      lastWords = (lastWords + chunk.toString()).slice(-lastWordsMaxChars);
    });
    tried.on('message', (message: FromTrial) => {
      switch (message.kind) {
        case 'started':
          within('importing', limits.topologyLoadMaxMs);
          tried.send(input);
          return;
        case 'imported':
          within('checking', limits.topologyTrialMaxMs);
          return;
        case 'tables':
          for (const [path, stamp] of Object.entries(message.tables)) stamps.noted(path, stamp);
          return;
        case 'checked':
          settle(message.verdict);
          return;
        case 'failed':
          settle(errorOf(message.fault));
          return;
      }
    });
    tried.once('error', (thrown) =>
      settle(
        new SluiceError('trial-failed', `no process could be started: ${thrown.message}`, {
          cause: thrown,
        }),
      ),
    );
    tried.once('close', (code, killed) =>
      settle(endedEarly(input.file, phase, code, killed, lastWords)),
    );
  });
}

export function neverLoaded(file: string): SluiceError {
  return new SluiceError(
    'topology-load',
    `${file} was not loaded within ${limits.topologyLoadMaxMs / 1_000} s`,
    {
      fix: 'a topology only describes what to do: remove loops and waits from its modules',
    },
  );
}

function tooSlow(file: string): SluiceError {
  return new SluiceError(
    'trial-timeout',
    `whether ${file} could take over was not known within ${limits.topologyTrialMaxMs / 1_000} s`,
    {
      retryable: true,
      fix: 'save it again to try once more',
    },
  );
}

function endedEarly(
  file: string,
  phase: string,
  code: number | null,
  killed: NodeJS.Signals | null,
  lastWords: string,
): SluiceError {
  if (/out of memory|allocation failed/i.test(lastWords)) return outOfMemory(file);
  const how = killed === null ? `exit code ${code}` : killed;
  const when = phase === 'checking' ? 'while it was checked' : 'while it was loaded';
  return new SluiceError('topology-load', `${file} ended its process ${when} (${how})`, {
    fix: 'a topology only describes what to do: remove what ends the process from its modules',
  });
}

export function outOfMemory(file: string): SluiceError {
  return new SluiceError('topology-out-of-memory', `${file} used up its memory`, {
    fix: 'look for memory that grows without a bound when its modules are loaded, or in its functions',
  });
}
