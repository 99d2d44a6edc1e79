/**
 * `sluice/testing`: runs a topology in memory, turn by turn, with time moved by hand. Nothing is
 * read from outside or written to it.
 *
 * Invariants:
 * 1. It runs the operators that a job runs, compiled the same way; only sources and sinks are its
 *    own, and what those take is what a job's take.
 * 2. Every call is one turn, or several where rows wait for look-ups: it resolves when nothing
 *    waits any more, or rejects with `lookup-held` when look-ups go on failing.
 * 3. An element on which an operator fails for no reason of its own is rejected as
 *    `operator-failed`, and the driver goes on.
 * 4. After `restore(snapshot())` it behaves as if nothing had happened; only what was not read yet
 *    is forgotten. A snapshot of another topology is restored where a job would restore its
 *    checkpoint, and refused where that would be.
 */
import { present } from '../schemas/kernel/assert.ts';
import { manualClock } from '../schemas/kernel/clock.ts';
import { SluiceError } from '../schemas/kernel/errors.ts';
import { seededRandom } from '../schemas/kernel/random.ts';
import type { Batch } from './operators/batch.ts';
import { rowKinds } from './operators/batch.ts';
import type { LookupFunction } from './operators/lookup/bounded-calls.ts';
import type { Rejection } from './operators/operator.ts';
import type { Topology } from './plan/plan.ts';
import { compileDag } from './runtime/compile-dag.ts';
import { connect } from './runtime/connections.ts';
import type { Dag } from './runtime/dag.ts';
import { endInput, tellClock } from './runtime/dag.ts';
import type {
  DrivenRejection,
  Driver,
  DriverOptions,
  Pushed,
  SourceSelection,
} from './runtime/driver/driven.ts';
import { DrivenSinks } from './runtime/driver/driven-sinks.ts';
import { asSent, keyOfSplit, originOf } from './runtime/driver/entries.ts';
import { runOn } from './runtime/driver/run-on.ts';
import { settle } from './runtime/driver/settle.ts';
import { readSnapshot, takeSnapshot } from './runtime/driver/snapshot.ts';
import { KeyExamples } from './runtime/key-examples.ts';
import { requireValid } from './runtime/take-over.ts';
import { jsonCopy, jsonProblem } from './state/json-safe.ts';
import { maxTime } from './time/watermark.ts';

export type {
  DrivenRejection,
  DrivenRow,
  DrivenSignal,
  Driver,
  DriverOptions,
  Pushed,
  SourceSelection,
} from './runtime/driver/driven.ts';
export { event } from './runtime/driver/entries.ts';

const defaultSplit = '0';

/**
 * Makes a driver. Throws `SluiceError` `topology-invalid`, `schema-invalid`,
 * `lookup-table-missing`, `connector-missing`.
 *
 * @example
 * const driver = await createDriver(clicksTopology, { now: 10_000 });
 * await driver.push('clicks', event({ userId: 'u1', clickedAt: 1_000 }));
 * await driver.advanceWatermark('max');
 * expect(driver.read('per-minute')).toHaveLength(1);
 */
