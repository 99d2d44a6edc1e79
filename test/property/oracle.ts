/**
 * What a topology must have given once all its input was read and time has ended: a function of all
 * events at once, that knows nothing of watermarks, turns, state or restarts. Everything is
 * compared with everything; exact sums are sums of integers.
 *
 * It holds for histories in which nothing is late: then no order of arrival may show. Where
 * something may be late it is told what was, takes that away, and believes it only of events that
 * were sent too late.
 */
import type { Layout, OpLayout } from './layout.ts';
import { panesId, tellsPanes } from './layout.ts';
import type { Flaw, Op, Shape, StatelessOp } from './plan.ts';
import type { Data, Row, Window } from './rows.ts';
import * as rows from './rows.ts';

export interface SentEvent {
  readonly id: string;
  readonly data: Data;
  readonly flaw: Flaw;
  /** It was sent further behind than the bound. */
  readonly mayBeLate: boolean;
}

/** Ids of events that were late, by the sink that they were given to. */
export type LateIds = ReadonlyMap<string, readonly string[]>;

/** A row, and the event whose record carries it, where one does. */
interface Carried {
  readonly row: Row;
  readonly from: string | undefined;
}

export interface Pane {
  readonly key: unknown;
  readonly windowStart: number;
  readonly windowEnd: number;
  readonly count: number;
  readonly ids: string;
}

export interface Answer {
  /** By sink: what must be in it, as JSON. */
  readonly sinks: ReadonlyMap<string, readonly string[]>;
  /** By window that tells of its panes: its windows. */
  readonly panes: ReadonlyMap<string, readonly Pane[]>;
  /** Code, operator or message, and what was refused. */
  readonly rejected: readonly string[];
}

/** The answer depends on the order of arrival, or is too large to be looked at. */
export class Undetermined extends Error {}

const rowsMax = 2_500;

interface Notes {
  readonly rejected: string[];
  readonly panes: Map<string, readonly Pane[]>;
  readonly mayBeLate: ReadonlySet<string>;
}

const refusal = (code: string, where: string, { row, from }: Carried): string =>
  `${code} ${where} ${from ?? JSON.stringify(row)}`;

/** `events[n]` were sent to stream n, in any order. */
export function answerOf(
  layout: Layout,
  events: readonly (readonly SentEvent[])[],
  late: LateIds = new Map(),
): Answer {
  const mayBeLate = new Set(events.flat().flatMap((event) => (event.mayBeLate ? [event.id] : [])));
  const notes: Notes = { rejected: [], panes: new Map(), mayBeLate };
  const flows: (readonly Carried[])[] = timedFlows(layout, events, notes);
  for (const op of layout.ops) {
    const inputs = op.inputs.map((n, input) =>
      withoutLate(flows[n] ?? [], lateSink(op, input), late, notes),
    );
    const given = outputsOf(op, inputs, notes);
    for (let i = 0; i < op.outputs.length; i++) flows.push(given[i] ?? []);
    if (flows.some((flow) => flow.length > rowsMax)) throw new Undetermined('too many rows');
  }
  const sinks = new Map(
    layout.sinks.map(({ id, stream, kind }) => {
      const found = (flows[stream] ?? []).map(({ row }) =>
        kind === 'table' ? row : writesOf(row),
      );
      return [id, found.map((each) => JSON.stringify(each))] as const;
    }),
  );
  return { sinks, panes: notes.panes, rejected: notes.rejected };
}

const lateSink = ({ id, op }: OpLayout, input: number): string => {
  if (op.kind === 'join') return `${id}-late-${input === 0 ? 'left' : 'right'}`;
  return `${id}-late`;
};

function withoutLate(
  flow: readonly Carried[],
  sink: string,
  late: LateIds,
  notes: Notes,
): readonly Carried[] {
  const left = [...(late.get(sink) ?? [])].filter((id) => notes.mayBeLate.has(id));
  return flow.filter((carried) => {
    const at = carried.from === undefined ? -1 : left.indexOf(carried.from);
    if (at < 0) return true;
    left.splice(at, 1);
    notes.rejected.push(refusal('late', sink, carried));
    return false;
  });
}

const writesOf = ({ id, k, n }: Row): unknown => [
  { kind: 'node', label: 'Row', props: { id, k, n } },
];

