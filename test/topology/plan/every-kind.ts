/**
 * One topology with a node of every kind, each with options of its own; and one with what each kind
 * refuses. What is said of them is pinned in `every-kind.json`.
 */
import type { Stream, Topology } from '../../../topology/index.ts';
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
  oneOf,
  rejected,
  schemaOf,
  session,
  sliding,
  stream,
  sum,
  table,
  topology,
  tumbling,
  value,
} from '../../../topology/index.ts';

export interface Click {
  readonly user: string;
  readonly page: string;
  readonly at: number;
  readonly price: number;
}

const clickSchema = {
  type: 'object',
  properties: {
    user: { type: 'string' },
    page: { type: 'string' },
    at: { type: 'number' },
    price: { type: 'number' },
  },
};
const click = schemaOf<Click>({ $id: 'click', ...clickSchema });
const view = schemaOf<Click>({ $id: 'view', ...clickSchema });
const page = schemaOf<{ readonly page: string; readonly title: string }>({
  $id: 'page',
  type: 'object',
  properties: { page: { type: 'string' }, title: { type: 'string' } },
});
const row = schemaOf<Click>({ $id: 'row', ...clickSchema });
const site = graphModel({
  nodes: {
    User: { key: 'id', props: { id: 'string' } },
    Page: { key: 'path', props: { path: 'string', views: 'integer' } },
  },
  edges: { SAW: { from: 'User', to: 'Page', key: ['at'], props: { at: 'integer' } } },
});
const longest = aggregator<Click, number, number>({
  create: () => 0,
  add: (most, { page: { length } }) => Math.max(most, length),
  merge: Math.max,
  result: (most) => most,
});

function stateless(clicks: Stream<Click>): Stream<Click> {
  const { cheap, dear, rest } = clicks.split({
    cheap: ({ price }) => price < 1,
    dear: ({ price }) => price > 100,
  });
  dear.map((one) => one).sinkTo('dear', collect());
  rest.sinkTo('rest', rejected());
  return cheap
    .filter(({ user }) => user !== '')
    .flatMap((one) => [one, one])
    .union('both', clicks);
}

export const everyKind: Topology = topology(
  'every-kind',
  { version: 3, owner: 'shop/promo' },
  (t) => {
    const clicks = t
      .source('clicks', stream('shop/clicks', { dataText: true }))
      .validate('valid', oneOf(click, view))
      .eventTime('time', ({ data }) => data.at, {
        outOfOrderness: '10s',
        idleAfter: '1m',
        future: { max: '5m' },
      })
      .map(({ data }) => data);
    const mixed = stateless(clicks);
    const once = mixed.deduplicate('once', { by: ({ user }) => user, within: '1h', late: 'side' });
    once.late.sinkTo('late-repeats', rejected());
    const titled = once.out
      .lookup(
        'titles',
        fileTable('pages.json', page, { key: 'page' }),
        { by: (one) => one.page },
        (one) => one,
      )
      .lookup(
        'owner',
        connector<string>('owners'),
        {
          by: ({ user }) => user,
          cache: { maxEntries: 10, ttl: '1m' },
          capacity: 5,
          timeout: '2s',
          retry: { attempts: 2 },
          order: 'unordered',
          whenFailing: 'reject',
        },
        (one) => one,
      )
      .lookup(
        'score',
        asyncLookup(() => Promise.resolve(1)),
        { by: ({ user }) => user },
        (one) => one,
      );
    const keyed = titled.keyBy(({ user }) => user);
    const minutes = keyed
      .window('minutes', tumbling('1m', { offset: '5s' }), {
        allowedLateness: '5m',
        late: 'side',
        mode: 'discarding',
        early: '10s',
      })
      .aggregate({
        rows: count(),
        priced: count((one: Click) => one.price),
        total: sum((one: Click) => one.price),
        mean: avg((one: Click) => one.price),
        least: min((one: Click) => one.price),
        most: max((one: Click) => one.price),
        users: approxDistinct((one: Click) => one.user),
        longest,
      });
    minutes.out.sinkTo('minutes-out', collect());
    minutes.late.sinkTo('minutes-late', rejected());
    keyed
      .window('slides', sliding('1h', '10m'))
      .aggregate({ n: count() })
      .out.sinkTo('slides-out', collect());
    keyed
      .window('visits', session('30m'))
      .aggregate({ n: count() })
      .out.sinkTo('visits-out', collect());
    const pairs = keyed.intervalJoin(
      'pairs',
      mixed.keyBy(({ user }) => user),
      { lower: '-10m', upper: '1m', upperExclusive: true, join: 'left', late: 'side' },
      (left) => left,
    );
    pairs.lateLeft.sinkTo('late-left', rejected());
    pairs.lateRight.sinkTo('late-right', rejected());
    pairs.out.sinkTo(
      'rows',
      table('rows', row, { partitionBy: ['date', 'team'], rowId: true, upsert: ['user', 'page'] }),
    );
    keyed
      .process('steps', {
        state: { last: value<number>({ ttl: '1d', refresh: 'readWrite' }), pages: list<string>() },
        onElement: (one) => [one],
        onTimer: () => [],
      })
      .sinkTo(
        'graph',
        graph(site, ({ user, page: path, at }) => [
          site.User({ id: user }),
          site.Page({ path }),
          site.SAW({ from: user, to: path, at }),
        ]),
      );
  },
);

