/**
 * The mapping `influence` in a topology, under the names by which authors import it: what it
 * writes, what it refuses, what it bounds.
 */
import fc from 'fast-check';
import type { Topology, WindowOptions } from 'sluice';
import { graph, session, stream, topology } from 'sluice';
import { influence } from 'sluice/enrich';
import { describe, expect, it } from 'vitest';
import { pathMaxElements } from '../../../../enrich/graph/mappings/path.ts';
import { limits } from '../../../../schemas/limits.ts';
import type { GraphWrite } from '../../../../topology/index.ts';
import { createDriver } from '../../../../topology/testing.ts';
import { saying } from '../../../said.ts';
import { graphOf, told, toldOf } from './support.ts';

interface Step {
  readonly id: string;
  readonly at: number;
  readonly user: string;
  readonly promo?: string;
  readonly from?: string;
  readonly order?: { readonly id: string; readonly value?: number };
}

const influences = influence<Step>({
  id: (s) => s.id,
  time: (s) => s.at,
  user: (s) => s.user,
  promo: (s) => s.promo,
  referrer: (s) => s.from,
  conversion: (s) => s.order,
});
const { model } = influences;

function attributed(window: WindowOptions = {}): Topology {
  return topology('attributed', { version: 1, owner: 'a/b' }, (t) => {
    t.source('in', stream('a/b'))
      .map((event) => event as unknown as Step)
      .eventTime('time', (s) => s.at, { outOfOrderness: 0, future: { max: 0 } })
      .keyBy((s) => s.user)
      .window('attribution', session('1h'), window)
      .aggregate({ path: influences.path })
      .out.sinkTo('out', graph(influences.model, influences.writes));
  });
}

const step = (id: string, at: number, more: Partial<Step>): Step => ({
  id,
  at,
  user: 'ann',
  ...more,
});

const touchColumns = [
  'from',
  'to',
  'position',
  'secondsBefore',
  'firstTouch',
  'lastTouch',
  'touches',
];

