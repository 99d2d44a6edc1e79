/**
 * Everything that would keep a topology's file from running, before it is started: of its
 * compilation, its types, its plan and schemas, its streams and look-ups, and the last checkpoint
 * of the instance in `dir`.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import type { SluiceConfig } from '../../schemas/config.ts';
import { ledgerStream } from '../../schemas/config.ts';
import type { Environment } from '../../schemas/config-file.ts';
import { readConfig } from '../../schemas/config-file.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';
import type { LocalPlace } from '../local/local-bindings.ts';
import { FileStamps } from './file-stamps.ts';
import { compileFindings, compileTopologyFile } from './topology-file.ts';
import { tryTopology } from './topology-trial.ts';
import type { TypeCheck } from './type-check.ts';
import { checkTypes } from './type-check.ts';
import type { Finding, MadeOf, TrialVerdict } from './worker-protocol.ts';

export interface TargetFindings {
  readonly findings: readonly Finding[];
  readonly warnings: readonly Finding[];
}

/** What runs topologies elsewhere, and what cannot run there. */
export interface CheckTarget {
  /** `script`: the compiled topology that was tried. */
  check(made: MadeOf, script: string): TargetFindings;
  /** What is only seen when it is evaluated as there. Ends within bounds. */
  evaluate(file: string, clock: Clock): Promise<readonly Finding[]>;
}

export interface TopologyCheckOptions {
  readonly file: string;
  /**
   * Of the configuration that names streams and look-ups; undefined: the one beside the topology or
   * in the working directory.
   */
  readonly config: string | undefined;
  /** The instance whose last checkpoint it has to fit. */
  readonly dir: string;
  readonly env: Environment;
  readonly clock: Clock;
  /** Where it is to run, beside here. */
  readonly target?: CheckTarget | undefined;
  /** What `<name>.gen.ts` of a schema should be. */
  readonly typesOf: (schema: string) => Promise<string>;
}

export interface TopologyCheck extends TrialVerdict {
  /** Why its types were not checked. */
  readonly unchecked: string | undefined;
  /** What else was not looked at, or not as it might be expected, and why. */
  readonly notes: readonly string[];
}

export async function checkTopologyFile(options: TopologyCheckOptions): Promise<TopologyCheck> {
  const { clock, typesOf } = options;
  const file = resolve(options.file);
  const outDir = mkdtempSync(join(tmpdir(), 'sluice-check-'));
  const stamps = new FileStamps();
  const { signal } = new AbortController();
  try {
    const compiled = await compileTopologyFile(file, outDir, stamps).catch(asFault);
    const typed = await checkTypes({ file, outDir, clock, signal, stamps }).catch(asFault);
    const { types, unchecked, note } = typesFound(typed);
    const stale = await staleFindings(stamps, typesOf);
    if (compiled instanceof SluiceError) {
      const findings = compileFindings(compiled);
      const found = [...findings, ...elsewhere(types, findings), ...stale];
      return { name: null, nodes: 0, findings: found, unchecked, notes: noted(note) };
    }
    const found = configOf(options);
    const notes = noted(note, found.note);
    const { script } = compiled;
    const input = {
      script,
      file: relative(process.cwd(), file),
      place: placeOf(options.dir, found.config),
      dropState: {},
      ...(options.target !== undefined ? { describes: true as const } : {}),
    };
    const tried = await tryTopology(input, { clock, signal, stamps }).catch(asFault);
    if (tried instanceof SluiceError) {
      const findings = [...types, ...found.findings, ...stale, findingOf('load', tried)];
      return { name: null, nodes: 0, findings, unchecked, notes };
    }
    const kept = tried.findings.filter(({ kind }) => concerns(kind, options, found.config));
    const findings = [...types, ...kept, ...found.findings, ...stale];
    const verdict = await withTarget({ ...tried, findings }, options, file, script);
    return { ...verdict, unchecked, notes };
  } finally {
    rmSync(outDir, { recursive: true, force: true });
  }
}

interface TypesFound {
  readonly types: readonly Finding[];
  readonly unchecked: string | undefined;
  readonly note: string | undefined;
}

function typesFound(typed: TypeCheck | SluiceError): TypesFound {
  const nothing = { types: [], unchecked: undefined, note: undefined };
  if (typed instanceof SluiceError) return { ...nothing, types: [findingOf('types', typed)] };
  if (typed.kind === 'unchecked') return { ...nothing, unchecked: typed.why };
  const note = typed.note === undefined ? undefined : `its types: ${typed.note}`;
  return { ...nothing, types: typed.findings, note };
}

