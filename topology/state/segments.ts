/**
 * Where blocks of records are kept: segments that are filled once, from their beginning, and dropped
 * whole.
 */
import { mebi } from '../../schemas/kernel/bytes.ts';

export interface Segments {
  /** A segment holds as much, or one block that is larger. */
  readonly segmentBytes: number;
  /** Blocks are deflated, where that saves, while segments take more than this. */
  readonly plainMaxBytes: number;
  /** A segment with a number that no other has. */
  begin(segment: number, bytes: number): void;
  /** Behind what was written before. */
  write(segment: number, at: number, bytes: Uint8Array): void;
  /** Holds until the segment is dropped. */
  read(segment: number, at: number, bytes: number): Uint8Array;
  drop(segment: number): void;
  close(): void;
}

/** What is small is read as it is: deflated blocks take a third, and a hundred times as long. */
const plainMaxBytes = 256 * mebi;

export type MemorySegmentsOptions = Partial<Pick<Segments, 'segmentBytes' | 'plainMaxBytes'>>;

/** In the memory of the process, outside the heap of JavaScript. */
export function memorySegments(options: MemorySegmentsOptions = {}): Segments {
  const pages = new Map<number, Uint8Array>();
  const pageOf = (segment: number): Uint8Array => pages.get(segment) as Uint8Array;
  return {
    segmentBytes: mebi,
    plainMaxBytes,
    ...options,
    begin: (segment, bytes) => void pages.set(segment, Buffer.allocUnsafeSlow(bytes)),
    write: (segment, at, bytes) => pageOf(segment).set(bytes, at),
    read: (segment, at, bytes) => pageOf(segment).subarray(at, at + bytes),
    drop: (segment) => void pages.delete(segment),
    close: () => pages.clear(),
  };
}