function timedFlows(
  { sources, plan }: Layout,
  events: readonly (readonly SentEvent[])[],
  notes: Notes,
): (readonly Carried[])[] {
  const opened = sources.map(({ id, stream, before }) => {
    const entered: Carried[] = [];
    const future = new Set<string>();
    for (const event of events[stream] ?? []) {
      const row: Row = {
        id: event.id,
        k: event.data.k,
        n: event.data.n,
        at: event.data.at,
        x: null,
      };
      if (event.flaw === 'bytes' || event.flaw === 'foreign')
        notes.rejected.push(`undecodable-record ${id}`);
      else if (event.flaw === 'schema')
        notes.rejected.push(refusal('schema-violation', `${id}-valid`, { row, from: event.id }));
      else entered.push({ row, from: event.id });
      if (event.flaw === 'future') future.add(event.id);
    }
    const flow = before.reduce<readonly Carried[]>(
      (given, { id: step, op }) => stateless(given, step, op, notes),
      entered,
    );
    return flow.map((carried) => ({ carried, future: future.has(carried.from ?? '') }));
  });
  const ways = plan.unionBefore ? [opened.flat()] : opened;
  return ways.map((way, n) => {
    for (const { carried, future } of way)
      if (future) notes.rejected.push(refusal('future-event', `time${n}`, carried));
    return way.filter(({ future }) => !future).map(({ carried }) => carried);
  });
}

function stateless(
  flow: readonly Carried[],
  id: string,
  op: StatelessOp,
  notes: Notes,
): readonly Carried[] {
  const without = (
    refused: (carried: Carried) => boolean,
    code: string,
    where: string,
  ): readonly Carried[] => {
    notes.rejected.push(...flow.filter(refused).map((carried) => refusal(code, where, carried)));
    return flow.filter((carried) => !refused(carried));
  };
  const sound = (throws: boolean): readonly Carried[] =>
    throws ? without(({ row }) => rows.isPoison(row), 'function-threw', `planned by ${id}`) : flow;
  switch (op.kind) {
    case 'map':
      return sound(op.throws).map(({ row, from }) => ({ row: rows.mapped(row), from }));
    case 'filter':
      return flow.filter(({ row }) => rows.isKept(row));
    case 'flatMap':
      return sound(op.throws).flatMap(({ row, from }) =>
        rows.manyOf(row).map((made) => ({ row: made, from })),
      );
    case 'table':
      return flow.map(({ row, from }) => ({
        row: rows.weighed(
          row,
          rows.tableRows.find(({ key }) => key === row.k),
        ),
        from,
      }));
    case 'async': {
      const found =
        op.failing === 'reject'
          ? without(({ row }) => row.k === rows.unanswered, 'lookup-failed', id)
          : flow;
      return found.map(({ row, from }) => ({ row: rows.weighed(row, rows.answers[row.k]), from }));
    }
  }
}

function outputsOf(
  { id, op }: OpLayout,
  inputs: readonly (readonly Carried[])[],
  notes: Notes,
): readonly (readonly Carried[])[] {
  const [flow = []] = inputs;
  switch (op.kind) {
    case 'branch': {
      const { a, b } = rows.conditions;
      const isRest = ({ row }: Carried): boolean => !a(row) && !b(row);
      return [
        flow.filter(({ row }) => a(row)),
        flow.filter(({ row }) => !a(row) && b(row)),
        flow.filter(isRest),
      ];
    }
    case 'union':
      return [inputs.flat()];
    case 'deduplicate':
      return [[...new Map(flow.map((carried) => [JSON.stringify(carried.row), carried])).values()]];
    case 'window': {
      const windows = windowsOf(
        flow.map(({ row }) => row),
        op,
      );
      if (tellsPanes(op)) notes.panes.set(panesId(id), windows);
      return [windows.map((window) => ({ row: rows.windowRow(id, window), from: undefined }))];
    }
    case 'join':
      return [joinOf(id, op, flow, inputs[1] ?? [])];
    case 'process':
      return [processOf(id, op, flow)];
    case 'map':
    case 'filter':
    case 'flatMap':
    case 'table':
    case 'async':
      return [stateless(flow, id, op, notes)];
  }
}

type Of<K extends Op['kind']> = Op & { readonly kind: K };

function byKey(
  found: readonly Row[],
  keyOf: (row: Row) => unknown,
): readonly { readonly key: unknown; readonly rows: readonly Row[] }[] {
  const texts = [...new Set(found.map((row) => JSON.stringify(keyOf(row))))];
  return texts.map((text) => ({
    key: JSON.parse(text) as unknown,
    rows: found.filter((row) => JSON.stringify(keyOf(row)) === text),
  }));
}

