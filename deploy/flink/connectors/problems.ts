/** What is wrong with the settings of a connector. Pure. */
import { parseTime } from '../../../schemas/kernel/time.ts';
import type {
  ConnectorField,
  ConnectorFields,
  ConnectorRole,
  FlinkConnector,
} from './connector.ts';
import { connectors } from './list.ts';

type Part = Readonly<Record<string, unknown>>;

/** A line each, each beginning with where it is. */
export function connectorProblems(
  where: string,
  role: ConnectorRole,
  value: unknown,
  inside?: FlinkConnector,
): readonly string[] {
  const able = connectors.filter((one) => one.roles[role] !== undefined && one !== inside);
  if (!isPart(value))
    return [`${where}: expected ${able.map(exampleOf).join(' or ')}, got ${shown(value)}`];
  const chosen = able.find(({ name }) => name === value['connector']);
  if (chosen === undefined)
    return [
      `${where}.connector: expected ${able.map(({ name }) => name).join(', ')}, got ${shown(value['connector'])}`,
    ];
  const fields = chosen.roles[role] ?? {};
  return [
    ...fieldProblems(where, fields, value),
    ...Object.entries(fields).flatMap(([name, { type, isRequired }]) => {
      if (type !== 'place' || (value[name] === undefined && isRequired !== true)) return [];
      return connectorProblems(`${where}.${name}`, role, value[name], chosen);
    }),
    ...(chosen.check?.(value) ?? []).map((problem) => `${where}: ${problem}`),
  ];
}

function exampleOf({ example }: FlinkConnector): string {
  return example;
}

function fieldProblems(where: string, fields: ConnectorFields, value: Part): readonly string[] {
  const unknown = Object.keys(value).filter(
    (name) => name !== 'connector' && !Object.hasOwn(fields, name),
  );
  return [
    ...unknown.map(
      (name) => `${where}.${name}: unknown; expected ${Object.keys(fields).join(', ')}`,
    ),
    ...Object.entries(fields).flatMap(([name, field]) => {
      const given = value[name];
      if (given === undefined && field.isRequired !== true) return [];
      if (fits(field, given)) return [];
      return [`${where}.${name}: expected ${expectedOf(field)}, got ${shown(given)}`];
    }),
  ];
}

function fits({ type, choices, least = 1, most }: ConnectorField, value: unknown): boolean {
  switch (type) {
    case 'text':
      return typeof value === 'string' && value !== '' && (choices?.includes(value) ?? true);
    case 'texts':
      return Array.isArray(value) && value.length > 0 && value.every((one) => isText(one));
    case 'whole':
      return (
        Number.isSafeInteger(value) &&
        Number(value) >= least &&
        Number(value) <= (most ?? Number.MAX_SAFE_INTEGER)
      );
    case 'flag':
      return typeof value === 'boolean';
    case 'object':
      return isPart(value);
    case 'start':
      return isStart(value);
    // It is looked into as a place.
    case 'place':
      return true;
  }
}

function isStart(value: unknown): boolean {
  if (typeof value === 'string')
    return value === 'earliest' || value === 'latest' || typeof parseTime(value) === 'number';
  if (!isPart(value) || !isPart(value['positions'])) return false;
  const positions = Object.values(value['positions']);
  return (
    Object.keys(value).length === 1 &&
    positions.length > 0 &&
    positions.every((position) => typeof position === 'string' && /^\d+$/.test(position))
  );
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

function expectedOf({ type, choices, least = 1, most, meaning }: ConnectorField): string {
  if (choices !== undefined) return choices.join(' or ');
  if (type === 'start')
    return `earliest, latest, a time such as 2026-01-31T08:00:00Z, or {"positions": {"a split": "its last position"}} (${meaning})`;
  if (type === 'whole')
    return `a whole number from ${least}${most === undefined ? '' : ` to ${most}`} (${meaning})`;
  return type === 'flag' ? `true or false (${meaning})` : meaning;
}

export function isPart(value: unknown): value is Part {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const shownMaxChars = 60;

/** A value in a message: no secret stands in settings, but a long one would hide the rest. */
export function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  return JSON.stringify(value).slice(0, shownMaxChars);
}
