/**
 * When a function counts as one that does not return: by what another thread sees of it, at times
 * moved by hand.
 */
import { describe, expect, it } from 'vitest';
import { deriveWatched, FunctionWatch } from '../../../deploy/host/function-watch.ts';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import type { Isolation, RunFailure, StuckCall } from '../../../topology/index.ts';
import { asyncLookup, collect, schemaOf, stream, topology } from '../../../topology/index.ts';
import { beat } from '../../../topology/runtime/shared-calls.ts';
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
  const map = calls.topology.resolve('valid/map', 'function') as unknown as (
    value: unknown,
  ) => unknown;
  watch.begin(flow.plan);
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
    expect(watch.end(undefined)).toEqual({
      kind: 'stuck',
      node: 'valid/map',
      slot: 'function',
      digest: undefined,
    });
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
    const { call } = rig(
      suspected([{ node: 'valid/map', slot: 'function', digest: digest ?? '' }]),
    );
    let made = 0;
    during = () => {
      made++;
    };
    expect(() => call('a')).toThrow(expect.objectContaining({ code: 'function-stuck' }));
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
  expect(watch.end('exit code 1')).toEqual({
    kind: 'turn',
    span,
    place: '1',
    operator: undefined,
    message: 'exit code 1',
  });
  calls.turn(undefined);
  expect(watch.end('exit code 1')).toBeUndefined();
});

describe('a look-up', () => {
  const asking = topology('asking', { version: 1, owner: 'a/b' }, (t) => {
    const looked = t.source('in', stream('a/b')).lookup(
      'ask',
      asyncLookup((key: string) => answers(key)),
      { by: (e) => e.id },
      (e) => e.id,
    );
    // A port may be called as a look-up's function is.
    looked.split({ call: (id) => id === 'a' }).call.sinkTo('out', collect());
  });
  let answers: (key: string) => Promise<string> = () => Promise.resolve('');
  interface Asking {
    readonly clock: ReturnType<typeof manualClock>;
    readonly watch: FunctionWatch;
    readonly stuck: string[];
    readonly ask: (key: string, until?: AbortController) => Promise<string>;
  }
  function asker(
    watched: Pick<Isolation, 'watched' | 'refused'> = { watched: [], refused: [] },
  ): Asking {
    const clock = manualClock();
    const stuck: string[] = [];
    const watch = new FunctionWatch(clock, 1_000, ({ message }) => stuck.push(message));
    const calls = watchCalls(asking, watch.calls, watched, () => undefined);
    const call = calls.topology.resolve('ask', 'call') as unknown as (
      key: string,
      context: object,
    ) => Promise<string>;
    watch.begin(asking.plan);
    return {
      clock,
      watch,
      stuck,
      ask: (key, { signal } = new AbortController()) => call(key, { signal }),
    };
  }
  const pending = new Promise<string>(() => undefined);
  const careful = { watched: [{ node: 'ask', slot: 'call' }], refused: [] };

  it('that keeps the thread is named after six times the bound, and not while the thread turns or nothing is asked', () => {
    const { clock, watch, stuck, ask } = asker();
    clock.advance(100_000);
    answers = () => pending;
    void ask('a');
    for (let n = 0; n < 200; n++) {
      beat(watch.calls);
      clock.advance(500);
    }
    expect(stuck).toEqual([]);
    clock.advance(5_400);
    expect(stuck).toEqual([]);
    clock.advance(700);
    expect(stuck).toEqual(["'ask': its call blocked the thread for 6 s after it had returned"]);
    expect(watch.end(undefined)).toEqual({
      kind: 'stuck',
      node: 'ask',
      slot: 'call',
      digest: undefined,
    });
  });

  it('that is suspected is asked alone, in its turn, and known by what it was given', async () => {
    const { clock, watch, ask } = asker(careful);
    const asked: string[] = [];
    let settle: (answer: string) => void = () => undefined;
    answers = (key) => {
      asked.push(key);
      return new Promise((resolve) => {
        settle = resolve;
      });
    };
    const first = ask('a');
    void ask('b');
    await Promise.resolve();
    expect(asked).toEqual(['a']);
    settle('answer of a');
    expect(await first).toBe('answer of a');
    await new Promise(setImmediate);
    expect(asked).toEqual(['a', 'b']);
    clock.advance(7_000);
    const { digest } = watch.end(undefined) as Extract<RunFailure, { kind: 'stuck' }>;
    expect(digest).toMatch(/^[0-9a-f]{32}$/);
    const again = asker({
      ...careful,
      refused: [{ node: 'ask', slot: 'call', digest: digest ?? '' }],
    });
    await expect(again.ask('b')).rejects.toThrow(
      expect.objectContaining({ code: 'function-stuck' }),
    );
  });

  it('whose time is over lets the next begin, and neither is blamed beside the other', async () => {
    const { clock, watch, stuck, ask } = asker(careful);
    answers = () => pending;
    const late = new AbortController();
    void ask('a', late);
    await new Promise(setImmediate);
    late.abort();
    void ask('b');
    await new Promise(setImmediate);
    clock.advance(7_000);
    expect(stuck).toHaveLength(1);
    expect(watch.end(undefined)).toMatchObject({ kind: 'stuck', digest: undefined });
  });
});
