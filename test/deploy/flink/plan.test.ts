/**
 * The plan that a Flink job reads: what is fused, what is an operator, which uids stay; and the
 * bundle, which runs in a bare engine.
 */

import { createHash as nodeHash } from 'node:crypto';
import { createContext, runInContext } from 'node:vm';
import type { SluiceEvent, StreamDefinition, TopologyBuilder } from 'sluice';
import { asyncLookup, collect, connector, count, stream, topology, tumbling } from 'sluice';
import { describe, expect, it } from 'vitest';
import { bundleScript } from '../../../deploy/flink/bundle.ts';
import { flinkPlan, flinkPlanProblems } from '../../../deploy/flink/plan.ts';
import { createHash } from '../../../deploy/flink/runtime/digests.ts';
import {
  fromBase64,
  fromUtf8,
  toBase64,
  toUtf8,
} from '../../../deploy/flink/runtime/text-codec.ts';
import { root } from '../../repo/support.ts';

interface Click {
  readonly user: string;
  readonly at: number;
}

const made = (build: (t: TopologyBuilder) => void) =>
  topology('shop', { version: 1, owner: 'shop/web' }, build);
const clicks = (t: TopologyBuilder) =>
  t.source('clicks', stream('shop/clicks') as StreamDefinition<SluiceEvent<Click>>);
const time = ({ data }: SluiceEvent<Click>): number => data.at;

const windowed = (more: boolean) =>
  made((t) => {
    const timed = clicks(t)
      .filter(({ data }) => data.user !== '')
      .eventTime('time', time, { outOfOrderness: '1s' });
    const named = more ? timed.map((e) => e) : timed;
    named
      .keyBy(({ data }) => data.user)
      .window('counts', tumbling('1m'))
      .aggregate({ n: count() })
      .out.map(({ n }) => ({ n }))
      .sinkTo('out', collect());
  });

describe('the plan for Flink', () => {
  it('fuses what keeps no state, cuts before event time and keys what a keyed node reads', () => {
    const { operators } = flinkPlan(windowed(false));
    expect(operators.map(({ uid, kind, inputs }) => ({ uid, kind, inputs }))).toEqual([
      { uid: 'clicks', kind: 'source', inputs: [] },
      { uid: 'clicks/out/segment', kind: 'segment', inputs: [{ operator: 'clicks', port: 'out' }] },
      {
        uid: 'time',
        kind: 'segment',
        inputs: [{ operator: 'clicks/out/segment', port: 'clicks/filter.out' }],
      },
      { uid: 'counts', kind: 'window', inputs: [{ operator: 'time', port: 'counts#0' }] },
      { uid: 'counts/out/segment', kind: 'segment', inputs: [{ operator: 'counts', port: 'out' }] },
      {
        uid: 'out',
        kind: 'sink',
        inputs: [{ operator: 'counts/out/segment', port: 'counts/map.out.rows' }],
      },
    ]);
  });

  it('keeps every uid when a stateless node is added', () => {
    const uids = (more: boolean) => flinkPlan(windowed(more)).operators.map(({ uid }) => uid);
    expect(uids(true)).toEqual(uids(false));
  });

  it('has the same text each time', () => {
    expect(JSON.stringify(flinkPlan(windowed(true)))).toBe(
      JSON.stringify(flinkPlan(windowed(true))),
    );
  });

  it('has a look-up by a connector as an operator, with splits in line where time is set behind it', () => {
    const asking = (before: boolean) =>
      made((t) => {
        const time = (s: ReturnType<typeof clicks>) =>
          s.eventTime('time', ({ data }) => data.at, { outOfOrderness: 0, future: { max: 0 } });
        const asked = (s: ReturnType<typeof clicks>) =>
          s.lookup('user', connector<number>('users'), { by: ({ data }) => data.user }, (e) => e);
        const timed = before ? time(asked(clicks(t))) : asked(time(clicks(t)));
        timed.map((e) => e.data.user).sinkTo('out', collect());
      });
    const shape = (before: boolean) =>
      flinkPlan(asking(before)).operators.map(({ uid, inputs }) => [
        uid,
        ...inputs.map(({ port }) => port),
      ]);
    expect(shape(true)).toEqual([
      ['clicks'],
      ['user', 'out'],
      ['time', 'out'],
      ['out', 'time/map.out.rows'],
    ]);
    expect(shape(false)).toEqual([
      ['clicks'],
      ['time', 'out'],
      ['user', 'time.out.rows'],
      ['user/out/segment', 'out'],
      ['out', 'user/map.out.rows'],
    ]);
    expect(flinkPlan(asking(true)).operators[1]).toMatchObject({
      kind: 'lookup',
      lookup: {
        from: 'connector',
        name: 'users',
        capacity: 64,
        timeoutMs: 5_000,
        order: 'ordered',
      },
    });
  });

  it('refuses a look-up by a function, with its node', () => {
    const asking = made((t) => {
      clicks(t)
        .lookup(
          'user',
          asyncLookup(() => Promise.resolve(1)),
          { by: ({ data }) => data.user },
          (e) => e,
        )
        .sinkTo('out', collect());
    });
    expect(flinkPlanProblems(asking).map(({ node }) => node)).toEqual(['user']);
    expect(() => flinkPlan(asking)).toThrow(/'user': asyncLookup\(\) cannot run on Flink/);
  });
});

