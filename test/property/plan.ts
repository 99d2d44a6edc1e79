/**
 * What the property suite makes up: a topology of any operators, and a history of what happens to
 * it. Both are data, so that a failure can be shown, made smaller and run again.
 *
 * References are numbers that are taken modulo what there is, so that every plan is a legal one,
 * also when it was made smaller.
 */
import fc from 'fast-check';
import type { KeyKind } from './rows.ts';
import { keysOf } from './rows.ts';

/** What needs no event time. */
export type StatelessOp =
  | { readonly kind: 'map'; readonly throws: boolean }
  | { readonly kind: 'filter' }
  | { readonly kind: 'flatMap'; readonly throws: boolean }
  | { readonly kind: 'table' }
  | {
      readonly kind: 'async';
      readonly ordered: boolean;
      readonly connector: boolean;
      readonly cached: boolean;
      readonly capacity: number;
      readonly latencyMs: number;
      readonly failing: 'never' | 'twice' | 'reject';
    };

export type Shape =
  | { readonly type: 'tumbling'; readonly sizeMs: number; readonly offsetMs: number }
  | {
      readonly type: 'sliding';
      readonly sizeMs: number;
      readonly slideMs: number;
      readonly offsetMs: number;
    }
  | { readonly type: 'session'; readonly gapMs: number };

export type TimedOp =
  | { readonly kind: 'branch'; readonly rest: boolean }
  | { readonly kind: 'union'; readonly others: readonly number[] }
  | { readonly kind: 'deduplicate'; readonly withinMs: number; readonly side: boolean }
  | {
      readonly kind: 'window';
      readonly shape: Shape;
      readonly key: KeyKind;
      readonly allowedLatenessMs: number;
      readonly earlyMs: number;
      readonly discarding: boolean;
      readonly side: boolean;
    }
  | {
      readonly kind: 'join';
      readonly other: number;
      readonly lowerMs: number;
      readonly widthMs: number;
      readonly exclusive: readonly [lower: boolean, upper: boolean];
      readonly left: boolean;
      readonly side: boolean;
    }
  | {
      readonly kind: 'process';
      readonly key: KeyKind;
      readonly periodMs: number;
      readonly chain: number;
    };

/**
 * `from` counts back from the newest stream; `tap` gives its result a sink though others read it.
 */
export type Op = (StatelessOp | TimedOp) & { readonly from: number; readonly tap: boolean };

export interface Plan {
  /** What each source reads (streams modulo three), and what comes before event time. */
  readonly sources: readonly { readonly stream: number; readonly before: readonly StatelessOp[] }[];
  /** Whether all sources are one before event time is set. */
  readonly unionBefore: boolean;
  readonly outOfOrdernessMs: number;
  readonly idleAfterMs: number;
  /** Event times as text. */
  readonly iso: boolean;
  readonly ops: readonly Op[];
}

/** What is wrong with an event: nothing, its time, its data, its bytes, its stream. */
export type Flaw = 'none' | 'future' | 'schema' | 'bytes' | 'foreign';

export type Step =
  | {
      readonly do: 'event';
      readonly stream: number;
      readonly split: number;
      /** How far time goes on, and how far behind it the event is, as a share of the bound. */
      readonly onMs: number;
      readonly behind: number;
      readonly k: number;
      readonly n: number;
      readonly flaw: Flaw;
      /** How far it is behind the bound: then it may be late. */
      readonly lateMs: number;
      /** Whether it is sent a second time, to another split. */
      readonly twice: boolean;
    }
  | { readonly do: 'pass'; readonly ms: number }
  | {
      readonly do: 'fault';
      readonly stream: number;
      readonly split: number;
      readonly fault: 'unreachable' | 'silent' | 'throttled';
    }
  | { readonly do: 'mend' }
  | { readonly do: 'reshard'; readonly stream: number; readonly split: number }
  /**
   * The run ends: by itself, between any two of its steps, or not at all, so that it goes on beside
   * the next.
   */
  | { readonly do: 'restart'; readonly how: 'stop' | 'kill' | 'leave'; readonly downMs: number }
  /**
   * The run is killed at its next so-many-th call to a sink or the store, before or after that took
   * effect; or the call fails.
   */
  | { readonly do: 'crash'; readonly calls: number; readonly how: 'before' | 'after' | 'failing' }
  | { readonly do: 'drain' };

export interface History {
  readonly steps: readonly Step[];
  /** Records of a turn at most. */
  readonly turnRecords: number;
  readonly checkpointMs: number;
  /** What state may be live objects; default: as a job has it. */
  readonly liveStateMaxBytes?: number;
  /** Splits of each stream. */
  readonly splits: readonly number[];
  /** When it begins, epoch ms. */
  readonly startMs: number;
  /** Over how many workers keys are divided in each run, again and again. Absent: in none. */
  readonly parallelisms?: readonly number[];
}

