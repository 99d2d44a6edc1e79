/**
 * What the readers of a job's sources say of their splits, in line with their elements, and what
 * becomes of it in front of event time (topology/operators/event-time/).
 *
 * Invariants:
 * 1. After a restore every part of the operator knows the splits of all parts: they may have moved.
 *    Each holds time back until the reader beside it says which ones it reads.
 * 2. A part whose readers have no split is idle: it would hold back all others for good.
 * 3. Ticks say what was heard (`Heard`) once a reader told anything: a split that nobody has found
 *    empty is not idle, however long the job was busy with others.
 */
import type { Provenance } from '../../../topology/nodes/sink.ts';
import type { Batch, RowKind, SplitBegin } from '../../../topology/operators/batch.ts';
import { noSplit, rowKinds } from '../../../topology/operators/batch.ts';
import type { SplitSnapshot } from '../../../topology/time/split-time.ts';
import type {
  Heard,
  SplitWatermarks,
  WatermarkSnapshot,
} from '../../../topology/time/watermark.ts';
import { decodeTime, encodeTime, maxTime, minTime } from '../../../topology/time/watermark.ts';

/** Rows of the job alone (job/, `Elem`). */
const readerKinds = {
  /** Splits, by key, with the time at which a read began that found their end. */
  heard: 10,
  /** `Reads`. */
  reads: 11,
} as const;

/** The reader of a place reads these splits and no others. */
interface Reads {
  /** What the keys of its splits begin with. */
  readonly place: string;
  readonly splits: readonly string[];
}

type Row = readonly [
  kind: RowKind,
  value: unknown,
  timestamp: number,
  origin: Provenance | undefined,
];

export class SplitReaders {
  readonly #watermarks: SplitWatermarks;
  readonly #places: number;
  readonly #said = new Set<string>();
  readonly #heard = new Map<string, number>();
  #isTold = false;

  /** `places`: how many readers are in front of the operator. */
  constructor(watermarks: SplitWatermarks, places: number) {
    this.#watermarks = watermarks;
    this.#places = places;
  }

  /** Turns the rows of readers into those of event time, in their places. */
  prepare(batch: Batch): void {
    if (batch.kinds.every((kind) => kind === rowKinds.element)) return;
    const { kinds, values, timestamps, origins } = batch;
    const rows = kinds.map(
      (kind, i): Row => [kind, values[i], timestamps[i] as number, origins[i]],
    );
    batch.clear();
    for (const row of rows) this.#row(row, batch);
  }

  #row([kind, value, timestamp, origin]: Row, batch: Batch): void {
    switch (kind as number) {
      case readerKinds.heard:
        this.#isTold = true;
        for (const [split, ms] of Object.entries(value as Readonly<Record<string, number>>))
          this.#heard.set(split, ms);
        break;
      case readerKinds.reads:
        this.#reads(value as Reads, batch);
        break;
      case rowKinds.tick:
        batch.push(kind, value ?? this.#hearing(), timestamp, origin);
        break;
      case rowKinds.split:
        this.#isTold ||= (value as SplitBegin).told;
        batch.push(kind, value, timestamp, origin);
        break;
      default:
        batch.push(kind, value, timestamp, origin);
    }
  }

  #reads({ place, splits }: Reads, batch: Batch): void {
    this.#isTold = true;
    this.#said.add(place);
    const kept = new Set(splits);
    let left = 0;
    for (const split of this.#watermarks.splits.keys()) {
      if (split.startsWith(`${place} `) && !kept.has(split)) {
        batch.control(rowKinds.splitEnd, 0, split);
        this.#heard.delete(split);
      } else if (split !== noSplit) left++;
    }
    if (left === 0 && kept.size === 0 && this.#said.size >= this.#places)
      batch.control(rowKinds.idle, 0);
  }

  /** Other parts of the operator hear for themselves. */
  #hearing(): Heard | undefined {
    return this.#isTold ? { through: maxTime, source: '', at: this.#heard } : undefined;
  }
}

/**
 * What all parts of an operator knew, as each of them restores it: of a split that several know the
 * latest, and what holds for the part that was furthest behind.
 */
export function mergedSnapshot(parts: readonly WatermarkSnapshot[]): WatermarkSnapshot {
  const splits = new Map<string, SplitSnapshot>();
  for (const part of parts)
    for (const split of part.splits) {
      const known = splits.get(split[0]);
      if (known === undefined || reached(split) > reached(known)) splits.set(split[0], split);
    }
  const active = parts.filter(({ idle }) => !idle);
  const emitted = (active.length === 0 ? parts : active).map((part) => decodeTime(part.emitted));
  const at = active.length === 0 ? Math.max(...emitted) : Math.min(...emitted);
  return { splits: [...splits.values()], emitted: encodeTime(at), idle: active.length === 0 };
}

function reached([, maxTimestamp]: SplitSnapshot): number {
  return maxTimestamp ?? minTime;
}
