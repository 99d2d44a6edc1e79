/**
 * What a turn runs: stages in topological order, each over the batches that earlier ones filled.
 *
 * Invariants:
 * 1. A stage's inputs are batches that earlier stages (or sources) own; running the stages in order
 *    runs the turn.
 * 2. What runs ahead of a turn is only what the turn would run first: stages of one input, with
 *    nothing that waited outside.
 * 3. Every node has its counters, also inside a fused stage.
 */
import type { Batch } from '../operators/batch.ts';
import { endOfInput, rowKinds } from '../operators/batch.ts';
import type { PlanNode } from '../operators/kinds.ts';
import type { NodeCounts, Operator } from '../operators/operator.ts';
import type { SinkNode } from '../operators/sink/node.ts';
import type { SourceNode } from '../operators/source/kind.ts';
import type { StateTable } from '../state/entries.ts';
import type { RestingPlace, StateAtRest } from '../state/records.ts';
import { maxTime } from '../time/watermark.ts';
import { part } from './batch-parts.ts';
import type { Freezes } from './frozen-values.ts';
import { freezeElements } from './frozen-values.ts';

export interface Stage {
  /** The nodes it runs, in order; the last one's outputs are `out`. */
  readonly nodes: readonly PlanNode[];
  readonly operator: Operator;
  readonly inputs: readonly Batch[];
  readonly out: readonly Batch[];
  /** Those of `out` whose elements nobody may change once the stage is done with them. */
  readonly frozen: readonly Batch[];
}

export interface SourceStage {
  readonly node: SourceNode;
  readonly out: Batch;
}

export interface SinkStage {
  readonly node: SinkNode;
  readonly input: Batch;
  /** The port that feeds it, which tells why an element ended in a rejected sink. */
  readonly port: string;
  /** Whether that is what came too late for an operator. */
  readonly late: boolean;
  /** A graph sink's function: the writes that an element means. */
  readonly writes: ((value: unknown) => unknown) | undefined;
}

/** What a plan is compiled into. */
export interface DagParts {
  readonly sources: readonly SourceStage[];
  readonly stages: readonly Stage[];
  readonly sinks: readonly SinkStage[];
  readonly counts: ReadonlyMap<string, NodeCounts>;
  readonly parallelism: number;
  /** Those that operators made, and will make. */
  readonly records: readonly RestingPlace[];
  readonly batches: readonly Batch[];
  /** Told the number of a stage before it runs, where somebody asks. */
  readonly begins: ((stage: number) => void) | undefined;
  /** Batches of sources whose elements nobody may change. */
  readonly entering: readonly Batch[];
  readonly freezes: Freezes;
}

export interface Dag {
  readonly sources: readonly SourceStage[];
  readonly stages: readonly Stage[];
  readonly sinks: readonly SinkStage[];
  readonly counts: ReadonlyMap<string, NodeCounts>;
  readonly atRest: StateAtRest;
  /** Over how many workers the keys of its keyed nodes are divided; 1: over none. */
  readonly parallelism: number;
  /** The stage that runs, or ran last: the one that failed, where `run` threw. */
  readonly at: Stage | undefined;
  /**
   * Runs all stages over what the sources' batches hold; says whether something came out of an
   * operator that had waited.
   */
  run(runStage?: RunStage): boolean;
  /**
   * Runs what needs nothing but one source over what came into it since, before `run`: workers
   * begin with it while more comes.
   */
  runAhead(source: SourceStage): void;
  /** Empties every batch, for the next turn. */
  clear(): void;
  close(): void;
}

/** `ahead`: the rows of its input that it has already, where it has one input. */
type RunStage = (stage: Stage, ahead: number) => boolean;

export class CompiledDag implements Dag {
  readonly sources: readonly SourceStage[];
  readonly stages: readonly Stage[];
  readonly sinks: readonly SinkStage[];
  readonly counts: ReadonlyMap<string, NodeCounts>;
  readonly parallelism: number;
  readonly #records: readonly RestingPlace[];
  readonly #batches: readonly Batch[];
  readonly #begins: DagParts['begins'];
  readonly #entering: readonly Batch[];
  readonly #freezes: Freezes;
  #at: Stage | undefined;
  /** Rows of its input that a stage has in this turn already. */
  readonly #ahead = new Map<Stage, number>();

