/**
 * From a layout to a topology, in the language as authors write it.
 */
import type { Clock } from '../../schemas/kernel/clock.ts';
import { sleep } from '../../schemas/kernel/clock.ts';
import type { AsyncLookup, Stream, Topology, TopologyBuilder } from '../../topology/index.ts';
import {
  aggregator,
  approxDistinct,
  asyncLookup,
  avg,
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
  value,
} from '../../topology/index.ts';
import type { Layout, OpLayout } from './layout.ts';
import { panesId, tellsPanes } from './layout.ts';
import type { Op, Shape, StatelessOp } from './plan.ts';
import type { Data, Row, Seen, Weight } from './rows.ts';
import * as rows from './rows.ts';

type Flow = Stream<Row>;
type Of<K extends Op['kind']> = Op & { readonly kind: K };

const eventData = schemaOf<Data>({
  $id: 'https://sluice.example/test/property/event',
  type: 'object',
  required: ['k', 'n', 'at'],
  properties: {
    k: { type: 'string' },
    n: { type: 'integer' },
    at: { type: ['integer', 'string'] },
  },
});
const anyRow = schemaOf<unknown>({
  $id: 'https://sluice.example/test/property/row',
  type: 'object',
  properties: { id: { type: 'string' } },
});
const weight = schemaOf<Weight>({
  $id: 'https://sluice.example/test/property/weight',
  type: 'object',
  properties: { key: { type: 'string' }, w: { type: 'integer' } },
});
const model = graphModel({
  nodes: { Row: { key: 'id', props: { id: 'string', k: 'string', n: 'integer' } } },
});

/** What asynchronous look-ups of a topology ask, over all its runs. */
export interface Services {
  readonly clock: Clock;
  /** Times that a key was asked for, by look-up and key. */
  readonly asked: Map<string, number>;
}

export const streamName = (n: number): string => `a/s${n}`;

export function topologyOf(layout: Layout, services: Services): Topology {
  return topology('property', { version: 1, owner: 'a/b' }, (t) => {
    const flows: Flow[] = timedFlows(t, layout, services);
    for (const op of layout.ops) flows.push(...flowsOf(op, flows, services));
    for (const { id, stream: n, kind } of layout.sinks) {
      const flow = flows[n] as Flow;
      if (kind === 'table') flow.sinkTo(id, table(id, anyRow));
      else
        flow.sinkTo(
          id,
          graph(model, (row) => [model.Row({ id: row.id, k: row.k, n: row.n })]),
        );
    }
  });
}

/**
 * The error of a row whose time is not what the row says: the element would be rejected, which no
 * oracle expects.
 */
function timeKept(row: Row, timestamp: number): Row {
  if (timestamp !== row.at) throw new Error(`the row's time ${row.at} became ${timestamp}`);
  return row;
}

function timedFlows(t: TopologyBuilder, { plan, sources }: Layout, services: Services): Flow[] {
  const opened = sources.map(({ id, stream: n, before }) => {
    const read = t
      .source(id, stream(streamName(n)))
      .validate(`${id}-valid`, eventData)
      .map((e): Row => ({ id: e.id, k: e.data.k, n: e.data.n, at: Number(e.data.at), x: null }));
    return before.reduce(
      (flow, { id: step, op }) => stateless(flow, step, op, services),
      read as Flow,
    );
  });
  const [first, ...others] = opened;
  if (first === undefined) throw new Error('a plan has a source');
  const [second, ...more] = others;
  const ways = !plan.unionBefore
    ? opened
    : [second === undefined ? first : first.union('union-before', second, ...more)];
  return ways.map((flow, n) =>
    flow.eventTime(`time${n}`, ({ at }) => (plan.iso ? new Date(at).toISOString() : at), {
      outOfOrderness: plan.outOfOrdernessMs,
      idleAfter: plan.idleAfterMs,
    }),
  );
}

