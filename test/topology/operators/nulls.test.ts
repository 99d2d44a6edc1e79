/**
 * Null in a column of a window, as SQL takes it: it is skipped, and costs neither the element nor
 * the window. A value that an aggregate cannot take costs that element alone.
 */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type {
  SluiceEvent,
  StreamDefinition,
  Topology,
  WindowDefinition,
  WindowOptions,
} from '../../../topology/index.ts';
import {
  approxDistinct,
  avg,
  collect,
  count,
  max,
  min,
  session,
  sliding,
  stream,
  sum,
  topology,
  tumbling,
} from '../../../topology/index.ts';
import { createDriver, event } from '../../../topology/testing.ts';

interface Reading {
  readonly at: number;
  readonly temp?: number | null | undefined;
  readonly city?: string | null | undefined;
}

function readings(window: WindowDefinition, options: WindowOptions = {}): Topology {
  return topology('readings', { version: 1, owner: 'a/b' }, (t) => {
    t.source('in', stream('a/b') as StreamDefinition<SluiceEvent<Reading>>)
      .eventTime('time', (e) => e.data.at, { outOfOrderness: 0, idleAfter: 0, future: { max: 0 } })
      .keyBy(() => 'k')
      .window('window', window, options)
      .aggregate({
        rows: count(),
        temps: count((e) => e.data.temp),
        total: sum((e) => e.data.temp),
        mean: avg((e) => e.data.temp),
        least: min((e) => e.data.temp),
        most: max((e) => e.data.temp),
        cities: approxDistinct((e) => e.data.city),
      })
      .out.map(({ key: _key, pane: _pane, windowEnd: _end, ...rest }) => rest)
      .sinkTo('out', collect());
  });
}

/**
 * `SELECT start, count(*), count(temp), sum(temp), ... GROUP BY start`, with SQL's rules for null.
 */
function selected(start: number, of: readonly Reading[]) {
  const temps = of.flatMap(({ temp }) => (temp === null || temp === undefined ? [] : [temp]));
  const total = temps.reduce((all, temp) => all + temp, 0);
  const some = temps.length > 0;
  return {
    windowStart: start,
    rows: of.length,
    temps: temps.length,
    total: some ? total : null,
    mean: some ? total / temps.length : null,
    least: some ? Math.min(...temps) : null,
    most: some ? Math.max(...temps) : null,
    cities: new Set(of.flatMap(({ city }) => city ?? [])).size,
  };
}

async function drive(of: Topology, pushed: readonly Reading[], cut: number) {
  const driver = await createDriver(of);
  await driver.push(
    'in',
    pushed.slice(0, cut).map((reading) => event(reading)),
  );
  await driver.restore(driver.snapshot());
  await driver.push(
    'in',
    pushed.slice(cut).map((reading) => event(reading)),
  );
  await driver.advanceWatermark('max');
  expect(driver.rejected()).toEqual([]);
  return driver.read('out').map(({ value }) => value);
}

/** Quarters: their sums are exact in any order. */
const temp = fc.oneof(
  fc.integer({ min: -40, max: 40 }).map((n) => n / 4 + 0),
  fc.constantFrom(null, undefined),
);
const city = fc.constantFrom('delft', 'gouda', '', null, undefined);
const reading = fc.record(
  { at: fc.integer({ min: 0, max: 59 }), temp, city },
  { requiredKeys: ['at'] },
);
const given = fc.tuple(fc.array(reading, { maxLength: 30 }), fc.nat({ max: 30 }));

