/**
 * An interval join that looks at all rows it has for each that comes, and keeps them as objects:
 * what the operator has to give, whatever of its state rests as bytes.
 */
import type { Identity } from '../../../topology/nodes/sink.ts';

export interface ModelBounds {
  readonly lower: number;
  readonly upper: number;
  readonly join: 'inner' | 'left';
}

export interface ModelRow {
  readonly key: string;
  readonly time: number;
  readonly arrival: number;
  readonly value: unknown;
  readonly identity: Identity | undefined;
  matched: boolean;
}

/** What comes out: a pair, a left row alone, a watermark, or an element whose pair was rejected. */
export type Given =
  | readonly ['pair', value: unknown, time: number, left: unknown, right: unknown]
  | readonly ['watermark', time: number]
  | readonly ['rejected', value: unknown];

interface ModelState {
  readonly rows: readonly [ModelRow[], ModelRow[]];
  readonly arrivals: [number, number];
  readonly watermarks: [number, number];
  watermark: number;
}

const byPlace = (a: ModelRow, b: ModelRow): number => a.time - b.time || a.arrival - b.arrival;
const byLeaving = (a: ModelRow, b: ModelRow): number =>
  a.time - b.time || (a.key < b.key ? -1 : a.key > b.key ? 1 : a.arrival - b.arrival);

export class JoinModel {
  readonly #bounds: ModelBounds;
  readonly #join: (left: unknown, right: unknown) => unknown;
  readonly #stays: readonly [number, number];
  #state: ModelState = {
    rows: [[], []],
    arrivals: [0, 0],
    watermarks: [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY],
    watermark: Number.NEGATIVE_INFINITY,
  };

  constructor(bounds: ModelBounds, join: (left: unknown, right: unknown) => unknown) {
    this.#bounds = bounds;
    this.#join = join;
    this.#stays = [Math.max(bounds.upper, 0), Math.max(-bounds.lower, 0)];
  }

  get open(): number {
    return this.#state.rows[0].length + this.#state.rows[1].length;
  }

  /** The watermark at which a row leaves next. */
  get next(): number | undefined {
    const due = this.#state.rows.flatMap((rows, side) =>
      rows.map(({ time }) => time + (this.#stays[side] ?? 0)),
    );
    return due.length === 0 ? undefined : Math.min(...due);
  }

  get watermark(): number {
    return this.#state.watermark;
  }

  /** What a checkpoint of now has, to be `restore`d. Values are then what JSON says of them. */
  snapshot(): string {
    const { watermarks, watermark, ...rest } = this.#state;
    return JSON.stringify({
      ...rest,
      watermarks: watermarks.map(String),
      watermark: `${watermark}`,
    });
  }

  restore(snapshot: string): void {
    const { rows, arrivals, watermarks, watermark } = JSON.parse(snapshot);
    const [first, second] = watermarks.map(Number);
    this.#state = {
      rows,
      arrivals,
      watermarks: [first, second],
      watermark: Number(watermark),
    };
  }

  /** Undefined: the element is late. */
  element(
    side: 0 | 1,
    { key, time, value, identity }: Pick<ModelRow, 'key' | 'time' | 'value' | 'identity'>,
  ): readonly Given[] | undefined {
    const { rows, arrivals, watermark } = this.#state;
    if (time < watermark) return undefined;
    const { lower, upper, join } = this.#bounds;
    const own: ModelRow = { key, time, arrival: arrivals[side]++, value, identity, matched: false };
    rows[side].push(own);
    return rows[side === 0 ? 1 : 0].toSorted(byPlace).flatMap((other): readonly Given[] => {
      const [left, right] = side === 0 ? [own, other] : [other, own];
      const apart = right.time - left.time;
      if (other.key !== key || apart < lower || apart > upper) return [];
      const given = this.#give(left, right, join === 'left' ? right : own);
      if (given[0] === 'pair') left.matched = true;
      return [given];
    });
  }

  advance(side: 0 | 1, time: number): readonly Given[] {
    const state = this.#state;
    state.watermarks[side] = Math.max(state.watermarks[side], time);
    const watermark = Math.min(...state.watermarks);
    if (watermark <= state.watermark) return [];
    state.watermark = watermark;
    const gone = state.rows.map((rows, at) => {
      const isDue = (row: ModelRow): boolean => row.time + (this.#stays[at] ?? 0) <= watermark;
      const due = rows.filter(isDue).toSorted(byLeaving);
      rows.splice(0, rows.length, ...rows.filter((row) => !isDue(row)));
      return due;
    });
    const isLeft = this.#bounds.join === 'left';
    const alone = isLeft ? (gone[0] ?? []).filter((row) => !row.matched) : [];
    const forwarded =
      isLeft && watermark !== Number.POSITIVE_INFINITY ? watermark - this.#stays[0] - 1 : watermark;
    return [
      ...alone.map((left) => this.#give(left, undefined, left)),
      ['watermark', forwarded] as const,
    ];
  }

  #give(left: ModelRow, right: ModelRow | undefined, named: ModelRow): Given {
    let joined: unknown;
    try {
      joined = this.#join(left.value, right?.value);
    } catch {
      return ['rejected', named.value];
    }
    const time = Math.max(left.time, right?.time ?? left.time);
    return ['pair', joined, time, left.identity, right?.identity];
  }
}
