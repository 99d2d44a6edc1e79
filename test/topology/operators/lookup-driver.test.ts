/**
 * Look-ups through the test driver, as an author tests them.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { AsyncLookupOptions, Key, LookupFunction, Topology } from '../../../topology/index.ts';
import {
  asyncLookup,
  collect,
  connector,
  fileTable,
  schemaOf,
  stream,
  topology,
} from '../../../topology/index.ts';
import type { Driver } from '../../../topology/testing.ts';
import { createDriver, event } from '../../../topology/testing.ts';
import { saying } from '../../said.ts';

const plane = schemaOf<{ tail: string | number | boolean; seats?: number }>({
  $id: 'https://sluice.example/test/plane',
  type: 'object',
  required: ['seats'],
  properties: { tail: {}, seats: { type: 'integer' } },
});

function withTable(): Topology {
  return topology('planes', { version: 1, owner: 'a/b' }, (t) => {
    t.source('in', stream('a/b'))
      .lookup(
        'plane',
        fileTable('planes.json', plane, { key: 'tail' }),
        { by: (e) => e.data as Key },
        (e, found) => ({
          tail: e.data as string,
          seats: found?.seats ?? null,
        }),
      )
      .sinkTo('out', collect());
  });
}

const table = (rows: readonly unknown[]): Promise<Driver> =>
  createDriver(withTable(), { tables: { 'planes.json': rows } });
const keys = (...all: readonly unknown[]): readonly unknown[] => all.map((key) => event(key));

describe('a table from a file', () => {
  it('finds by the key and its type; a miss is undefined, and what is no key is refused', async () => {
    const driver = await table([
      { tail: 'N1', seats: 1 },
      { tail: 1, seats: 2 },
      { tail: '1', seats: 3 },
      { tail: true, seats: 4 },
    ]);
    await driver.push('in', keys('N1', 1, '1', true, 'true', 'N2', null));
    expect(driver.read('out').map(({ value }) => value)).toEqual([
      { tail: 'N1', seats: 1 },
      { tail: 1, seats: 2 },
      { tail: '1', seats: 3 },
      { tail: true, seats: 4 },
      { tail: 'true', seats: null },
      { tail: 'N2', seats: null },
    ]);
    expect(driver.rejected()).toMatchObject([{ operator: 'plane', code: 'function-result' }]);
    expect(driver.counts('plane')).toMatchObject({ in: 7, passed: 6, rejected: 1 });
  });

  it('is refused with the row that is wrong', async () => {
    const cases: readonly (readonly [rows: readonly unknown[], message: RegExp])[] = [
      [
        [
          { tail: 'a', seats: 1 },
          { tail: 'b', seats: 'many' },
        ],
        /^planes\.json, row 2: \/seats /,
      ],
      [
        [
          { tail: 'a', seats: 1 },
          { tail: 'b', seats: 1 },
          { tail: 'a', seats: 2 },
        ],
        /^planes\.json, row 3: its tail a appears twice/,
      ],
      [
        [{ seats: 1 }],
        /^planes\.json, row 1: its tail is not a valid key: a key must be .*, not undefined/,
      ],
      [
        [{ tail: ['x', null], seats: 1 }],
        /^planes\.json, row 1: its tail is not a valid key: .*not null/,
      ],
      [[null], /^planes\.json, row 1: /],
    ];
    for (const [rows, message] of cases) {
      await expect(table(rows)).rejects.toMatchObject({
        code: 'lookup-table-invalid',
        message: expect.stringMatching(message) as string,
      });
    }
    await expect(createDriver(withTable())).rejects.toMatchObject({ code: 'lookup-table-missing' });
  });
});

function prices(options: AsyncLookupOptions = {}): Topology {
  return topology('prices', { version: 1, owner: 'a/b' }, (t) => {
    t.source('in', stream('a/b'))
      .lookup(
        'price',
        connector<number>('prices'),
        { by: (e) => e.data as string, ...options },
        (e, found) => ({
          key: e.data as string,
          price: found ?? null,
        }),
      )
      .sinkTo('out', collect());
  });
}
const ask = (call: LookupFunction, options: AsyncLookupOptions = {}): Promise<Driver> =>
  createDriver(prices(options), { lookups: { prices: call } });
const found = (driver: Driver): readonly unknown[] =>
  driver.read('out').map(({ value }) => Object.values(value as Record<string, unknown>).join(' '));

describe('an asynchronous look-up', () => {
  it('is waited for by every call of the driver, in real time while an answer is under way', async () => {
    const driver = await ask(async (key) => {
      await sleep(key === 'a' ? 60 : 5);
      return String(key).length;
    });
    await driver.push('in', keys('a', 'bb'));
    expect(found(driver)).toEqual(['a 1', 'bb 2']);
  });

  it('ordered keeps the order of the input; unordered gives answers as they come', async () => {
    for (const order of ['ordered', 'unordered'] as const) {
      const driver = await ask(async (key) => sleep(key === 'slow' ? 30 : 1, 1), { order });
      await driver.push('in', keys('slow', 'quick'));
      expect(found(driver)).toEqual(
        order === 'ordered' ? ['slow 1', 'quick 1'] : ['quick 1', 'slow 1'],
      );
    }
  });

  it('never has more than its capacity under way', async () => {
    let underWay = 0;
    let most = 0;
    const driver = await ask(
      async () => {
        most = Math.max(most, ++underWay);
        await sleep(1);
        underWay--;
        return 1;
      },
      { capacity: 3 },
    );
    await driver.push('in', keys(...Array.from({ length: 20 }, (_, i) => `k${i}`)));
    expect([found(driver).length, most]).toEqual([20, 3]);
  });

  it('a try that takes too long is aborted and made again', async () => {
    let tries = 0;
    let aborted = 0;
    const driver = await ask(
      (_key, { signal }) => {
        signal.addEventListener('abort', () => void aborted++);
        return ++tries < 3 ? new Promise(() => undefined) : Promise.resolve(tries);
      },
      { timeout: 20 },
    );
    await driver.push('in', keys('a'));
    expect([found(driver), aborted]).toEqual([['a 3'], 2]);
  });

  it('hold: an outage rejects nothing, and one without end is told of instead of being waited for', async () => {
    let failing = 40;
    const driver = await ask(() =>
      failing-- > 0 ? Promise.reject(new Error('away')) : Promise.resolve(1),
    );
    await driver.push('in', keys('a', 'b'));
    expect([found(driver), driver.rejected()]).toEqual([['a 1', 'b 1'], []]);
    failing = Number.POSITIVE_INFINITY;
    await expect(driver.push('in', keys('c'))).rejects.toMatchObject({
      code: 'lookup-held',
      message: saying({ names: ['price'], numbers: [1], end: ': away' }),
    });
    const snapshot = driver.snapshot();
    failing = 0;
    await driver.push('in', keys('d'));
    expect([found(driver), driver.rejected()]).toEqual([['c 1', 'd 1'], []]);
    expect(driver.counts('price')).toMatchObject({ in: 4, passed: 4 });
    await driver.restore(snapshot);
    expect(found(driver)).toEqual(['c 1']);
    expect(driver.counts('price')).toMatchObject({ in: 3, passed: 3 });
    driver.close();
  });

  it('reject: the element is refused under the code lookup-failed', async () => {
    const driver = await ask(
      (key) => (key === 'b' ? Promise.reject(new Error('away')) : Promise.resolve(1)),
      {
        whenFailing: 'reject',
        retry: { attempts: 2 },
      },
    );
    await driver.push('in', keys('a', 'b', 'c'));
    expect(found(driver)).toEqual(['a 1', 'c 1']);
    expect(driver.rejected()).toMatchObject([
      {
        operator: 'price',
        code: 'lookup-failed',
        message: saying({ numbers: [2], end: ': away' }),
      },
    ]);
  });

  it('answers are kept for their time, which setClock moves', async () => {
    const asked: Key[] = [];
    const driver = await ask(
      (key) => {
        asked.push(key);
        return Promise.resolve(undefined);
      },
      { cache: { maxEntries: 10, ttl: '1m' } },
    );
    await driver.push('in', keys('a', 'a'));
    await driver.setClock(59_000);
    await driver.push('in', keys('a'));
    expect(asked).toEqual(['a']);
    await driver.setClock(60_000);
    await driver.push('in', keys('a'));
    expect(asked).toEqual(['a', 'a']);
    expect(found(driver)).toEqual(['a ', 'a ', 'a ', 'a ']);
  });

  it('a connector that is not bound is named', async () => {
    await expect(createDriver(prices())).rejects.toMatchObject({
      code: 'connector-missing',
      message: saying({ names: ['prices'] }),
    });
  });

  it("an author's own function is asked, and a watermark comes after what waited before it", async () => {
    const own = topology('own', { version: 1, owner: 'a/b' }, (t) => {
      t.source('in', stream('a/b'))
        .eventTime('time', (e) => (e.data as { at: number }).at, {
          outOfOrderness: 0,
          future: { max: 0 },
        })
        .lookup(
          'own',
          asyncLookup(async (at: number) => sleep(2, at * 2)),
          { by: (e) => (e.data as { at: number }).at, order: 'unordered' },
          (_e, twice) => ({ twice: twice ?? 0 }),
        )
        .sinkTo('out', collect());
    });
    const driver = await createDriver(own);
    await driver.push('in', [event({ at: 5 }), event({ at: 6 })]);
    await driver.tick();
    expect(driver.read('out')).toEqual([
      { value: { twice: 10 }, timestamp: 5 },
      { value: { twice: 12 }, timestamp: 6 },
    ]);
    expect(driver.signals('out')).toEqual([5]);
  });
});
