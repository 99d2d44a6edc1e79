/**
 * The bytes of everything that waits for an answer, in total and per sender. Pure except for its
 * own numbers.
 *
 * Invariants:
 * 1. All together hold at most `maxBytes`. One key holds at most half of what the others leave
 *    free, and alone half of it, or what one request may hold where that is more: n keys that want
 *    more than there is have an (n+1)th each, and one that comes after them finds room.
 * 2. Who is not identified yet holds at most a small part for each network (address.ts), and all of
 *    them together a part: none of it is taken from who is known.
 * 3. A share lasts as long as somebody is in it, and is found by its name meanwhile: there is never
 *    a second one.
 */
import { assert } from '../schemas/kernel/assert.ts';
import { limits } from '../schemas/limits.ts';
import type { Refusal } from './event/refusal.ts';

/**
 * Of the bytes in flight: what all senders together may hold that are not identified yet, and
 * what one network of them; one part of so many.
 */
const strangersPart = 8;
const strangerNetworkPart = 64;
/** Shares of the bytes in flight that are kept while nobody is in them. */
export const idleSharesKept = 256;
assert(
  2 * limits.strangerBodyMaxBytes <= limits.ingressInFlightMaxBytes / strangerNetworkPart,
  'one request of a sender that is not identified yet is always admitted',
);

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

  /** The most that it may hold now. */
  protected most(): number {
    return this.maxBytes;
  }

  /** Why `bytes` more cannot be let in now. */
  overload(bytes: number): Refusal | undefined {
    const most = this.most();
    if (this.#bytes + bytes <= most) return this.#within?.overload(bytes);
    const message = `${this.#bytes} bytes of ${this.#whose} wait for their answers; at most ${most} are allowed`;
    return {
      status: 503,
      code: 'overloaded',
      message,
      expected: 'send it again after Retry-After',
    };
  }
}

/**
 * A share that grows with what is free: A. K. Choudhury and E. L. Hahne, Dynamic Queue Length
 * Thresholds for Shared-Memory Packet Switches, IEEE/ACM Transactions on Networking 6 (2), 1998,
 * with a factor of 1.
 */
class FairShare extends Share {
  readonly #within: Share;

  constructor(maxBytes: number, whose: string, within: Share, onEmpty: () => void) {
    super(maxBytes, whose, within, onEmpty);
    this.#within = within;
  }

  protected override most(): number {
    const others = this.#within.bytes - this.bytes;
    return others === 0
      ? this.maxBytes
      : Math.min(this.maxBytes, Math.floor((this.#within.maxBytes - others) / 2));
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
  const strangersMaxBytes = atLeast(Math.floor(maxBytes / strangersPart), strangerBytes);
  const strangers = new Share(
    strangersMaxBytes,
    'requests that do not say in their head who sends them',
    all,
  );
  const keys = sharesWithin(
    all,
    atLeast(Math.floor(maxBytes / 2), requestMaxBytes),
    'requests of this key',
  );
  const networkMaxBytes = atLeast(Math.floor(maxBytes / strangerNetworkPart), strangerBytes);
  const networks = sharesWithin(
    strangers,
    networkMaxBytes,
    'requests of this address that do not say in their head who sends them',
  );
  return {
    all,
    ofKey: (name) => keys.of(name),
    ofNetwork: (network) => networks.of(network),
    get shares() {
      return keys.size + networks.size;
    },
  };
}

function sharesWithin(
  within: Share,
  maxBytes: number,
  whose: string,
): { of(name: string): Share; readonly size: number } {
  const byName = new Map<string, Share>();
  return {
    of(name) {
      const found = byName.get(name);
      if (found !== undefined) return found;
      const made: Share = new FairShare(maxBytes, whose, within, () => {
        // A few are kept: making one for each request would cost more.
        if (byName.size > idleSharesKept) byName.delete(name);
      });
      byName.set(name, made);
      return made;
    },
    get size() {
      return byName.size;
    },
  };
}
