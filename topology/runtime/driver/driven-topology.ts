/**
 * A topology under test: its operators, its sinks, and the time that a test moves by hand.
 *
 * Invariants:
 * 1. Only `compile` makes operators: at the beginning, and again for a restored snapshot.
 * 2. What failed is not a part of the next turn: batches are empty after each, whatever it threw.
 * 3. Operators know what time it is before anything else comes.
 */
import { present } from '../../../schemas/kernel/assert.ts';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import { rowKinds } from '../../operators/batch.ts';
import type { NodeCounts, Rejection } from '../../operators/operator.ts';
import type { Topology } from '../../plan/plan.ts';
import { jsonCopy } from '../../state/json-safe.ts';
import type { StateRoom } from '../../state/records.ts';
import { compileDag } from '../compile-dag.ts';
import type { Connections } from '../connections.ts';
import type { Dag } from '../dag.ts';
import { endInput, tellClock } from '../dag.ts';
import { KeyExamples } from '../key-examples.ts';
import { inlineWorkers } from '../parallel/inline-workers.ts';
import { openWorkers } from '../parallel/worker-calls.ts';
import type { DrivenRejection, DriverOptions, Pushed, SourceSelection } from './driven.ts';
import { ownOf } from './driven-connectors.ts';
import { DrivenSinks } from './driven-sinks.ts';
import { DrivenState } from './driven-state.ts';
import { asSent, keyOfSplit, originOf } from './entries.ts';
import { requireJsonBatch, requireJsonSafe } from './json-checks.ts';
import { runOn } from './run-on.ts';
import { settle } from './settle.ts';
import { readSnapshot, takeSnapshot } from './snapshot.ts';

const defaultSplit = '0';

type TimeControl = typeof rowKinds.watermark | typeof rowKinds.idle | typeof rowKinds.active;

export class DrivenTopology {
  readonly sinks: DrivenSinks;
  readonly #topology: Topology;
  readonly #connections: Connections;
  readonly #splits: DriverOptions['splits'];
  readonly #room: StateRoom;
  readonly #parallelism: number;
  readonly #clock = manualClock();
  readonly #rejections: DrivenRejection[] = [];
  readonly #reject = ({ node, code, message, pointer, value }: Rejection): void =>
    void this.#rejections.push({ operator: node, code, message, pointer, value });
  #nowMs: number;
  #dag: Dag;
  #state: DrivenState;
  #examples: KeyExamples;
  /** Called when an operator that waited has something to emit. */
  #wake: (() => void) | undefined;

