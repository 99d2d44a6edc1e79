/**
 * Reads the settings of a Flink job, and finds everything that does not fit the plan, before
 * anything is uploaded.
 */
import { readFileSync } from 'node:fs';
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';
import type { FlinkPlan } from './plan.ts';
import type { FlinkSettings } from './settings.ts';

type Part = Readonly<Record<string, unknown>>;

/** Whole numbers, with what they begin with. */
const numbers: Readonly<Record<string, number>> = {
  parallelism: 1,
  checkpointIntervalMs: 0,
  watermarkIntervalMs: 1,
  batchRows: 1,
};
const known = [...Object.keys(numbers), 'freezes', 'sources', 'sinks', 'rejected', 'tables'];

/** Throws `SluiceError` `flink-settings-invalid`, with a line for each problem. */
export function readSettings(file: string | undefined, plan: FlinkPlan): FlinkSettings {
  const settings = file === undefined ? {} : parsed(file);
  const problems = settingsProblems(settings, plan);
  if (problems.length === 0) return settings as unknown as FlinkSettings;
  const where = file === undefined ? 'the job needs settings' : `the settings ${file} do not fit`;
  throw new SluiceError('flink-settings-invalid', `${where}:\n${problems.join('\n')}`, {
    fix:
      file === undefined
        ? 'write them into a file, and pass it with --settings'
        : 'correct them; docs/operating/flink.md describes each',
  });
}

function parsed(file: string): Part {
  const invalid = (why: string, cause?: unknown): SluiceError =>
    new SluiceError('flink-settings-invalid', `the settings ${file} ${why}`, {
      ...(cause === undefined ? {} : { cause }),
      fix: 'write an object in JSON; docs/operating/flink.md describes it',
    });
  let text: string;
  let value: unknown;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw invalid(`cannot be read: ${messageOf(cause)}`, cause);
  }
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw invalid(`are not JSON: ${messageOf(cause)}`, cause);
  }
  if (!isPart(value)) throw invalid('are not an object');
  return value;
}

/** What is wrong with settings for a plan, a line each. Pure. */
export function settingsProblems(settings: Part, plan: FlinkPlan): readonly string[] {
  const unknown = Object.keys(settings).filter((name) => !known.includes(name));
  const places = {
    sources: plan.operators.filter(({ kind }) => kind === 'source').map(({ uid }) => uid),
    sinks: plan.operators.filter(({ kind }) => kind === 'sink').map(({ uid }) => uid),
  };
  const tables = plan.operators.flatMap((operator) =>
    operator.kind === 'segment' ? operator.tables : [],
  );
  return [
    ...unknown.map((name) => `${name}: unknown; expected ${known.join(', ')}`),
    ...Object.entries(numbers).flatMap(([name, least]) => {
      const value = settings[name];
      const isRight =
        value === undefined || (Number.isSafeInteger(value) && Number(value) >= least);
      return isRight ? [] : [`${name}: expected a whole number from ${least}, got ${shown(value)}`];
    }),
    ...([undefined, 'shared', 'all'].includes(settings['freezes'] as string | undefined)
      ? []
      : [`freezes: expected shared or all, got ${shown(settings['freezes'])}`]),
    ...Object.entries(places).flatMap(([section, ids]) => sectionProblems(settings, section, ids)),
    ...connectorProblems('rejected', settings['rejected']),
    ...tables.flatMap(({ node, file }) => {
      const given = isPart(settings['tables']) ? settings['tables'][node] : undefined;
      if (typeof given === 'string') return [];
      return [`tables.${node}: expected the path of ${file}, got ${shown(given)}`];
    }),
  ];
}

function sectionProblems(settings: Part, section: string, ids: readonly string[]): string[] {
  const given = settings[section] ?? {};
  if (!isPart(given)) return [`${section}: expected an object, got ${shown(given)}`];
  return [
    ...ids.flatMap((id) => connectorProblems(`${section}.${id}`, given[id])),
    ...Object.keys(given)
      .filter((id) => !ids.includes(id))
      .map(
        (id) => `${section}.${id}: the topology has none of that name; it has ${ids.join(', ')}`,
      ),
  ];
}

function connectorProblems(where: string, value: unknown): readonly string[] {
  const example = '{"connector": "lines", "path": "/a/path"}';
  if (!isPart(value)) return [`${where}: expected ${example}, got ${shown(value)}`];
  if (value['connector'] !== 'lines')
    return [`${where}.connector: expected lines, got ${shown(value['connector'])}`];
  return typeof value['path'] === 'string' && value['path'] !== ''
    ? []
    : [`${where}.path: expected a path, got ${shown(value['path'])}`];
}

function isPart(value: unknown): value is Part {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const shownMaxChars = 60;

function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  return JSON.stringify(value).slice(0, shownMaxChars);
}
