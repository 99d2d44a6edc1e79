/**
 * What two threads share of a job: which function of an author runs, for which turn, and whether
 * its thread turns. The thread writes it (watched-calls.ts), and the one that can end it reads it.
 *
 * Invariants:
 * 1. A number changes with each call that begins: however slow a turn is, it continues as long as
 *    calls return.
 * 2. Functions have numbers from 1, in the order of `callSlots`; 0 is none.
 */
import type { CallSlot, RecordSpan } from '../checkpoint/isolation.ts';
import { slotsOf } from '../operators/kinds.ts';
import type { Plan } from '../plan/plan.ts';

/** The slot of a node's schemas. */
export const schemaSlot = 'schema';

export const cell = {
  calls: 0,
  slot: 1,
  digest: 2,
  turnBytes: 6,
  beats: 7,
  asked: 8,
  askedDigest: 9,
} as const;
export const digestCells = 4;
export const headBytes = 64;
/** The slot of a look-up's own function. */
export const askSlot = 'call';
export const turnMaxBytes = 4_096;

/** What two threads share of a job. */
export interface SharedCalls {
  readonly buffer: SharedArrayBuffer;
}

export interface SeenCall {
  /** How many calls have begun, modulo 2^32. */
  readonly calls: number;
  /** Which function runs, from 1, by `callSlots`; 0 for none. */
  readonly slot: number;
}

/** Whether a thread turns, and which look-up may keep it from that. */
export interface SeenThread {
  /** How often it turned, modulo 2^32. */
  readonly beats: number;
  /**
   * The function of the look-up that was asked last, from 1, by `callSlots`; 0 when none is under
   * way.
   */
  readonly asked: number;
  /** What it was given, where it alone is in flight and look-ups are suspected. */
  readonly digest: string | undefined;
}

/** The turn that runs, where there is one. */
export interface SeenTurn {
  readonly span: RecordSpan;
  /** The element that is alone in it. */
  readonly place?: string;
}

export function sharedCalls(): SharedCalls {
  return { buffer: new SharedArrayBuffer(headBytes + turnMaxBytes) };
}

export function seenCall({ buffer }: SharedCalls): SeenCall {
  const cells = new Int32Array(buffer);
  return { calls: Atomics.load(cells, cell.calls), slot: Atomics.load(cells, cell.slot) };
}

/** Of the call that runs; undefined where its function is not watched. */
export function seenDigest({ buffer }: SharedCalls): string | undefined {
  return digestAt(buffer, cell.digest);
}

export function seenThread({ buffer }: SharedCalls): SeenThread {
  const cells = new Int32Array(buffer);
  return {
    beats: Atomics.load(cells, cell.beats),
    asked: Atomics.load(cells, cell.asked),
    digest: digestAt(buffer, cell.askedDigest),
  };
}

/** The thread turns. */
export function beat({ buffer }: SharedCalls): void {
  Atomics.add(new Int32Array(buffer), cell.beats, 1);
}

function digestAt(buffer: SharedArrayBuffer, first: number): string | undefined {
  const digest = Buffer.from(new Uint8Array(buffer, first * 4, digestCells * 4)).toString('hex');
  return /^0*$/.test(digest) ? undefined : digest;
}

export function seenTurn({ buffer }: SharedCalls): SeenTurn | undefined {
  const bytes = Atomics.load(new Int32Array(buffer), cell.turnBytes);
  if (bytes === 0) return undefined;
  return JSON.parse(
    Buffer.from(new Uint8Array(buffer, headBytes, bytes)).toString('utf8'),
  ) as SeenTurn;
}

/** The functions of a plan in the order of their numbers. */
export function callSlots({ nodes }: Plan): readonly CallSlot[] {
  return nodes.flatMap((node) =>
    (node.kind === 'validate' ? [schemaSlot] : slotsOf(node)).map(
      (slot): CallSlot => ({ node: node.id, slot }),
    ),
  );
}

export function writeDigest(cells: Int32Array, first: number, digest: Buffer | undefined): void {
  for (let i = 0; i < digestCells; i++) cells[first + i] = digest?.readInt32LE(4 * i) ?? 0;
}
