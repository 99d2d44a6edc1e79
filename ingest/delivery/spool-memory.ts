/**
 * What the spools of a process hold in memory, all streams and routes together: records on their
 * way to the disk, and records that were read to be drained.
 *
 * Invariants:
 * 1. Records on their way to the disk are refused beyond the limit; reads wait for room, in the
 *    order of their requests.
 * 2. Requested room is released in full, once.
 */
import { assert } from '../../schemas/kernel/assert.ts';
import { mebi } from '../../schemas/kernel/bytes.ts';
import { limits } from '../../schemas/limits.ts';

/**
 * All spools of a process together: records on their way to the disk, and records read to be
 * drained.
 */
const spoolsPendingMaxBytes = 64 * mebi;
export const spoolsReadMaxBytes = 96 * mebi;
assert(
  limits.kafkaRecordMaxBytes + limits.recordHeadMaxBytes <= spoolsPendingMaxBytes,
  'the largest record alone can be spooled',
);

/** Room for one read. */
export interface SpoolRoom {
  /** To what was found: the rest is given back at once. */
  shrinkTo(bytes: number): void;
  release(): void;
}

export interface SpoolMemoryOptions {
  readonly pendingMaxBytes?: number;
  readonly readMaxBytes?: number;
}

interface Waiting {
  readonly bytes: number;
  readonly go: () => void;
}

export class SpoolMemory {
  readonly #pendingMaxBytes: number;
  readonly #readMaxBytes: number;
  #pendingBytes = 0;
  #readBytes = 0;
  readonly #waiting: Waiting[] = [];

  constructor({
    pendingMaxBytes = spoolsPendingMaxBytes,
    readMaxBytes = spoolsReadMaxBytes,
  }: SpoolMemoryOptions = {}) {
    this.#pendingMaxBytes = pendingMaxBytes;
    this.#readMaxBytes = readMaxBytes;
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  get readBytes(): number {
    return this.#readBytes;
  }

  /**
   * Whether there is room for records on their way to the disk; then it is taken until `written`.
   */
  tryPend(bytes: number): boolean {
    if (this.#pendingBytes + bytes > this.#pendingMaxBytes) return false;
    this.#pendingBytes += bytes;
    return true;
  }

  written(bytes: number): void {
    this.#pendingBytes -= bytes;
    assert(this.#pendingBytes >= 0, 'what is written was pending');
  }

  /** Resolves when there is room to read `bytes`. */
  async room(bytes: number): Promise<SpoolRoom> {
    assert(bytes <= this.#readMaxBytes, 'one read fits the memory of all');
    if (this.#waiting.length > 0 || this.#readBytes + bytes > this.#readMaxBytes) {
      await new Promise<void>((go) => this.#waiting.push({ bytes, go }));
    } else this.#readBytes += bytes;
    let held = bytes;
    const shrinkTo = (left: number): void => {
      if (left >= held) return;
      this.#readBytes -= held - left;
      held = left;
      this.#letIn();
    };
    return { shrinkTo, release: () => shrinkTo(0) };
  }

  #letIn(): void {
    for (
      let [next] = this.#waiting;
      next !== undefined && this.#readBytes + next.bytes <= this.#readMaxBytes;
      [next] = this.#waiting
    ) {
      this.#waiting.shift();
      this.#readBytes += next.bytes;
      next.go();
    }
  }
}