function noted(...notes: readonly (string | undefined)[]): readonly string[] {
  return notes.filter((note) => note !== undefined);
}

/** With what the target would refuse, where the trial described the topology for it. */
async function withTarget(
  { made, ...verdict }: TrialVerdict,
  { target, clock }: TopologyCheckOptions,
  file: string,
  script: string,
): Promise<TrialVerdict> {
  const warnings = verdict.warnings ?? [];
  if (made === undefined || target === undefined) return { ...verdict, warnings };
  const there = target.check(made, script);
  const findings = [...verdict.findings, ...there.findings];
  return {
    ...verdict,
    findings: findings.length === 0 ? await target.evaluate(file, clock) : findings,
    warnings: [...warnings, ...there.warnings],
  };
}

/** Without a configuration no stream is known; elsewhere no state of this instance counts. */
function concerns(
  kind: Finding['kind'],
  { target }: TopologyCheckOptions,
  config: SluiceConfig | undefined,
): boolean {
  if (target !== undefined && kind === 'state') return false;
  return config !== undefined || (kind !== 'stream' && kind !== 'connector');
}

function asFault(thrown: unknown): SluiceError {
  if (thrown instanceof SluiceError) return thrown;
  throw thrown;
}

function findingOf(kind: 'types' | 'load', { message, fix }: SluiceError): Finding {
  return { kind, node: null, place: null, message, fix: fix ?? 'run it again' };
}

/** What the compiler of types says of lines that do not compile is the same again. */
function elsewhere(types: readonly Finding[], compile: readonly Finding[]): readonly Finding[] {
  const lines = new Set(compile.map(({ place }) => `${place?.file}:${place?.line}`));
  return types.filter(
    ({ place, message }) =>
      !lines.has(`${place?.file}:${place?.line}`) && !/^TS1\d{3}:/.test(message),
  );
}

/** The schemas whose types the topology imports, and whose types are of another text. */
async function staleFindings(
  stamps: FileStamps,
  typesOf: (schema: string) => Promise<string>,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const schema of stamps.paths.filter(
    (path) => path.endsWith('.schema.json') && existsSync(path),
  )) {
    const types = `${schema.slice(0, -'.schema.json'.length)}.gen.ts`;
    if (!existsSync(types)) continue;
    const place = { file: relative(process.cwd(), types), line: 1, column: 1 };
    const fix = `run \`sluice schema types ${relative(process.cwd(), schema)}\``;
    try {
      if ((await typesOf(schema)) === readFileSync(types, 'utf8')) continue;
      findings.push({
        kind: 'stale',
        node: null,
        place,
        message: 'it is not what its schema says now',
        fix,
      });
    } catch (thrown) {
      const at = { ...place, file: relative(process.cwd(), schema) };
      findings.push({
        kind: 'schema',
        node: null,
        place: at,
        message: messageOf(thrown),
        fix: `correct the schema, then ${fix}`,
      });
    }
  }
  return findings;
}

interface FoundConfig {
  readonly config: SluiceConfig | undefined;
  readonly findings: readonly Finding[];
  readonly note?: string;
}

function configOf({ file, config: named, env }: TopologyCheckOptions): FoundConfig {
  const path =
    named ??
    [join(dirname(file), 'sluice.yaml'), 'sluice.yaml'].find((candidate) => existsSync(candidate));
  if (path === undefined) {
    return {
      config: undefined,
      findings: [],
      note: 'its streams and connectors are not checked: there is no sluice.yaml; pass one with --config',
    };
  }
  const read = readConfig(path, env);
  if (read.ok) return { config: read.config, findings: [] };
  const findings = read.problems.map((problem): Finding => {
    const place = {
      file: relative(process.cwd(), problem.file),
      line: problem.line,
      column: problem.column,
    };
    return {
      kind: 'configuration',
      node: null,
      place,
      message: `${problem.path}: ${problem.message}`,
      fix: `expected ${problem.expected}`,
    };
  });
  return { config: undefined, findings };
}

/** As `sluice start` would bind it, without the streams themselves. */
function placeOf(dir: string, config: SluiceConfig | undefined): LocalPlace {
  const streams = Object.fromEntries(
    [...(config?.streams ?? []), ledgerStream].map(({ name }) => [name, []]),
  );
  return {
    kind: 'local',
    dir: resolve(dir),
    streams,
    lookups: config?.lookups ?? {},
    parquetFileMaxAgeMs: 0,
  };
}
