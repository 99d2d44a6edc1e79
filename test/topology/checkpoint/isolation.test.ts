/**
 * That what failed runs leave finds every element that spoils a turn or a checkpoint, and no other,
 * whatever the turns: against runs that are played on numbers.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { IncomingRecord } from '../../../schemas/ports/record.ts';
import type { Isolation, RecordSpan, RunFailure } from '../../../topology/checkpoint/isolation.ts';
import {
  afterCheckpoint,
  deriveIsolation,
  isolationCheckpoints,
  isolationTriesMax,
  isSuspecting,
  isWithin,
  nothingSuspected,
  partsOfTurn,
} from '../../../topology/checkpoint/isolation.ts';

const split = 'in kinesis 0';
const record = (position: number): IncomingRecord => ({
  position: String(position),
  key: 'k',
  value: new Uint8Array(),
  arrivedAtMs: 0,
});
const spanOf = (records: readonly IncomingRecord[]): RecordSpan => ({
  split,
  from: records[0]?.position ?? '',
  through: records.at(-1)?.position ?? '',
});

interface Spoilers {
  /** Fail the turn that they are in. */
  readonly turns: ReadonlySet<number>;
  /** Fail the next checkpoint. */
  readonly checkpoints: ReadonlySet<number>;
}

interface State {
  readonly position: number;
  readonly isolation: Isolation;
}

/**
 * One run over positions 1 to `end`, with a checkpoint after so many turns; ends with a failure, or
 * with what the last checkpoint holds.
 */
function play(
  from: State,
  end: number,
  turnSize: number,
  turnsACheckpoint: number,
  spoilers: Spoilers,
): State | (State & { failure: RunFailure }) {
  let stored = from;
  let { position } = from;
  let entered: RecordSpan | undefined;
  let turns = 0;
  let place: string | undefined;
  let completed = 0;
  let spoiled = false;
  const fail = (failure: RunFailure): State & { failure: RunFailure } => ({ ...stored, failure });
  const checkpoint = (): RunFailure | undefined => {
    if (spoiled)
      return {
        kind: 'checkpoint',
        spans: entered === undefined ? [] : [entered],
        turns,
        place,
        message: 'spoiled',
      };
    stored = {
      position,
      isolation: afterCheckpoint(
        stored.isolation,
        () => ({ position: String(position) }),
        ++completed,
      ),
    };
    [entered, turns, place] = [undefined, 0, undefined];
    return undefined;
  };
  while (position < end) {
    const records = Array.from({ length: Math.min(turnSize, end - position) }, (_, n) =>
      record(position + n + 1),
    );
    for (const part of partsOfTurn(stored.isolation, split, records)) {
      const span = spanOf(part.records);
      const own = part.alone ? span.from : undefined;
      entered = { ...span, from: entered?.from ?? span.from };
      turns++;
      place = turns === 1 ? own : undefined;
      for (const { position: at } of part.records) {
        if (stored.isolation.setAside.some((aside) => aside.place === at)) continue;
        if (spoilers.turns.has(Number(at)))
          return fail({ kind: 'turn', span, place: own, operator: 'op', message: 'failed' });
        spoiled ||= spoilers.checkpoints.has(Number(at));
      }
      position = Number(span.through);
      if (!isWithin(stored.isolation.eachTurn, split, span.through)) continue;
      const failed = checkpoint();
      if (failed !== undefined) return fail(failed);
    }
    const failed = turns >= turnsACheckpoint || position === end ? checkpoint() : undefined;
    if (failed !== undefined) return fail(failed);
  }
  return stored;
}

