/**
 * State at rest: the bytes of what an operator keeps and does not use for now, outside its objects.
 * What is in it may be lost at any time, as objects are: the checkpoint is the truth.
 */
import { mebi } from '../../schemas/kernel/bytes.ts';
import type { Segments } from './segments.ts';

/** Something in which state rests. */
export interface RestingPlace {
  /** That are not freed. */
  readonly records: number;
  /** What it takes for them, in memory and on disk. */
  readonly heldBytes: number;
  /** Nothing is read or added after it. */
  close(): void;
}

/** Bytes of state that are not live objects, by a handle that the store gives. */
export interface RecordStore extends RestingPlace {
  /** Copies `bytes`. A handle is a positive 32-bit whole number, used again after `free`. */
  add(bytes: Uint8Array): number;
  /** A view that holds until the next call of any method. */
  read(handle: number): Uint8Array;
  free(handle: number): void;
  /** Of its records. */
  readonly bytes: number;
}

/** What is not live of a job's state. */
export interface StateAtRest {
  readonly restingRecords: number;
  /** What they take, in memory and on disk. */
  readonly restingBytes: number;
}

/** Where the state of a job may be. */
export interface StateRoom {
  /** Makes a store for one operator. Default: in memory. */
  readonly recordStore?: (() => RecordStore) | undefined;
  /** Makes a place for the digests of one operator. Default: all stay in memory. */
  readonly digestSegments?: (() => Segments) | undefined;
  /** Where that keeps its files, for status; undefined where it keeps none. */
  readonly stateFolder?: string | undefined;
  /**
   * What the live objects of all operators may take, about, before those used longest ago rest. 0:
   * each rests as soon as it may. Default: 64 MiB.
   */
  readonly liveStateMaxBytes?: number | undefined;
}

export const liveStateDefaultMaxBytes = 64 * mebi;
