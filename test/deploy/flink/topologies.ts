/** A topology that both engines run, and its events. */
import type { SluiceEvent, StreamDefinition } from 'sluice';
import { aggregator, collect, count, list, stream, sum, topology, tumbling } from 'sluice';

export interface Click {
  readonly user: string;
  readonly price: number;
  readonly at: number;
}

const clicksOf = stream('shop/clicks') as StreamDefinition<SluiceEvent<Click>>;

/** Prices from this one on have no place in it: the function throws. */
const tooDear = 19;

const longest = aggregator<{ readonly user: string }, string, string>({
  create: () => '',
  add: (found, { user }) => (user.length > found.length ? user : found),
  merge: (a, b) => (a.length > b.length ? a : b),
  result: (found) => found,
});

export default topology('shop', { version: 1, owner: 'shop/web' }, (t) => {
  const { cheap, rest } = t
    .source('clicks', clicksOf)
    .map(({ id, data: { user, price, at } }) => ({ id, user, price, at }))
    .filter(({ price }) => {
      if (price >= tooDear) throw new Error('too dear');
      return price !== 1;
    })
    .eventTime('time', ({ at }) => at, { outOfOrderness: '2s', future: { max: 0 } })
    .branch({ cheap: ({ price }) => price < 10 });
  cheap
    .flatMap(({ id, user }) => [
      { id, user },
      { id: `${id}-again`, user },
    ])
    .sinkTo('twice', collect());
  const perUser = rest
    .keyBy(({ user }) => user)
    .window('per-user', tumbling('10s'), { late: 'side' })
    .aggregate({ n: count(), total: sum(({ price }) => price / 10), longest });
  perUser.out.sinkTo('sums', collect());
  perUser.late.sinkTo('late', collect());
  rest
    .keyBy(({ user }) => user)
    .process('third', {
      state: { seen: list<string>() },
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