describe('influence', () => {
  it('tells what a user saw, what brought them, and what preceded a conversion', async () => {
    const { writes, rejected } = await told(attributed(), [
      step('1', 0, { promo: 'tv', from: 'news.example' }),
      step('2', 1_500, { promo: 'mail' }),
      step('3', 2_000, { promo: 'tv' }),
      step('4', 2_500, {}),
      step('5', 4_000, { order: { id: 'o1', value: 9.5 } }),
    ]);
    expect(rejected).toEqual([]);
    expect(writes).toEqual([
      model.SAW({ from: 'ann', to: 'tv', at: 0 }),
      model.BROUGHT({ from: 'news.example', to: 'ann', at: 0 }),
      model.SAW({ from: 'ann', to: 'mail', at: 1_500 }),
      model.SAW({ from: 'ann', to: 'tv', at: 2_000 }),
      model.Conversion({ id: 'o1', at: 4_000, value: 9.5 }),
      model.CONVERTED({ from: 'ann', to: 'o1' }),
      model.PRECEDED({
        from: 'tv',
        to: 'o1',
        position: 1,
        secondsBefore: 2,
        firstTouch: true,
        lastTouch: true,
        touches: 2,
      }),
      model.PRECEDED({
        from: 'mail',
        to: 'o1',
        position: 2,
        secondsBefore: 2.5,
        firstTouch: false,
        lastTouch: false,
        touches: 1,
      }),
      model.REFERRED({
        from: 'news.example',
        to: 'o1',
        position: 1,
        secondsBefore: 4,
        firstTouch: true,
        lastTouch: true,
        touches: 1,
      }),
    ]);
  });

  it('lets a touch precede only what comes after it, and every conversion that does', async () => {
    const { writes } = await told(attributed(), [
      step('1', 0, { promo: 'a' }),
      step('2', 10, { order: { id: 'o1' } }),
      step('3', 10, { promo: 'same-time-later-id' }),
      step('4', 20, { promo: 'own', order: { id: 'o2' } }),
      step('5', 30, { promo: 'after' }),
      step('6', 25, { user: 'bob', order: { id: 'o3' } }),
    ]);
    expect(graphOf(model.definition, writes).rows('PRECEDED', touchColumns)).toEqual([
      ['a', 'o1', 1, 0.01, true, true, 1],
      ['a', 'o2', 3, 0.02, true, false, 1],
      ['own', 'o2', 1, 0, false, true, 1],
      ['same-time-later-id', 'o2', 2, 0.01, false, false, 1],
    ]);
    expect(graphOf(model.definition, writes).rows('Conversion', ['id', 'at', 'value'])).toEqual([
      ['o1', 10, null],
      ['o2', 20, null],
      ['o3', 25, null],
    ]);
  });

  it('counts a conversion that comes twice where it is first', async () => {
    const { writes } = await told(attributed(), [
      step('1', 0, { promo: 'a' }),
      step('2', 10, { order: { id: 'o1', value: 1 } }),
      step('3', 20, { promo: 'b' }),
      step('4', 30, { order: { id: 'o1', value: 2 } }),
    ]);
    const graphed = graphOf(model.definition, writes);
    expect(graphed.rows('Conversion', ['id', 'at', 'value'])).toEqual([['o1', 10, 1]]);
    expect(graphed.rows('PRECEDED', ['from', 'to'])).toEqual([['a', 'o1']]);
  });

  it('leaves in the end the same graph however often an accumulating window fires, in whatever order elements come', async () => {
    const minute = 60_000;
    const element = fc.record({
      at: fc.integer({ min: 0, max: 20 }).map((n) => n * 9 * minute),
      user: fc.constantFrom('ann', 'bob'),
      promo: fc.option(fc.constantFrom('a', 'b', 'c'), { nil: undefined }),
      from: fc.option(fc.constantFrom('x', 'y'), { nil: undefined }),
      ordered: fc.boolean(),
    });
    const tables: readonly (readonly [string, readonly string[]])[] = [
      ['SAW', ['from', 'to', 'at']],
      ['BROUGHT', ['from', 'to', 'at']],
      ['CONVERTED', ['from', 'to']],
      ['Conversion', ['id', 'at', 'value']],
      ['PRECEDED', touchColumns],
      ['REFERRED', touchColumns],
    ];
    const all = (writes: readonly GraphWrite[]): unknown => {
      const graphed = graphOf(model.definition, writes);
      return tables.map(([name, columns]) => [name, graphed.rows(name, columns)]);
    };
    await fc.assert(
      fc.asyncProperty(
        fc.array(element, { minLength: 1, maxLength: 25, size: 'max' }),
        async (elements) => {
          const steps = elements.map(({ at, user, promo, from, ordered }, index): Step => {
            const touches = {
              ...(promo === undefined ? {} : { promo }),
              ...(from === undefined ? {} : { from }),
            };
            return {
              id: `${index}`,
              at,
              user,
              ...touches,
              ...(ordered ? { order: { id: `o${index}`, value: index } } : {}),
            };
          });
          const driver = await createDriver(attributed({ allowedLateness: '7d', early: '20m' }));
          // Each in a turn of its own, with time going on in between: most come late, and windows
          // fire again or merge after they fired.
          for (const [index, one] of steps.entries()) {
            await driver.push('in', one);
            await driver.advanceWatermark(index * 30 * minute);
          }
          await driver.advanceWatermark('max');
          const often = toldOf(driver);
          const once = await told(attributed(), steps);
          expect([...often.rejected, ...once.rejected]).toEqual([]);
          expect(all(often.writes)).toEqual(all(once.writes));
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('influence refuses', () => {
  it.each([
    ['promo', { promo: 7 }, 'the promo must be text, not number'],
    ['referrer', { from: null }, 'the referrer must be text, not null'],
    [
      'order',
      { order: { id: 'x'.repeat(limits.graphKeyMaxBytes + 1) } },
      `at most ${limits.graphKeyMaxBytes}`,
    ],
    ['value', { order: { id: 'o', value: Number.NaN } }, 'must be a finite number'],
    ['time', { at: 0.5, promo: 'a' }, 'whole epoch milliseconds'],
  ])('one element for its %s, and tells of the others', (_, wrong, message) => {
    const add = influences.path.functions['add'] as (
      path: readonly unknown[],
      value: unknown,
    ) => readonly unknown[];
    const path = add([], step('1', 0, { promo: 'a' }));
    expect(() => add(path, { ...step('2', 0, {}), ...wrong })).toThrow(message);
    expect(path).toHaveLength(1);
  });

  it('an element that is nothing itself and would join two paths to too many', async () => {
    const minute = 60_000;
    const filled = (from: number, most: number): readonly Step[] =>
      Array.from({ length: most }, (_, n) => step(`${from + n}`, from, { promo: `p${n % 10}` }));
    const half = pathMaxElements / 2;
    const { writes, rejected } = await told(attributed(), [
      ...filled(0, half),
      ...filled(90 * minute, half + 1),
      step('bridge', 45 * minute, {}),
    ]);
    expect(rejected.map(({ value }) => (value as Step).id)).toEqual(['bridge']);
    expect(writes).toHaveLength(2 * half + 1);
  });

  it('a path of so many conversions behind so many promos that their pairs are too many', async () => {
    const side = Math.ceil(Math.sqrt(limits.graphStagedMaxWrites));
    const touches = Array.from({ length: side }, (_, n) => step(`a${n}`, n, { promo: `p${n}` }));
    const orders = Array.from({ length: side }, (_, n) =>
      step(`b${n}`, side + n, { order: { id: `o${n}` } }),
    );
    const { writes, rejected } = await told(attributed(), [
      ...touches,
      ...orders,
      step('c', 0, { user: 'bob', promo: 'p' }),
    ]);
    expect(rejected).toMatchObject([
      {
        operator: 'out',
        code: 'function-result',
        message: saying({ numbers: [limits.graphStagedMaxWrites] }),
      },
    ]);
    expect(writes).toEqual([model.SAW({ from: 'bob', to: 'p', at: 0 })]);
  });
});