describe('the bundle for Flink', () => {
  it('runs segments and accumulators in an engine that has nothing but the language', async () => {
    const contents = `
import { collect, count, stream, sum, topology, tumbling } from 'sluice';
export default topology('shop', { version: 1, owner: 'shop/web' }, (t) => {
  t.source('clicks', stream('shop/clicks'))
    .map((e) => ({ user: e.data.user, price: e.data.price, at: e.data.at }))
    .eventTime('time', (c) => c.at, { outOfOrderness: 0, future: { max: 0 } })
    .keyBy((c) => c.user)
    .window('sums', tumbling(1000), { late: 'side' })
    .aggregate({ n: count(), total: sum((c) => c.price) })
    .out.sinkTo('out', collect());
});`;
    const script = await bundleScript(contents, root, 'shop.ts');
    const context = createContext({});
    // What GraalJS 22.3 does not have.
    const missing =
      'delete Array.prototype.toReversed; delete Array.prototype.toSorted; delete Array.prototype.findLast; delete String.prototype.isWellFormed;';
    runInContext(`delete globalThis.WebAssembly; ${missing} ${script}`, context);
    const ask = (code: string): string => runInContext(code, context) as string;
    ask('globalThis.runtime = __sluice.open("all")');
    const rows = JSON.stringify([
      0,
      5,
      { data: { user: 'é\n', price: 0.1, at: 7 } },
      0,
      6,
      { data: null },
    ]);
    const mapped = ask(`runtime.segment('clicks/out/segment').run(${JSON.stringify(rows)}, '')`);
    expect(mapped).toMatch(/^R\{"operator":"clicks\/map","code":"function-threw"/);
    expect(mapped).toContain('E0\n5\n\n\n{"user":"é\\n","price":0.1,"at":7}\n\n');
    const timed = JSON.stringify([0, 5, { user: 'é\n', price: 0.1, at: 7 }, 4, 10, null]);
    // The value goes out as it came in: by its number.
    expect(ask(`runtime.segment('time').run(${JSON.stringify(timed)}, '')`)).toBe(
      'E0\n7\n"sé\\n"\n[null,0.1]\n@0\n\nW6\n',
    );
    ask(`globalThis.sums = runtime.window('sums')`);
    ask(`globalThis.one = sums.add(null, '[null,0.1]', '', '').slice(1)`);
    ask(`globalThis.two = sums.add(one, '[null,0.2]', '', '').slice(1)`);
    const fired =
      'E{"key":"x","windowStart":0,"windowEnd":1000,"pane":{"index":0,"timing":"onTime","last":true},"n":2,"total":0.30000000000000004}';
    expect(ask(`sums.fire(two, 'sx', 0, 1000, 0, 'onTime', true)`)).toBe(fired);
    // The same while they stay open.
    ask(`sums.hold(7, one); sums.addHeld(7, '[null,0.2]');`);
    expect([ask('sums.holds()'), ask('sums.heldText(7)')]).toEqual([true, ask('two')]);
    expect(ask(`sums.fire(7, 'sx', 0, 1000, 0, 'onTime', true)`)).toBe(fired);
  });
});

describe('what a bare engine is given', () => {
  it('codes text as Node does', () => {
    for (const text of ['', 'a', 'äöü', '日本', '🎉x', 'a\ud800b']) {
      expect([...toUtf8(text)]).toEqual([...Buffer.from(text)]);
      expect(fromUtf8(Buffer.from(text))).toBe(Buffer.from(text).toString());
      expect(toBase64(Buffer.from(text))).toBe(Buffer.from(text).toString('base64'));
      expect([...fromBase64(Buffer.from(text).toString('base64'))]).toEqual([...Buffer.from(text)]);
    }
  });

  it('knows text that is no text', async () => {
    const script = await bundleScript(
      "import { stream, topology } from 'sluice';\nexport default topology('x', { version: 1, owner: 'a/b' }, (t) => { t.source('in', stream('a/b')); });",
      root,
      'x.ts',
    );
    const context = createContext({});
    const well =
      "['a\\ud800', '\\ud83c\\udf89', '\\udf89'].map((text) => [text.isWellFormed(), text.toWellFormed()])";
    runInContext(
      `delete String.prototype.isWellFormed; delete String.prototype.toWellFormed; ${script}`,
      context,
    );
    expect(runInContext(`JSON.stringify(${well})`, context)).toBe(
      JSON.stringify([
        [false, 'a\ufffd'],
        [true, '🎉'],
        [false, '\ufffd'],
      ]),
    );
  });

  it('digests as Node does', () => {
    for (const length of [0, 1, 55, 56, 63, 64, 65, 1000]) {
      const text = 'x'.repeat(length);
      for (const encoding of ['hex', 'base64url'] as const)
        expect(createHash('sha256').update(text).digest(encoding)).toBe(
          nodeHash('sha256').update(text).digest(encoding),
        );
    }
  });
});
