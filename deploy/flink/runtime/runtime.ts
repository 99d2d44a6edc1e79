/**
 * What the bundle gives to the Flink job: the functions of a topology, by operator, text in and text
 * out. It runs in GraalJS, and in anything else that has ES2022 (globals.ts adds what is missing).
 *
 * Invariants:
 * 1. It is made of the topology that the bundle evaluates; the job compares its plan with the one
 *    that it was given, and refuses another.
 * 2. One per thread of the job: nothing in it is shared.
 */
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import type { GraphModel } from '../../../topology/graph/graph-model.ts';
import type { Topology } from '../../../topology/plan/plan.ts';
import type { Freezes } from '../../../topology/runtime/frozen-values.ts';
import type { MergeRule } from '../../../topology/time/merge.ts';
import type { FlinkPlan, SegmentOperator } from '../plan.ts';
import { flinkPlan } from '../plan.ts';
import { Enter } from './enter.ts';
import { GraphCommits } from './graph-commits.ts';
import { GraphWrites } from './graph-writes.ts';
import { JoinFunctions } from './join.ts';
import { LookupFunctions } from './lookup.ts';
import { InputMerge } from './merge.ts';
import { NodeRuntime } from './node-runtime.ts';
import { ProcessFunctions } from './process.ts';
import { RejectedTable } from './rejected.ts';
import { Segment } from './segment.ts';
import type { SinkForm } from './sink.ts';
import type { Table } from './table.ts';
import { tableOf } from './table.ts';
import { WindowFunctions } from './window.ts';

/** What a thread of the job has. */
export class Runtime {
  readonly #plan: FlinkPlan;
  readonly #node: NodeRuntime;

  constructor(topology: Topology, freezes: Freezes) {
    this.#plan = flinkPlan(topology);
    this.#node = new NodeRuntime(topology, freezes);
  }

  setTable(node: string, rows: string): void {
    this.#node.setTable(node, rows);
  }

  setSinkForm(sink: string, form: SinkForm): void {
    this.#node.setForm(sink, form);
  }

  table(uid: string): Table {
    const sink = this.#node.plan.nodes.find((one) => one.id === uid);
    if (sink?.kind !== 'sink' || sink.sink.kind !== 'table')
      throw new SluiceError('flink-bundle', `the bundle has no table '${uid}'`);
    return tableOf(sink.sink, this.#node.plan.name);
  }

  rejectedTable(): RejectedTable {
    return new RejectedTable(this.#node.plan);
  }

  /** What the job's watch is told of, and says. */
  watch(begin: () => boolean, end: () => boolean): void {
    this.#node.guard.watch({ begin, end });
  }

  /** A run was interrupted: nothing of it counts. Gives what is refused from now on (call-guard.ts). */
  stopped(inFunction: boolean): string {
    this.#node.takeRejections();
    return this.#node.guard.stopped(inFunction);
  }

  segment(uid: string): Segment {
    const operator = this.#plan.operators.find((one) => one.uid === uid);
    if (operator?.kind !== 'segment')
      throw new SluiceError('flink-bundle', `the bundle has no segment '${uid}'`);
    return new Segment(operator satisfies SegmentOperator, this.#node);
  }

  /** Behind a source of records. */
  enter(uid: string): Enter {
    return new Enter(uid, this.#node);
  }

  /** `seed`: of the pauses between tries, so that parts of it do not try all at once. */
  lookup(uid: string, nowMs: number, seed: number): LookupFunctions {
    return new LookupFunctions(uid, this.#node, nowMs, seed);
  }

  window(uid: string): WindowFunctions {
    return new WindowFunctions(uid, this.#node);
  }

  join(uid: string): JoinFunctions {
    return new JoinFunctions(uid, this.#node);
  }

  process(uid: string): ProcessFunctions {
    return new ProcessFunctions(uid, this.#node);
  }

  graphWrites(uid: string): GraphWrites {
    return new GraphWrites(this.#graphModel(uid));
  }

  graphCommits(uid: string, url: string): GraphCommits {
    return new GraphCommits(this.#graphModel(uid), `${this.#plan.name}/${uid}`, url);
  }

  merge(inputs: number, rule: MergeRule): InputMerge {
    return new InputMerge(inputs, rule);
  }

  #graphModel(uid: string): GraphModel {
    const operator = this.#plan.operators.find((one) => one.uid === uid);
    if (operator?.kind !== 'sink' || operator.sink.kind !== 'graph')
      throw new SluiceError('flink-bundle', `the bundle has no graph '${uid}'`);
    return operator.sink.model;
  }
}

/** What a bundle's global is. */
export interface BundledTopology {
  /** The text of `plan.json`. */
  readonly plan: string;
  readonly open: (freezes: Freezes) => Runtime;
}

export function bundledTopology(topology: Topology): BundledTopology {
  return {
    plan: JSON.stringify(flinkPlan(topology)),
    open: (freezes) => new Runtime(topology, freezes),
  };
}
