/**
 * `sluice flink build`: a topology as files that the Flink job reads, or as a jar with them in it.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import type { Clock } from '../../../../schemas/kernel/clock.ts';
import { messageOf, SluiceError } from '../../../../schemas/kernel/errors.ts';
import type { FlinkBundle } from '../../../flink/bundle.ts';
import { boundedBundle } from '../../../flink/check/evaluate.ts';
import type { FlinkLine, ScriptEngine } from '../../../flink/jar.ts';
import { flinkLineOf, jobJar } from '../../../flink/jar.ts';
import { withEntries } from '../../../flink/jar-entries.ts';
import { readSettings } from '../../../flink/read-settings.ts';
import type { FlinkSettings } from '../../../flink/settings.ts';
import type { Context } from '../../command.ts';

export interface SourceOptions {
  readonly file: string;
  readonly settings: string | undefined;
  readonly jar: string | undefined;
  readonly flinkVersion: string | undefined;
}

export interface BuildOptions extends SourceOptions {
  readonly out: string | undefined;
  readonly into: string | undefined;
}

/** What the job reads, as texts. */
export interface FlinkParts {
  readonly bundle: FlinkBundle;
  readonly settings: string;
  /** That the settings name, which the jar has to have. */
  readonly engine: ScriptEngine | undefined;
}

/** Resolves with the exit code. Throws what `flinkParts` and `lineOf` throw, `flink-jar-invalid`. */
export async function buildFlinkCommand(
  { output, clock }: Pick<Context, 'output' | 'clock'>,
  options: BuildOptions,
): Promise<number> {
  const { file, out, into } = options;
  const flink = lineOf(options);
  const { bundle, settings, engine } = await flinkParts(options, clock);
  const { name } = bundle.plan;
  const texts = {
    'plan.json': bundle.planText,
    'bundle.js': bundle.bundle,
    'settings.json': settings,
  };
  const written: string[] = [];
  if (into === undefined || out !== undefined) {
    const folder = resolve(out ?? join(dirname(file), `${name}.flink`));
    mkdirSync(folder, { recursive: true });
    for (const [part, text] of Object.entries(texts)) {
      writeFileSync(join(folder, part), text);
      written.push(shown(join(folder, part)));
    }
  }
  if (into !== undefined) {
    const entries = Object.entries(texts).map(([part, text]) => [`sluice/${part}`, text] as const);
    const bytes = readJar(options.jar ?? (await jobJar({ flink, engine })));
    const target = resolve(into);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, withEntries(bytes, Object.fromEntries(entries)));
    written.push(shown(target));
  }
  if (output.json) output.line(JSON.stringify({ topology: name, digest: bundle.digest, written }));
  else for (const path of written) output.line(`${path} written`);
  return 0;
}

/**
 * Throws `SluiceError` `topology-compile`, `topology-load`, `topology-invalid`, `flink-unsupported`,
 * `flink-bundle`, `flink-settings-invalid`.
 */
export async function flinkParts(
  { file, settings }: SourceOptions,
  clock: Clock,
  more: Partial<FlinkSettings> = {},
): Promise<FlinkParts> {
  const bundle = await boundedBundle(file, clock);
  const read = readSettings(settings, bundle.plan);
  return { bundle, settings: JSON.stringify({ ...read, ...more }), engine: read.engine };
}

/** For what the jar is built. Throws `SluiceError` `option-invalid`. */
export function lineOf({ jar, flinkVersion }: SourceOptions): FlinkLine | undefined {
  if (flinkVersion === undefined) return undefined;
  if (jar === undefined) return flinkLineOf(flinkVersion, '--flink-version');
  throw new SluiceError(
    'option-invalid',
    `invalid --flink-version '${flinkVersion}': expected none beside --jar, whose jar was built for one`,
    { fix: 'leave out --jar, or --flink-version' },
  );
}

/** Throws `SluiceError` `flink-jar-invalid`. */
export function readJar(file: string): Buffer<ArrayBuffer> {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new SluiceError(
      'flink-jar-invalid',
      `the jar ${file} cannot be read: ${messageOf(cause)}`,
      {
        cause,
        fix: 'pass the jar of the job with --jar, or leave the option out so that it is built',
      },
    );
  }
}

const shown = (path: string): string => relative(process.cwd(), path);