  constructor(parts: DagParts) {
    const { sources, stages, sinks, counts, parallelism, records, batches, entering, freezes } =
      parts;
    this.sources = sources;
    this.stages = stages;
    this.sinks = sinks;
    this.counts = counts;
    this.parallelism = parallelism;
    this.#records = records;
    this.#begins = parts.begins;
    this.#batches = batches;
    this.#entering = entering;
    this.#freezes = freezes;
  }

  get atRest(): StateAtRest {
    let [restingRecords, restingBytes] = [0, 0];
    for (const { records, heldBytes } of this.#records) {
      restingRecords += records;
      restingBytes += heldBytes;
    }
    return { restingRecords, restingBytes };
  }

  get at(): Stage | undefined {
    return this.#at;
  }

  run(runStage: RunStage = runStageAtOnce): boolean {
    let polled = false;
    for (const batch of this.#entering) freezeElements(batch, this.#freezes);
    for (const [number, stage] of this.stages.entries()) {
      this.#at = stage;
      this.#begins?.(number);
      if (stage.inputs.length > 1) wakeInputs(stage);
      if (runStage(stage, this.#ahead.get(stage) ?? 0)) polled = true;
      for (const batch of stage.frozen) freezeElements(batch, this.#freezes);
    }
    return polled;
  }

  runAhead({ out: source }: SourceStage): void {
    if (this.#entering.includes(source)) freezeElements(source, this.#freezes);
    const given = new Set([source]);
    for (const [number, stage] of this.stages.entries()) {
      const { operator, inputs, out, frozen } = stage;
      const [input, another] = inputs;
      if (input === undefined || another !== undefined || !given.has(input)) continue;
      // What waited outside is given before anything of this turn.
      if (operator.poll !== undefined) continue;
      this.#at = stage;
      this.#begins?.(number);
      const rows = part(input, this.#ahead.get(stage) ?? 0, input.length);
      this.#ahead.set(stage, input.length);
      if (operator.ahead !== undefined) {
        operator.ahead(0, rows);
        continue;
      }
      operator.process(0, rows, out);
      for (const batch of frozen) freezeElements(batch, this.#freezes);
      for (const batch of out) given.add(batch);
    }
  }

  clear(): void {
    for (const batch of this.#batches) batch.clear();
    this.#ahead.clear();
  }

  close(): void {
    for (const { operator } of this.stages) operator.close?.();
    for (const store of this.#records) store.close();
  }
}

function runStageAtOnce({ operator, inputs, out }: Stage, ahead: number): boolean {
  const polled = operator.poll?.(out) === true;
  for (let input = 0; input < inputs.length; input++) {
    const batch = inputs[input] as Batch;
    if (batch.length > 0) operator.process(input, part(batch, ahead, batch.length), out);
  }
  return polled;
}

/**
 * Inputs are run one after the other, though what is in them came together: one that wakes in this
 * turn is awake for all of it. Else the time of the first would pass what the second has before it
 * says that it is active.
 */
function wakeInputs({ operator, inputs, out }: Stage): void {
  for (let input = 0; input < inputs.length; input++) {
    if (inputs[input]?.kinds.includes(rowKinds.active) === true) operator.wake?.(input, out);
  }
}

export interface OwnedTable {
  /** Whose state it is. */
  readonly node: string;
  readonly table: StateTable;
}

/** The tables of all operators, in the order of the stages. */
export function tablesOf({ stages }: Pick<Dag, 'stages'>): readonly OwnedTable[] {
  return stages.flatMap(({ nodes: [node], operator }) =>
    (operator.tables ?? []).map((table) => ({ node: node?.id ?? '', table })),
  );
}

/**
 * Processing time, before anything else comes: no operator is asked for a time that it was not
 * given.
 */
export function tellClock(dag: Dag, nowMs: number, tickMs?: number): void {
  for (const { out } of dag.sources) out.control(rowKinds.clock, nowMs, tickMs);
  dag.run();
  dag.clear();
}

/**
 * The end of input, once and everywhere: each operator gives all that it holds, and then passes it
 * on.
 */
export function endInput(dag: Dag): void {
  for (const { out } of dag.sources) out.control(rowKinds.watermark, maxTime, endOfInput);
}
