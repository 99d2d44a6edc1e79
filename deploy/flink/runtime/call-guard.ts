/**
 * Finds the call of an author's function that does not return, for the job's watch (Java,
 * CallWatch), which can interrupt the script and sees nothing of it.
 *
 * Invariants:
 * 1. Until something did not return, a function is called as it is.
 * 2. From then on (`stopped`) each call is bounded by itself, however many there are in a batch. One
 *    that is interrupted twice is not made again: it throws, so that its row is rejected as by the
 *    engine here (topology/runtime/watched-calls.ts).
 * 3. An interrupt is an error that can be caught, by the author's code or by ours, and is thrown
 *    again until the script has left: what counts is what the watch says. All that an interrupted
 *    run gave is thrown away.
 */
import type { UserFunction } from '../../../topology/nodes/node.ts';
import { refusedCall } from '../../../topology/operators/operator.ts';
import type { Topology } from '../../../topology/plan/plan.ts';
import { givenOfCall } from '../../../topology/runtime/given-of-call.ts';
import { schemaSlot } from '../../../topology/runtime/shared-calls.ts';

/** Calls that are refused: past it the job fails, as it is not the elements that are wrong. */
const refusedMaxCalls = 100;

/** What the job's watch tells and is told. Both say whether the run was interrupted. */
export interface Watch {
  /** A call begins, with all its time before it. */
  begin(): boolean;
  end(): boolean;
}

type Anything = (a?: unknown, b?: unknown) => unknown;

export class CallGuard {
  readonly #refused = new Map<string, Set<string>>();
  #watch: Watch | undefined;
  #careful = false;
  #refusals = 0;
  /** The call that did not return once. */
  #doubted = '';
  /** The call that began last. */
  #last:
    | { readonly name: string; readonly slot: string; readonly a: unknown; readonly b: unknown }
    | undefined;

  watch(watch: Watch): void {
    this.#watch = watch;
  }

  guarded(topology: Topology): Topology {
    return {
      plan: topology.plan,
      graph: topology.plan,
      problems: topology.problems,
      resolve: (node, slot) => {
        const call = topology.resolve(node, slot);
        return call && (this.#guard(call as Anything, node, slot) as UserFunction);
      },
    };
  }

  schemas<R>(node: string, check: (value: unknown) => R): (value: unknown) => R {
    return this.#guard(check as Anything, node, schemaSlot) as (value: unknown) => R;
  }

  /**
   * A run was interrupted; `inFunction`: while the function ran that had begun last, where that is
   * known. Gives that function as `'slot' of 'node'` when its call is refused from now on; else an
   * empty text.
   */
  stopped(inFunction: boolean): string {
    const last = this.#careful && inFunction ? this.#last : undefined;
    this.#careful = this.#watch !== undefined && this.#refusals < refusedMaxCalls;
    this.#last = undefined;
    if (last === undefined) return '';
    const { name, slot, a, b } = last;
    const text = textOf(slot, a, b);
    const isSame = this.#doubted === `${name} ${text}`;
    this.#doubted = isSame ? '' : `${name} ${text}`;
    if (!isSame) return '';
    this.#refusals++;
    this.#refused.set(name, (this.#refused.get(name) ?? new Set()).add(text));
    return name;
  }

  #guard(call: Anything, node: string, slot: string): Anything {
    return (a, b) => (this.#careful ? this.#run(call, node, slot, a, b) : call(a, b));
  }

  #run(call: Anything, node: string, slot: string, a: unknown, b: unknown): unknown {
    const watch = this.#watch as Watch;
    const name = `'${slot}' of '${node}'`;
    const refused = this.#refused.get(name);
    if (refused?.has(textOf(slot, a, b)) === true) throw refusedCall(slot);
    if (watch.begin()) throw refusedCall(slot);
    this.#last = { name, slot, a, b };
    try {
      return call(a, b);
    } finally {
      watch.end();
    }
  }
}

/** Values are JSON here, as they cross the border of a job. */
function textOf(slot: string, a: unknown, b: unknown): string {
  return JSON.stringify(givenOfCall(slot, a, b));
}
