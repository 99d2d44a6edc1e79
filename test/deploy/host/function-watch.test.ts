/**
 * When a function counts as one that does not return: by what another thread sees of it, at times moved by hand.
 */
import { describe, expect, it } from 'vitest';
import { deriveWatched, FunctionWatch } from '../../../deploy/host/function-watch.ts';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import type { Isolation, RunFailure, StuckCall } from '../../../topology/index.ts';
import { collect, schemaOf, stream, topology } from '../../../topology/index.ts';
import { watchCalls } from '../../../topology/runtime/watched-calls.ts';

const anything = schemaOf<{ n: number }>({ $id: 'anything', type: 'object' });
const flow = topology('watched', { version: 1, owner: 'a/b' }, (t) => {
  t.source('in', stream('a/b'))
    .validate('valid', anything)
    .map((e) => {
      during();
      return e.id;
    })
    .sinkTo('out', collect());
});
/** What happens while the function runs. */
let during: () => void = () => undefined;

const suspected = (refused: readonly StuckCall[] = []): Pick<Isolation, 'watched' | 'refused'> => ({
  watched: [{ node: 'valid/map', slot: 'function' }],
  refused,
});

interface Rig {
  readonly clock: ReturnType<typeof manualClock>;
  readonly watch: FunctionWatch;
  readonly stuck: string[];
  readonly call: (id: string) => void;
}

function rig(known: Pick<Isolation, 'watched' | 'refused'> = { watched: [], refused: [] }): Rig {
  const clock = manualClock();
  const stuck: string[] = [];
  const watch = new FunctionWatch(clock, 1_000, ({ message }) => stuck.push(message));
  const calls = watchCalls(flow, watch.calls, known, () => undefined);
  const map = calls.topology.resolve('valid/map', 'function') as unknown as (value: unknown) => unknown;
  watch.begin(flow.graph);
  return { clock, watch, stuck, call: (id) => void map({ id }) };
}

/** Time passes as long as the function runs. */
const lasting = (clock: ReturnType<typeof manualClock>, ms: number): void => {
  during = () => {
    for (let passed = 0; passed < ms; passed += 10) clock.advance(10);
  };
};

describe('a function', () => {
  it('that does not return within the bound is named, once, with its node', () => {
    const { clock, watch, stuck, call } = rig();
    lasting(clock, 1_200);
    call('a');
    expect(stuck).toEqual(["'valid/map': its function did not return from one call within 1 s"]);
    expect(watch.end(undefined)).toEqual({ kind: 'stuck', node: 'valid/map', slot: 'function', digest: undefined });
  });

  it('is not stuck as long as its calls return, however many they are, nor when nothing is called', () => {
    const { clock, watch, stuck, call } = rig();
    lasting(clock, 900);
    for (let n = 0; n < 20; n++) call(`e${n}`);
    clock.advance(100_000);
    expect(stuck).toEqual([]);
    expect(watch.end(undefined)).toBeUndefined();
  });

  it('that throws has returned', () => {
    const { clock, stuck, call } = rig();
    during = () => {
      throw new Error('no');
    };
    expect(() => call('a')).toThrow('no');
    clock.advance(100_000);
    expect(stuck).toEqual([]);
  });

  it('that is watched says what it was given, the same in every run; a call that is refused throws and is not made', () => {
    const digestOf = (id: string): string | undefined => {
      const { clock, watch, call } = rig(suspected());
      lasting(clock, 1_200);
      call(id);
      return (watch.end(undefined) as Extract<RunFailure, { kind: 'stuck' }>).digest;
    };
    const digest = digestOf('a');
    expect(digest).toMatch(/^[0-9a-f]{32}$/);
    expect(digestOf('a')).toBe(digest);
    expect(digestOf('b')).not.toBe(digest);
    const { call } = rig(suspected([{ node: 'valid/map', slot: 'function', digest: digest ?? '' }]));
    let made = 0;
    during = () => {
      made++;
    };
    expect(() => call('a')).toThrow('did not return');
    call('b');
    expect(made).toBe(1);
  });
});

it('time in which nobody looked does not count', () => {
  const seen = { calls: 7, slot: 1 };
  const first = deriveWatched(undefined, seen, 50, 50);
  expect(first.sameMs).toBe(0);
  expect(deriveWatched(first, seen, 3_600_000, 50).sameMs).toBe(100);
  expect(deriveWatched({ seen, sameMs: 900 }, { calls: 8, slot: 1 }, 50, 50).sameMs).toBe(0);
  expect(deriveWatched({ seen, sameMs: 900 }, { calls: 7, slot: 0 }, 50, 50).sameMs).toBe(0);
});

it('a thread that ended without a word is known by its turn', () => {
  const { watch } = rig();
  const calls = watchCalls(flow, watch.calls, { watched: [], refused: [] }, () => undefined);
  const span = { split: 'in kinesis 0', from: '1', through: '9' };
  calls.turn({ span, place: '1' });
  expect(watch.end('exit code 1')).toEqual({ kind: 'turn', span, place: '1', operator: undefined, message: 'exit code 1' });
  calls.turn(undefined);
  expect(watch.end('exit code 1')).toBeUndefined();
});