describe('null in a column', () => {
  it('is skipped by the aggregates of tumbling windows', () =>
    fc.assert(
      fc.asyncProperty(given, async ([all, cut]) => {
        const starts = [...new Set(all.map(({ at }) => at - (at % 10)))].sort((a, b) => a - b);
        const right = starts.map((start) =>
          selected(
            start,
            all.filter(({ at }) => at - (at % 10) === start),
          ),
        );
        expect(await drive(readings(tumbling(10)), all, cut)).toEqual(right);
      }),
    ));

  it('is skipped by those of sliding windows', () =>
    fc.assert(
      fc.asyncProperty(given, async ([all, cut]) => {
        const starts = Array.from({ length: 13 }, (_, n) => (n - 1) * 5).map(
          (start) => [start, all.filter(({ at }) => at >= start && at < start + 10)] as const,
        );
        const right = starts
          .filter(([, of]) => of.length > 0)
          .map(([start, of]) => selected(start, of));
        expect(await drive(readings(sliding(10, 5)), all, cut)).toEqual(right);
      }),
    ));

  it('is skipped where sessions merge, whichever side has nothing but null', () =>
    fc.assert(
      fc.asyncProperty(given, async ([all, cut]) => {
        const right: ReturnType<typeof selected>[] = [];
        let open: Reading[] = [];
        let end = 0;
        const close = (): void => {
          if (open.length > 0) right.push(selected(Math.min(...open.map(({ at }) => at)), open));
        };
        for (const each of [...all].sort((a, b) => a.at - b.at)) {
          if (open.length > 0 && each.at > end) {
            close();
            open = [];
          }
          open.push(each);
          end = each.at + 3;
        }
        close();
        expect(await drive(readings(session(3)), all, cut)).toEqual(right);
      }),
    ));

  it('is skipped in every pane that tells only what came since the last one', async () => {
    const driver = await createDriver(readings(tumbling(100), { mode: 'discarding', early: 10 }));
    await driver.push('in', [event({ at: 1, temp: 2, city: 'delft' })]);
    await driver.advanceWatermark(10);
    await driver.push('in', [event({ at: 11, temp: null })]);
    await driver.advanceWatermark(20);
    await driver.push('in', [event({ at: 21 }), event({ at: 22, temp: 4 })]);
    await driver.advanceWatermark('max');
    expect(driver.read('out').map(({ value }) => value)).toEqual([
      selected(0, [{ at: 1, temp: 2, city: 'delft' }]),
      selected(0, [{ at: 11, temp: null }]),
      selected(0, [{ at: 21 }, { at: 22, temp: 4 }]),
    ]);
  });
});

describe('a value that an aggregate cannot take', () => {
  it.each([
    [
      'text',
      { temp: '12' as never },
      "'total' needs a finite number, or null, of each element, not a string",
    ],
    ['a boolean', { temp: true as never }, 'a boolean'],
    ['a list', { temp: [1] as never }, 'an array'],
    ['an object', { temp: {} as never }, 'an object'],
    ['an object as what tells elements apart', { city: {} as never }, "'cities'"],
    ['a tuple with null', { city: ['a', null] as never }, "'cities'"],
  ])(
    'costs that element, by the name of the column: %s',
    async (_, bad: Partial<Reading>, word) => {
      const driver = await createDriver(readings(tumbling(10)));
      await driver.push('in', [
        event({ at: 1, temp: 1, city: 'delft' }),
        event({ at: 2, ...bad }, { id: 'bad' }),
        event({ at: 3, temp: 3 }),
      ]);
      await driver.advanceWatermark('max');
      const [refused, ...more] = driver.rejected();
      expect(more).toEqual([]);
      expect(refused).toMatchObject({
        operator: 'window',
        code: 'function-result',
        value: { id: 'bad' },
      });
      expect(refused?.message).toContain(word);
      expect(driver.read('out').map(({ value }) => value)).toEqual([
        selected(0, [
          { at: 1, temp: 1, city: 'delft' },
          { at: 3, temp: 3 },
        ]),
      ]);
    },
  );

  it('costs that element where arithmetic has no number: NaN and Infinity; -0 is 0', async () => {
    const ratios = topology('ratios', { version: 1, owner: 'a/b' }, (t) => {
      t.source(
        'in',
        stream('a/b') as StreamDefinition<
          SluiceEvent<{ readonly at: number; readonly by: number }>
        >,
      )
        .eventTime('time', (e) => e.data.at, {
          outOfOrderness: 0,
          idleAfter: 0,
          future: { max: 0 },
        })
        .keyBy(() => 'k')
        .window('window', tumbling(10))
        .aggregate({
          most: max((e) => e.data.at / e.data.by),
          total: sum((e) => e.data.at / e.data.by),
          least: min((e) => e.data.at / e.data.by),
        })
        .out.map(({ most, total, least }) => [most, total, least])
        .sinkTo('out', collect());
    });
    const driver = await createDriver(ratios);
    await driver.push('in', [
      event({ at: 0, by: -1 }),
      event({ at: 1, by: 0 }),
      event({ at: 0, by: 0 }),
    ]);
    await driver.advanceWatermark('max');
    expect(driver.rejected().map(({ message }) => message)).toEqual([
      "'most' needs a finite number, or null, of each element, not Infinity",
      "'most' needs a finite number, or null, of each element, not NaN",
    ]);
    expect(driver.read('out').map(({ value }) => value)).toStrictEqual([[0, 0, 0]]);
  });
});
