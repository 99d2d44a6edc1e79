/**
 * A kind of place that a Flink job reads or writes: what its settings look like. The job has a class
 * for each (`job/`, `Connector`). A new one is a module here, a line in list.ts, a class there and a
 * line in `Connectors`.
 */

/** What a setting of a connector must be. A `place` is another connector in the same role. */
export interface ConnectorField {
  /**
   * `start` is where reading begins: "earliest", "latest", a time, or `{"positions": {...}}`, the
   * last positions that were read by split.
   */
  readonly type: 'text' | 'texts' | 'whole' | 'flag' | 'object' | 'start' | 'place';
  readonly isRequired?: true;
  /** Of a text: the only ones that there are. */
  readonly choices?: readonly string[];
  /** Of a whole number; default 1. */
  readonly least?: number;
  readonly most?: number;
  /** For the docs and for messages: what it is, in a few words. */
  readonly meaning: string;
}

export type ConnectorFields = Readonly<Record<string, ConnectorField>>;

/** Where a connector can stand in the settings. */
export type ConnectorRole = 'source' | 'table' | 'graph' | 'rejected';

export interface FlinkConnector {
  /** `connector` in the settings. */
  readonly name: string;
  /** An example in JSON, for messages. */
  readonly example: string;
  /** By role: the settings there. A role that is missing cannot be played. */
  readonly roles: Readonly<Partial<Record<ConnectorRole, ConnectorFields>>>;
  /** What the fields together must be: a line for each problem, without where it is. */
  readonly check?: (settings: Readonly<Record<string, unknown>>) => readonly string[];
}

/** A secret is named, never written: a variable or a file where the job's tasks run. */
export function secretFields(name: string, meaning: string): ConnectorFields {
  return {
    [`${name}Env`]: { type: 'text', meaning: `an environment variable with ${meaning}` },
    [`${name}File`]: { type: 'text', meaning: `a file with ${meaning}` },
  };
}

/** One of the two, for `check`. */
export function secretProblems(
  name: string,
  settings: Readonly<Record<string, unknown>>,
): readonly string[] {
  const [variable, file] = [`${name}Env`, `${name}File`];
  return (settings[variable] === undefined) === (settings[file] === undefined)
    ? [`expected either ${variable}, a variable's name, or ${file}, a file's path`]
    : [];
}