const index = fc.nat({ max: 5 });
const tens = (from: number, to: number): fc.Arbitrary<number> =>
  fc.integer({ min: from / 10, max: to / 10 }).map((n) => n * 10);

const stateless: fc.Arbitrary<StatelessOp> = fc.oneof(
  fc.record({ kind: fc.constant('map'), throws: fc.boolean() }),
  fc.record({ kind: fc.constant('filter') }),
  fc.record({ kind: fc.constant('flatMap'), throws: fc.boolean() }),
  fc.record({ kind: fc.constant('table') }),
  fc.record({
    kind: fc.constant('async'),
    ordered: fc.boolean(),
    connector: fc.boolean(),
    cached: fc.boolean(),
    capacity: fc.constantFrom(1, 2, 8, 64),
    latencyMs: fc.constantFrom(0, 0, 30, 400),
    failing: fc.constantFrom('never', 'never', 'twice', 'reject'),
  }),
) as fc.Arbitrary<StatelessOp>;

/** An unordered look-up before event time adds disorder of its own, which no bound covers. */
const untimed = stateless.map(
  (op): StatelessOp => (op.kind === 'async' ? { ...op, ordered: true } : op),
);

const shapes: fc.Arbitrary<Shape> = fc.oneof(
  tens(50, 2_000).chain((sizeMs) =>
    fc.record({
      type: fc.constant('tumbling' as const),
      sizeMs: fc.constant(sizeMs),
      offsetMs: tens(10 - sizeMs, sizeMs - 10),
    }),
  ),
  tens(100, 900).chain((slideMs) =>
    fc.record({
      type: fc.constant('sliding' as const),
      slideMs: fc.constant(slideMs),
      sizeMs: tens(50, slideMs * 3),
      offsetMs: tens(10 - slideMs, slideMs - 10),
    }),
  ),
  // No gap between two events is exactly this: whether such ones are of one session would depend on
  // when time passes the first.
  tens(50, 900).map((ms) => ({ type: 'session' as const, gapMs: ms + 5 })),
);

const keys = fc.constantFrom(...(Object.keys(keysOf) as KeyKind[]));

const timed: fc.Arbitrary<TimedOp> = fc.oneof(
  fc.record({ kind: fc.constant('branch'), rest: fc.boolean() }),
  fc.record({
    kind: fc.constant('union'),
    others: fc.array(index, { minLength: 1, maxLength: 2 }),
  }),
  fc.record({
    kind: fc.constant('deduplicate'),
    withinMs: fc.constantFrom(1, 500, 3_600_000),
    side: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('window'),
    shape: shapes,
    key: keys,
    allowedLatenessMs: fc.constantFrom(0, 0, 300, 3_600_000),
    earlyMs: fc.constantFrom(0, 0, 40, 250),
    discarding: fc.boolean(),
    side: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('join'),
    other: index,
    lowerMs: tens(-800, 400),
    widthMs: tens(20, 700),
    exclusive: fc.tuple(fc.boolean(), fc.boolean()),
    left: fc.boolean(),
    side: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('process'),
    key: keys,
    periodMs: fc.constantFrom(100, 250, 1_000),
    chain: fc.nat({ max: 3 }),
  }),
) as fc.Arbitrary<TimedOp>;

const placed = {
  from: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: index }),
  tap: fc.boolean(),
};
const op: fc.Arbitrary<Op> = fc
  .tuple(
    fc.oneof({ weight: 1, arbitrary: stateless }, { weight: 2, arbitrary: timed }),
    fc.record(placed),
  )
  .map(([chosen, place]) => ({ ...chosen, ...place }));

const plans: fc.Arbitrary<Plan> = fc.record({
  sources: fc.array(
    fc.record({ stream: fc.nat({ max: 2 }), before: fc.array(untimed, { maxLength: 2 }) }),
    { minLength: 1, maxLength: 3 },
  ),
  unionBefore: fc.boolean(),
  outOfOrdernessMs: fc.constantFrom(0, 100, 1_000),
  idleAfterMs: fc.constantFrom(0, 300, 2_000),
  iso: fc.boolean(),
  ops: fc.array(op, { minLength: 1, maxLength: 5, size: 'max' }),
});

const event: fc.Arbitrary<Step> = fc.record({
  do: fc.constant('event' as const),
  stream: fc.nat({ max: 2 }),
  split: fc.nat({ max: 3 }),
  onMs: fc.oneof(
    { weight: 12, arbitrary: tens(0, 300) },
    { weight: 1, arbitrary: fc.constantFrom(3_000, 60_000) },
  ),
  behind: fc.constantFrom(0, 0, 0.5, 1),
  lateMs: fc.constant(0),
  k: fc.nat({ max: 3 }),
  n: fc.nat({ max: 200 }),
  flaw: fc.oneof(
    { weight: 30, arbitrary: fc.constant<Flaw>('none') },
    { weight: 1, arbitrary: fc.constantFrom<Flaw>('future', 'schema', 'bytes', 'foreign') },
  ),
  twice: fc.oneof(
    { weight: 9, arbitrary: fc.constant(false) },
    { weight: 1, arbitrary: fc.constant(true) },
  ),
});