describe('what failed runs leave', () => {
  it('finds all that spoil a turn or a checkpoint, and nothing else, in few runs', () => {
    const spoiling = fc.uniqueArray(fc.integer({ min: 1, max: 120 }), { maxLength: 6 });
    fc.assert(
      fc.property(
        spoiling,
        spoiling,
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 6 }),
        (inTurns, inCheckpoints, turnSize, turns) => {
          const spoilers = { turns: new Set(inTurns), checkpoints: new Set(inCheckpoints) };
          const all = new Set([...inTurns, ...inCheckpoints]);
          let state: State = { position: 0, isolation: nothingSuspected };
          for (let failures = 0; state.position < 120; failures++) {
            const ended = play(state, 120, turnSize, turns, spoilers);
            state =
              'failure' in ended
                ? {
                    position: ended.position,
                    isolation: deriveIsolation(ended.isolation, ended.failure, 0),
                  }
                : ended;
            expect(failures).toBeLessThanOrEqual(5 * all.size);
          }
          expect(new Set(state.isolation.setAside.map(({ place }) => Number(place)))).toEqual(all);
          expect(isSuspecting(state.isolation)).toBe(false);
          expect(state.isolation.tries).toBe(0);
        },
      ),
    );
  });

  it('suspects nobody for a failure without an element, and counts it', () => {
    const failure: RunFailure = {
      kind: 'turn',
      span: undefined,
      place: undefined,
      operator: 'w',
      message: 'a timer',
    };
    const after = deriveIsolation(nothingSuspected, failure, 0);
    expect(after).toEqual({ ...nothingSuspected, tries: 1 });
  });

  it('sets aside what failed alone twice, and not what failed at another place each time', () => {
    const alone = (place: number): RunFailure => ({
      kind: 'turn',
      span: spanOf([record(place)]),
      place: String(place),
      operator: 'op',
      message: 'ended',
    });
    const [first, other] = [deriveIsolation(nothingSuspected, alone(7), 0), alone(8)];
    expect(deriveIsolation(first, other, 0)).toMatchObject({
      setAside: [],
      doubted: { split, place: '8' },
    });
    const second = deriveIsolation(first, alone(7), 0);
    expect(second).toMatchObject({ setAside: [{ split, place: '7', operator: 'op' }] });
    expect(second).not.toHaveProperty('doubted');
  });

  it('sets nothing more aside once too many runs have failed', () => {
    const alone: RunFailure = {
      kind: 'turn',
      span: spanOf([record(1)]),
      place: '1',
      operator: 'op',
      message: 'failed',
    };
    const after = deriveIsolation({ ...nothingSuspected, tries: isolationTriesMax }, alone, 0);
    expect(after.setAside).toEqual([]);
  });

  it('refuses a call from the second time on, and forgets it after so many checkpoints', () => {
    const call = { kind: 'stuck', node: 'map', slot: 'function' } as const;
    const first = deriveIsolation(nothingSuspected, { ...call, digest: undefined }, 0);
    expect(first).toMatchObject({ watched: [{ node: 'map' }], refused: [] });
    const second = deriveIsolation(first, { ...call, digest: 'ab' }, 0);
    expect(second).toMatchObject({
      watched: [{ node: 'map' }],
      refused: [{ digest: 'ab' }],
      setAside: [{ split: null, operator: 'map' }],
    });
    expect(afterCheckpoint(second, () => undefined, isolationCheckpoints)).toMatchObject({
      refused: [{ digest: 'ab' }],
    });
    expect(afterCheckpoint(second, () => undefined, isolationCheckpoints + 1)).toMatchObject({
      watched: [],
      refused: [],
      tries: 0,
    });
  });

  it('is over for a split that is gone, and not for one of which nothing was read yet', () => {
    const known: Isolation = { ...nothingSuspected, tries: 1, alone: [spanOf([record(5)])] };
    expect(isSuspecting(afterCheckpoint(known, () => undefined, 1))).toBe(false);
    expect(isSuspecting(afterCheckpoint(known, () => ({ position: undefined }), 1))).toBe(true);
    expect(isSuspecting(afterCheckpoint(known, () => ({ position: '5' }), 1))).toBe(false);
  });
});
