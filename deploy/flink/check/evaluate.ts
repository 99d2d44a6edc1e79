/**
 * Bundles and evaluates a topology as a Flink job does, in a process of its own (evaluate-child.ts)
 * that ends within bounds, whatever the author's modules do.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../../../schemas/kernel/clock.ts';
import type { OperationalCode } from '../../../schemas/kernel/error-codes.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import { limits } from '../../../schemas/limits.ts';
import type { FlinkBundle } from '../bundle.ts';

/** How long it may take, in ms: modules are loaded, and evaluated twice. */
const evaluateMaxMs = limits.topologyLoadMaxMs + limits.topologyTrialMaxMs;
const lastWordsMaxChars = 400;
const fixModules = 'a topology only describes what to do: remove loops and waits from its modules';

/** What the process says. */
export interface Evaluated {
  /** Where it was wanted. */
  readonly bundle?: FlinkBundle;
  readonly problem?: {
    readonly code: OperationalCode;
    readonly message: string;
    readonly fix?: string;
  };
}

/** `wants`: the bundle too, or only whether there is a problem. */
export function evaluateForFlink(
  file: string,
  wants: 'bundle' | 'problem',
  clock: Clock,
): Promise<Evaluated> {
  const child = fileURLToPath(new URL('./evaluate-child.js', import.meta.url));
  const evaluating = fork(child, wants === 'bundle' ? [file, wants] : [file], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  return new Promise((resolve) => {
    let lastWords = '';
    const settle = (found: Evaluated): void => {
      timer.cancel();
      evaluating.kill('SIGKILL');
      resolve(found);
    };
    const fail = (message: string): void =>
      settle({ problem: { code: 'topology-load', message, fix: fixModules } });
    const timer = clock.setTimer(evaluateMaxMs, () =>
      fail(`${file} was not evaluated within ${evaluateMaxMs / 1_000} s`),
    );
    evaluating.stderr?.on('data', (chunk: Buffer) => {
      lastWords = (lastWords + chunk.toString()).slice(-lastWordsMaxChars);
    });
    evaluating.once('message', (found: Evaluated) => settle(found));
    evaluating.once('error', ({ message }) => fail(message));
    evaluating.once('close', (code, killed) => {
      const how = `${killed ?? `exit code ${code}`}${lastWords === '' ? '' : `: ${lastWords.trim()}`}`;
      fail(`${file} ended the process that evaluated it (${how})`);
    });
  });
}

/**
 * As `bundleForFlink`, within bounds. Throws what that throws, and `topology-load` where it takes
 * too long or ends the process.
 */
export async function boundedBundle(file: string, clock: Clock): Promise<FlinkBundle> {
  const { bundle, problem } = await evaluateForFlink(file, 'bundle', clock);
  if (bundle !== undefined) return bundle;
  const { code = 'topology-load', message = `${file} was not evaluated`, fix } = problem ?? {};
  throw new SluiceError(code, message, fix === undefined ? {} : { fix });
}
