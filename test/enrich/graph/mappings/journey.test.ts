/**
 * The mapping `journey` in a topology, under the names by which authors import it: what it writes,
 * what it refuses, what it bounds.
 */
import fc from 'fast-check';
import type { Topology, WindowOptions } from 'sluice';
import { graph, session, stream, topology } from 'sluice';
import type { JourneyOptions } from 'sluice/enrich';
import { journey } from 'sluice/enrich';
import { describe, expect, it } from 'vitest';
import { pathMaxElements } from '../../../../enrich/graph/mappings/path.ts';
import { limits } from '../../../../schemas/limits.ts';
import { createDriver } from '../../../../topology/testing.ts';
import { graphOf, told, toldOf } from './support.ts';

interface Click {
  readonly id: string;
  readonly at: number | string;
  readonly user: string;
  readonly page: string;
  readonly kind: string;
  readonly session: string;
}

const read: JourneyOptions<Click> = {
  id: (c) => c.id,
  time: (c) => c.at,
  user: (c) => c.user,
  page: (c) => c.page,
};
const { model } = journey<Click>(read);

function journeys(
  options: JourneyOptions<Click> = read,
  window: WindowOptions = {},
  key: (c: Click) => string = (c) => c.user,
): Topology {
  const visits = journey(options);
  return topology('journeys', { version: 1, owner: 'a/b' }, (t) => {
    t.source('in', stream('a/b'))
      .map((event) => event as unknown as Click)
      .eventTime('time', (c) => c.at, { outOfOrderness: 0, future: { max: 0 } })
      .keyBy(key)
      .window('sessions', session('1s'), window)
      .aggregate({ path: visits.path })
      .out.sinkTo('out', graph(visits.model, visits.writes));
  });
}

const click = (id: string, at: number | string, page: string, more: Partial<Click> = {}): Click => {
  return { id, at, page, user: 'ann', kind: 'view', session: 's', ...more };
};

