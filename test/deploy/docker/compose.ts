/**
 * What a compose file says, for a test that starts its services as processes: variables put in, and
 * services in the order in which their `depends_on` lets them start.
 */
import { parse } from 'yaml';

export interface ComposeService {
  readonly image: string;
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: unknown;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
}

export interface ComposeFile {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

/** As it is written, with `<<` resolved. */
export const parseCompose = (text: string): ComposeFile =>
  parse(text, { merge: true }) as ComposeFile;

/** The same with `${NAME}`, `${NAME:-default}` and `$$` resolved, as compose does it in values. */
export function resolveVariables<T>(value: T, env: Readonly<Record<string, string>>): T {
  if (typeof value === 'string') {
    return value.replaceAll(
      /\$\$|\$\{(\w+)(?::-([^}]*))?\}/g,
      (found, name: string | undefined, byDefault: string | undefined) => {
        if (name === undefined) return '$';
        const given = env[name] ?? byDefault;
        if (given === undefined) throw new Error(`${found} has no value`);
        return given;
      },
    ) as T;
  }
  if (Array.isArray(value)) return value.map((each) => resolveVariables(each, env)) as T;
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key, resolveVariables(each, env)]),
  ) as T;
}

/** Names of services, each behind all that it depends on. */
export function startOrder({ services }: ComposeFile): readonly string[] {
  const ordered: string[] = [];
  const place = (name: string, path: readonly string[]): void => {
    if (path.includes(name)) throw new Error(`${[...path, name].join(' -> ')} is a circle`);
    if (ordered.includes(name)) return;
    const service = services[name];
    if (service === undefined)
      throw new Error(`${path.at(-1)} depends on ${name}, which is not there`);
    for (const needed of Object.keys(service.depends_on ?? {})) place(needed, [...path, name]);
    ordered.push(name);
  };
  for (const name of Object.keys(services)) place(name, []);
  return ordered;
}
