/**
 * What an interval join makes of a pair, called by the job's join operator (Java), which keeps the
 * rows. `E`, the row's origin as a line, and the row; or `R` and a rejection.
 */
import type { Identity, Provenance } from '../../../topology/nodes/sink.ts';
import { rejectThrown } from '../../../topology/operators/operator.ts';
import { freeze } from '../../../topology/state/freeze.ts';
import { requireJson } from '../../../topology/state/json-safe.ts';
import { identityOf } from '../../../topology/state/origin.ts';
import type { NodeRuntime } from './node-runtime.ts';
import { originText, readOrigin } from './wire.ts';

export class JoinFunctions {
  readonly #id: string;
  readonly #node: NodeRuntime;
  readonly #join: (...args: unknown[]) => unknown;

  constructor(id: string, node: NodeRuntime) {
    this.#id = id;
    this.#node = node;
    this.#join = node.parts(id).call('join');
  }

  /**
   * `right` and its origin are empty where there is none. `rejects`: which row a rejection names,
   * and `withOrigin`, whether that row is the one that came now.
   */
  give(
    left: string,
    leftOrigin: string,
    right: string,
    rightOrigin: string,
    rejects: 'left' | 'right',
    withOrigin: boolean,
  ): string {
    const l: unknown = freeze(JSON.parse(left));
    const r: unknown = right === '' ? undefined : freeze(JSON.parse(right));
    const [from, other] = [readOrigin(leftOrigin), readOrigin(rightOrigin)];
    try {
      const joined = requireJson(this.#join(l, r), `what '${this.#id}' returns`);
      return `E${originText(this.#pairOf(from, right === '' ? undefined : { origin: other }))}\n${JSON.stringify(joined)}`;
    } catch (thrown) {
      const isLeft = rejects === 'left';
      const origin = withOrigin ? (isLeft ? from : other) : undefined;
      rejectThrown(
        this.#node.reject,
        this.#id,
        thrown,
        isLeft ? l : r,
        origin,
        isLeft ? [l, r] : [r, l],
      );
      return this.#node.takeRejections();
    }
  }

  #pairOf(
    left: Provenance | undefined,
    right: { readonly origin: Provenance | undefined } | undefined,
  ): Provenance | undefined {
    const identity = identityOf(left);
    const other: Identity | undefined = right && identityOf(right.origin);
    if (identity === undefined || (right !== undefined && other === undefined)) return undefined;
    return { derived: { kind: 'pair', node: this.#id, left: identity, right: other } };
  }
}
