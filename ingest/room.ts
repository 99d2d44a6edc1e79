/**
 * Bytes of everything that waits for an answer: of all together, and of each sender's share. Pure but for its own numbers.
 *
 * Invariants:
 * 1. All together hold at most `maxBytes`, and one key at most half of it, or what one request alone may hold where that is more: what one
 *    tenant does leaves room for the others.
 * 2. Who is not identified yet holds at most a small part for each network (address.ts), and all of them together a part: none of it is taken
 *    from who is known.
 * 3. A share lasts as long as somebody is in it, and is found by its name meanwhile: there is never a second one.
 */
import { limits } from '../schemas/limits.ts';
import type { Refusal } from './protocol/refusal.ts';

export class Share {
  readonly maxBytes: number;
  readonly #whose: string;
  readonly #within: Share | undefined;
  readonly #onEmpty: (() => void) | undefined;
  #bytes = 0;
  #users = 0;

  constructor(maxBytes: number, whose: string, within?: Share, onEmpty?: () => void) {
    this.maxBytes = maxBytes;
    this.#whose = whose;
    this.#within = within;
    this.#onEmpty = onEmpty;
  }

  get bytes(): number {
    return this.#bytes;
  }

  enter(): this {
    this.#users++;
    return this;
  }

  /** Whoever leaves has released what it held. */
  leave(): void {
    if (--this.#users === 0) this.#onEmpty?.();
  }

  hold(bytes: number): void {
    this.#bytes += bytes;
    this.#within?.hold(bytes);
  }

  release(bytes: number): void {
    this.#bytes -= bytes;
    this.#within?.release(bytes);
  }

  /** Why `bytes` more cannot be let in now. */
  overload(bytes: number): Refusal | undefined {
    if (this.#bytes + bytes <= this.maxBytes) return this.#within?.overload(bytes);
    const message = `${this.#bytes} bytes of ${this.#whose} wait for their answers; at most ${this.maxBytes} may`;
    return { status: 503, code: 'overloaded', message, expected: 'send it again after Retry-After' };
  }
}

export interface Room {
  /** Everything. Who is in no share yet holds here. */
  readonly all: Share;
  ofKey(name: string): Share;
  /** Of a network whose sender is not identified yet. */
  ofNetwork(network: string): Share;
  /** Shares that somebody is in, or that are kept because there are few. */
  readonly shares: number;
}

/** `requestMaxBytes`: the most that one request holds at once, as it arrives and inflated. */
export function createRoom(maxBytes: number, requestMaxBytes: number): Room {
  const atLeast = (part: number, one: number): number => Math.min(maxBytes, Math.max(part, one));
  const all = new Share(maxBytes, 'requests');
  const strangerBytes = 2 * limits.strangerBodyMaxBytes;
  const strangersMaxBytes = atLeast(Math.floor(maxBytes / limits.strangersPart), strangerBytes);
  const strangers = new Share(strangersMaxBytes, 'requests that do not say in their head who sends them', all);
  const keys = sharesWithin(all, atLeast(Math.floor(maxBytes / 2), requestMaxBytes), 'requests of this key');
  const networkMaxBytes = atLeast(Math.floor(maxBytes / limits.strangerNetworkPart), strangerBytes);
  const networks = sharesWithin(strangers, networkMaxBytes, 'requests of this address that do not say in their head who sends them');
  return {
    all,
    ofKey: (name) => keys.of(name),
    ofNetwork: (network) => networks.of(network),
    get shares() {
      return keys.size + networks.size;
    },
  };
}

function sharesWithin(within: Share, maxBytes: number, whose: string): { of(name: string): Share; readonly size: number } {
  const byName = new Map<string, Share>();
  return {
    of(name) {
      const found = byName.get(name);
      if (found !== undefined) return found;
      const made: Share = new Share(maxBytes, whose, within, () => {
        // A few are kept: making one for each request would cost more.
        if (byName.size > limits.idleSharesKept) byName.delete(name);
      });
      byName.set(name, made);
      return made;
    },
    get size() {
      return byName.size;
    },
  };
}