  constructor(
    topology: Topology,
    connections: Connections,
    options: DriverOptions,
    room: StateRoom,
  ) {
    this.#topology = topology;
    this.#connections = connections;
    this.#splits = options.splits;
    this.#room = room;
    this.#parallelism = options.parallelism ?? 1;
    this.#nowMs = options.now ?? 0;
    this.#dag = this.#compile();
    this.#state = new DrivenState(this.#dag);
    this.#examples = new KeyExamples(topology, this.#dag, {});
    this.sinks = new DrivenSinks(this.#dag.sinks, topology.plan, this.#reject);
  }

  /** Before the first turn of a test. */
  begin(): Promise<void> {
    tellClock(this.#dag, this.#nowMs);
    this.#announceSplits();
    return this.turn();
  }

  /** One turn, and more while look-ups wait. */
  turn(): Promise<void> {
    return settle({
      clock: this.#clock,
      dag: () => this.#dag,
      runOnce: () => this.#runOnce(),
      listen: (listener) => {
        this.#wake = listener;
      },
    });
  }

  /** Puts an element into the next turn. */
  enter({ source, value, split }: Pushed): void {
    const { node, out } = this.#sourceOf(source);
    const counts = this.counts(node.id);
    counts.in++;
    counts.passed++;
    // What the test holds stays the test's: an event of a stream is nobody else's.
    const sent = jsonCopy(requireJsonSafe(source, asSent(value)), source);
    out.element(sent, this.#nowMs, originOf(node, split ?? defaultSplit, sent));
  }

  async control(
    kind: TimeControl,
    timestamp: number,
    { source, split }: SourceSelection = {},
  ): Promise<void> {
    const chosen = source === undefined ? this.#dag.sources : [this.#sourceOf(source)];
    for (const { node, out } of chosen) {
      const splits = split === undefined ? this.#splitsOf(node.id) : keyOfSplit(node.id, split);
      out.control(kind, timestamp, splits);
    }
    await this.turn();
  }

  /** The end of input, as when a job is drained. */
  end(): Promise<void> {
    endInput(this.#dag);
    return this.turn();
  }

  async setClock(ms: number): Promise<void> {
    this.#clock.advance(Math.max(0, ms - this.#nowMs));
    this.#nowMs = ms;
    for (const { out } of this.#dag.sources) out.control(rowKinds.clock, ms);
    await this.turn();
  }

  async tick(): Promise<void> {
    for (const { out } of this.#dag.sources) out.control(rowKinds.tick, this.#nowMs);
    await this.turn();
  }

  /** What was rejected since asked last. */
  rejected(): readonly DrivenRejection[] {
    return this.#rejections.splice(0);
  }

  counts(node: string): NodeCounts {
    return present(this.#dag.counts.get(node), `the counts of '${node}'`);
  }

  snapshot(): string {
    return takeSnapshot(this.#topology, this.#dag, this.#state, this.#examples);
  }

  async restore(snapshot: string): Promise<void> {
    const restored = await readSnapshot(snapshot, this.#topology);
    const { operators, entries, counts, keyExamples } = restored;
    this.close();
    this.#dag = this.#compile();
    this.#state = new DrivenState(this.#dag);
    this.#examples = new KeyExamples(this.#topology, this.#dag, keyExamples);
    tellClock(this.#dag, this.#nowMs);
    for (const [id, count] of Object.entries(counts))
      Object.assign(this.#dag.counts.get(id) ?? {}, count);
    for (const { nodes, operator } of this.#dag.stages) {
      const state = nodes[0] === undefined ? undefined : operators[nodes[0].id];
      if (state !== undefined) operator.restore?.(state as never);
    }
    this.#state.restore(entries.filter(([node]) => operators[node] !== undefined));
    this.#announceSplits();
    await this.turn();
  }

  close(): void {
    this.#dag.close();
  }

  #compile(): Dag {
    const wake = (): void => this.#wake?.();
    const [topology, clock, room] = [this.#topology, this.#clock, this.#room];
    const made =
      this.#parallelism > 1
        ? inlineWorkers(topology, this.#parallelism, { clock, random: seededRandom(1), room })
        : undefined;
    return compileDag(topology, this.#reject, {
      ...this.#connections,
      host: { clock, random: seededRandom(1), wake },
      freezes: 'all',
      room,
      workers: made && openWorkers(made, { freezes: 'all', rejectsFailing: true }),
    });
  }

  #runOnce(): void {
    const dag = this.#dag;
    try {
      const failed = runOn(dag, this.#reject);
      for (const { nodes, out } of dag.stages)
        for (const batch of out) requireJsonBatch(present(nodes.at(-1), 'a node').id, batch);
      this.sinks.collect(dag);
      this.#examples.look();
      if (failed !== undefined) throw failed.thrown;
    } finally {
      dag.clear();
    }
  }

  /** The keys of a source's splits. */
  #splitsOf(source: string): readonly string[] {
    const splits = ownOf(this.#splits, source) ?? [defaultSplit];
    return splits.map((split) => keyOfSplit(source, split));
  }

  #announceSplits(): void {
    const { sources } = this.#dag;
    const all = new Set(sources.flatMap(({ node }) => this.#splitsOf(node.id)));
    for (const { node, out } of sources) {
      out.control(rowKinds.splits, 0, all);
      for (const split of this.#splitsOf(node.id))
        out.control(rowKinds.split, 0, { split, parents: [], told: false });
      out.control(rowKinds.clock, this.#nowMs);
    }
  }

  #sourceOf(id: string): Dag['sources'][number] {
    const { sources } = this.#dag;
    const found = sources.find(({ node }) => node.id === id);
    if (found !== undefined) return found;
    const known = sources.map(({ node }) => node.id).join(', ');
    throw new SluiceError(
      'source-unknown',
      `the topology has no source '${id}'; there are ${known}`,
    );
  }
}
