/**
 * A sender that was let in and stays: on a WebSocket, or while a body arrives. It is judged again,
 * by its key and the configuration as they are then.
 *
 * Invariant: what was refused once stays refused.
 */
import type { Refusal } from '../event/refusal.ts';
import { isRefusal } from '../event/refusal.ts';
import type { Admitted, Gate } from './gate.ts';
import { admitAgain } from './gate.ts';

export class Standing {
  readonly #gate: Gate;
  readonly #origin: string;
  #admitted: Admitted;
  #refused: Refusal | undefined;

  /** `origin` as the request had it. */
  constructor(gate: Gate, admitted: Admitted, origin: string) {
    this.#gate = gate;
    this.#admitted = admitted;
    this.#origin = origin;
  }

  /** As of the last judgement. */
  get admitted(): Admitted {
    return this.#admitted;
  }

  /** Why it was not let in when it was last judged. */
  get refused(): Refusal | undefined {
    return this.#refused;
  }

  /** Why it is not let in any more. */
  judge(): Refusal | undefined {
    if (this.#refused !== undefined) return this.#refused;
    const found = admitAgain(this.#gate, this.#admitted, this.#origin);
    if (isRefusal(found)) this.#refused = found;
    else this.#admitted = found;
    return this.#refused;
  }
}
