/**
 * How many WebSockets are open: of all, of each key, of each network (address.ts). Pure but for its
 * own numbers.
 *
 * The HTTP server puts a message together before anybody sees it, up to twice the bound of a
 * message: what a connection makes it hold does not show. So the connections are bounded, for each
 * of those who can open many.
 */
import { limits } from '../../../schemas/limits.ts';
import type { Refusal } from '../../event/refusal.ts';

export class Census {
  readonly #networkMax: number;
  readonly #keys = new Map<string, number>();
  readonly #networks = new Map<string, number>();
  #all = 0;

  constructor(networkMax: number) {
    this.#networkMax = networkMax;
  }

  /**
   * Why one more may not be opened. `key` is empty where there are no keys, and everybody is the
   * same sender.
   */
  refuse(key: string, network: string): Refusal | undefined {
    const most = limits.wsConnectionsMax;
    if (this.#all >= most) return tooMany(this.#all, '', most);
    const ofNetwork = this.#networks.get(network) ?? 0;
    if (ofNetwork >= this.#networkMax)
      return tooMany(ofNetwork, ' from this address', this.#networkMax);
    const ofKey = this.#keys.get(key) ?? 0;
    return key !== '' && ofKey >= most / 2 ? tooMany(ofKey, ' of this key', most / 2) : undefined;
  }

  /** Counts one more, until the call of what is returned. */
  add(key: string, network: string): () => void {
    this.#all++;
    count(this.#keys, key, 1);
    count(this.#networks, network, 1);
    return () => {
      this.#all--;
      count(this.#keys, key, -1);
      count(this.#networks, network, -1);
    };
  }
}

function count(within: Map<string, number>, name: string, by: number): void {
  const next = (within.get(name) ?? 0) + by;
  if (next === 0) within.delete(name);
  else within.set(name, next);
}

function tooMany(open: number, whose: string, most: number): Refusal {
  const message = `${open} WebSockets${whose} are open; at most ${most} are allowed`;
  return {
    status: 503,
    code: 'too-many-connections',
    message,
    expected: 'connect again later',
    retryAfterSeconds: 10,
  };
}
