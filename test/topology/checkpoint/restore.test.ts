/**
 * Restoring under a changed definition: each option of each operator, what keeps state right and
 * what is refused, with both values and what to do.
 */
import { describe, expect, it } from 'vitest';
import type { Manifest } from '../../../topology/checkpoint/manifest.ts';
import { manifestVersion, statefulNodes } from '../../../topology/checkpoint/manifest.ts';
import {
  carryOver,
  checkpointedIds,
  restoreMisfits,
  restoreNotes,
} from '../../../topology/checkpoint/restore.ts';
import { misfitText } from '../../../topology/checkpoint/restore-rules.ts';
import type {
  SluiceEvent,
  Stream,
  Topology,
  WindowDefinition,
  WindowOptions,
} from '../../../topology/index.ts';
import {
  avg,
  collect,
  connector,
  count,
  fileTable,
  graph,
  graphModel,
  list,
  max,
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
import { WatermarkMerge } from '../../../topology/time/merge.ts';

type Events = Stream<SluiceEvent>;
type Build = (events: Events, others: Events) => void;

const row = schemaOf<{ id: string }>({
  $id: 'row',
  type: 'object',
  properties: { id: { type: 'string' } },
});
const keyOf = (e: SluiceEvent): string => e.id;
const nOf = (): number => 1;

function of(build: Build): Topology {
  return topology('t', { version: 1, owner: 'a/b' }, (t) => {
    const events = t
      .source('events', stream('a/b'))
      .eventTime('time', () => 0, { outOfOrderness: '1s' });
    const others = t
      .source('others', stream('a/c'))
      .eventTime('others-time', () => 0, { outOfOrderness: '1s' });
    build(events, others);
    others.sinkTo('others-sink', collect());
  });
}

function checkpointOf(of: Topology, more: Partial<Manifest> = {}): Manifest {
  return {
    manifestVersion,
    topology: of.plan.name,
    version: 1,
    checkpoint: 1,
    attempt: 1,
    createdAtMs: 0,
    stateful: statefulNodes(of.plan),
    positions: {},
    operators: {},
    sinks: {},
    retiring: [],
    keyExamples: {},
    counts: {},
    ...more,
  };
}

const refusals = (was: Topology, is: Topology, drop: readonly string[] = []): readonly string[] =>
  restoreMisfits(checkpointOf(was), is.plan, new Set(drop)).map(misfitText);

const windowed =
  (
    definition: WindowDefinition,
    options: WindowOptions = {},
    aggregates: Record<string, ReturnType<typeof count>> = { n: count() },
  ): Build =>
  (events) =>
    events
      .keyBy(keyOf)
      .window('w', definition, { ...options, late: 'drop' })
      .aggregate(aggregates)
      .out.sinkTo('out', collect());

const joined =
  (
    options: { lower?: number; upper?: number; join?: 'inner' | 'left'; late?: 'drop' },
    swap = false,
  ): Build =>
  (events, others) => {
    const [left, right] = swap ? [others, events] : [events, others];
    left
      .keyBy(keyOf)
      .intervalJoin('j', right.keyBy(keyOf), { lower: 0, upper: 60_000, ...options }, () => 1)
      .out.sinkTo('out', collect());
  };

const processed =
  (
    state: Record<string, ReturnType<typeof value<number>> | ReturnType<typeof list<number>>>,
    timers = false,
  ): Build =>
  (events) =>
    events
      .keyBy(keyOf)
      .process('p', { state, onElement: () => [], ...(timers ? { onTimer: () => [] } : {}) })
      .sinkTo('out', collect());

const lookedUp =
  (options: object, name = 'users'): Build =>
  (events) =>
    events
      .lookup('l', connector<number>(name), { by: keyOf, ...options }, () => 1)
      .sinkTo('out', collect());

const deduplicated =
  (within: number, late: 'drop' | 'side' = 'drop'): Build =>
  (events) => {
    if (late === 'drop')
      return events.deduplicate('d', { by: keyOf, within }).sinkTo('out', collect());
    const { out, late: tooLate } = events.deduplicate('d', { by: keyOf, within, late });
    out.sinkTo('out', collect());
    return tooLate.sinkTo('late', collect());
  };

const minute = tumbling('1m');
const oldBounds = 'windows in state have the old bounds';

/** Name, before, after, and why it is refused; undefined where the state stays right. */
const changes: readonly (readonly [name: string, was: Build, is: Build, refused?: string])[] = [
  ['nothing', windowed(minute), windowed(minute)],
  [
    'a window of another kind',
    windowed(minute),
    windowed(session('1m')),
    "window 'w': window was tumbling, now it is session: windows in state are of the old kind",
  ],
  [
    'size',
    windowed(minute),
    windowed(tumbling('2m')),
    `window 'w': size was 1m, now it is 2m: ${oldBounds}`,
  ],
  [
    'offset',
    windowed(minute),
    windowed(tumbling('1m', { offset: '5s' })),
    `window 'w': offset was 0, now it is 5s: ${oldBounds}`,
  ],
  [
    'slide',
    windowed(sliding('1h', '1m')),
    windowed(sliding('1h', '90s')),
    `window 'w': slide was 1m, now it is 90s: ${oldBounds}`,
  ],
  [
    'gap',
    windowed(session('1500ms')),
    windowed(session('1s')),
    `window 'w': gap was 1500ms, now it is 1s: ${oldBounds}`,
  ],
  [
    'mode',
    windowed(minute),
    windowed(minute, { mode: 'discarding' }),
    "window 'w': mode was accumulating, now it is discarding: the windows in state already emitted results in the old mode",
  ],
  ['more lateness', windowed(minute), windowed(minute, { allowedLateness: '1h' })],
  ['less lateness', windowed(minute, { allowedLateness: '1h' }), windowed(minute)],
  ['early firings', windowed(minute), windowed(minute, { early: '10s' })],
  ['no early firings', windowed(minute, { early: '10s' }), windowed(minute)],
  [
    'an aggregate that is new',
    windowed(minute),
    windowed(minute, {}, { n: count(), total: sum(nOf) }),
  ],
  [
    'aggregates in another order',
    windowed(minute, {}, { n: count(), total: sum(nOf) }),
    windowed(minute, {}, { total: sum(nOf), n: count() }),
  ],
  [
    'an aggregate of another kind',
    windowed(minute, {}, { n: sum(nOf) }),
    windowed(minute, {}, { n: max(nOf) }),
    "window 'w': aggregates.n was sum, now it is max: its state is of the old kind",
  ],
  [
    'an aggregate that is gone',
    windowed(minute, {}, { n: count(), mean: avg(nOf) }),
    windowed(minute),
    "window 'w': aggregates.mean was avg, now it is none: its state would be dropped",
  ],
  [
    'the lower bound',
    joined({}),
    joined({ lower: -1_000 }),
    "intervalJoin 'j': lower was 0, now it is -1s: the old bounds dropped rows that the new ones need, and pairs were emitted by the old bounds",
  ],
  [
    'the upper bound',
    joined({}),
    joined({ upper: 30_000 }),
    "intervalJoin 'j': upper was 1m, now it is 30s: the old bounds dropped rows that the new ones need, and pairs were emitted by the old bounds",
  ],
  [
    'the kind of join',
    joined({}),
    joined({ join: 'left' }),
    "intervalJoin 'j': join was inner, now it is left: rows were emitted, and time advanced, by the rules of the old kind of join",
  ],
  ['within, longer', deduplicated(1_000), deduplicated(2_000)],
  ['within, shorter', deduplicated(2_000), deduplicated(1_000)],
  ['a late output', deduplicated(1_000), deduplicated(1_000, 'side')],
  [
    'a state that is new',
    processed({ n: value<number>() }),
    processed({ n: value<number>(), all: list<number>() }),
  ],
  [
    'a state of another type',
    processed({ n: value<number>() }),
    processed({ n: list<number>() }),
    "process 'p': state.n was value, now it is list: its state is of the old kind",
  ],
  [
    'a state that is gone',
    processed({ n: value<number>() }),
    processed({}),
    "process 'p': state.n was value, now it is none: its state would be dropped",
  ],
  [
    'a time to live',
    processed({ n: value<number>() }),
    processed({ n: value<number>({ ttl: '1h', refresh: 'readWrite' }) }),
  ],
  ['timers that are handled', processed({}), processed({}, true)],
  [
    'timers that are no longer handled',
    processed({}, true),
    processed({}),
    "process 'p': onTimer was there, now it is not there: timers in state would have nothing to call",
  ],
  [
    'all options of a look-up',
    lookedUp({}),
    lookedUp(
      {
        cache: { maxEntries: 5, ttl: '1m' },
        capacity: 2,
        timeout: '1s',
        retry: { attempts: 9 },
        order: 'unordered',
        whenFailing: 'reject',
      },
      'people',
    ),
  ],
  [
    'a union of more',
    (a, b) => a.union('u', b).sinkTo('out', collect()),
    (a, b) =>
      a
        .union(
          'u',
          b,
          a.map((e) => e),
        )
        .sinkTo('out', collect()),
  ],
  [
    'a union in another order',
    (a, b) => a.union('u', b).sinkTo('out', collect()),
    (a, b) => b.union('u', a).sinkTo('out', collect()),
  ],
  [
    'an operator of another kind under the same id',
    deduplicated(1_000),
    (a) =>
      a.keyBy(keyOf).window('d', minute, {}).aggregate({ n: count() }).out.sinkTo('out', collect()),
    "deduplicate 'd': kind was deduplicate, now it is window: its state is of the old kind",
  ],
  [
    'an operator that is gone',
    deduplicated(1_000),
    (a) => a.sinkTo('out', collect()),
    "deduplicate 'd' was removed: its state would be dropped",
  ],
  ['an operator that is new', (a) => a.sinkTo('out', collect()), deduplicated(1_000)],
  [
    'stateless nodes that come between',
    deduplicated(1_000),
    (a) =>
      a
        .map((e) => e)
        .filter(() => true)
        .deduplicate('d', { by: keyOf, within: 1_000 })
        .sinkTo('out', collect()),
  ],
  [
    'an operator that comes between',
    windowed(minute),
    (a) =>
      a
        .deduplicate('d', { by: keyOf, within: 1_000 })
        .keyBy(keyOf)
        .window('w', minute, {})
        .aggregate({ n: count() })
        .out.sinkTo('out', collect()),
  ],
  [
    'sides that changed places',
    joined({}),
    joined({}, true),
    "intervalJoin 'j': left input was events, now it is others: its state is of other elements",
  ],
  [
    'operators that changed places',
    (a, b) => {
      a.deduplicate('d', { by: keyOf, within: 1 }).sinkTo('out', collect());
      b.deduplicate('e', { by: keyOf, within: 1 }).sinkTo('out-2', collect());
    },
    (a, b) => {
      a.deduplicate('e', { by: keyOf, within: 1 }).sinkTo('out', collect());
      b.deduplicate('d', { by: keyOf, within: 1 }).sinkTo('out-2', collect());
    },
    "deduplicate 'd': input was events, now it is others: its state is of other elements",
  ],
  [
    'a branch that comes before it',
    (a) => a.deduplicate('d', { by: keyOf, within: 1 }).sinkTo('out', collect()),
    (a) =>
      a
        .branch({ x: () => true, y: () => true })
        .x.deduplicate('d', { by: keyOf, within: 1 })
        .sinkTo('out', collect()),
  ],
  [
    'a branch before it that goes',
    (a) =>
      a
        .branch({ x: () => true, y: () => true })
        .x.deduplicate('d', { by: keyOf, within: 1 })
        .sinkTo('out', collect()),
    (a) => a.deduplicate('d', { by: keyOf, within: 1 }).sinkTo('out', collect()),
  ],
  [
    'another output of a branch',
    (a) =>
      a
        .branch({ x: () => true, y: () => true })
        .x.deduplicate('d', { by: keyOf, within: 1 })
        .sinkTo('out', collect()),
    (a) => {
      const parts = a.branch({ x: () => true, y: () => true });
      parts.x.sinkTo('x', collect());
      parts.y.deduplicate('d', { by: keyOf, within: 1 }).sinkTo('out', collect());
    },
    "deduplicate 'd': input was events>x, now it is events>y: its state is of other elements",
  ],
];

const cases = changes.map(([name, was, is, refused]) => ({ name, was, is, refused }));

describe('a checkpoint under a changed definition', () => {
  it.each(cases)('$name', ({ was, is, refused }) => {
    const found = refusals(of(was), of(is));
    if (refused === undefined) expect(found).toEqual([]);
    else expect(found).toContain(refused);
  });

  it.each(cases.filter(({ refused }) => refused !== undefined))(
    '$name: is taken once the state is dropped by name',
    ({ was, is }) => {
      const manifest = checkpointOf(of(was));
      const drops = restoreMisfits(manifest, of(is).plan, new Set()).flatMap(
        ({ drop }) => drop ?? [],
      );
      expect(drops.every((id) => checkpointedIds(manifest).includes(id))).toBe(true);
      expect(restoreMisfits(manifest, of(is).plan, new Set(drops))).toEqual([]);
    },
  );

  it('of which the state was given out by a drain needs only its positions and its sinks', () => {
    const manifest = checkpointOf(of(windowed(minute)), { drained: true });
    expect(restoreMisfits(manifest, of(joined({})).plan, new Set())).toEqual([]);
    const elsewhere = topology('t', { version: 1, owner: 'a/b' }, (t) => {
      t.source('events', stream('a/x')).sinkTo('out', collect());
      t.source('others', stream('a/c')).sinkTo('others-sink', collect());
    });
    expect(restoreMisfits(manifest, elsewhere.plan, new Set()).map(misfitText)).toEqual([
      "source 'events': stream was a/b, now it is a/x: its positions are of the old stream",
    ]);
  });

  it('of a source that is gone is taken when its positions are dropped by name, also behind it', () => {
    const renamed = topology('t', { version: 1, owner: 'a/b' }, (t) => {
      t.source('events-2', stream('a/b'))
        .eventTime('time', () => 0, { outOfOrderness: '1s' })
        .deduplicate('d', { by: keyOf, within: 1_000 })
        .sinkTo('out', collect());
      t.source('others', stream('a/c'))
        .eventTime('others-time', () => 0, { outOfOrderness: '1s' })
        .sinkTo('others-sink', collect());
    });
    expect(refusals(of(deduplicated(1_000)), renamed)).toContain(
      "source 'events' was removed: under another id its stream would be read from the beginning again",
    );
    expect(refusals(of(deduplicated(1_000)), renamed, ['events'])).toEqual([]);
  });

  it('of a look-up that is gone is refused only while elements wait in it', () => {
    const file = of((a) =>
      a
        .lookup('l', fileTable('users.json', row, { key: 'id' }), { by: keyOf }, () => 1)
        .sinkTo('out', collect()),
    );
    const was = of(lookedUp({}));
    const waiting = (rows: readonly unknown[]): Manifest =>
      checkpointOf(was, { operators: { l: { rows } } });
    expect(restoreMisfits(waiting([[1, 5, null, null]]), file.plan, new Set())).toEqual([]);
    expect(
      restoreMisfits(waiting([[0, 5, {}, null]]), file.plan, new Set()).map(misfitText),
    ).toEqual(["lookup 'l' was removed: 1 elements that wait in it for an answer would be lost"]);
  });

  it('of an earlier version, without definitions, is taken with a note; a sink that is gone is not', () => {
    const was = of((a) =>
      a.deduplicate('d', { by: keyOf, within: 1 }).sinkTo('out', table('rows', row)),
    );
    const stateful = statefulNodes(was.plan).map(({ id, kind }) => ({ id, kind }));
    const manifest = checkpointOf(was, { stateful, sinks: { out: {} } });
    const changed = of((a) =>
      a.deduplicate('d', { by: keyOf, within: 9 }).sinkTo('out', table('rows', row)),
    );
    expect(restoreMisfits(manifest, changed.plan, new Set())).toEqual([]);
    expect(restoreNotes(manifest, changed.plan)).toEqual([
      expect.stringContaining('events, time, others, others-time, d was not checked'),
    ]);
    const gone = of((a) =>
      a.deduplicate('d', { by: keyOf, within: 9 }).sinkTo('out-2', table('other', row)),
    );
    expect(restoreMisfits(manifest, gone.plan, new Set()).map(misfitText)).toEqual([
      expect.stringContaining(
        "sink 'out' was removed, and the checkpoint, written by an earlier version of Sluice, does not say how to commit what the node staged",
      ),
    ]);
  });
});

describe('what a run begins with', () => {
  const model = graphModel({ nodes: { User: { key: 'id', props: { id: 'string' } } } });
  const intoTable =
    (id: string, name: string): Build =>
    (a) =>
      a.map(() => ({ id: 'x' })).sinkTo(id, table(name, row));
  const carried = (
    was: Build,
    is: Build,
    more: Partial<Manifest>,
    drop: readonly string[] = [],
  ): ReturnType<typeof carryOver> =>
    carryOver(checkpointOf(of(was), more), of(is).plan, new Set(drop), 7_000);

  it('a sink goes on with what was staged for its table, under whatever id', () => {
    const { sinks, retiring } = carried(intoTable('out', 'rows'), intoTable('out-2', 'rows'), {
      sinks: { out: 'staged', $rejected: 'refused' },
    });
    expect({ sinks, retiring }).toEqual({
      sinks: { 'out-2': 'staged', $rejected: 'refused' },
      retiring: [],
    });
  });

  it.each<readonly [string, Build]>([
    ['removed', (a) => a.sinkTo('nothing', collect())],
    ['of another table', intoTable('out', 'others')],
    [
      'of another kind',
      (a) =>
        a.sinkTo(
          'out',
          graph(model, () => []),
        ),
    ],
  ])(
    'a sink that is %s retires with what it staged, also when its state is dropped',
    (_name, is) => {
      for (const drop of [[], ['out']]) {
        const { sinks, retiring } = carried(
          intoTable('out', 'rows'),
          is,
          { sinks: { out: 'staged' } },
          drop,
        );
        expect(sinks).toEqual({});
        expect(retiring).toMatchObject([
          { id: 'out', sink: { kind: 'table', table: 'rows' }, state: 'staged' },
        ]);
      }
    },
  );

  it('two sinks that change their tables change what is staged', () => {
    const pair =
      (first: string, second: string): Build =>
      (a) => {
        intoTable('one', first)(a, a);
        intoTable('two', second)(a, a);
      };
    const { sinks, retiring } = carried(pair('a', 'b'), pair('b', 'a'), {
      sinks: { one: 'of a', two: 'of b' },
    });
    expect({ sinks, retiring }).toEqual({ sinks: { one: 'of b', two: 'of a' }, retiring: [] });
  });

  it('a sink that retires is retiring until its table has a sink again', () => {
    const left = {
      id: 'gone',
      sink: of(intoTable('x', 'rows')).plan.nodes.find(({ id }) => id === 'x') as never,
      state: 'left',
    };
    const definition = (left.sink as { readonly sink: never }).sink;
    const retiring = [{ ...left, sink: definition }];
    expect(
      carried(
        (a) => a.sinkTo('n', collect()),
        (a) => a.sinkTo('n', collect()),
        { retiring },
      ).retiring,
    ).toEqual(retiring);
    const back = carried((a) => a.sinkTo('n', collect()), intoTable('again', 'rows'), { retiring });
    expect(back).toMatchObject({ sinks: { again: 'left' }, retiring: [] });
  });

  it('only what is named is dropped', () => {
    const both: Build = (a) => {
      a.deduplicate('d', { by: keyOf, within: 1 })
        .keyBy(keyOf)
        .process('p', { state: { n: value<number>(), m: value<number>() }, onElement: () => [] })
        .sinkTo('out', collect());
    };
    const state = {
      operators: { d: 'first', p: { watermark: 5, layouts: [['n', 'm']] } },
      positions: { events: { x: '1' }, others: { y: '2' } },
    };
    expect(carried(both, both, state, ['d']).operators).toEqual({
      p: { watermark: 5, layouts: [['n', 'm']] },
    });
    expect(carried(both, both, state, ['p#n']).operators).toEqual({
      d: 'first',
      p: { watermark: 5, layouts: [[null, 'm']] },
    });
    expect(carried(both, both, state, ['events'])).toMatchObject({
      positions: { others: { y: '2' } },
      operators: { d: 'first' },
    });
  });

  it('says since when what came to it has state, and goes on saying it', () => {
    const wider = windowed(minute, {}, { n: count(), total: sum(nOf) });
    const first = carried(windowed(minute), wider, {});
    expect(first.stateful.find(({ id }) => id === 'w')).toMatchObject({ parts: { total: 7_000 } });
    expect(first.stateful.find(({ id }) => id === 'w')).not.toHaveProperty('since');
    const later = carryOver(
      checkpointOf(of(wider), { stateful: first.stateful }),
      of(wider).plan,
      new Set(),
      9_000,
    );
    expect(later.stateful.find(({ id }) => id === 'w')).toMatchObject({ parts: { total: 7_000 } });
    expect(
      carried((a) => a.sinkTo('out', collect()), wider, {}).stateful.find(({ id }) => id === 'w'),
    ).toMatchObject({ since: 7_000 });
    expect(carried(wider, wider, {}, ['w']).stateful.find(({ id }) => id === 'w')).toMatchObject({
      since: 7_000,
    });
    expect(
      carryOver(undefined, of(wider).plan, new Set(), 1).stateful.every(
        ({ since, parts }) => since === undefined && parts === undefined,
      ),
    ).toBe(true);
  });

  it('a union of a checkpoint that does not name its inputs keeps what it emitted, and waits for each', () => {
    const merge = new WatermarkMerge(2, 'valve');
    merge.restore({ inputs: [[10, false, true]], emitted: 10, idle: false });
    expect(merge.watermark).toBe(10);
    expect(merge.advance(0, 20)).toEqual([]);
    expect(merge.advance(1, 15)).toEqual([{ kind: 'watermark', at: 15 }]);
  });

  it('a union keeps how far each of its inputs was, wherever it stands now', () => {
    const inputs = [
      [10, false, true],
      [20, true, false],
    ];
    const state = { operators: { u: { inputs, emitted: 10, idle: false } } };
    const was: Build = (a, b) => a.union('u', b).sinkTo('out', collect());
    const { operators } = carried(
      was,
      (a, b) =>
        b
          .map((e) => e)
          .union(
            'u',
            a.map((e) => e),
            a,
          )
          .sinkTo('out', collect()),
      state,
    );
    expect(operators['u']).toEqual({
      inputs: [
        [20, true, false],
        [10, false, true],
        ['min', false, true],
      ],
      emitted: 10,
      idle: false,
    });
  });
});
