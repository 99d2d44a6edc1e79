/**
 * Lets another thread see which function of an author runs, and for how long it has: that thread
 * alone can end one that does not return.
 *
 * Invariants:
 * 1. A number changes with each call that begins: however slow a turn is, it goes on as long as
 *    calls return.
 * 2. Of a function that did not return once what it is given is written down, as a digest, before
 *    each call; a call that did not return twice throws instead, so that its row is rejected as if
 *    it had thrown.
 * 3. A job that nobody watches calls its functions as they are.
 * 4. A look-up's function may keep the thread after its call returned, between its awaits: then the
 *    thread no longer turns (`beat`) while one is under way (asked-lookups.ts). Once that happened
 *    they are asked one after the other, so that the one that does it is known.
 */
import { createHash } from 'node:crypto';
import { inspect } from 'node:util';
import { present } from '../../schemas/kernel/assert.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { CallSlot, Isolation, RecordSpan, StuckCall } from '../checkpoint/isolation.ts';
import type { UserFunction } from '../graph/node.ts';
import { slotsOf } from '../operators/kinds.ts';
import { stuck } from '../operators/operator.ts';
import type { Plan, Topology } from '../plan/plan.ts';
import { AskedLookups } from './asked-lookups.ts';

/** The slot of a node's schemas. */
const schemaSlot = 'schema';

const cell = {
  calls: 0,
  slot: 1,
  digest: 2,
  turnBytes: 6,
  beats: 7,
  asked: 8,
  askedDigest: 9,
} as const;
const digestCells = 4;
const headBytes = 64;
/** The slot of a look-up's own function. */
const askSlot = 'call';
const turnMaxBytes = 4_096;

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
  /** What it was given, where it alone is under way and look-ups are suspected. */
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

/** The functions of a graph in the order of their numbers. */
export function callSlots({ nodes }: Plan): readonly CallSlot[] {
  return nodes.flatMap((node) =>
    (node.kind === 'validate' ? [schemaSlot] : slotsOf(node)).map(
      (slot): CallSlot => ({ node: node.id, slot }),
    ),
  );
}

export interface WatchedCalls {
  /** The same topology, with functions that are seen. */
  readonly topology: Topology;
  /** A check of a node's schemas, seen too. */
  schemas<R>(node: string, check: (value: unknown) => R): (value: unknown) => R;
  /** The turn that begins; none when it is over. */
  turn(turn: SeenTurn | undefined): void;
  /** Nothing is suspected of any function from now on. */
  clear(): void;
}

/** `onRefused` is called when a call is refused that did not return twice. */
export function watchCalls(
  topology: Topology,
  { buffer }: SharedCalls,
  suspected: Pick<Isolation, 'watched' | 'refused'>,
  onRefused: (call: StuckCall) => void,
): WatchedCalls {
  const cells = new Int32Array(buffer);
  const turnText = Buffer.from(buffer, headBytes, turnMaxBytes);
  const slots = new Map(
    callSlots(topology.graph).map(({ node, slot }, index) => [`${node}\n${slot}`, index + 1]),
  );
  const careful = { is: suspected.watched.length > 0 };

  const seen = (call: UserFunction, number: number): Anything => {
    const run = call as Anything;
    return (a, b) => {
      cells[cell.calls] = (cells[cell.calls] as number) + 1;
      cells[cell.slot] = number;
      try {
        return run(a, b);
      } finally {
        cells[cell.slot] = 0;
      }
    };
  };

  const watched = (call: UserFunction, { node, slot }: CallSlot, number: number): Anything => {
    const run = seen(call, number);
    const refused = new Set(
      suspected.refused
        .filter((each) => each.node === node && each.slot === slot)
        .map(({ digest }) => digest),
    );
    return (a, b) => {
      if (!careful.is) return run(a, b);
      const digest = digestOf(slot, a, b);
      const hex = digest.toString('hex');
      if (refused.has(hex)) {
        onRefused({ node, slot, digest: hex });
        throw new SluiceError(
          stuck,
          `the function '${slot}' did not return, twice: the same would happen again`,
        );
      }
      writeDigest(cells, cell.digest, digest);
      try {
        return run(a, b);
      } finally {
        cells.fill(0, cell.digest, cell.digest + digestCells);
      }
    };
  };

  const isAsked = ({ node, slot }: CallSlot): boolean =>
    slot === askSlot &&
    topology.graph.nodes.some(({ id, kind }) => id === node && kind === 'lookup');
  const areSuspected = suspected.watched.some(isAsked);
  const lookups = new AskedLookups((number, given) => {
    cells[cell.asked] = number;
    writeDigest(cells, cell.askedDigest, given && digestOf(askSlot, given[0], undefined));
  });

  const asked =
    (run: Anything, number: number): Anything =>
    (a, b) =>
      careful.is && areSuspected
        ? lookups.askAlone(number, a, (b as { readonly signal: AbortSignal }).signal, () =>
            run(a, b),
          )
        : lookups.ask(number, undefined, () => run(a, b));

  const guarded = (call: UserFunction, of: CallSlot): Anything => {
    const number = present(
      slots.get(`${of.node}\n${of.slot}`),
      `the number of ${of.node} ${of.slot}`,
    );
    const isSuspected = suspected.watched.some(
      ({ node, slot }) => node === of.node && slot === of.slot,
    );
    const run = isSuspected ? watched(call, of, number) : seen(call, number);
    return isAsked(of) ? asked(run, number) : run;
  };

  return {
    topology: {
      plan: topology.plan,
      graph: topology.plan,
      problems: topology.problems,
      resolve(node, slot) {
        const call = topology.resolve(node, slot);
        return call === undefined ? undefined : (guarded(call, { node, slot }) as UserFunction);
      },
    },
    schemas: <R>(node: string, check: (value: unknown) => R) =>
      guarded(check as UserFunction, { node, slot: schemaSlot }) as (value: unknown) => R,
    turn(turn) {
      const bytes = turn === undefined ? 0 : turnText.write(JSON.stringify(turn));
      Atomics.store(cells, cell.turnBytes, bytes < turnMaxBytes ? bytes : 0);
    },
    clear() {
      careful.is = false;
    },
  };
}

function writeDigest(cells: Int32Array, first: number, digest: Buffer | undefined): void {
  for (let i = 0; i < digestCells; i++) cells[first + i] = digest?.readInt32LE(4 * i) ?? 0;
}

type Anything = (a?: unknown, b?: unknown) => unknown;

/**
 * Of what a call is given but its context, which has times in it; of a keyed function the key is in
 * the context.
 */
function digestOf(slot: string, a: unknown, b: unknown): Buffer {
  const isOfTwo = slot === 'join' || slot.endsWith(':add') || slot.endsWith(':merge');
  const isKeyed = slot === 'onElement' || slot === 'onTimer';
  const given = isOfTwo ? [a, b] : isKeyed ? [a, (b as { readonly key: unknown }).key] : [a];
  return createHash('sha256')
    .update(textOf(given))
    .digest()
    .subarray(0, digestCells * 4);
}

/** What is no JSON is written as a person would see it. */
function textOf(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch {
    return inspect(value, { depth: null, maxArrayLength: null, maxStringLength: null });
  }
}
