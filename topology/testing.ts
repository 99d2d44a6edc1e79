/**
 * `sluice/testing`: runs a topology in memory, turn by turn, with time moved by hand. Nothing is read from outside or written to it.
 *
 * Invariants:
 * 1. It runs the operators that a job runs, compiled the same way; only sources and sinks are its own.
 * 2. Every call is one turn, or several where rows wait for look-ups: it resolves when nothing waits any more, or rejects with `lookup-held`
 *    when look-ups go on failing.
 * 3. After `restore(snapshot())` it behaves as if nothing had happened; only what was not read yet is forgotten.
 */
import type { EventAttributes, SluiceEvent } from '../schemas/event.ts';
import { present } from '../schemas/kernel/assert.ts';
import type { ManualClock } from '../schemas/kernel/clock.ts';
import { afterThisRound, manualClock, sleep, systemClock } from '../schemas/kernel/clock.ts';
import { SluiceError } from '../schemas/kernel/errors.ts';
import { seededRandom } from '../schemas/kernel/random.ts';
import type { RejectionCode } from '../schemas/rejection.ts';
import type { SourceNode, Topology } from './graph/graph.ts';
import type { Origin } from './graph/sink.ts';
import type { Batch } from './operators/batch.ts';
import { rowKinds, splitKey } from './operators/batch.ts';
import type { LookupFunction } from './operators/lookup.ts';
import type { NodeCounts, Rejection } from './operators/operator.ts';
import { rejectThrown } from './operators/operator.ts';
import { connect } from './runtime/connections.ts';
import type { Dag, SinkStage } from './runtime/dag.ts';
import { compileDag, tellClock } from './runtime/dag.ts';
import { writesFrom } from './runtime/job-sinks.ts';
import { requireValid } from './runtime/take-over.ts';
import { jsonProblem } from './state/json-safe.ts';
import { maxTime } from './time/watermark.ts';

export interface DriverOptions {
  /** Processing time at the beginning, epoch ms. Default 0: events of today are then from the future, which `eventTime` guards against. */
  readonly now?: number;
  /** Connectors by name. */
  readonly lookups?: Readonly<Record<string, LookupFunction>>;
  /** Rows of look-up tables, by the file that the topology names. */
  readonly tables?: Readonly<Record<string, readonly unknown[]>>;
  /** Splits by source id; a source that is not named has one. */
  readonly splits?: Readonly<Record<string, readonly string[]>>;
}

/** One output of a topology under test. */
export interface DrivenRow {
  readonly value: unknown;
  /** Event time, epoch ms. */
  readonly timestamp: number;
}

export type DrivenSignal = number | 'max' | 'idle' | 'active';

export interface DrivenRejection {
  readonly operator: string;
  readonly code: RejectionCode;
  readonly message: string;
  readonly value: unknown;
}

export interface Pushed {
  readonly source: string;
  readonly value: unknown;
  readonly split?: string;
}

export interface SourceSelection {
  /** Default: every source. */
  readonly source?: string;
  /** Default: all its splits at once. */
  readonly split?: string;
}

export interface Driver {
  /** Elements of one source, in one batch. What is pushed is what the source would give: an event, unless the topology reads something else. */
  push(source: string, values: unknown, options?: { readonly split?: string }): Promise<void>;
  /** Elements of several sources, in one turn. */
  pushAll(rows: readonly Pushed[]): Promise<void>;
  /** A watermark as if `eventTime` had made it. */
  advanceWatermark(at: number | 'max', selection?: SourceSelection): Promise<void>;
  idle(selection?: SourceSelection): Promise<void>;
  active(selection?: SourceSelection): Promise<void>;
  /** Moves processing time, epoch ms; fires its timers, makes no watermark. */
  setClock(ms: number): Promise<void>;
  /** The periodic emission: watermarks are made of the events so far, idleness is judged. */
  tick(): Promise<void>;
  /** The rows that reached a sink since it was read last; of a graph sink the writes that its function made of each. */
  read(sink: string): readonly DrivenRow[];
  /** The watermarks and idleness that reached a sink since asked last. */
  signals(sink: string): readonly DrivenSignal[];
  rejected(): readonly DrivenRejection[];
  counts(node: string): NodeCounts;
  /** All operators' state as JSON. */
  snapshot(): string;
  restore(snapshot: string): Promise<void>;
  close(): void;
}