describe('a journey', () => {
  it('is told as sessions, events in order, pages and steps', async () => {
    const clicks = [
      click('c', 3_000, '/a'),
      click('b', 700, '/b'),
      click('a', 0, '/a'),
      click('d', 0, '/c', { user: 'bob' }),
    ];
    const { writes, rejected } = await told(journeys({ ...read, event: (c) => c.kind }), clicks);
    expect(rejected).toEqual([]);
    expect(writes).toEqual([
      model.Session({ id: 'bob@0', user: 'bob', startedAt: 0, endedAt: 0, events: 1 }),
      model.HAD({ from: 'bob', to: 'bob@0' }),
      model.Event({ id: 'd', type: 'view', at: 0 }),
      model.HAS({ from: 'bob@0', to: 'd', position: 1 }),
      model.ON_PAGE({ from: 'd', to: '/c' }),
      model.Session({ id: 'ann@0', user: 'ann', startedAt: 0, endedAt: 700, events: 2 }),
      model.HAD({ from: 'ann', to: 'ann@0' }),
      model.Event({ id: 'a', type: 'view', at: 0 }),
      model.HAS({ from: 'ann@0', to: 'a', position: 1 }),
      model.ON_PAGE({ from: 'a', to: '/a' }),
      model.Event({ id: 'b', type: 'view', at: 700 }),
      model.HAS({ from: 'ann@0', to: 'b', position: 2 }),
      model.ON_PAGE({ from: 'b', to: '/b' }),
      model.NEXT({ from: 'a', to: 'b', gapMs: 700 }),
      model.Session({ id: 'ann@3000', user: 'ann', startedAt: 3_000, endedAt: 3_000, events: 1 }),
      model.HAD({ from: 'ann', to: 'ann@3000' }),
      model.Event({ id: 'c', type: 'view', at: 3_000 }),
      model.HAS({ from: 'ann@3000', to: 'c', position: 1 }),
      model.ON_PAGE({ from: 'c', to: '/a' }),
    ]);
  });

  it('does not depend on the order of arrival, on repeats, or on a restart', async () => {
    const clicks = [
      click('a!', 500, '/b'),
      click('a', 500, '/a'),
      click('c', 0, '/c'),
      click('d', 1_400, '/d'),
      click('a', 900, '/later', { kind: 'again' }),
      click('e', 500, '/e'),
      click('e', 500, '/other'),
    ];
    const { writes: wanted } = await told(journeys(), clicks);
    expect(graphOf(model.definition, wanted).rows('HAS', ['position', 'to'])).toEqual(
      ['c', 'a', 'a!', 'e', 'd'].map((id, i) => [i + 1, id]),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.shuffledSubarray(clicks, { minLength: clicks.length }),
        fc.nat({ max: clicks.length }),
        async (order, cut) => {
          const driver = await createDriver(journeys());
          await driver.push('in', order.slice(0, cut));
          await driver.restore(driver.snapshot());
          await driver.push('in', order.slice(cut));
          await driver.advanceWatermark('max');
          expect(toldOf(driver).writes).toEqual(wanted);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('takes RFC 3339 times as well', async () => {
    const { writes } = await told(journeys(), [
      click('a', '1970-01-01T00:00:02.5009Z', '/a'),
      click('b', 2_600, '/b'),
    ]);
    expect(graphOf(model.definition, writes).rows('NEXT', ['from', 'to', 'gapMs'])).toEqual([
      ['a', 'b', 100],
    ]);
  });

  it('takes sessions as the events name them, and a visitor who signs in', async () => {
    const named = journeys({ ...read, session: (c) => c.session }, {}, () => 'all');
    const { writes } = await told(named, [
      click('1', 0, '/a', { session: 'x', user: 'cookie' }),
      click('2', 10, '/a', { session: 'y', user: 'bob' }),
      click('3', 20, '/b', { session: 'x', user: 'ann' }),
      click('4', 30, '/c', { session: 'x', user: 'ann' }),
    ]);
    const graphed = graphOf(model.definition, writes);
    expect(graphed.rows('Session', ['id', 'user', 'startedAt', 'endedAt', 'events'])).toEqual([
      ['x', 'ann', 0, 30, 3],
      ['y', 'bob', 10, 10, 1],
    ]);
    expect(graphed.rows('HAD', ['from', 'to'])).toEqual([
      ['ann', 'x'],
      ['bob', 'y'],
      ['cookie', 'x'],
    ]);
    expect(graphed.rows('NEXT', ['from', 'to'])).toEqual([
      ['1', '3'],
      ['3', '4'],
    ]);
  });

  it('keeps users apart in a window that is not keyed by user', async () => {
    const { writes } = await told(
      journeys(read, {}, () => 'all'),
      [click('1', 0, '/a'), click('2', 1, '/a', { user: 'bob' }), click('3', 2, '/b')],
    );
    const graphed = graphOf(model.definition, writes);
    expect(graphed.rows('NEXT', ['from', 'to'])).toEqual([['1', '3']]);
    expect(graphed.rows('Session', ['id', 'events'])).toEqual([
      ['ann@0', 2],
      ['bob@1', 1],
    ]);
  });
});

describe('a journey refuses', () => {
  it.each([
    ['allowed lateness', { allowedLateness: '10s' }],
    ['early firings', { early: '100ms' }],
  ] as const)('the results of a window with %s, from the first on', async (_, window) => {
    const driver = await createDriver(journeys(read, window));
    await driver.push('in', [click('a', 0, '/a'), click('b', 300, '/b')]);
    await driver.advanceWatermark(1_000);
    await driver.advanceWatermark(1_400);
    await driver.push('in', click('c', 900, '/c'));
    await driver.advanceWatermark('max');
    const { writes, rejected } = toldOf(driver);
    expect(rejected.length).toBeGreaterThan(1);
    for (const one of rejected)
      expect(one).toMatchObject({
        operator: 'out',
        code: 'function-result',
        message: expect.stringMatching(/\ballowedLateness\b/) as string,
      });
    expect(writes).toEqual([]);
  });

  it.each([
    ['id', { id: undefined }, 'the id must be text, not undefined'],
    ['page', { page: 7 }, 'the page must be text, not number'],
    ['page of a lone surrogate', { page: '\ud800' }, 'the page has half a surrogate pair'],
    [
      'user as long as a key',
      { user: 'é'.repeat(limits.graphKeyMaxBytes / 2) },
      `a key of the graph has at most ${limits.graphKeyMaxBytes - 18}`,
    ],
    [
      'page longer than a key',
      { page: 'x'.repeat(limits.graphKeyMaxBytes + 1) },
      `has at most ${limits.graphKeyMaxBytes}`,
    ],
    ['kind', { kind: null }, 'the kind of event must be text, not null'],
  ])('one event for its %s, and tells of the others', async (_, wrong, message) => {
    const options = { ...read, event: (c: Click) => c.kind };
    const bad = { ...click('bad', 1, '/b'), ...wrong } as unknown as Click;
    const { writes, rejected } = await told(
      journeys(options, {}, () => 'all'),
      [click('a', 0, '/a'), bad, click('c', 2, '/c')],
    );
    expect(rejected).toMatchObject([
      { operator: 'sessions', message: expect.stringContaining(message) as string },
    ]);
    expect(graphOf(model.definition, writes).rows('NEXT', ['from', 'to'])).toEqual([['a', 'c']]);
  });

  it('one event for a time that is none', async () => {
    const { path } = journey<Click>({ ...read, time: () => 'yesterday' });
    const add = path.functions['add'] as (path: readonly unknown[], value: Click) => unknown;
    expect(() => add([], click('a', 0, '/a'))).toThrow(
      expect.objectContaining({
        code: 'path-element',
        message: expect.stringMatching(/\bRFC\b/) as string,
      }),
    );
  });

  it('one event too many, and one that would join two paths to too many', async () => {
    const filled = (from: number, most: number): readonly Click[] =>
      Array.from({ length: most }, (_, n) => click(`${from + n}`, from, `/${n % 10}`));
    const half = pathMaxElements / 2;
    const all = [...filled(0, half), ...filled(1_900, half + 1)];
    const driver = await createDriver(journeys());
    await driver.push('in', all);
    await driver.push('in', click('bridge', 950, '/bridge'));
    await driver.push('in', filled(10_000, pathMaxElements));
    await driver.push('in', click('more', 10_000, '/more'));
    await driver.advanceWatermark('max');
    const { writes, rejected } = toldOf(driver);
    expect(
      rejected.map(({ value, message }) => [
        (value as Click).id,
        message.includes(`at most ${pathMaxElements}`),
      ]),
    ).toEqual([
      ['bridge', true],
      ['more', true],
    ]);
    const sessions = writes.flatMap((write) =>
      write.kind === 'node' && write.label === 'Session' ? [write.props['events']] : [],
    );
    expect(sessions).toEqual([half, half + 1, pathMaxElements]);
    expect(writes.length).toBeLessThanOrEqual(5 * (all.length + pathMaxElements));
  });
});

it('compiles only with a user, a page, an id and a time of the right types', () => {
  // @ts-expect-error no user
  journey<Click>({ id: (c) => c.id, time: (c) => c.at, page: (c) => c.page });
  // @ts-expect-error a page is text
  journey<Click>({ ...read, page: () => 7 });
  // @ts-expect-error no such property
  journey<Click>({ ...read, user: (c) => c.visitor });
});