function stateless(flow: Flow, id: string, op: StatelessOp, services: Services): Flow {
  const poison = (row: Row): void => {
    if (rows.isPoison(row)) throw new Error(`planned by ${id}`);
  };
  switch (op.kind) {
    case 'map':
      return flow.map((row) => {
        if (op.throws) poison(row);
        return rows.mapped(row);
      });
    case 'filter':
      return flow.filter(rows.isKept);
    case 'flatMap':
      return flow.flatMap((row) => {
        if (op.throws) poison(row);
        return rows.manyOf(row);
      });
    case 'table':
      return flow.lookup(
        id,
        fileTable('weights.json', weight, { key: 'key' }),
        { by: (row) => row.k },
        rows.weighed,
      );
    case 'async': {
      const { ordered, cached, capacity, failing } = op;
      const lookup: AsyncLookup<string, Weight> = op.connector
        ? connector<Weight>(connectorName(id))
        : asyncLookup((key: string) => answer(id, op, key, services));
      return flow.lookup(
        id,
        lookup,
        {
          by: (row) => row.k,
          order: ordered ? 'ordered' : 'unordered',
          capacity,
          ...(cached ? { cache: { maxEntries: 3, ttl: '2s' } } : {}),
          ...(failing === 'reject' ? { whenFailing: 'reject', retry: { attempts: 2 } } : {}),
        },
        rows.weighed,
      );
    }
  }
}

const connectorName = (id: string): string => `connector-${id}`;

/** Every asynchronous look-up of a layout by the name of its connector. */
export function connectorsOf(
  { sources, ops }: Layout,
  services: Services,
): Readonly<Record<string, (key: unknown) => Promise<unknown>>> {
  const asyncs = [...sources.flatMap(({ before }) => before), ...ops].flatMap(({ id, op }) =>
    op.kind === 'async' ? [{ id, op }] : [],
  );
  return Object.fromEntries(
    asyncs.map(({ id, op }) => [connectorName(id), (key) => answer(id, op, String(key), services)]),
  );
}

async function answer(
  id: string,
  { latencyMs, failing }: Extract<StatelessOp, { kind: 'async' }>,
  key: string,
  { clock, asked }: Services,
): Promise<Weight | undefined> {
  const times = (asked.get(`${id} ${key}`) ?? 0) + 1;
  asked.set(`${id} ${key}`, times);
  if (latencyMs > 0) await sleep(clock, latencyMs);
  if (failing === 'twice' && times <= 2) throw new Error('not yet');
  if (failing === 'reject' && key === rows.unanswered) throw new Error('never');
  return rows.answers[key];
}

function flowsOf(
  { id, op, inputs, outputs }: OpLayout,
  flows: readonly Flow[],
  services: Services,
): readonly Flow[] {
  const [first, ...others] = inputs.map((n) => flows[n] as Flow);
  if (first === undefined) throw new Error('an operator has an input');
  const flow = first.map((row, { timestamp }) => timeKept(row, timestamp));
  switch (op.kind) {
    case 'branch': {
      const { a, b, rest } = flow.branch(rows.conditions);
      return outputs.length === 3 ? [a, b, rest] : [a, b];
    }
    case 'union':
      return [flow.union(id, others[0] as Flow, ...others.slice(1))];
    case 'deduplicate': {
      const options = { by: (row: Row) => JSON.stringify(row), within: op.withinMs };
      if (!op.side) return [flow.deduplicate(id, options)];
      const { out, late } = flow.deduplicate(id, { ...options, late: 'side' });
      late.sinkTo(`${id}-late`, rejected());
      return [out];
    }
    case 'window':
      return windowed(flow, id, op);
    case 'join': {
      const { lowerMs, widthMs, left, exclusive } = op;
      const options = {
        lower: lowerMs,
        upper: lowerMs + widthMs,
        lowerExclusive: exclusive[0],
        upperExclusive: exclusive[1],
        join: left ? 'left' : 'inner',
      } as const;
      const right = (others[0] as Flow).keyBy((row) => row.k);
      const combine = (l: Row, r: Row | undefined): Row => rows.joined(id, l, r);
      if (!op.side)
        return [flow.keyBy((row) => row.k).intervalJoin(id, right, options, combine).out];
      const sides = flow
        .keyBy((row) => row.k)
        .intervalJoin(id, right, { ...options, late: 'side' }, combine);
      sides.lateLeft.sinkTo(`${id}-late-left`, rejected());
      sides.lateRight.sinkTo(`${id}-late-right`, rejected());
      return [sides.out];
    }
    case 'process':
      return [processed(flow, id, op)];
    case 'map':
    case 'filter':
    case 'flatMap':
    case 'table':
    case 'async':
      return [stateless(flow, id, op, services)];
  }
}

