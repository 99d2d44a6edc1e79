/**
 * What a test says to the driver of a topology, and what it hears.
 */
import type { RejectionCode } from '../../../schemas/rejection.ts';
import type { LookupFunction } from '../../operators/lookup/bounded-calls.ts';
import type { NodeCounts } from '../../operators/operator.ts';

export interface DriverOptions {
  /**
   * Processing time at the beginning, epoch ms. Default 0: events of today are then from the
   * future, which `eventTime` guards against.
   */
  readonly now?: number;
  /** Connectors by name. */
  readonly lookups?: Readonly<Record<string, LookupFunction>>;
  /** Rows of look-up tables, by the file that the topology names. */
  readonly tables?: Readonly<Record<string, readonly unknown[]>>;
  /** Splits by source id; a source that is not named has one. */
  readonly splits?: Readonly<Record<string, readonly string[]>>;
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
  /** JSON pointer to what is wrong, where that is one place. */
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
   * Elements of one source, in one batch. What is pushed is what the source would give: an event,
   * unless the topology reads something else.
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
  /** Moves processing time, epoch ms; fires its timers, makes no watermark. */
  setClock(ms: number): Promise<void>;
  /** The periodic emission: watermarks are made of the events so far, idleness is judged. */
  tick(): Promise<void>;
  /**
   * The rows that a sink took since it was read last; of a graph sink the writes that its function
   * made of each.
   */
  read(sink: string): readonly DrivenRow[];
  /** The watermarks and idleness that reached a sink since asked last. */
  signals(sink: string): readonly DrivenSignal[];
  rejected(): readonly DrivenRejection[];
  counts(node: string): NodeCounts;
  /** All operators' state as JSON, and what they were defined as. */
  snapshot(): string;
  /**
   * Also of a driver of the topology as it was before a change. Throws `SluiceError`
   * `restore-refused` where a job would.
   */
  restore(snapshot: string): Promise<void>;
  close(): void;
}
