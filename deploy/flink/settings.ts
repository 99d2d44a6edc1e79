/** What a Flink job is started with, beside its plan and its bundle (`settings.json`). */
import type { ScriptEngine } from './jar.ts';
import type { LookupSettings } from './lookup-settings.ts';

/** A place that is read or written: `connector` is its kind (connectors/list.ts). */
export interface PlaceSettings {
  readonly connector: string;
  readonly [setting: string]: unknown;
}

export interface FlinkSettings {
  /** Parts of each keyed operator. Default: that of the cluster. */
  readonly parallelism?: number;
  /** Unset or 0: the cluster's interval. */
  readonly checkpointIntervalMs?: number;
  /** Between two emissions of watermarks; default 200. */
  readonly watermarkIntervalMs?: number;
  /** Rows of one call of the functions; default 32. */
  readonly batchRows?: number;
  /** How long one call of a function may take, in ms; default 10000, from 100. */
  readonly functionMaxMs?: number;
  /** What functions run on; default 'graaljs'. 'v8' needs Linux on x86_64. */
  readonly engine?: ScriptEngine;
  /** Which values are frozen before functions see them; default 'shared', as in production. */
  readonly freezes?: 'shared' | 'all';
  /** By source id: a place, or several that are read as one. */
  readonly sources: Readonly<Record<string, PlaceSettings | readonly PlaceSettings[]>>;
  /** By sink id. */
  readonly sinks: Readonly<Record<string, PlaceSettings>>;
  /** Where what operators reject goes. */
  readonly rejected: PlaceSettings;
  /** By id of a look-up in a file: the file. */
  readonly tables?: Readonly<Record<string, string>>;
  /** By the name of a `connector()`. */
  readonly lookups?: Readonly<Record<string, LookupSettings>>;
}
