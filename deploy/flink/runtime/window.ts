/**
 * What a window makes of its elements, called by the job's window operator (Java), which keeps the
 * windows, their times and their accumulators as text. The accumulators are the engine's own
 * (topology/operators/window/aggregates.ts).
 *
 * Invariants:
 * 1. An accumulator is text between two calls: a call that throws has changed nothing. Those that
 *    are held open are of aggregates that cannot throw while they add.
 * 2. `add` and `merge` give `A` and text, or `R` and a rejection; `fire` gives `E` and a row, or `R`.
 */
import { present } from '../../../schemas/kernel/assert.ts';
import { decodeKey } from '../../../schemas/kernel/key.ts';
import { rejectThrown } from '../../../topology/operators/operator.ts';
import { aggregatorOf } from '../../../topology/operators/window/aggregates.ts';
import type { AggregateKind, WindowNode } from '../../../topology/operators/window/node.ts';
import type { NamedAggregator } from '../../../topology/operators/window/window-aggregates.ts';
import type { NodeRuntime } from './node-runtime.ts';
import { readOrigin } from './wire.ts';

/**
 * Of the engine's own, what is small and throws for an element only while it reads it, which was
 * done before.
 */
const holding: ReadonlySet<AggregateKind> = new Set([
  ...(['count', 'countValues', 'sum', 'avg', 'min', 'max'] as const),
]);

interface Aggregates {
  readonly all: readonly NamedAggregator[];
  /** Whether what it reads is the element itself. */
  readonly own: readonly boolean[];
}

function windowOf(node: NodeRuntime, id: string): WindowNode {
  return node.plan.nodes.find((one) => one.id === id) as WindowNode;
}

export function aggregatesOf(node: NodeRuntime, id: string): Aggregates {
  const { aggregates } = windowOf(node, id);
  const { call } = node.parts(id);
  return {
    all: aggregates.map((choice) => ({
      name: choice.name,
      aggregator: aggregatorOf(choice, call),
    })),
    own: aggregates.map(({ agg }) => agg === 'user'),
  };
}

/** Throws for an element that one of them cannot take. */
export function readText({ all }: Aggregates, value: unknown): string {
  // What is undefined, because it is skipped, is null in JSON.
  return JSON.stringify(all.map(({ aggregator }) => aggregator.read(value) as unknown));
}

export class WindowFunctions {
  readonly #id: string;
  readonly #node: NodeRuntime;
  readonly #aggregates: Aggregates;
  readonly #holds: boolean;
  /** Accumulators that are open, by the number that the job gave them. */
  readonly #held = new Map<number, unknown[]>();

  constructor(id: string, node: NodeRuntime) {
    this.#id = id;
    const { aggregates, window } = windowOf(node, id);
    // Sessions merge.
    this.#holds = window.type !== 'session' && aggregates.every(({ agg }) => holding.has(agg));
    this.#node = node;
    this.#aggregates = aggregatesOf(node, id);
  }

  /** `accumulators`: null before the first element. `value` and `origin`: for a rejection. */
  add(accumulators: string | null, read: string, value: string, origin: string): string {
    const { all, own } = this.#aggregates;
    const reads = JSON.parse(read) as unknown[];
    try {
      const next = this.#decoded(accumulators).map((accumulator, i) => {
        const of = own[i] === true ? freshly(all[i], reads[i]) : (reads[i] ?? undefined);
        return present(all[i], 'an aggregate').aggregator.add(accumulator, of) as unknown;
      });
      return `A${this.#encoded(next)}`;
    } catch (thrown) {
      const given = value === '' ? null : (JSON.parse(value) as unknown);
      const from = readOrigin(origin);
      rejectThrown(this.#node.reject, this.#id, thrown, given, from);
      return this.#node.takeRejections();
    }
  }

  /** Whether the job may hold accumulators open. */
  holds(): boolean {
    return this.#holds;
  }

  /** Opens accumulators; null before the first element. */
  hold(slot: number, accumulators: string | null): void {
    this.#held.set(slot, this.#decoded(accumulators));
  }

  addHeld(slot: number, read: string): void {
    const { all } = this.#aggregates;
    const reads = JSON.parse(read) as unknown[];
    const held = this.#heldAt(slot);
    for (let i = 0; i < all.length; i++)
      held[i] = (all[i] as NamedAggregator).aggregator.add(held[i], reads[i] ?? undefined);
  }

  /** They stay open. */
  heldText(slot: number): string {
    return this.#encoded(this.#heldAt(slot));
  }

  drop(slot: number): void {
    this.#held.delete(slot);
  }

  #heldAt(slot: number): unknown[] {
    return present(this.#held.get(slot), 'accumulators that are open');
  }

  merge(one: string, other: string, value: string, origin: string): string {
    const { all } = this.#aggregates;
    try {
      const [into, from] = [this.#decoded(one), this.#decoded(other)];
      const merged = all.map(({ aggregator }, i) => aggregator.merge(into[i], from[i]) as unknown);
      return `A${this.#encoded(merged)}`;
    } catch (thrown) {
      const given = value === '' ? null : (JSON.parse(value) as unknown);
      const from = readOrigin(origin);
      rejectThrown(this.#node.reject, this.#id, thrown, given, from);
      return this.#node.takeRejections();
    }
  }

  /** `accumulators`: their text, or the number of those that are open. */
  fire(
    accumulators: string | number,
    key: string,
    start: number,
    end: number,
    index: number,
    timing: string,
    last: boolean,
  ): string {
    const result: Record<string, unknown> = {
      key: decodeKey(key),
      windowStart: start,
      windowEnd: end,
      pane: { index, timing, last },
    };
    try {
      const decoded =
        typeof accumulators === 'number' ? this.#heldAt(accumulators) : this.#decoded(accumulators);
      this.#aggregates.all.forEach(({ name, aggregator }, i) => {
        result[name] = aggregator.result(decoded[i]);
      });
      return `E${JSON.stringify(result)}`;
    } catch (thrown) {
      rejectThrown(this.#node.reject, this.#id, thrown, result, undefined);
      return this.#node.takeRejections();
    }
  }

  #decoded(accumulators: string | null): unknown[] {
    const { all } = this.#aggregates;
    if (accumulators === null) return all.map(({ aggregator }) => aggregator.create() as unknown);
    const encoded = JSON.parse(accumulators) as unknown[];
    return all.map(({ aggregator }, i) => aggregator.decode(encoded[i]) as unknown);
  }

  #encoded(accumulators: readonly unknown[]): string {
    const { all } = this.#aggregates;
    return JSON.stringify(
      all.map(({ aggregator }, i) => aggregator.encode(accumulators[i]) as unknown),
    );
  }
}

/** An element that an author's function is given: frozen, as `read` gives it. */
function freshly(named: NamedAggregator | undefined, read: unknown): unknown {
  return present(named, 'an aggregate').aggregator.read(read) as unknown;
}
