/**
 * Timers that register timers: all of a chain fires, at the end of input too, and one without an
 * end is cut and told instead of going on forever.
 */
import { describe, expect, it } from 'vitest';
import type {
  ProcessContext,
  SluiceEvent,
  StreamDefinition,
  Timer,
  Topology,
} from '../../../topology/index.ts';
import { collect, stream, topology, value } from '../../../topology/index.ts';
import {
  TimerChains,
  timerChainMaxSteps,
  timerChainsMaxSteps,
} from '../../../topology/operators/process/timer-chains.ts';
import { createDriver, event } from '../../../topology/testing.ts';
import { numbersIn, saying } from '../../said.ts';

interface Row {
  readonly key: string;
  /** Timers that are still to come; -1 without end. */
  readonly left: number;
}

type State = { readonly left: ReturnType<typeof value<number>> };
type Context = ProcessContext<string, State>;

/** `next` registers the timer after one that fires. */
function chainOf(
  next: (timer: Timer, context: Context) => void,
  first: (context: Context) => void,
): Topology {
  return topology('chains', { version: 1, owner: 'a/b' }, (t) => {
    t.source('in', stream('a/in') as StreamDefinition<SluiceEvent<Row>>)
      .eventTime('time', () => 0, { outOfOrderness: 0, idleAfter: 0, future: { max: 0 } })
      .keyBy((e) => e.data.key)
      .process('chain', {
        state: { left: value<number>() },
        onElement: (e, context): readonly string[] => {
          context.state.left.set(e.data.left);
          first(context);
          return [];
        },
        onTimer: (timer, context) => {
          const left = context.state.left.get() ?? 0;
          if (left !== 0) next(timer, context);
          context.state.left.set(left - 1);
          return [context.key];
        },
      })
      .sinkTo('out', collect());
  });
}

const byMinutes = chainOf(
  ({ at }, { timers }) => timers.event(at + 60_000),
  ({ timers }) => timers.event(60_000),
);

async function firedBy(
  of: Topology,
  rows: readonly Row[],
  act: 'max' | number | { readonly clock: number },
) {
  const driver = await createDriver(of);
  await driver.push(
    'in',
    rows.map((row) => event(row)),
  );
  if (typeof act === 'object') await driver.setClock(act.clock);
  else await driver.advanceWatermark(act);
  const counts: Record<string, number> = {};
  for (const row of driver.read('out'))
    counts[row.value as string] = (counts[row.value as string] ?? 0) + 1;
  return { counts, rejected: driver.rejected(), signals: driver.signals('out') };
}

describe('a chain of timers', () => {
  it('fires to its last at the end of input', async () => {
    const { counts, rejected } = await firedBy(
      byMinutes,
      [
        { key: 'a', left: 0 },
        { key: 'b', left: 1 },
        { key: 'c', left: 40_000 },
      ],
      'max',
    );
    expect(counts).toEqual({ a: 1, b: 2, c: 40_001 });
    expect(rejected).toEqual([]);
  });

  it('that has no end is cut at the end of input and told, and takes nothing from other keys', async () => {
    const { counts, rejected, signals } = await firedBy(
      byMinutes,
      [
        { key: 'endless', left: -1 },
        { key: 'b', left: 3 },
      ],
      'max',
    );
    expect(counts).toEqual({ endless: timerChainMaxSteps, b: 4 });
    expect(rejected).toMatchObject([
      { operator: 'chain', code: 'function-result', value: { key: 'endless' } },
    ]);
    expect(numbersIn(rejected[0]?.message)).toEqual([timerChainMaxSteps]);
    expect(signals.at(-1)).toBe('max');
  });

  it('of many keys without an end is cut for all of them', () => {
    const chains = new TimerChains();
    const follow = (of: TimerChains, key: string, times: number): void => {
      for (let at = 0; at < times; at++) of.follow(key, at, at + 1);
    };
    const keys = timerChainsMaxSteps / timerChainMaxSteps;
    chains.begin(Number.POSITIVE_INFINITY);
    for (let n = 0; n < keys; n++) follow(chains, `k${n}`, timerChainMaxSteps);
    expect(() => chains.follow('another', 0, 1)).toThrow(
      expect.objectContaining({
        code: 'function-result',
        message: saying({ numbers: [timerChainsMaxSteps] }),
      }),
    );
    // The next advance begins anew.
    chains.begin(5);
    expect(() => chains.follow('another', 1, 1)).not.toThrow();
  });

  it('that stands still is cut wherever it is, and one that moves on is not', async () => {
    const still = chainOf(
      ({ at }, { timers }) => timers.event(at),
      ({ timers }) => timers.event(5),
    );
    const stood = await firedBy(still, [{ key: 'a', left: -1 }], 10);
    expect(stood.counts).toEqual({ a: timerChainMaxSteps });
    expect(numbersIn(stood.rejected[0]?.message)).toEqual([timerChainMaxSteps, 10]);
    const moving = chainOf(
      ({ at }, { timers }) => timers.event(at + 1),
      ({ timers }) => timers.event(1),
    );
    const moved = await firedBy(moving, [{ key: 'a', left: -1 }], 150_000);
    expect(moved.counts).toEqual({ a: 150_000 });
    expect(moved.rejected).toEqual([]);
  });

  it('of processing time that stands still is cut; the end of input fires none of processing time', async () => {
    const still = chainOf(
      (_, { timers, processingTime }) => timers.processing(processingTime),
      ({ timers, processingTime }) => timers.processing(processingTime + 5),
    );
    const stood = await firedBy(still, [{ key: 'a', left: -1 }], { clock: 5 });
    expect(stood.counts).toEqual({ a: timerChainMaxSteps });
    expect(stood.rejected).toHaveLength(1);
    expect((await firedBy(still, [{ key: 'a', left: 0 }], 'max')).counts).toEqual({});
  });
});
