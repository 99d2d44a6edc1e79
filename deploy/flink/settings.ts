/** What a Flink job is started with, beside its plan and its bundle (`settings.json`). */

/** Files of lines, for a try on one machine. */
export interface LinesConnector {
  readonly connector: 'lines';
  /**
   * Of a source: a file with one event a line, its attributes and `data`. Of a sink: a folder, into
   * which `rows.ndjson` is written.
   */
  readonly path: string;
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
  /** Which values are frozen before functions see them; default 'shared', as in production. */
  readonly freezes?: 'shared' | 'all';
  /** By source id. */
  readonly sources: Readonly<Record<string, LinesConnector>>;
  /** By sink id. */
  readonly sinks: Readonly<Record<string, LinesConnector>>;
  /** Where what operators reject goes. */
  readonly rejected: LinesConnector;
  /** By id of a look-up in a file: the file. */
  readonly tables?: Readonly<Record<string, string>>;
}
