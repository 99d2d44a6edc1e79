/**
 * A keyed node of which each worker runs a part, as the operator that it would be in one thread.
 *
 * Invariants:
 * 1. What it gives, rejects, counts and keeps is what one operator would: the same rows with the
 *    same origins in the same order.
 * 2. A row is given to one worker, and control to all, before anything that comes after it.
 * 3. Workers begin with the head of one operator, made here: what an operator draws by chance is
 *    the same in all of them.
 */
import { present } from '../../../schemas/kernel/assert.ts';
import { Batch } from '../../operators/batch.ts';
import { Cause } from '../../operators/cause.ts';
import type { KeyedReads } from '../../operators/kind.ts';
import type { PlanNode } from '../../operators/kinds.ts';
import { kindOf } from '../../operators/kinds.ts';
import type { Call, NodeParts } from '../../operators/node-parts.ts';
import type { NodeCounts, Operator, TimeProgress } from '../../operators/operator.ts';
import { noCounts, rejectThrown } from '../../operators/operator.ts';
import { memoryRecords } from '../../state/memory-records.ts';
import type { RestingPlace } from '../../state/records.ts';
import type { RestingFacts, RunAnswer, WorkerRequest } from './keyed-workers.ts';
import { thrownOfFailure } from './keyed-workers.ts';
import { mergeRejections, mergeRows } from './merge-rows.ts';
import { RemoteTable } from './remote-table.ts';
import { splitRows } from './split-rows.ts';
import type { Begun, WorkerCalls } from './worker-calls.ts';

const noRows = new Batch();
const nothingThrown: ReadonlyMap<number, unknown> = new Map();

interface Ahead {
  readonly begun: Begun<'run'>;
  readonly batch: Batch;
  readonly thrown: ReadonlyMap<number, unknown>;
}

export class KeyedStage implements Operator {
  readonly tables: readonly RemoteTable[];
  /** What rests in the workers, as they last told. They close it themselves. */
  readonly resting: RestingPlace;
  readonly #node: PlanNode;
  readonly #parts: NodeParts;
  readonly #calls: WorkerCalls;
  readonly #reads: KeyedReads;
  /** By input. */
  readonly #keys: readonly Call[];
  #told: readonly RestingFacts[] = [];
  /** What workers have, in the order in which they were given it. */
  readonly #ahead: Ahead[] = [];

  constructor(node: PlanNode, parts: NodeParts, calls: WorkerCalls) {
    const kind = kindOf(node);
    this.#node = node;
    this.#parts = parts;
    this.#calls = calls;
    this.#reads = present(kind.keyed, 'a keyed kind').reads(node);
    this.#keys = (kind.keySlots ?? []).map((slot) => parts.call(slot));
    const sum = (of: keyof RestingFacts): number =>
      this.#told.reduce((all, told) => all + told[of], 0);
    this.resting = {
      get records() {
        return sum('records');
      },
      get heldBytes() {
        return sum('heldBytes');
      },
      close: () => undefined,
    };
    const one = operatorFor(node, parts);
    this.tables = (one.tables ?? []).map(
      ({ name }, index) => new RemoteTable(name, node.id, index, calls),
    );
    this.restore(one.snapshot?.() as never);
    one.close?.();
  }

  get progress(): TimeProgress {
    const all = this.#ask('progress');
    const times = all.flatMap(({ next }) => next ?? []);
    return {
      watermark: present(all[0], 'a worker').watermark,
      open: all.reduce((sum, { open }) => sum + open, 0),
      next: times.length === 0 ? undefined : Math.min(...times),
    };
  }

  begin(era: number): void {
    const node = this.#node.id;
    this.#calls.askAll<'begin'>(() => ({ kind: 'begin', node, era }));
  }

  process(input: number, batch: Batch, out: readonly Batch[]): void {
    if (batch.length > 0) this.ahead(input, batch);
    for (const { begun, batch: sent, thrown } of this.#ahead.splice(0))
      this.#take(this.#calls.end(begun), sent, thrown, out);
  }

  ahead(input: number, batch: Batch): void {
    const node = this.#node.id;
    const keyOf = present(this.#keys[input], 'the key of an input');
    const { parts, thrown } = splitRows(batch, this.#calls.parallelism, keyOf, this.#reads);
    this.#sendTables();
    const begun = this.#calls.begin<'run'>((worker) => ({
      kind: 'run',
      node,
      input,
      sent: present(parts[worker], 'the part of a worker'),
    }));
    this.#ahead.push({ begun, batch, thrown });
  }

  wake(input: number, out: readonly Batch[]): void {
    const node = this.#node.id;
    this.#sendTables();
    const answers = this.#calls.askAll<'wake'>(() => ({ kind: 'wake', node, input }));
    this.#take(answers, noRows, nothingThrown, out);
  }

  snapshot(): unknown {
    const heads = this.#ask('head');
    const merge = kindOf(this.#node).keyed?.mergeHeads;
    return merge === undefined ? heads[0] : merge(heads);
  }

  restore(head: never): void {
    const node = this.#node.id;
    const facts = this.#calls.askAll<'restore'>(() => ({ kind: 'restore', node, head }));
    for (const table of this.tables) table.heard(facts);
  }

  close(): void {
    for (let worker = 0; worker < this.#calls.parallelism; worker++)
      this.#calls.tell(worker, { kind: 'close', node: this.#node.id });
  }

  /** `thrown`: by row, why it has no key. */
  #take(
    answers: readonly RunAnswer[],
    batch: Batch,
    thrown: ReadonlyMap<number, unknown>,
    out: readonly Batch[],
  ): void {
    const { counts, reject } = this.#parts;
    for (const [output, target] of out.entries())
      mergeRows(
        answers.map(({ outputs }) => present(outputs[output], 'an output of the node')),
        batch,
        target,
      );
    mergeRejections(
      answers.map(({ rejections }) => rejections),
      batch,
      (rejection, row) => {
        if (!thrown.has(row)) reject(rejection);
        else
          rejectThrown(reject, this.#node.id, thrown.get(row), batch.values[row], rejection.origin);
      },
    );
    for (const answer of answers) addCounts(counts, answer.counts);
    for (const table of this.tables) table.heard(answers.map(({ tables }) => tables));
    this.#told = answers.map(({ resting }) => resting);
    const failed = answers.find((answer) => answer.failed !== undefined)?.failed;
    if (failed !== undefined) throw thrownOfFailure(failed);
  }

  #ask<K extends 'head' | 'progress'>(kind: K) {
    const node = this.#node.id;
    this.#sendTables();
    return this.#calls.askAll<K>(() => ({ kind, node }) as Extract<WorkerRequest, { kind: K }>);
  }

  #sendTables(): void {
    for (const table of this.tables) table.send();
  }
}

/** The operator of one thread, which is given no rows. */
function operatorFor(node: PlanNode, parts: NodeParts): Operator {
  const operator = present(kindOf(node).operator, 'the operator of a keyed kind');
  return operator(node, {
    ...parts,
    counts: noCounts(),
    cause: new Cause(),
    records: memoryRecords,
    coldDigests: undefined,
  });
}

function addCounts(into: NodeCounts, counts: NodeCounts): void {
  for (const name of Object.keys(into) as (keyof NodeCounts)[]) into[name] += counts[name];
}
