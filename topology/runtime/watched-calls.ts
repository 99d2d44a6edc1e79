/**
 * Lets another thread see which function of an author runs, and for how long it has: that thread
 * alone can end one that does not return.
 *
 * Invariants:
 * 1. A number changes with each call that begins: however slow a turn is, it continues as long as
 *    calls return.
 * 2. Of a function that did not return once what it is given is written down, as a digest, before
 *    each call; a call that did not return twice throws instead, so that its row is rejected as if
 *    it had thrown.
 * 3. A job that nobody watches calls its functions as they are.
 * 4. A look-up's function may keep the thread after its call returned, between its awaits: then the
 *    thread no longer turns (`beat`) while one is in flight (asked-lookups.ts). Once that happened
 *    they are asked one after the other, so that the one that does it is known.
 */
import { createHash } from 'node:crypto';
import { inspect } from 'node:util';
import { present } from '../../schemas/kernel/assert.ts';
import type { CallSlot, Isolation, StuckCall } from '../checkpoint/isolation.ts';
import type { UserFunction } from '../nodes/node.ts';
import { refusedCall } from '../operators/operator.ts';
import type { Plan, Topology } from '../plan/plan.ts';
import { AskedLookups } from './asked-lookups.ts';
import { givenOfCall } from './given-of-call.ts';
import type { SeenTurn, SharedCalls } from './shared-calls.ts';
import {
  askSlot,
  callSlots,
  cell,
  digestCells,
  headBytes,
  schemaSlot,
  turnMaxBytes,
  writeDigest,
} from './shared-calls.ts';

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

/** What is known of the functions when a run begins. */
type Suspected = Pick<Isolation, 'watched' | 'refused'>;

/** `onRefused` is called when a call is refused that did not return twice. */
export function watchCalls(
  topology: Topology,
  { buffer }: SharedCalls,
  suspected: Suspected,
  onRefused: (call: StuckCall) => void,
): WatchedCalls {
  const cells = new Int32Array(buffer);
  const turnText = Buffer.from(buffer, headBytes, turnMaxBytes);
  const guard = new CallGuard(topology.plan, cells, suspected, onRefused);
  return {
    topology: {
      plan: topology.plan,
      graph: topology.plan,
      problems: topology.problems,
      resolve(node, slot) {
        const call = topology.resolve(node, slot);
        return call === undefined
          ? undefined
          : (guard.guarded(call, { node, slot }) as UserFunction);
      },
    },
    schemas: <R>(node: string, check: (value: unknown) => R) =>
      guard.guarded(check as UserFunction, { node, slot: schemaSlot }) as (value: unknown) => R,
    turn(turn) {
      const bytes = turn === undefined ? 0 : turnText.write(JSON.stringify(turn));
      Atomics.store(cells, cell.turnBytes, bytes < turnMaxBytes ? bytes : 0);
    },
    clear: () => guard.clear(),
  };
}

/**
 * Makes functions that write down, in the cells that both threads share, that they run. What such a
 * function needs for each call is a constant of its own.
 */
class CallGuard {
  readonly #plan: Plan;
  readonly #cells: Int32Array;
  readonly #suspected: Suspected;
  readonly #onRefused: (call: StuckCall) => void;
  /** The numbers of the functions. */
  readonly #numbers: ReadonlyMap<string, number>;
  /** Whether something is suspected still: functions that are made already look there. */
  readonly #careful: { is: boolean };
  readonly #lookups: AskedLookups;

  constructor(
    plan: Plan,
    cells: Int32Array,
    suspected: Suspected,
    onRefused: (call: StuckCall) => void,
  ) {
    this.#plan = plan;
    this.#cells = cells;
    this.#suspected = suspected;
    this.#onRefused = onRefused;
    this.#numbers = new Map(
      callSlots(plan).map(({ node, slot }, index) => [`${node}\n${slot}`, index + 1]),
    );
    this.#careful = { is: suspected.watched.length > 0 };
    this.#lookups = new AskedLookups((number, given) => {
      cells[cell.asked] = number;
      writeDigest(cells, cell.askedDigest, given && digestOf(askSlot, given[0], undefined));
    });
  }

  /** Nothing is suspected of any function from now on. */
  clear(): void {
    this.#careful.is = false;
  }

  guarded(call: UserFunction, of: CallSlot): Anything {
    const name = `${of.node}\n${of.slot}`;
    const number = present(this.#numbers.get(name), `the number of ${of.node} ${of.slot}`);
    const isSuspected = this.#suspected.watched.some(
      ({ node, slot }) => node === of.node && slot === of.slot,
    );
    const seen = seenRun(this.#cells, call as Anything, number);
    const run = isSuspected ? this.#watched(seen, of) : seen;
    return this.#isAsked(of) ? this.#asked(run, number) : run;
  }

  /** What it is given is written down; what did not return twice is refused. */
  #watched(run: Anything, { node, slot }: CallSlot): Anything {
    const [cells, careful, onRefused] = [this.#cells, this.#careful, this.#onRefused];
    const refused = new Set(
      this.#suspected.refused
        .filter((each) => each.node === node && each.slot === slot)
        .map(({ digest }) => digest),
    );
    return (a, b) => {
      if (!careful.is) return run(a, b);
      const digest = digestOf(slot, a, b);
      const hex = digest.toString('hex');
      if (refused.has(hex)) {
        onRefused({ node, slot, digest: hex });
        throw refusedCall(slot);
      }
      writeDigest(cells, cell.digest, digest);
      try {
        return run(a, b);
      } finally {
        cells.fill(0, cell.digest, cell.digest + digestCells);
      }
    };
  }

  /** Of a look-up: alone, while look-ups are suspected. */
  #asked(run: Anything, number: number): Anything {
    const [careful, lookups] = [this.#careful, this.#lookups];
    const areSuspected = this.#suspected.watched.some((of) => this.#isAsked(of));
    return (a, b) =>
      careful.is && areSuspected
        ? lookups.askAlone(number, a, (b as { readonly signal: AbortSignal }).signal, () =>
            run(a, b),
          )
        : lookups.ask(number, undefined, () => run(a, b));
  }

  #isAsked({ node, slot }: CallSlot): boolean {
    if (slot !== askSlot) return false;
    return this.#plan.nodes.some(({ id, kind }) => id === node && kind === 'lookup');
  }
}

/** Its number is in the cells while it runs, and each call counts. */
function seenRun(cells: Int32Array, run: Anything, number: number): Anything {
  return (a, b) => {
    cells[cell.calls] = (cells[cell.calls] as number) + 1;
    cells[cell.slot] = number;
    try {
      return run(a, b);
    } finally {
      cells[cell.slot] = 0;
    }
  };
}

type Anything = (a?: unknown, b?: unknown) => unknown;

function digestOf(slot: string, a: unknown, b: unknown): Buffer {
  return createHash('sha256')
    .update(textOf(givenOfCall(slot, a, b)))
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
