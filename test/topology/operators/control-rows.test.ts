/**
 * Control rows arrive everywhere, once and in order, whatever graph is between: random legal graphs
 * of all operators, whose sinks are compared with the rules by which time is merged, not with the
 * operators.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type {
  SluiceEvent,
  Stream,
  StreamDefinition,
  Topology,
  TopologyBuilder,
} from '../../../topology/index.ts';
import {
  asyncLookup,
  collect,
  count,
  stream,
  topology,
  tumbling,
  value,
} from '../../../topology/index.ts';
import type { DrivenSignal } from '../../../topology/testing.ts';
import { createDriver, event } from '../../../topology/testing.ts';

interface Row {
  readonly at: number;
}

type Flow = Stream<Row>;

const sources = ['one', 'two', 'three'] as const;
const time = { outOfOrderness: 0, idleAfter: 0, future: { max: 0 } } as const;

/** What can stand before event time and after it, and needs neither. */
const anywhere = ['map', 'filter', 'flatMap', 'lookup', 'unordered', 'branch'] as const;
const behindTime = ['window', 'deduplicate', 'process', 'leftJoin', 'innerJoin'] as const;
type Kind = (typeof anywhere)[number] | (typeof behindTime)[number];

interface Plan {
  /** One way for each source before event time. */
  readonly before: readonly (readonly Kind[])[];
  /** Whether event time is set behind the union of all sources, or before it. */
  readonly late: boolean;
  readonly after: readonly Kind[];
}

const plan: fc.Arbitrary<Plan> = fc.record({
  before: fc.array(fc.array(fc.constantFrom<Kind>(...anywhere), { maxLength: 3 }), {
    minLength: 1,
    maxLength: 3,
  }),
  late: fc.boolean(),
  after: fc.array(fc.constantFrom<Kind>(...anywhere, ...behindTime), { maxLength: 4 }),
});

/** Every output of every node ends in a sink of its own, or goes on. */
function graphOf({ before, late, after }: Plan): Topology {
  return topology('control', { version: 1, owner: 'a/b' }, (t) => {
    const ways = before.map((kinds, n) => {
      const name = sources[n] ?? 'one';
      const opened = t
        .source(name, stream(`a/${name}`) as StreamDefinition<SluiceEvent<Row>>)
        .map((e) => e.data);
      const flow = kinds.reduce(
        (from, kind, step) => through(t, from, kind, `${name}-${step}`),
        opened as Flow,
      );
      return late ? flow : flow.eventTime(`${name}-time`, (row) => row.at, time);
    });
    const [first, second, ...others] = ways;
    if (first === undefined) return;
    const one = second === undefined ? first : first.union('union', second, ...others);
    const timed = late ? one.eventTime('time', (row) => row.at, time) : one;
    after
      .reduce((from, kind, step) => through(t, from, kind, `after-${step}`), timed)
      .sinkTo('out', collect());
  });
}

function through(_t: TopologyBuilder, from: Flow, kind: Kind, id: string): Flow {
  const keyed = () => from.keyBy(() => 'k');
  switch (kind) {
    case 'map':
      return from.map((row) => row);
    case 'filter':
      return from.filter(() => true);
    case 'flatMap':
      return from.flatMap((row) => [row]);
    case 'lookup':
    case 'unordered': {
      const order = kind === 'lookup' ? 'ordered' : 'unordered';
      return from.lookup(
        id,
        asyncLookup(() => Promise.resolve(1)),
        { by: () => 'k', order },
        (row) => row,
      );
    }
    case 'branch': {
      const { odd, rest } = from.branch({ odd: (row) => row.at % 2 !== 0 });
      odd.sinkTo(`${id}-odd`, collect());
      return rest;
    }
    case 'window':
      return keyed()
        .window(id, tumbling(10))
        .aggregate({ n: count() })
        .out.map((row) => ({ at: row.windowEnd - 1 }));
    case 'deduplicate':
      return from.deduplicate(id, { by: (row) => `${row.at}`, within: 10 });
    case 'process':
      return keyed().process(id, { state: { last: value<number>() }, onElement: (row) => [row] });
    case 'leftJoin':
    case 'innerJoin': {
      const join = kind === 'leftJoin' ? 'left' : 'inner';
      return keyed().intervalJoin(id, keyed(), { lower: 0, upper: 0, join }, (row) => row).out;
    }
  }
}

