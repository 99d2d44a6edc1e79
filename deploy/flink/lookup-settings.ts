/** The settings of look-ups by connectors, and what of them does not fit the plan. Pure. */
import { textFormats } from '../../schemas/config/formats.ts';
import { isPart, shown } from './connectors/problems.ts';
import type { FlinkPlan } from './plan.ts';

/** As the section `lookups` of the configuration (schemas/config/lookups.ts). */
export interface LookupSettings {
  /** With `{key}` in its path or query. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** By header: the variable that has its value where the job runs, so that no secret stands here. */
  readonly headersEnv?: Readonly<Record<string, string>>;
}

const known = ['url', 'headers', 'headersEnv'];
const variable = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** A line each, each beginning with where it is. */
export function lookupProblems(lookups: unknown, { operators }: FlinkPlan): readonly string[] {
  const names = new Set(
    operators.flatMap((one) => (one.kind === 'lookup' ? [one.lookup.name] : [])),
  );
  const given = lookups ?? {};
  if (!isPart(given)) return [`lookups: expected an object, got ${shown(given)}`];
  return [
    ...[...names].flatMap((name) => problemsOf(`lookups.${name}`, given[name])),
    ...Object.keys(given)
      .filter((name) => !names.has(name))
      .map((name) => {
        const has = names.size === 0 ? 'none' : [...names].join(', ');
        return `lookups.${name}: the topology has no connector of that name; it has ${has}`;
      }),
  ];
}

function problemsOf(where: string, given: unknown): readonly string[] {
  if (!isPart(given))
    return [`${where}: expected { "url": "http://prices.example/{key}" }, got ${shown(given)}`];
  const { url, headers = {}, headersEnv = {} } = given;
  const { expected, fits } = textFormats['lookup-url'];
  const unknown = Object.keys(given).filter((name) => !known.includes(name));
  return [
    ...unknown.map((name) => `${where}.${name}: unknown; expected ${known.join(', ')}`),
    // An address may carry a secret.
    ...(typeof url === 'string' && fits(url) ? [] : [`${where}.url: expected ${expected}`]),
    ...headerProblems(`${where}.headers`, headers, /^[\t\x20-\x7e]+$/, 'printable ASCII'),
    ...headerProblems(`${where}.headersEnv`, headersEnv, variable, 'the name of a variable'),
  ];
}

function headerProblems(
  where: string,
  given: unknown,
  pattern: RegExp,
  expected: string,
): readonly string[] {
  if (!isPart(given)) return [`${where}: expected an object, got ${shown(given)}`];
  return Object.entries(given).flatMap(([name, value]) => {
    const format = textFormats['header-name'];
    if (!format.fits(name)) return [`${where}.${name}: expected ${format.expected}`];
    if (typeof value === 'string' && pattern.test(value)) return [];
    return [`${where}.${name}: expected ${expected}`];
  });
}