export async function createDriver(
  topology: Topology,
  options: DriverOptions = {},
): Promise<Driver> {
  requireValid(topology, { collects: true });
  const { graph } = topology;
  const connections = await connect(graph, {
    table: ({ file }) => {
      const rows = own(options.tables, file);
      if (rows !== undefined) return Promise.resolve(asJson(rows));
      throw new SluiceError('lookup-table-missing', `the driver has no rows for '${file}'`, {
        fix: `createDriver(topology, { tables: { '${file}': [...] } })`,
      });
    },
    lookup: (name) => {
      const found = own(options.lookups, name);
      if (found !== undefined) return answering(found);
      throw new SluiceError('connector-missing', `the driver has no connector '${name}'`, {
        fix: `createDriver(topology, { lookups: { '${name}': ... } })`,
      });
    },
  });
  let nowMs = options.now ?? 0;
  const clock = manualClock();
  const rejections: DrivenRejection[] = [];
  let wake: (() => void) | undefined;
  let dag: Dag;
  let examples: KeyExamples;

  const reject = ({ node, code, message, pointer, value }: Rejection): void =>
    void rejections.push({ operator: node, code, message, pointer, value });
  const compile = (): Dag =>
    compileDag(topology, reject, {
      ...connections,
      host: { clock, random: seededRandom(1), wake: () => wake?.() },
      freezes: 'all',
    });

  const runOnce = (): void => {
    try {
      const failed = runOn(dag, reject);
      for (const { nodes, out } of dag.stages)
        for (const batch of out) checkBatch(present(nodes.at(-1), 'a node').id, batch);
      sinks.collect(dag);
      examples.look();
      if (failed !== undefined) throw failed.thrown;
    } finally {
      // What failed is no part of the next turn.
      dag.clear();
    }
  };

  const turn = (): Promise<void> =>
    settle({
      clock,
      dag: () => dag,
      runOnce,
      listen: (listener) => {
        wake = listener;
      },
    });

  const splitsOf = (source: string): readonly string[] =>
    (own(options.splits, source) ?? [defaultSplit]).map((split) => keyOfSplit(source, split));

  const announceSplits = (): void => {
    const all = new Set(dag.sources.flatMap(({ node }) => splitsOf(node.id)));
    for (const { node, out } of dag.sources) {
      out.control(rowKinds.splits, 0, all);
      for (const split of splitsOf(node.id))
        out.control(rowKinds.split, 0, { split, parents: [], told: false });
      out.control(rowKinds.clock, nowMs);
    }
  };

  const sourceOf = (id: string): Dag['sources'][number] => {
    const found = dag.sources.find(({ node }) => node.id === id);
    if (found !== undefined) return found;
    const known = dag.sources.map(({ node }) => node.id).join(', ');
    throw new SluiceError(
      'source-unknown',
      `the topology has no source '${id}'; there are ${known}`,
    );
  };

  const enter = ({ source, value, split }: Pushed): void => {
    const { node, out } = sourceOf(source);
    const counts = present(dag.counts.get(node.id), 'the counts of a source');
    counts.in++;
    counts.passed++;
    // What the test holds stays the test's: an event of a stream is nobody else's.
    const sent = jsonCopy(checked(source, asSent(value)), source);
    out.element(sent, nowMs, originOf(node, split ?? defaultSplit, sent));
  };

  const control = async (
    kind: typeof rowKinds.watermark | typeof rowKinds.idle | typeof rowKinds.active,
    timestamp: number,
    { source, split }: SourceSelection = {},
  ): Promise<void> => {
    const chosen = source === undefined ? dag.sources : [sourceOf(source)];
    for (const { node, out } of chosen)
      out.control(
        kind,
        timestamp,
        split === undefined ? splitsOf(node.id) : keyOfSplit(node.id, split),
      );
    await turn();
  };

  dag = compile();
  examples = new KeyExamples(topology, dag, {});
  const sinks = new DrivenSinks(dag.sinks, graph, reject);
  tellClock(dag, nowMs);
  announceSplits();
  await turn();
  return {
    async push(source, values, { split } = {}) {
      const all: readonly unknown[] = Array.isArray(values) ? values : [values];
      for (const value of all)
        enter(split === undefined ? { source, value } : { source, value, split });
      await turn();
    },
    async pushAll(pushed) {
      for (const row of pushed) enter(row);
      await turn();
    },
    advanceWatermark(at, selection = {}) {
      if (at !== 'max' || selection.source !== undefined || selection.split !== undefined)
        return control(rowKinds.watermark, at === 'max' ? maxTime : at, selection);
      endInput(dag);
      return turn();
    },
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
    read: (sink) => sinks.read(sink),
    signals: (sink) => sinks.signals(sink),
    rejected: () => rejections.splice(0),
    counts: (node) => ({ ...present(dag.counts.get(node), `the counts of '${node}'`) }),
    snapshot: () => takeSnapshot(topology, dag, examples),
    async restore(snapshot) {
      const { operators, counts, keyExamples } = readSnapshot(snapshot, topology);
      for (const { operator } of dag.stages) operator.close?.();
      dag = compile();
      examples = new KeyExamples(topology, dag, keyExamples);
      tellClock(dag, nowMs);
      for (const [id, count] of Object.entries(counts))
        Object.assign(dag.counts.get(id) ?? {}, count);
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

/** What comes from a file or a service. */
function asJson<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

/** What a connector gives is JSON of its own, whatever the test goes on to do with it. */
function answering(call: LookupFunction): LookupFunction {
  return async (key, context) => {
    const answer = await call(key, context);
    return answer === undefined ? undefined : asJson(answer);
  };
}

/** What is there under that name, and not what every object has. */
function own<T>(parts: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
  return parts !== undefined && Object.hasOwn(parts, name) ? parts[name] : undefined;
}

/**
 * State is JSON: what would not come back from it is told where it is made, not after a restart.
 */
function checked<T>(node: string, value: T): T {
  const problem = jsonProblem(value);
  if (problem === undefined) return value;
  throw new SluiceError(
    'not-json-safe',
    `'${node}' gives ${problem.found} at '${problem.pointer}': values between nodes must be JSON-safe`,
  );
}

function checkBatch(node: string, batch: Batch): void {
  for (let i = 0; i < batch.length; i++)
    if (batch.kinds[i] === rowKinds.element) checked(node, batch.values[i]);
}
