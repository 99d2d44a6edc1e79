/**
 * Reads the settings of a Flink job, and finds everything that does not fit the plan, before
 * anything is uploaded.
 */
import { readFileSync } from 'node:fs';
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';
import type { ConnectorRole } from './connectors/connector.ts';
import { connectorProblems, isPart, shown } from './connectors/problems.ts';
import { scriptEngines } from './jar.ts';
import { lookupProblems } from './lookup-settings.ts';
import type { FlinkPlan } from './plan.ts';
import type { FlinkSettings } from './settings.ts';

type Part = Readonly<Record<string, unknown>>;

/** Whole numbers, with what they begin with. */
const numbers: Readonly<Record<string, number>> = {
  parallelism: 1,
  checkpointIntervalMs: 0,
  watermarkIntervalMs: 1,
  batchRows: 1,
  functionMaxMs: 100,
};
/** One of a few names. */
const choices: Readonly<Record<string, readonly string[]>> = {
  engine: scriptEngines,
  freezes: ['shared', 'all'],
};
const known = [
  ...Object.keys(numbers),
  ...Object.keys(choices),
  'sources',
  'sinks',
  'rejected',
  'tables',
  'lookups',
];

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
  const places = placesOfPlan(plan);
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
    ...Object.entries(choices).flatMap(([name, all]) =>
      settings[name] === undefined || all.includes(settings[name] as string)
        ? []
        : [`${name}: expected ${all.join(' or ')}, got ${shown(settings[name])}`],
    ),
    ...sectionProblems(settings, 'sources', places.sources),
    ...sectionProblems(settings, 'sinks', places.sinks),
    ...connectorProblems('rejected', 'rejected', settings['rejected']),
    ...tables.flatMap(({ node, file }) => {
      const given = isPart(settings['tables']) ? settings['tables'][node] : undefined;
      if (typeof given === 'string') return [];
      return [`tables.${node}: expected the path of ${file}, got ${shown(given)}`];
    }),
    ...lookupProblems(settings['lookups'], plan),
  ];
}

type Section = 'sources' | 'sinks';

/** By section and id: what has to stand there. */
function placesOfPlan({
  operators,
}: FlinkPlan): Readonly<Record<Section, Readonly<Record<string, ConnectorRole>>>> {
  const sources: Record<string, ConnectorRole> = {};
  const sinks: Record<string, ConnectorRole> = {};
  for (const operator of operators) {
    if (operator.kind === 'source') sources[operator.uid] = 'source';
    if (operator.kind === 'sink')
      sinks[operator.uid] = operator.sink.kind === 'graph' ? 'graph' : 'table';
  }
  return { sources, sinks };
}

/** A source is one place, or a list of places that are read as one. */
function placesOf(section: Section, value: unknown): readonly (readonly [string, unknown])[] {
  if (section !== 'sources' || !Array.isArray(value)) return [['', value]];
  if (value.length === 0) return [['', undefined]];
  return value.map((one, n) => [`[${n}]`, one] as const);
}

function sectionProblems(
  settings: Part,
  section: Section,
  roles: Readonly<Record<string, ConnectorRole>>,
): string[] {
  const given = settings[section] ?? {};
  const ids = Object.keys(roles);
  if (!isPart(given)) return [`${section}: expected an object, got ${shown(given)}`];
  return [
    ...Object.entries(roles).flatMap(([id, role]) =>
      placesOf(section, given[id]).flatMap(([at, value]) =>
        connectorProblems(`${section}.${id}${at}`, role, value),
      ),
    ),
    ...Object.keys(given)
      .filter((id) => !ids.includes(id))
      .map(
        (id) => `${section}.${id}: the topology has none of that name; it has ${ids.join(', ')}`,
      ),
  ];
}