function windowsOf(found: readonly Row[], { shape, key }: Of<'window'>): readonly Window[] {
  return byKey(found, rows.keysOf[key]).flatMap(({ key: of, rows: own }) =>
    spansOf(own, shape).map(([windowStart, windowEnd]) => {
      const inside = own.filter(({ at }) => at >= windowStart && at < windowEnd);
      const amounts = inside.map(rows.amountOf);
      const total = exact(amounts);
      return {
        key: of,
        windowStart,
        windowEnd,
        ids: rows.idsOf(inside.map(({ id }) => id)),
        count: inside.length,
        sum: rounded(total, 1n),
        avg: rounded(total, BigInt(inside.length)),
        min: amounts.reduce((a, b) => (a < b ? a : b)),
        max: amounts.reduce((a, b) => (a > b ? a : b)),
        distinct: true,
      };
    }),
  );
}

/** Start and end of every window that has a row. */
function spansOf(
  own: readonly Row[],
  shape: Shape,
): readonly (readonly [start: number, end: number])[] {
  const times = own.map(({ at }) => at).sort((a, b) => a - b);
  if (shape.type === 'session') {
    const spans: [number, number][] = [];
    for (const at of times) {
      const last = spans.at(-1);
      if (last?.[1] === at) throw new Undetermined('a session touches the next');
      if (last !== undefined && at < last[1]) last[1] = at + shape.gapMs;
      else spans.push([at, at + shape.gapMs]);
    }
    return spans;
  }
  const slideMs = shape.type === 'tumbling' ? shape.sizeMs : shape.slideMs;
  const starts = new Set<number>();
  for (const at of new Set(times)) {
    for (let start = at - shape.sizeMs + 1; start <= at; start++)
      if ((start - shape.offsetMs) % slideMs === 0) starts.add(start);
  }
  return [...starts].map((start) => [start, start + shape.sizeMs]);
}

function joinOf(
  id: string,
  op: Of<'join'>,
  left: readonly Carried[],
  right: readonly Carried[],
): readonly Carried[] {
  const [lowerExclusive, upperExclusive] = op.exclusive;
  const isPair = (l: Row, r: Row): boolean => {
    const apart = r.at - l.at - op.lowerMs;
    return (
      l.k === r.k &&
      (lowerExclusive ? apart > 0 : apart >= 0) &&
      (upperExclusive ? apart < op.widthMs : apart <= op.widthMs)
    );
  };
  return left.flatMap(({ row: l }) => {
    const found = right
      .filter(({ row: r }) => isPair(l, r))
      .map(({ row: r }) => rows.joined(id, l, r));
    const all = found.length === 0 && op.left ? [rows.joined(id, l, undefined)] : found;
    return all.map((row) => ({ row, from: undefined }));
  });
}

function processOf(
  id: string,
  { key, periodMs, chain }: Of<'process'>,
  flow: readonly Carried[],
): readonly Carried[] {
  const passed = flow.flatMap(({ row, from }) =>
    rows.passedOn(row).map((each) => ({ row: each, from })),
  );
  const given = byKey(
    flow.map(({ row }) => row),
    rows.keysOf[key],
  ).flatMap(({ key: of, rows: own }) => {
    const timers = own.flatMap(({ at }) =>
      Array.from({ length: chain + 1 }, (_, n) => rows.firstTimer(at, periodMs) + n * periodMs),
    );
    return [...new Set(timers)].map((at) =>
      rows.summed(
        id,
        JSON.stringify(of),
        at,
        own.filter((row) => row.at <= at),
      ),
    );
  });
  return [...passed, ...given.map((row) => ({ row, from: undefined }))];
}

const scaleBits = 70n;

/** The sum as an integer of 2^-70: every amount is a multiple of it. */
function exact(amounts: readonly number[]): bigint {
  return amounts.reduce((total, amount) => total + BigInt(amount * 2 ** Number(scaleBits)), 0n);
}

/**
 * The nearest double of total / count. Of what is left a trace stays in the last bit, so that
 * nothing is rounded twice.
 */
function rounded(total: bigint, count: bigint): number {
  const spare = 64n;
  const size = (total < 0n ? -total : total) << spare;
  const quotient = size / count;
  const whole = size % count === 0n ? quotient : quotient | 1n;
  const nearest = Number(whole) / 2 ** Number(scaleBits + spare);
  return total < 0n ? -nearest : nearest;
}
