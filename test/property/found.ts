/**
 * Histories that the suite found, as small as it made them, with what was wrong in a sentence: each
 * is played again.
 */
import type { History, Op, Plan, Step } from './plan.ts';

interface Found {
  readonly name: string;
  readonly plan: Plan;
  readonly history: History;
}

const source = { stream: 0, before: [] } as const;
const place = { from: 0, tap: false } as const;

function planOf(parts: Partial<Plan> & { readonly ops: readonly Op[] }): Plan {
  return {
    sources: [source],
    unionBefore: false,
    outOfOrdernessMs: 0,
    idleAfterMs: 300,
    iso: false,
    ...parts,
  };
}

function historyOf(...steps: readonly Step[]): History {
  return { steps, turnRecords: 1, checkpointMs: 0, splits: [1, 1, 1], startMs: 0 };
}

function event(onMs: number, stream = 0, split = 0): Extract<Step, { do: 'event' }> {
  return {
    do: 'event',
    stream,
    split,
    onMs,
    behind: 0,
    lateMs: 0,
    k: 0,
    n: 0,
    flaw: 'none',
    twice: false,
  };
}

const join = {
  kind: 'join',
  other: 0,
  lowerMs: 0,
  widthMs: 20,
  exclusive: [false, false],
  left: false,
  side: false,
} as const;
const process = { kind: 'process', key: 'text', periodMs: 100, chain: 0 } as const;
const slow = {
  kind: 'async',
  ordered: true,
  connector: false,
  cached: false,
  capacity: 8,
  latencyMs: 400,
  failing: 'never',
} as const;
const window = {
  kind: 'window',
  shape: { type: 'tumbling', sizeMs: 50, offsetMs: 0 },
  key: 'text',
  allowedLatenessMs: 0,
  earlyMs: 0,
  discarding: false,
  side: false,
} as const;
const deduplicate = { kind: 'deduplicate', withinMs: 1, side: false } as const;

export const found: readonly Found[] = [
  {
    name: 'a split that falls silent in the tick in which another moves on is asked again first',
    plan: planOf({
      sources: [{ stream: 1, before: [] }],
      idleAfterMs: 2_000,
      ops: [
        { ...join, ...place },
        { ...slow, ordered: false, capacity: 1, ...place },
      ],
    }),
    history: {
      ...historyOf(
        event(0, 1),
        event(0, 1),
        { do: 'pass', ms: 50 },
        { ...event(0, 1), k: 1 },
        { do: 'pass', ms: 4_000 },
        { ...event(3_000, 1), twice: true },
        event(10, 1, 1),
      ),
      splits: [1, 2, 1],
      turnRecords: 10,
    },
  },
  {
    name: 'a look-up that holds rows is not idle for a join behind it, though it was idle before they came',
    plan: planOf({
      idleAfterMs: 2_000,
      ops: [
        { ...slow, ordered: false, capacity: 1, ...place },
        { ...join, other: 3, ...place },
      ],
    }),
    history: { ...historyOf({ do: 'pass', ms: 4_000 }, event(0), event(10)), turnRecords: 10 },
  },
  {
    name: 'both inputs of a join wake in the turn in which one of them says so',
    plan: planOf({
      idleAfterMs: 2_000,
      ops: [
        { ...process, ...place },
        { ...join, ...place },
      ],
    }),
    history: historyOf(event(0), { do: 'pass', ms: 4_000 }, event(110), { do: 'pass', ms: 250 }),
  },
  {
    name: 'rows that wait in a look-up before a union are no silence, whatever the ticks of another source say',
    plan: planOf({
      sources: [{ stream: 0, before: [slow] }, source],
      unionBefore: true,
      ops: [{ ...deduplicate, ...place }],
    }),
    history: historyOf(event(3_000), event(50), { do: 'pass', ms: 1_000 }),
  },
  {
    name: 'rows that wait in a look-up before a union are no silence, nor when their split does not answer behind them',
    plan: planOf({
      sources: [source, { stream: 1, before: [slow] }],
      unionBefore: true,
      ops: [{ ...window, ...place }],
    }),
    history: {
      ...historyOf(
        { do: 'pass', ms: 4_000 },
        event(3_000, 1),
        { do: 'fault', stream: 1, split: 0, fault: 'silent' },
        event(200),
        {
          do: 'pass',
          ms: 1_500,
        },
      ),
      checkpointMs: 300,
    },
  },
  {
    name: 'rows that a restored look-up still holds before a union are no silence either',
    plan: planOf({
      sources: [source, { stream: 1, before: [slow] }],
      unionBefore: true,
      ops: [{ ...deduplicate, ...place }],
    }),
    history: historyOf(event(0, 1), { do: 'restart', how: 'stop', downMs: 0 }, event(10)),
  },
  {
    name: 'a split that takes no more is not silent before its children have begun',
    plan: planOf({
      sources: [{ stream: 1, before: [] }],
      ops: [{ ...window, ...place }],
    }),
    history: historyOf(
      { do: 'reshard', stream: 1, split: 0 },
      { do: 'fault', stream: 1, split: 2, fault: 'unreachable' },
      { do: 'reshard', stream: 1, split: 2 },
      { do: 'pass', ms: 1_000 },
      event(0, 1, 1),
      event(50, 1),
    ),
  },
  {
    name: 'a parent that was not read before a drain lets its children be read',
    plan: planOf({ idleAfterMs: 0, ops: [{ ...process, ...place }] }),
    history: historyOf(
      { do: 'reshard', stream: 0, split: 0 },
      { do: 'fault', stream: 0, split: 0, fault: 'unreachable' },
      { do: 'pass', ms: 50 },
      event(0),
    ),
  },
];
