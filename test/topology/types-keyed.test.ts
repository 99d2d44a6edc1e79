/**
 * Windows, joins, look-ups and keyed processes infer their types without annotations, and wrong
 * ones do not compile. The compiler is the test: an expected error that is missing fails the build.
 */
import { expect, expectTypeOf, it } from 'vitest';
import type { Stream } from '../../topology/index.ts';
import {
  aggregator,
  approxDistinct,
  asyncLookup,
  avg,
  collect,
  connector,
  count,
  fileTable,
  graph,
  graphModel,
  list,
  max,
  min,
  rejected,
  schemaOf,
  session,
  sliding,
  stream,
  sum,
  table,
  topology,
  tumbling,
  validateTopology,
  value,
} from '../../topology/index.ts';

interface PromoClick {
  readonly promoId: string;
  readonly userId: string;
  readonly price: number;
  readonly clickedAt: string;
  readonly coupon: string | null;
}

interface PromoImpression {
  readonly userId: string;
  readonly seenAt: number;
}

const promoClick = schemaOf<PromoClick>({ $id: 'promo-click', type: 'object', properties: {} });
const promoImpression = schemaOf<PromoImpression>({
  $id: 'promo-impression',
  type: 'object',
  properties: {},
});
const promo = schemaOf<{ readonly promoId: string; readonly campaign: string }>({
  $id: 'promo',
  type: 'object',
  properties: { promoId: { type: 'string' } },
});
const attributedRow = schemaOf<{
  readonly promoId: string;
  readonly userId: string;
  readonly price: number;
  readonly seen: boolean;
}>({
  $id: 'attributed',
  type: 'object',
  properties: { promoId: { type: 'string' } },
});
const ctrRow = schemaOf<{
  readonly key: string;
  readonly clicks: number;
  readonly revenue: number;
  readonly users: number;
}>({
  $id: 'ctr',
  type: 'object',
  properties: { key: { type: 'string' } },
});

const journeyModel = graphModel({
  nodes: {
    User: { key: 'id', props: { id: 'string' } },
    Promo: { key: 'id', props: { id: 'string' } },
  },
  edges: { CLICKED: { from: 'User', to: 'Promo', props: { price: 'number' } } },
});

it('the topology of an attribution infers everything', () => {
  const made = topology('promo-attribution', { version: 1, owner: 'rpp/promo' }, (t) => {
    const clicks = t
      .source('clicks', stream('rpp/promo-clicks'))
      .validate('clicks-valid', promoClick)
      .eventTime('clicks-time', (e) => e.data.clickedAt, {
        outOfOrderness: '10s',
        idleAfter: '30s',
        future: { max: '5m' },
      })
      .deduplicate('clicks-once', { by: (e) => e.id, within: '1h' });
    const impressions = t
      .source('impressions', stream('rpp/promo-impressions'))
      .validate('impressions-valid', promoImpression)
      .eventTime('impressions-time', (e) => e.data.seenAt, { outOfOrderness: '10s' });

    const joined = clicks
      .keyBy((c) => c.data.userId)
      .intervalJoin(
        'click-to-impression',
        impressions.keyBy((i) => i.data.userId),
        { lower: '-30m', upper: '0s', join: 'left' },
        (c, i) => ({
          promoId: c.data.promoId,
          userId: c.data.userId,
          price: c.data.price,
          seen: i !== undefined,
        }),
      );

    const perMinute = joined.out
      .keyBy((a) => a.promoId)
      .window('per-minute', tumbling('1m'), { allowedLateness: '5m', late: 'side' })
      .aggregate({
        clicks: count(),
        revenue: sum((a) => a.price),
        users: approxDistinct((a) => a.userId),
      });

    joined.out.sinkTo(
      'attributed',
      table('attributed', attributedRow, { partitionBy: ['date', 'hour', 'team', 'app'] }),
    );
    joined.out.sinkTo(
      'journey',
      graph(journeyModel, (a) => [
        journeyModel.User({ id: a.userId }),
        journeyModel.CLICKED({ from: a.userId, to: a.promoId, price: a.price }),
      ]),
    );
    perMinute.out.sinkTo('ctr', table('ctr_per_minute', ctrRow));
    perMinute.late.sinkTo('ctr-late', rejected());
  });
  expect(validateTopology(made)).toEqual([]);
});

