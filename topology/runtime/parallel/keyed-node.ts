/**
 * A keyed node in a worker: its operator, what it gives, and its tables.
 *
 * Invariant: what an answer has is not there any more when the next request comes.
 */
import { assert } from '../../../schemas/kernel/assert.ts';
import { messageOf } from '../../../schemas/kernel/errors.ts';
import type { Key } from '../../../schemas/kernel/key.ts';
import { decodeKey } from '../../../schemas/kernel/key.ts';
import type { Batch } from '../../operators/batch.ts';
import { rowKinds } from '../../operators/batch.ts';
import type { PlanNode } from '../../operators/kinds.ts';
import type { NodeCounts, Operator } from '../../operators/operator.ts';
import { noCounts } from '../../operators/operator.ts';
import type { RestingPlace } from '../../state/records.ts';
import { part, runsOf } from '../batch-parts.ts';
import type { Freezes } from '../frozen-values.ts';
import { freezeElements } from '../frozen-values.ts';
import type { CausedRejections, Causes, InputRows } from './caused-rows.ts';
import { CausedBatch } from './caused-rows.ts';
import type { RestingFacts, RunAnswer, SentRows, WorkerFailure } from './keyed-workers.ts';
import { failureOfThrown } from './keyed-workers.ts';
import { receivedRows } from './split-rows.ts';
import { WorkerTables } from './worker-tables.ts';

export interface KeyedNodeOptions {
  readonly causes: Causes;
  /** What the operator counts. */
  readonly counts: NodeCounts;
  /** What it rejects. */
  readonly rejections: CausedRejections;
  /** That it made for its state. */
  readonly records: readonly RestingPlace[];
  /** By input: how its elements are frozen. */
  readonly freezes: readonly (Freezes | undefined)[];
  readonly rejectsFailing: boolean;
  /** `keyAt`: the key of a row of the batch; throws where the author's function did. */
  readonly operatorOf: (keyAt: (row: number) => Key) => Operator;
}

const nothing: SentRows = {
  rows: new Int32Array(),
  kinds: new Uint8Array(),
  timestamps: new Float64Array(),
  keys: [],
  values: [],
  origins: undefined,
};

export class KeyedNode {
  readonly operator: Operator;
  readonly tables: WorkerTables;
  readonly #node: PlanNode;
  readonly #options: KeyedNodeOptions;
  readonly #outputs: readonly CausedBatch[];
  #keys: SentRows['keys'] = [];

  constructor(node: PlanNode, options: KeyedNodeOptions) {
    this.#node = node;
    this.#options = options;
    this.#outputs = node.outputs.map(() => new CausedBatch(options.causes));
    this.operator = options.operatorOf((row) => this.#keyAt(row));
    this.tables = new WorkerTables(this.operator.tables ?? []);
  }

  wake(input: number): RunAnswer {
    const { causes } = this.#options;
    causes.begin();
    causes.cause.row = -1;
    return this.#answerOf(nothing, () => this.operator.wake?.(input, this.#outputs));
  }

  run(input: number, sent: SentRows): RunAnswer {
    this.#options.causes.begin();
    return this.#answerOf(sent, (batch) => {
      const freezes = this.#options.freezes[input];
      if (freezes !== undefined) freezeElements(batch, freezes);
      if (this.#options.rejectsFailing) this.#runOn(input, batch);
      else this.operator.process(input, batch, this.#outputs);
    });
  }

  close(): undefined {
    this.operator.close?.();
    for (const store of this.#options.records) store.close();
  }

  #answerOf(sent: SentRows, work: (batch: Batch) => void): RunAnswer {
    const batch = receivedRows(sent);
    this.#keys = sent.keys;
    let failed: WorkerFailure | undefined;
    try {
      work(batch);
    } catch (thrown) {
      failed = failureOfThrown(thrown);
    }
    const input: InputRows = { batch, places: sent.rows };
    const { counts, rejections } = this.#options;
    const counted = { ...counts };
    Object.assign(counts, noCounts());
    return {
      outputs: this.#outputs.map((output) => output.take(input)),
      rejections: rejections.take(input),
      counts: counted,
      tables: this.tables.facts,
      resting: this.#resting(),
      failed,
    };
  }

  #resting(): RestingFacts {
    let [all, held] = [0, 0];
    for (const { records, heldBytes } of this.#options.records) {
      all += records;
      held += heldBytes;
    }
    return { records: all, heldBytes: held };
  }

  /** As a test driver runs a turn (driver/run-on.ts): it has no checkpoint to go back to. */
  #runOn(input: number, batch: Batch): void {
    const { causes } = this.#options;
    let failed: { readonly thrown: unknown } | undefined;
    for (const [from, to] of runsOf(batch)) {
      causes.base = from;
      if (batch.kinds[from] === rowKinds.element) this.#elements(input, part(batch, from, to));
      else
        try {
          this.operator.process(input, part(batch, from, to), this.#outputs);
        } catch (thrown) {
          failed ??= { thrown };
        }
    }
    if (failed !== undefined) throw failed.thrown;
  }

  #elements(input: number, batch: Batch): void {
    const { causes, counts, rejections } = this.#options;
    for (let left = batch; left.length > 0; ) {
      const before = counts.in;
      try {
        this.operator.process(input, left, this.#outputs);
        return;
      } catch (thrown) {
        const at = Math.max(0, counts.in - before - 1);
        counts.rejected++;
        causes.cause.row = at;
        rejections.add({
          node: this.#node.id,
          code: 'operator-failed',
          message: `the operator failed on it: ${messageOf(thrown)}`,
          pointer: null,
          schema: null,
          value: left.values[at],
          origin: left.origins[at],
        });
        left = part(left, at + 1, left.length);
        causes.base += at + 1;
      }
    }
  }

  #keyAt(row: number): Key {
    const text = this.#keys[row];
    // The coordinator has what was thrown, and tells that in the place of this.
    assert(text !== undefined, 'the key of an element');
    return decodeKey(text);
  }
}