const definitionOf = (shape: Shape): ReturnType<typeof tumbling> => {
  switch (shape.type) {
    case 'tumbling':
      return tumbling(shape.sizeMs, { offset: shape.offsetMs });
    case 'sliding':
      return sliding(shape.sizeMs, shape.slideMs, { offset: shape.offsetMs });
    case 'session':
      return session(shape.gapMs);
  }
};

function windowed(flow: Flow, id: string, op: Of<'window'>): readonly Flow[] {
  const { allowedLatenessMs, earlyMs, discarding, side } = op;
  const windows = flow.keyBy(rows.keysOf[op.key]).window(id, definitionOf(op.shape), {
    allowedLateness: allowedLatenessMs,
    mode: discarding ? 'discarding' : 'accumulating',
    late: side ? 'side' : 'drop',
    ...(earlyMs > 0 ? { early: earlyMs } : {}),
  });
  const results = windows.aggregate({
    count: count(),
    sum: sum(rows.amountOf),
    avg: avg(rows.amountOf),
    min: min(rows.amountOf),
    max: max(rows.amountOf),
    about: approxDistinct((row: Row) => row.id),
    ids: aggregator({
      create: (): string[] => [],
      add: (ids: string[], row: Row) => {
        ids.push(row.id);
        return ids;
      },
      merge: (a: string[], b: string[]) => [...a, ...b],
      result: (ids: string[]) => ({ all: rows.idsOf(ids), different: new Set(ids).size }),
    }),
  });
  if (side) (results as unknown as { readonly late: Flow }).late.sinkTo(`${id}-late`, rejected());
  if (tellsPanes(op)) {
    results.out
      .map(({ key, windowStart, windowEnd, pane, count: n, ids }) => ({
        key,
        windowStart,
        windowEnd,
        pane,
        count: n,
        ids: ids.all,
      }))
      .sinkTo(panesId(id), table(panesId(id).replaceAll('-', '_'), anyRow));
  }
  if (earlyMs > 0 && discarding) return [];
  return [
    results.out
      .filter((w) => w.pane.timing === 'onTime')
      .map((w) =>
        rows.windowRow(id, {
          ...w,
          ids: w.ids.all,
          distinct: Math.abs(w.about - w.ids.different) <= 1,
        }),
      ),
  ];
}

function processed(flow: Flow, id: string, { key, periodMs, chain }: Of<'process'>): Flow {
  return flow.keyBy(rows.keysOf[key]).process(id, {
    state: { seen: list<Seen>(), first: value<number>() },
    onElement: (row, { state, timers }) => {
      state.seen.add({ id: row.id, at: row.at });
      state.first.set(Math.min(state.first.get() ?? row.at, row.at));
      timers.event(rows.firstTimer(row.at, periodMs));
      return rows.passedOn(row);
    },
    onTimer: ({ at }, { key: of, state, timers }) => {
      // What is later than the timer may be here already or not.
      const seen = state.seen.get().filter((one) => one.at <= at);
      if ((state.first.get() ?? at) > at)
        throw new Error('a timer is not before the first element');
      const last = Math.max(...seen.map((one) => one.at));
      if (at < rows.firstTimer(last, periodMs) + chain * periodMs) timers.event(at + periodMs);
      return [rows.summed(id, JSON.stringify(of), at, seen)];
    },
  });
}