it('what must not compile does not', () => {
  // Never called: some of it would not run either.
  const wrong = (): unknown =>
    topology('wrong', { version: 1, owner: 'a/b' }, (t) => {
      const clicks = t
        .source('clicks', stream('a/b'))
        .validate('valid', promoClick)
        .eventTime('time', (e) => e.data.clickedAt, { outOfOrderness: 0 });
      const byUser = clicks.keyBy((c) => c.data.userId);

      // @ts-expect-error: null is no key
      clicks.keyBy((c) => c.data.coupon);
      // @ts-expect-error: an object is no key
      clicks.keyBy((c) => c.data);
      // @ts-expect-error: a window needs a key
      clicks.window('no-key', tumbling('1m'));
      // @ts-expect-error: a keyed stream has no sink before something was made of it
      byUser.sinkTo('keyed', rejected());
      // @ts-expect-error: the element has no such property
      byUser.window('sum', tumbling('1m')).aggregate({ nope: sum((a) => a.nope) });
      // @ts-expect-error: only numbers are summed
      byUser.window('text', tumbling('1m')).aggregate({ text: sum((c) => c.data.promoId) });
      const saved = byUser.window('null', tumbling('1m')).aggregate({
        clicks: count(),
        revenue: sum((c) => (c.data.coupon === null ? null : 1)),
        users: count(),
      });
      // @ts-expect-error: the sum of what may be null may be null, and the table's column may not
      saved.out.sinkTo('ctr', table('ctr', ctrRow));
      // @ts-expect-error: the element has no such property
      byUser.window('count', tumbling('1m')).aggregate({ nope: count((a) => a.nope) });
      // @ts-expect-error: a late output was not asked for
      void byUser.window('late', tumbling('1m')).aggregate({ n: count() }).late;
      // @ts-expect-error: a duration has a unit
      tumbling('1 fortnight');
      const left = { lower: 0, upper: 1, join: 'left' } as const;
      // @ts-expect-error: the right side of a left join may be missing
      byUser.intervalJoin('left', byUser, left, (l, r) => r.data.price);
      // @ts-expect-error: late outputs of a join were not asked for
      void byUser.intervalJoin('join', byUser, { lower: 0, upper: 1 }, (l, r) => [l, r]).lateLeft;
      // @ts-expect-error: the table has no such key
      fileTable('promos.json', promo, { key: 'nope' });
      const promos = fileTable('promos.json', promo, { key: 'promoId' });
      // @ts-expect-error: the row may be missing
      clicks.lookup('promo', promos, { by: (c) => c.data.promoId }, (c, p) => p.campaign);
      const byNumber = asyncLookup((key: number) => Promise.resolve(key));
      // @ts-expect-error: the function asks by a number
      clicks.lookup('price', byNumber, { by: (c) => c.data.promoId }, (c, p) => [c, p]);
      byUser.process('state', {
        state: { n: value<number>() },
        // @ts-expect-error: the state was declared as a number
        onElement: (c, ctx) => [ctx.state.n.set(c.id)],
      });
      // @ts-expect-error: streams of other elements are no union
      clicks.union('both', byUser.window('n', tumbling('1m')).aggregate({ n: count() }).out);
    });
  expect(wrong).toBeTypeOf('function');
});

it('results carry their types', () => {
  const made = topology('types-keyed', { version: 1, owner: 'a/b' }, (t) => {
    const clicks = t
      .source('clicks', stream('a/b'))
      .validate('valid', promoClick)
      .eventTime('time', (e) => e.data.clickedAt, { outOfOrderness: 0 });

    const windows = clicks
      .keyBy((c) => [c.data.userId, c.data.price > 0])
      .window('windows', sliding('1h', '10m'))
      .aggregate({
        n: count(),
        mean: avg((c) => c.data.price),
        top: max((c) => c.data.price),
        saved: sum((c) => (c.data.coupon === null ? null : c.data.price)),
        least: min((c) => (c.data.coupon === null ? undefined : c.data.price)),
        coupons: count((c) => c.data.coupon),
        kinds: approxDistinct((c) => c.data.coupon),
        promos: aggregator({
          create: (): string[] => [],
          add: (all, c) => [...all, c.data.promoId],
          merge: (a, b) => [...a, ...b],
          result: (all) => all.join(),
        }),
      }).out;
    const looked = windows.map((w) => {
      expectTypeOf(w.key).toEqualTypeOf<readonly [string, boolean]>();
      expectTypeOf(w.windowStart).toEqualTypeOf<number>();
      expectTypeOf(w.pane.timing).toEqualTypeOf<'early' | 'onTime' | 'late'>();
      expectTypeOf(w.n).toEqualTypeOf<number>();
      expectTypeOf(w.mean).toEqualTypeOf<number>();
      expectTypeOf(w.saved).toEqualTypeOf<number | null>();
      expectTypeOf(w.least).toEqualTypeOf<number | null>();
      expectTypeOf(w.coupons).toEqualTypeOf<number>();
      expectTypeOf(w.kinds).toEqualTypeOf<number>();
      expectTypeOf(w.promos).toEqualTypeOf<string>();
      return w;
    });
    looked.sinkTo('windows-out', collect());

    const sessions = clicks
      .keyBy((c) => c.data.userId)
      .window('sessions', session('30m'), { late: 'side' })
      .aggregate({ n: count() });
    expectTypeOf(sessions.late).toEqualTypeOf<typeof clicks>();
    sessions.out.sinkTo('sessions-out', collect());
    sessions.late.sinkTo('sessions-late', collect());

    const campaigns = clicks
      .lookup(
        'promo',
        fileTable('promos.json', promo, { key: 'promoId' }),
        { by: (c) => c.data.promoId },
        (c, found) => ({
          id: c.id,
          campaign: found?.campaign ?? null,
        }),
      )
      .lookup(
        'score',
        connector<{ readonly score: number }>('scores'),
        { by: (c) => c.id, cache: { maxEntries: 10, ttl: '1m' } },
        (c, found) => ({
          ...c,
          score: found?.score,
        }),
      );
    expectTypeOf(campaigns).toEqualTypeOf<
      Stream<{ score: number | undefined; id: string; campaign: string | null }>
    >();
    campaigns.sinkTo('campaigns', collect());

    const counted = clicks
      .keyBy((c) => c.data.userId)
      .process('counted', {
        state: { seen: value<number>({ ttl: '1h' }), ids: list<string>() },
        onElement: (c, ctx) => {
          expectTypeOf(ctx.key).toEqualTypeOf<string>();
          expectTypeOf(ctx.state.seen.get()).toEqualTypeOf<number | undefined>();
          expectTypeOf(ctx.state.ids.get()).toEqualTypeOf<readonly string[]>();
          ctx.state.ids.add(c.id);
          return [{ user: ctx.key, seen: ctx.state.ids.get().length }];
        },
      });
    expectTypeOf(counted).toEqualTypeOf<Stream<{ user: string; seen: number }>>();
    counted.union('twice', counted).sinkTo('twice-out', collect());
  });
  expect(validateTopology(made)).toEqual([]);
});
