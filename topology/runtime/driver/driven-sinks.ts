/**
 * The sinks of a topology under test: they keep what they take for the test to read.
 *
 * Invariant: a row that a job's table or graph would not take is not taken here, and is rejected
 * under the same code with the same pointer.
 */
import type { RowProblem } from '../../../schemas/columns.ts';
import { present } from '../../../schemas/kernel/assert.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import type { WriteProblem } from '../../graph/fit-write.ts';
import type { Batch } from '../../operators/batch.ts';
import { rowKinds } from '../../operators/batch.ts';
import type { NodeCounts, Reject } from '../../operators/operator.ts';
import { rejectThrown } from '../../operators/operator.ts';
import { sinkKindOf } from '../../operators/sink/sinks.ts';
import type { Plan } from '../../plan/plan.ts';
import { maxTime } from '../../time/watermark.ts';
import type { Dag, SinkStage } from '../dag.ts';
import { writesFrom } from '../job-sinks.ts';
import type { DrivenRow, DrivenSignal } from './driven.ts';

/** The row as the sink keeps it, or why it does not. Throws what an author's function throws. */
type Take = (
  value: unknown,
  timestamp: number,
) => { readonly row: unknown; readonly problem?: RowProblem | WriteProblem };

export class DrivenSinks {
  readonly #takes: ReadonlyMap<string, Take>;
  readonly #reject: Reject;
  readonly #rows = new Map<string, DrivenRow[]>();
  readonly #signals = new Map<string, DrivenSignal[]>();

  constructor(sinks: Dag['sinks'], plan: Plan, reject: Reject) {
    this.#takes = new Map(sinks.map((sink) => [sink.node.id, takeOf(sink, plan)]));
    this.#reject = reject;
    for (const { node } of sinks) {
      this.#rows.set(node.id, []);
      this.#signals.set(node.id, []);
    }
  }

  collect({ sinks, counts }: Dag): void {
    for (const { node, input: batch } of sinks) {
      const take = present(this.#takes.get(node.id), 'what a sink takes');
      const rows = this.#of(this.#rows, node.id);
      const signals = this.#of(this.#signals, node.id);
      const count = present(counts.get(node.id), 'the counts of a sink');
      for (let i = 0; i < batch.length; i++) {
        const signal = signalOf(batch, i);
        if (signal !== undefined) signals.push(signal);
        if (batch.kinds[i] !== rowKinds.element) continue;
        this.#take(node.id, take, batch, i, rows, count);
      }
    }
  }

  #take(
    node: string,
    take: Take,
    batch: Batch,
    index: number,
    rows: DrivenRow[],
    count: NodeCounts,
  ): void {
    const value = batch.values[index];
    const timestamp = batch.timestamps[index] as number;
    const origin = batch.origins[index];
    count.in++;
    try {
      const { row, problem } = take(value, timestamp);
      if (problem === undefined) {
        count.passed++;
        rows.push({ value: row, timestamp });
        return;
      }
      const { message, pointer } = problem;
      this.#reject({
        node,
        code: 'row-mismatch',
        message,
        pointer,
        schema: null,
        value: row,
        origin,
      });
    } catch (thrown) {
      rejectThrown(this.#reject, node, thrown, value, origin);
    }
    count.rejected++;
  }

  /** What it took since it was asked last. */
  read(sink: string): readonly DrivenRow[] {
    return this.#of(this.#rows, sink).splice(0);
  }

  signals(sink: string): readonly DrivenSignal[] {
    return this.#of(this.#signals, sink).splice(0);
  }

  #of<T>(lists: ReadonlyMap<string, T[]>, sink: string): T[] {
    const found = lists.get(sink);
    if (found !== undefined) return found;
    throw new SluiceError(
      'sink-unknown',
      `the topology has no sink '${sink}'; there are ${[...lists.keys()].join(', ')}`,
    );
  }
}

function signalOf({ kinds, timestamps }: Batch, index: number): DrivenSignal | undefined {
  switch (kinds[index]) {
    case rowKinds.watermark:
      return timestamps[index] === maxTime ? 'max' : (timestamps[index] as number);
    case rowKinds.idle:
      return 'idle';
    case rowKinds.active:
      return 'active';
    default:
      return undefined;
  }
}

function takeOf({ node: { sink }, writes }: SinkStage, plan: Plan): Take {
  const check = sinkKindOf(sink).check?.(sink, plan.owner);
  return (value, timestamp) => {
    const row = writes === undefined ? value : writesFrom(writes, value);
    const problem = check?.(row, timestamp);
    return problem === undefined ? { row } : { row, problem };
  };
}
