/**
 * The interface between a test and the driver of a topology.
 */
import type { RejectionCode } from '../../../schemas/rejection.ts';
import type { LookupFunction } from '../../operators/lookup/bounded-calls.ts';
import type { NodeCounts } from '../../operators/operator.ts';

export interface DriverOptions {
  /**
   * Processing time at the start, epoch ms. Default 0: then events of today are in the future,
   * which `eventTime` rejects.
   */
  readonly now?: number;
  /** Connectors by name. */
  readonly lookups?: Readonly<Record<string, LookupFunction>>;
  /** Rows of look-up tables, by the path of the file in the topology. */
  readonly tables?: Readonly<Record<string, readonly unknown[]>>;
  /** Splits by source id; a source that is not listed has one. */
  readonly splits?: Readonly<Record<string, readonly string[]>>;
  /**
   * Over how many operators the keys of each keyed node are divided, from 1. Default 1. Results do
   * not depend on it, unless a function keeps something outside of its state.
   */
  readonly parallelism?: number;
}

/** One output of a topology under test. */
export interface DrivenRow {
  readonly value: unknown;
  /** Event time, epoch ms. */
  readonly timestamp: number;
}

export type DrivenSignal = number | 'max' | 'idle' | 'active';

export interface DrivenRejection {
  readonly operator: string;
  readonly code: RejectionCode;
  readonly message: string;
  /** JSON pointer to the problem, if it is in one place. */
  readonly pointer: string | null;
  readonly value: unknown;
}

export interface Pushed {
  readonly source: string;
  readonly value: unknown;
  readonly split?: string;
}

export interface SourceSelection {
  /** Default: every source. */
  readonly source?: string;
  /** Default: all its splits at once. */
  readonly split?: string;
}

export interface Driver {
  /**
   * Elements of one source, in one batch. Push what the source would emit: an event, unless the
   * topology reads something else.
   */
  push(source: string, values: unknown, options?: { readonly split?: string }): Promise<void>;
  /** Elements of several sources, in one turn. */
  pushAll(rows: readonly Pushed[]): Promise<void>;
  /**
   * A watermark as if `eventTime` had made it. 'max' of every source is the end of input, as when a
   * job is drained.
   */
  advanceWatermark(at: number | 'max', selection?: SourceSelection): Promise<void>;
  idle(selection?: SourceSelection): Promise<void>;
  active(selection?: SourceSelection): Promise<void>;
  /** Sets processing time, epoch ms, and fires its timers; emits no watermark. */
  setClock(ms: number): Promise<void>;
  /**
   * The periodic emission: generates watermarks from the events so far, and checks for idleness.
   */
  tick(): Promise<void>;
  /**
   * The rows that a sink received since the last read; for a graph sink, the writes that its
   * function returned.
   */
  read(sink: string): readonly DrivenRow[];
  /** The watermarks and idleness that reached a sink since the last call. */
  signals(sink: string): readonly DrivenSignal[];
  rejected(): readonly DrivenRejection[];
  counts(node: string): NodeCounts;
  /** The state and the definition of all operators, as JSON. */
  snapshot(): string;
  /**
   * Also accepts a snapshot of the topology before a change. Throws `SluiceError` `restore-refused`
   * where a job would.
   */
  restore(snapshot: string): Promise<void>;
  close(): void;
}
