/**
 * `sluice flink run`: a topology on a Flink cluster inside one JVM, until its sources end or it is
 * stopped.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { SluiceError } from '../../../../schemas/kernel/errors.ts';
import { flinkClassPath, jobJar, jvmOptions } from '../../../flink/jar.ts';
import type { Context } from '../../command.ts';
import type { SourceOptions } from './flink-build.ts';
import { flinkParts } from './flink-build.ts';

export interface RunOptions extends SourceOptions {
  /** Jars of Flink. */
  readonly flink: string | undefined;
}

/** Of the JVM: both the cluster and the job are in it. */
const heapMax = '1g';
/** Of Flink's log, what somebody has to do something about. */
const quiet = ['-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'];

/** Resolves with the exit code of the JVM. Throws what `flinkParts` and `jobJar` throw. */
export async function runFlinkCommand(
  { output }: Pick<Context, 'output'>,
  options: RunOptions,
): Promise<number> {
  const { bundle, settings } = await flinkParts(options);
  const jar = options.jar ?? (await jobJar());
  const flink = options.flink === undefined ? await flinkClassPath() : join(options.flink, '*');
  const classPath = [jar, flink].join(delimiter);
  const dir = mkdtempSync(join(tmpdir(), 'sluice-flink-'));
  try {
    const files = { plan: bundle.planText, bundle: bundle.bundle, settings };
    const args = Object.entries(files).flatMap(([part, text]) => {
      const file = join(dir, part);
      writeFileSync(file, text);
      return [`--${part}`, file];
    });
    output.note(`topology ${bundle.plan.name} runs on Flink in this process; Ctrl-C ends it`);
    const code = await java([
      ...[`-Xmx${heapMax}`, ...jvmOptions, ...quiet, '-cp', classPath],
      ...['sluice.flink.Main', ...args],
    ]);
    if (output.json) output.line(JSON.stringify({ topology: bundle.plan.name, exitCode: code }));
    else if (code === 0) output.line(`topology ${bundle.plan.name}: finished`);
    return code;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Its log goes beside the result. Ends with this process's signals. */
function java(args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn('java', args, { stdio: ['ignore', 2, 2] });
    let isAsked = false;
    const end = (): void => {
      isAsked = true;
      child.kill('SIGTERM');
    };
    process.once('SIGINT', end);
    process.once('SIGTERM', end);
    child.once('error', (cause) =>
      reject(
        new SluiceError('flink-tools-missing', `java cannot be started: ${cause.message}`, {
          cause,
          fix: 'install Java 11 or 17',
        }),
      ),
    );
    child.once('close', (code) => {
      process.off('SIGINT', end);
      process.off('SIGTERM', end);
      resolve(isAsked ? 0 : (code ?? 1));
    });
  });
}
