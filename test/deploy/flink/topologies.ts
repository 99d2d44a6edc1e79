/** A topology that both engines run, with nodes of most kinds. */
import {
  aggregator,
  collect,
  count,
  fileTable,
  list,
  rejected,
  schemaOf,
  stream,
  sum,
  table,
  topology,
  tumbling,
} from 'sluice';

export interface Click {
  readonly user: string;
  readonly price: number;
  readonly at: number;
}

const clickSchema = schemaOf<Click>({
  $id: 'click',
  type: 'object',
  required: ['user', 'price', 'at'],
  properties: {
    user: { type: 'string', pattern: '^user-[0-9]$' },
    price: { type: 'number' },
    at: { type: 'integer' },
  },
});

const planSchema = schemaOf<{ readonly user: string; readonly plan: string }>({
  $id: 'plan',
  type: 'object',
  required: ['user', 'plan'],
  properties: { user: { type: 'string' }, plan: { type: 'string' } },
});

const rowSchema = schemaOf<{ readonly id: string; readonly plan: string | null }>({
  $id: 'row',
  type: 'object',
  required: ['id', 'plan'],
  properties: { id: { type: 'string' }, plan: { type: ['string', 'null'], maxLength: 4 } },
  additionalProperties: false,
});

/** Prices from this one on have no place in it: the function throws. */
const tooDear = 19;

const longest = aggregator<{ readonly user: string }, string, string>({
  create: () => '',
  add: (found, { user }) => (user.length > found.length ? user : found),
  merge: (a, b) => (a.length > b.length ? a : b),
  result: (found) => found,
});

export const plansFile = 'plans.json';

export default topology('shop', { version: 1, owner: 'shop/web' }, (t) => {
  const { cheap, unlucky, rest } = t
    .source('clicks', stream('shop/clicks'))
    .validate('clicks-valid', clickSchema)
    .map(({ id, data: { user, price, at } }) => ({ id, user, price, at }))
    .filter(({ price }) => {
      if (price >= tooDear) throw new Error('too dear');
      return price !== 1;
    })
    .eventTime('time', ({ at }) => at, { outOfOrderness: '2s', future: { max: 0 } })
    .branch({ cheap: ({ price }) => price < 10, unlucky: ({ price }) => price === 13 });
  unlucky.sinkTo('unlucky', rejected());
  cheap
    .flatMap(({ id, user }) => [
      { id, user },
      { id: `${id}-again`, user },
    ])
    .lookup(
      'plans',
      fileTable(plansFile, planSchema, { key: 'user' }),
      { by: ({ user }) => user },
      ({ id }, found) => ({ id, plan: found?.plan ?? null }),
    )
    .sinkTo('twice', table('twice', rowSchema, { partitionBy: ['date'] }));
  const perUser = rest
    .keyBy(({ user }) => user)
    .window('per-user', tumbling('10s'), { late: 'side' })
    .aggregate({ n: count(), total: sum(({ price }) => price / 10), longest });
  perUser.out.sinkTo('sums', collect());
  perUser.late.sinkTo('late', rejected());
  rest
    .keyBy(({ user }) => user)
    .process('third', {
      state: { seen: list<string>({ ttl: '1h' }) },
      onElement: ({ id }, { state: { seen }, key, timestamp, timers }) => {
        seen.add(id);
        timers.event(timestamp - (timestamp % 30_000) + 30_000);
        const all = seen.get();
        return all.length % 3 === 0 ? [{ key, all: all.length }] : [];
      },
      onTimer: (timer, { state: { seen }, key }) => {
        const all = seen.get();
        seen.clear();
        return [{ key: `${key} at ${timer.at}`, all: all.length }];
      },
    })
    .sinkTo('thirds', collect());
});