/** What each kind refuses of its own options, and what it asks of the nodes before it. */
export const everyMistake: Topology = topology(
  'every mistake',
  { version: 0, owner: 'shop' as 'a/b' },
  (t) => {
    const raw = t.source('raw', stream('nowhere')).validate('none', oneOf());
    raw
      .validate('twice', oneOf(click, click))
      .map(({ data }) => data)
      .sinkTo('twice-out', table('rejected', row));
    const clicks = raw.map(({ data }) => data as unknown as Click);
    clicks.split({}).rest?.sinkTo('nothing', collect());
    clicks.split({ 'a.b': () => true, other: () => true });
    clicks
      .deduplicate('untimed', { by: ({ user }) => user, within: 0 })
      .sinkTo('untimed', collect());
    const timed = clicks.eventTime('time', ({ at }) => at, { outOfOrderness: 'soon' as '1s' });
    timed
      .eventTime('again', ({ at }) => at, { outOfOrderness: 0 })
      .union('mixed', clicks)
      .sinkTo('mixed-out', collect());
    const keyed = timed.keyBy(({ user }) => user);
    const untimed = clicks.keyBy(({ user }) => user);
    keyed
      .window('empty', tumbling('1m', { offset: '1m' }))
      .aggregate({})
      .out.sinkTo('empty-out', collect());
    untimed
      .window('named', sliding('31d', '1s', { offset: '1s' }))
      .aggregate({ key: count(), 'a-b': count(), pane: count() })
      .out.sinkTo('named-out', collect());
    untimed
      .intervalJoin('pair', keyed, { lower: '1m', upper: 0 }, (left) => left)
      .out.sinkTo('pair-out', collect());
    untimed
      .process('steps', { state: { 'a-b': value<number>() }, onElement: undefined as never })
      .sinkTo('steps-out', collect());
    clicks
      .lookup(
        'titles',
        fileTable('pages.json', page, { key: 'id' as 'page' }),
        { by: (one) => one.page },
        (one) => one,
      )
      .lookup(
        'owner',
        connector<string>('not/a name'),
        {
          by: ({ user }) => user,
          capacity: 0,
          timeout: 0,
          retry: { attempts: 0 },
          cache: { maxEntries: -1, ttl: 0 },
        },
        (one) => one,
      )
      .sinkTo(
        'graph',
        graph(graphModel({ nodes: {} }), () => []),
      );
  },
);