/** An event with `data`; whatever attributes a test does not care about are filled in. */
export function event<D>(data: D, attributes: Partial<EventAttributes> = {}): SluiceEvent<D> {
  const { team = 'test', app = 'test' } = attributes;
  return {
    id: 'test',
    source: `/${team}/${app}`,
    type: `${team}.${app}`,
    time: '1970-01-01T00:00:00.000Z',
    datacontenttype: 'application/json',
    team,
    app,
    partitionkey: 'test',
    receivedtime: '1970-01-01T00:00:00.000Z',
    ...attributes,
    data,
  };
}

const defaultSplit = '0';

/**
 * Makes a driver. Throws `SluiceError` `topology-invalid`, `lookup-table-missing`, `connector-missing`.
 *
 * @example
 * const driver = await createDriver(clicks, { now: 10_000 });
 * await driver.push('clicks', event({ userId: 'u1', clickedAt: 1_000 }));
 * await driver.advanceWatermark('max');
 * expect(driver.read('per-minute')).toHaveLength(1);
 */
export async function createDriver(topology: Topology, options: DriverOptions = {}): Promise<Driver> {
  requireValid(topology, { collects: true });
  const { graph } = topology;
  const connections = await connect(graph, {
    table: ({ file }) => {
      const rows = options.tables?.[file];
      if (rows !== undefined) return Promise.resolve(rows);
      throw new SluiceError('lookup-table-missing', `the driver has no rows for '${file}'`, {
        fix: `createDriver(topology, { tables: { '${file}': [...] } })`,
      });
    },
    lookup: (name) => {
      const found = options.lookups?.[name];
      if (found !== undefined) return found;
      throw new SluiceError('connector-missing', `the driver has no connector '${name}'`, {
        fix: `createDriver(topology, { lookups: { '${name}': ... } })`,
      });
    },
  });
  let nowMs = options.now ?? 0;
  const clock = manualClock();
  const rows = new Map<string, DrivenRow[]>();
  const signals = new Map<string, DrivenSignal[]>();
  const rejections: DrivenRejection[] = [];
  let wake: (() => void) | undefined;
  let dag: Dag;

  const reject = ({ node, code, message, value }: Rejection): void => void rejections.push({ operator: node, code, message, value });
  const compile = (): Dag =>
    compileDag(topology, reject, { ...connections, host: { clock, random: seededRandom(1), wake: () => wake?.() } });

  const give = ({ node, writes }: SinkStage, value: unknown, timestamp: number): void => {
    try {
      listOf(rows, node.id).push({ value: checked(node.id, writes === undefined ? value : writesFrom(writes, value)), timestamp });
    } catch (thrown) {
      if (writes === undefined) throw thrown;
      rejectThrown(reject, node.id, thrown, value, undefined);
    }
  };

  const collect = (sink: SinkStage): void => {
    const { node, input: batch } = sink;
    for (let i = 0; i < batch.length; i++) {
      const timestamp = batch.timestamps[i] as number;
      switch (batch.kinds[i]) {
        case rowKinds.element:
          give(sink, batch.values[i], timestamp);
          break;
        case rowKinds.watermark:
          listOf(signals, node.id).push(timestamp === maxTime ? 'max' : timestamp);
          break;
        case rowKinds.idle:
          listOf(signals, node.id).push('idle');
          break;
        case rowKinds.active:
          listOf(signals, node.id).push('active');
          break;
        default:
          break;
      }
    }
  };

  const runOnce = (): void => {
    dag.run();
    for (const { nodes, out } of dag.stages) for (const batch of out) checkBatch(present(nodes.at(-1), 'a node').id, batch);
    for (const sink of dag.sinks) collect(sink);
    dag.clear();
  };

  const waits = (): boolean => dag.stages.some(({ operator }) => (operator.backlog ?? 0) > 0);

  /**
   * One turn, and more while look-ups wait. An answer that is under way takes the real time that it takes; the pauses between tries are
   * not waited for.
   */
  const turn = async (): Promise<void> => {
    runOnce();
    let idleRounds = 0;
    let pausedMs = 0;
    while (waits()) {
      const woken = await nextWake((resolve) => {
        wake = resolve;
      });
      if (woken) {
        idleRounds = 0;
        pausedMs = 0;
      } else if (++idleRounds > settleRounds) {
        if (dag.stages.some(({ operator }) => (operator.calls ?? 0) > 0)) await letTimePass(clock);
        else pausedMs += clock.advanceToNext();
      }
      runOnce();
      if (pausedMs >= heldMaxMs) throw heldError(dag);
    }
  };

  const splitsOf = (source: string): readonly string[] =>
    (options.splits?.[source] ?? [defaultSplit]).map((split) => keyOfSplit(source, split));

  const announceSplits = (): void => {
    const all = new Set(dag.sources.flatMap(({ node }) => splitsOf(node.id)));
    for (const { node, out } of dag.sources) {
      out.control(rowKinds.splits, 0, all);
      for (const split of splitsOf(node.id)) out.control(rowKinds.split, 0, { split, parents: [], told: false });
      out.control(rowKinds.clock, nowMs);
    }
  };

  const sourceOf = (id: string): Dag['sources'][number] => {
    const found = dag.sources.find(({ node }) => node.id === id);
    if (found !== undefined) return found;
    const known = dag.sources.map(({ node }) => node.id).join(', ');
    throw new SluiceError('source-unknown', `the topology has no source '${id}'; there are ${known}`);
  };

  const enter = ({ source, value, split }: Pushed): void => {
    const { node, out } = sourceOf(source);
    const counts = present(dag.counts.get(node.id), 'the counts of a source');
    counts.in++;
    counts.passed++;
    out.element(checked(source, value), nowMs, originOf(node, split ?? defaultSplit, value));
  };

  const control = async (
    kind: typeof rowKinds.watermark | typeof rowKinds.idle | typeof rowKinds.active,
    timestamp: number,
    { source, split }: SourceSelection = {},
  ): Promise<void> => {
    const chosen = source === undefined ? dag.sources : [sourceOf(source)];
    for (const { node, out } of chosen) out.control(kind, timestamp, split === undefined ? splitsOf(node.id) : keyOfSplit(node.id, split));
    await turn();
  };

  const knownSink = (id: string): void => {
    if (dag.sinks.some(({ node }) => node.id === id)) return;
    const known = dag.sinks.map(({ node }) => node.id).join(', ');
    throw new SluiceError('sink-unknown', `the topology has no sink '${id}'; there are ${known}`);
  };

  dag = compile();
  tellClock(dag, nowMs);
  announceSplits();
  await turn();
  return {
    async push(source, values, { split } = {}) {
      const all: readonly unknown[] = Array.isArray(values) ? values : [values];
      for (const value of all) enter(split === undefined ? { source, value } : { source, value, split });
      await turn();
    },
    async pushAll(pushed) {
      for (const row of pushed) enter(row);
      await turn();
    },
    advanceWatermark: (at, selection) => control(rowKinds.watermark, at === 'max' ? maxTime : at, selection),
    idle: (selection) => control(rowKinds.idle, 0, selection),
    active: (selection) => control(rowKinds.active, 0, selection),
    async setClock(ms) {
      clock.advance(Math.max(0, ms - nowMs));
      nowMs = ms;
      for (const { out } of dag.sources) out.control(rowKinds.clock, ms);
      await turn();
    },
    async tick() {
      for (const { out } of dag.sources) out.control(rowKinds.tick, nowMs);
      await turn();
    },
    read(sink) {
      knownSink(sink);
      return listOf(rows, sink).splice(0);
    },
    signals(sink) {
      knownSink(sink);
      return listOf(signals, sink).splice(0);
    },
    rejected: () => rejections.splice(0),
    counts: (node) => ({ ...present(dag.counts.get(node), `the counts of '${node}'`) }),
    snapshot() {
      const operators = dag.stages.flatMap(({ nodes: [node], operator }) => {
        const state = operator.snapshot?.();
        return node === undefined || state === undefined ? [] : [[node.id, checkedState(node.id, state)] as const];
      });
      return JSON.stringify({ operators: Object.fromEntries(operators), counts: Object.fromEntries(dag.counts) });
    },
    async restore(snapshot) {
      const { operators, counts } = JSON.parse(snapshot) as {
        readonly operators: Readonly<Record<string, unknown>>;
        readonly counts: Readonly<Record<string, NodeCounts>>;
      };
      for (const { operator } of dag.stages) operator.close?.();
      dag = compile();
      tellClock(dag, nowMs);
      for (const [id, count] of Object.entries(counts)) Object.assign(dag.counts.get(id) ?? {}, count);
      for (const { nodes, operator } of dag.stages) {
        const state = nodes[0] === undefined ? undefined : operators[nodes[0].id];
        if (state !== undefined) operator.restore?.(state as never);
      }
      announceSplits();
      await turn();
    },
    close() {
      for (const { operator } of dag.stages) operator.close?.();
    },
  };
}

