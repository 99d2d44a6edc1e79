/**
 * Finds for each click the impression before it, and counts clicks by promotion and minute.
 */
import { approxDistinct, count, rejected, stream, sum, table, topology, tumbling } from 'sluice';
import { attributedRow } from './schemas/attributed-row.gen.ts';
import { click } from './schemas/click.gen.ts';
import { impression } from './schemas/impression.gen.ts';
import { perMinuteRow } from './schemas/per-minute-row.gen.ts';

export default topology('shop', { version: 1, owner: 'shop/promo' }, (t) => {
  const clicks = t
    .source('clicks', stream('shop/clicks'))
    .validate('clicks-valid', click)
    .eventTime('clicks-time', (e) => e.data.clickedAt, { outOfOrderness: '10s' })
    .deduplicate('clicks-once', { by: (e) => e.id, within: '1h' });

  const impressions = t
    .source('impressions', stream('shop/impressions'))
    .validate('impressions-valid', impression)
    .eventTime('impressions-time', (e) => e.data.seenAt, { outOfOrderness: '10s' });

  // LEFT JOIN impressions ON same user and promotion AND seenAt BETWEEN clickedAt - 30 min AND
  // clickedAt
  const attributed = clicks
    .keyBy((c) => [c.data.user, c.data.promo])
    .intervalJoin(
      'click-to-impression',
      impressions.keyBy((i) => [i.data.user, i.data.promo]),
      { lower: '-30m', upper: 0, join: 'left' },
      (c, i) => ({
        id: c.id,
        user: c.data.user,
        promo: c.data.promo,
        price: c.data.price,
        clicked: c.data.clickedAt,
        seen: i?.data.seenAt ?? null,
      }),
    );
  attributed.out.sinkTo('attributed', table('attributed', attributedRow));

  // SELECT promo, count(*), sum(price), approx_count_distinct(user) GROUP BY promo, TUMBLE(1
  // minute)
  const perMinute = clicks
    .keyBy((c) => c.data.promo)
    .window('per-minute', tumbling('1m'), { allowedLateness: '30s', late: 'side' })
    .aggregate({
      clicks: count(),
      revenue: sum((c) => c.data.price),
      users: approxDistinct((c) => c.data.user),
    });
  perMinute.out
    .map((w) => ({
      promo: w.key,
      minute: new Date(w.windowStart).toISOString(),
      clicks: w.clicks,
      revenue: w.revenue,
      users: w.users,
    }))
    .sinkTo('per-minute-table', table('clicks_per_minute', perMinuteRow));
  perMinute.late.sinkTo('per-minute-late', rejected());
});
