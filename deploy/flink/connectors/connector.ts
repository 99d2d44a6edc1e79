/**
 * A kind of place that a Flink job reads or writes: what its settings look like. The job has a class
 * for each (`job/`, `Connector`). A new one is a module here, a line in list.ts, a class there and a
 * line in `Connectors`.
 */

/** What a setting of a connector must be. */
export interface ConnectorField {
  readonly type: 'text' | 'texts' | 'whole' | 'flag' | 'object';
  readonly isRequired?: true;
  /** Of a text: the only ones that there are. */
  readonly choices?: readonly string[];
  /** Of a whole number; default 1. */
  readonly least?: number;
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
}