/** A left join holds back what it pads later: by one here, as its upper bound is 0. */
const heldBack = ({ after }: Plan): number => after.filter((kind) => kind === 'leftJoin').length;

const isTime = (signal: DrivenSignal): signal is number | 'max' =>
  typeof signal === 'number' || signal === 'max';

describe('control rows', () => {
  it('pass every operator in every order: time, idleness, processing time and the end', async () => {
    const seen = new Set<string>();
    let graphs = 0;
    await fc.assert(
      fc.asyncProperty(plan, fc.boolean(), async (planned, restore) => {
        const of = graphOf(planned);
        const splits = Object.fromEntries(sources.map((source) => [source, ['a', 'b']]));
        let driver = await createDriver(of, { splits });
        const names = sources.slice(0, planned.before.length);
        const held = heldBack(planned);
        const said: DrivenSignal[] = [];
        const collectSaid = (): void => void said.push(...driver.signals('out'));
        const restored = async (): Promise<void> => {
          collectSaid();
          if (!restore) return;
          const snapshot = driver.snapshot();
          driver.close();
          driver = await createDriver(of, { splits });
          await driver.restore(snapshot);
        };

        // The least of all, whoever says it last.
        for (const [n, source] of [...names].reverse().entries())
          await driver.advanceWatermark(100 + n, { source });
        await restored();
        collectSaid();
        expect(said.filter(isTime).at(-1)).toBe(100 - held);
        // One that is idle holds nothing back.
        if (names.length > 1) {
          await driver.idle({ source: names.at(-1) ?? '' });
          await restored();
          collectSaid();
          expect(said.filter(isTime).at(-1)).toBe(101 - held);
          await driver.active({ source: names.at(-1) ?? '' });
        }
        // An event is where it belongs, and moves time at the tick.
        for (const source of names)
          for (const split of ['a', 'b'])
            await driver.push(source, event({ at: 1_000 }), { split });
        await driver.tick();
        await restored();
        collectSaid();
        expect(said.filter(isTime).at(-1)).toBe(999 - held);
        // What is given to one split is of that one.
        for (const [n, source] of names.entries())
          await driver.advanceWatermark(2_000 + n, { source, split: 'a' });
        await restored();
        collectSaid();
        expect(said.filter(isTime).at(-1)).toBe(999 - held);
        for (const [n, source] of names.entries())
          await driver.advanceWatermark(3_000 + n, { source, split: 'b' });
        await restored();
        collectSaid();
        expect(said.filter(isTime).at(-1)).toBe(2_000 - held);
        // All idle is idle, said once.
        said.length = 0;
        for (const source of names) await driver.idle({ source });
        await restored();
        collectSaid();
        expect(said.filter((signal) => signal === 'idle')).toHaveLength(1);
        expect(said.at(-1)).toBe('idle');
        // The end comes once, and last.
        for (const source of names) await driver.active({ source });
        await driver.advanceWatermark('max');
        collectSaid();
        expect(said.filter((signal) => signal === 'max')).toHaveLength(1);
        expect(said.filter(isTime).at(-1)).toBe('max');
        for (const kind of [...planned.before.flat(), ...planned.after]) seen.add(kind);
        graphs++;
        driver.close();
      }),
      { numRuns: 150 },
    );
    expect(seen.size).toBe(anywhere.length + behindTime.length);
    expect(graphs).toBeGreaterThan(100);
  });
});