const happening: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('pass' as const),
      ms: fc.constantFrom(50, 250, 1_000, 4_000),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('fault' as const),
      stream: fc.nat({ max: 2 }),
      split: fc.nat({ max: 3 }),
      fault: fc.constantFrom('unreachable' as const, 'silent' as const, 'throttled' as const),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'mend' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('reshard' as const),
      stream: fc.nat({ max: 2 }),
      split: fc.nat({ max: 3 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('restart' as const),
      how: fc.constantFrom('stop' as const, 'kill' as const, 'leave' as const),
      downMs: fc.constantFrom(0, 500, 3_600_000),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('crash' as const),
      calls: fc.integer({ min: 1, max: 12 }),
      how: fc.constantFrom('before' as const, 'after' as const, 'failing' as const),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'drain' as const }) },
);

const histories: fc.Arbitrary<History> = fc.record({
  steps: fc.array(fc.oneof({ weight: 4, arbitrary: event }, { weight: 1, arbitrary: happening }), {
    maxLength: 70,
    size: 'max',
  }),
  turnRecords: fc.constantFrom(1, 3, 10, 1_000),
  checkpointMs: fc.constantFrom(0, 100, 1_000, 1_000_000),
  liveStateMaxBytes: fc.constantFrom(0, 10_000, 1_000_000_000),
  splits: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 3, maxLength: 3 }),
  startMs: fc.constantFrom(0, Date.UTC(2026, 0, 1)),
  parallelisms: fc.constantFrom([1], [1], [2], [3], [1, 2, 3], [3, 2, 1]),
});

/**
 * One operator that says what is late, right behind event time: then what was not late has one
 * answer.
 */
const lateOps: fc.Arbitrary<Op> = fc
  .oneof(
    fc.record({
      kind: fc.constant('deduplicate'),
      withinMs: fc.constantFrom(1, 500),
      side: fc.constant(true),
    }),
    fc.record({
      kind: fc.constant('window'),
      shape: shapes.filter(({ type }) => type === 'tumbling'),
      key: keys,
      allowedLatenessMs: fc.constantFrom(0, 300, 3_600_000),
      earlyMs: fc.constant(0),
      discarding: fc.constant(false),
      side: fc.constant(true),
    }),
    fc.record({
      kind: fc.constant('join'),
      other: fc.constantFrom(0, 1),
      lowerMs: tens(-800, 400),
      widthMs: tens(20, 700),
      exclusive: fc.tuple(fc.boolean(), fc.boolean()),
      left: fc.boolean(),
      side: fc.constant(true),
    }),
  )
  .map((chosen) => ({ ...chosen, from: 0, tap: false }) as Op);

const oneToOne: fc.Arbitrary<StatelessOp> = fc.oneof(
  fc.record({ kind: fc.constant('map'), throws: fc.boolean() }),
  fc.record({ kind: fc.constant('filter') }),
  fc.record({ kind: fc.constant('table') }),
) as fc.Arbitrary<StatelessOp>;

const latePlans: fc.Arbitrary<Plan> = fc.record({
  sources: fc
    .array(fc.array(oneToOne, { maxLength: 1 }), { minLength: 1, maxLength: 2 })
    .map((befores) => befores.map((before, stream) => ({ stream, before }))),
  unionBefore: fc.constant(false),
  outOfOrdernessMs: fc.constantFrom(0, 100, 1_000),
  idleAfterMs: fc.constantFrom(0, 300),
  iso: fc.boolean(),
  ops: lateOps.map((chosen) => [chosen]),
});

const lateHistories: fc.Arbitrary<History> = fc
  .tuple(
    histories,
    fc.array(fc.constantFrom(0, 0, 0, 200, 2_000, 20_000), { minLength: 1, maxLength: 20 }),
  )
  .map(([history, lates]) => ({
    ...history,
    steps: history.steps.map((step, n) =>
      step.do === 'event' ? { ...step, lateMs: lates[n % lates.length] ?? 0 } : step,
    ),
  }));

/** A topology, and what happens to it. Nothing is late, or what is late is said. */
export interface Game {
  readonly late: boolean;
  readonly plan: Plan;
  readonly history: History;
}

export const games: fc.Arbitrary<Game> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ late: fc.constant(false), plan: plans, history: histories }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ late: fc.constant(true), plan: latePlans, history: lateHistories }),
  },
);