/** Rounds of the event loop that answers may take before the clock of look-ups moves on. */
const settleRounds = 20;
/** Of pauses between tries, without an answer: then a look-up that is held is told of, instead of trying for ever. */
const heldMaxMs = 600_000;

function heldError(dag: Dag): SluiceError {
  const held = dag.stages.flatMap(({ nodes, operator }) =>
    (operator.backlog ?? 0) === 0 ? [] : [`'${nodes[0]?.id}' holds ${operator.backlog}: ${operator.failure ?? 'no answer yet'}`],
  );
  return new SluiceError('lookup-held', `look-ups fail and hold what waits for them; ${held.join('; ')}`, {
    retryable: true,
    fix: "the next call of the driver tries again; whenFailing: 'reject' would reject them",
  });
}

async function letTimePass(clock: ManualClock): Promise<void> {
  const before = systemClock.monotonic();
  await sleep(systemClock, 1);
  clock.advance(systemClock.monotonic() - before);
}

function nextWake(listen: (resolve: () => void) => void): Promise<boolean> {
  return new Promise((resolve) => {
    listen(() => resolve(true));
    afterThisRound(() => resolve(false));
  });
}

function listOf<T>(lists: Map<string, T[]>, id: string): T[] {
  const known = lists.get(id);
  if (known !== undefined) return known;
  const made: T[] = [];
  lists.set(id, made);
  return made;
}

