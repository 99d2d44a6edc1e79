/**
 * Which events go in which request, and when. A lane has one request in flight: what is in one lane
 * arrives in its order.
 *
 * Invariants:
 * 1. An event is posted after everything before it in its lane was settled. Events of one key are
 *    in one lane; without keys, a request's events are.
 * 2. At most two requests a lane are in memory: the one in flight, and the one that is being
 *    filled.
 */
import { createHash } from 'node:crypto';
import type { InputEvent } from './send-pieces.ts';

export interface LaneOptions {
  readonly lanes: number;
  /** Bounds of a request. An event that alone is larger goes alone. */
  readonly maxEvents: number;
  readonly maxBytes: number;
  /** What must keep its order; without it all of a request, and with one lane all of the input. */
  readonly keyOf: ((event: InputEvent) => string) | undefined;
  /** Resolves when each of the events is settled. */
  readonly post: (events: readonly InputEvent[]) => Promise<void>;
}

interface Lane {
  waiting: InputEvent[];
  bytes: number;
  /** The first event of the request in flight. */
  first: number | undefined;
  flight: Promise<void>;
}

export class Lanes {
  readonly #options: LaneOptions;
  readonly #lanes: readonly Lane[];
  /** The lane that is being filled, where there are no keys. */
  #filling = 0;
  #failure: { readonly thrown: unknown } | undefined;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#lanes = Array.from({ length: options.lanes }, () => ({
      waiting: [],
      bytes: 0,
      first: undefined,
      flight: Promise.resolve(),
    }));
  }

  /** Resolves when there is room for the next one. Rejects with what a request failed with. */
  async add(event: InputEvent): Promise<void> {
    const { maxEvents, maxBytes } = this.#options;
    const lane = this.#laneOf(event);
    if (lane.waiting.length > 0 && lane.bytes + event.text.length > maxBytes) {
      await this.#dispatch(lane);
      await this.add(event);
      return;
    }
    lane.waiting.push(event);
    lane.bytes += event.text.length;
    if (lane.waiting.length >= maxEvents) await this.#dispatch(lane);
  }

  /** Sends what waits, full or not. */
  async flush(): Promise<void> {
    for (const lane of this.#lanes) if (lane.waiting.length > 0) await this.#dispatch(lane);
  }

  /** Waits for what is in flight, whether it fails or not. */
  async settled(): Promise<void> {
    await Promise.all(this.#lanes.map(({ flight }) => flight));
  }

  /** Throws what a request failed with. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure.thrown;
  }

  /** The last event up to which all are settled, given that `last` was added. */
  lowWater(last: number): number {
    const open = this.#lanes.flatMap(({ first, waiting }) => first ?? waiting[0]?.number ?? []);
    return open.length === 0 ? last : Math.min(...open) - 1;
  }

  #laneOf(event: InputEvent): Lane {
    const { keyOf } = this.#options;
    const index = keyOf === undefined ? this.#filling : spread(keyOf(event), this.#lanes.length);
    return this.#lanes[index] as Lane;
  }

  async #dispatch(lane: Lane): Promise<void> {
    await lane.flight;
    this.check();
    const { waiting } = lane;
    lane.waiting = [];
    lane.bytes = 0;
    lane.first = waiting[0]?.number;
    lane.flight = this.#options.post(waiting).then(
      () => {
        lane.first = undefined;
      },
      (thrown: unknown) => {
        this.#failure ??= { thrown };
      },
    );
    if (this.#options.keyOf === undefined) this.#filling = (this.#filling + 1) % this.#lanes.length;
  }
}

function spread(key: string, lanes: number): number {
  return lanes === 1 ? 0 : createHash('md5').update(key).digest().readUInt32LE(0) % lanes;
}