function keyOfSplit(source: string, split: string): string {
  return splitKey({ source, path: 'kinesis', split });
}

function originOf({ id, stream }: SourceNode, split: string, value: unknown): Origin {
  const attributes = value !== null && typeof value === 'object' && 'data' in value ? event(value.data, value as object) : event(value);
  const { data, ...rest } = attributes;
  const bytes = Buffer.from(JSON.stringify(data) ?? 'null');
  return { stream, path: 'kinesis', split, splitKey: keyOfSplit(id, split), position: '0', attributes: rest, data: bytes };
}

/** State is JSON: what would not come back from it is told where it is made, not after a restart. */
function checked<T>(node: string, value: T): T {
  const problem = jsonProblem(value);
  if (problem === undefined) return value;
  throw new SluiceError(
    'not-json-safe',
    `'${node}' gives ${problem.found} at '${problem.pointer}': values between nodes must be JSON-safe`,
  );
}

function checkedState(node: string, state: unknown): unknown {
  const problem = jsonProblem(state);
  if (problem === undefined) return state;
  throw new SluiceError('not-json-safe', `'${node}' keeps ${problem.found}: state must be JSON-safe`);
}

function checkBatch(node: string, batch: Batch): void {
  for (let i = 0; i < batch.length; i++) if (batch.kinds[i] === rowKinds.element) checked(node, batch.values[i]);
}
