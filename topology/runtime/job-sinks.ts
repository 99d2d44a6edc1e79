/**
 * The sinks of a job: passes a turn's rows to them, and takes all of them through a checkpoint
 * together.
 *
 * Invariants:
 * 1. The rejected table is a sink of every job; a row that another sink refuses goes there in the
 *    same turn.
 * 2. `write` resolves when every sink has accepted its rows.
 * 3. Visible output is always listed in an earlier manifest: sinks commit a checkpoint only once it
 *    is stored, each on its own (sink-commits.ts).
 * 4. A sink that was removed from the topology receives no rows. It stays in checkpoints until what
 *    it staged is visible, and is then closed.
 */
import { assert, present } from '../../schemas/kernel/assert.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { RunId } from '../../schemas/run-id.ts';
import type { Manifest, RetiringSink } from '../checkpoint/manifest.ts';
import { rejectedSinkId } from '../checkpoint/manifest.ts';
import type { ElementBatch, Sink, SinkState } from '../nodes/sink.ts';
import type { Batch } from '../operators/batch.ts';
import { rowKinds } from '../operators/batch.ts';
import { rejectThrown } from '../operators/operator.ts';
import type { SinkNode } from '../operators/sink/node.ts';
import { rejectedReason } from '../operators/sink/rejected.ts';
import { sinkKindOf } from '../operators/sink/sinks.ts';
import type { Plan } from '../plan/plan.ts';
import { freeze } from '../state/freeze.ts';
import { requireJson } from '../state/json-safe.ts';
import type { Dag, SinkStage } from './dag.ts';
import type { JobOptions } from './job-options.ts';
import type { Rejections } from './rejections.ts';
import type { LateSink } from './sink-commits.ts';
import { SinkCommits } from './sink-commits.ts';

interface Retiring extends RetiringSink {
  readonly to: Sink;
  /**
   * Checkpoints that name all that it staged. The first makes it visible, and with the second a
   * sink releases what it kept until then.
   */
  readonly named: number;
}

export class JobSinks {
  /** The ids of those that a turn waits for. */
  readonly busy = new Set<string>();
  readonly #dag: Dag;
  readonly #rejections: Rejections;
  readonly #sinks: readonly {
    readonly id: string;
    readonly sink: Sink;
    readonly stage: SinkStage | undefined;
  }[];
  readonly #commits: SinkCommits;
  #retiring: readonly Retiring[];

  constructor(
    dag: Dag,
    rejections: Rejections,
    plan: Plan,
    {
      connectors,
      run,
      retiring,
      clock,
    }: Pick<JobOptions, 'connectors' | 'clock'> &
      Pick<Manifest, 'retiring'> & { readonly run: RunId },
  ) {
    this.#dag = dag;
    this.#rejections = rejections;
    this.#commits = new SinkCommits(clock);
    const outer = dag.sinks.filter((stage) => !isRejected(stage));
    this.#sinks = [
      ...outer.map((stage) => ({
        id: stage.node.id,
        sink: connectors.sink(stage.node, plan, run),
        stage,
      })),
      { id: rejectedSinkId, sink: connectors.rejected(plan, run), stage: undefined },
    ];
    this.#retiring = retiring.map((left) => {
      const node: SinkNode = {
        id: left.id,
        kind: 'sink',
        inputs: [],
        outputs: [],
        sink: left.sink,
      };
      return { ...left, to: connectors.sink(node, plan, run), named: 0 };
    });
  }

  /** Whether a sink that the topology no longer has is still in the checkpoints. */
  get isRetiring(): boolean {
    return this.#retiring.length > 0;
  }

  get isFull(): boolean {
    return (
      this.#sinks.some(({ sink }) => sink.isFull === true) ||
      this.#retiring.some(({ to }) => to.isFull === true)
    );
  }

  /** Ids of those that hold as much as they may. */
  get full(): readonly string[] {
    return this.#all.flatMap(({ id, sink }) => (sink.isFull === true ? [id] : []));
  }

  /** How a sink of the topology is behind with its commits; undefined when it is not. */
  lateOf(id: string): LateSink | undefined {
    const found = this.#sinks.find((candidate) => candidate.id === id);
    return found === undefined ? undefined : this.#commits.lateOf(found.sink);
  }

  /** Ids of those that are behind with their commits. */
  get late(): readonly string[] {
    return this.#all.flatMap(({ id, sink }) =>
      this.#commits.lateOf(sink) === undefined ? [] : [id],
    );
  }

  get #all(): readonly { readonly id: string; readonly sink: Sink }[] {
    return [...this.#sinks, ...this.#retiring.map(({ id, to }) => ({ id, sink: to }))];
  }

  async open(states: Readonly<Record<string, SinkState>>): Promise<void> {
    for (const { to, state } of this.#retiring) await to.open(state);
    const ordered = this.#sinks.filter(
      ({ stage }) => stage !== undefined && sinkKindOf(stage.node.sink).opensInOrder === true,
    );
    const inOrder = async (): Promise<void> => {
      for (const { id, sink } of ordered) await sink.open(states[id]);
    };
    const others = this.#sinks
      .filter((each) => !ordered.includes(each))
      .map(({ id, sink }) => sink.open(states[id]));
    const failed = (await Promise.allSettled([...others, inOrder()])).find(
      ({ status }) => status === 'rejected',
    );
    if (failed?.status === 'rejected') throw failed.reason;
  }

  /** Writes what reached the sinks in this turn; says whether there was something. */
  async write(): Promise<boolean> {
    this.#commits.check();
    const writes: Promise<void>[] = [];
    let any = false;
    for (const stage of this.#dag.sinks) {
      const elements = elementsOf(stage.input);
      if (elements.length === 0) continue;
      any = true;
      const rows =
        stage.writes === undefined ? elements : this.#writesOf(stage, stage.writes, elements);
      if (isRejected(stage)) this.#rejectRows(stage, rows);
      else {
        const found = this.#sinks.find((candidate) => candidate.stage === stage);
        writes.push(
          this.#busy(
            stage.node.id,
            this.#writeRows(stage, present(found, 'the sink of a stage').sink, rows),
          ),
        );
      }
    }
    await Promise.all(writes);
    if (this.#rejections.length === 0) return any;
    const { sink } = present(this.#sinks.at(-1), 'the rejected table');
    const rejected = await this.#busy(rejectedSinkId, sink.write(this.#rejections.take()));
    assert(rejected.length === 0, 'the rejected table takes every rejected event');
    return true;
  }

  async #busy<T>(id: string, work: Promise<T>): Promise<T> {
    this.busy.add(id);
    try {
      return await work;
    } finally {
      this.busy.delete(id);
    }
  }

  #rejectRows(stage: SinkStage, rows: ElementBatch): void {
    const counts = present(this.#dag.counts.get(stage.node.id), 'the counts of a sink');
    const reason = rejectedReason(stage.port, stage.late);
    for (let i = 0; i < rows.length; i++) {
      counts.in++;
      counts.passed++;
      this.#rejections.reject({
        node: stage.node.id,
        ...reason,
        value: rows.values[i],
        origin: rows.origins[i],
      });
    }
  }

  /**
   * The elements with what a graph sink's function makes of them as their values; one that it makes
   * nothing lawful of is rejected here.
   */
  #writesOf(
    stage: SinkStage,
    call: (value: unknown) => unknown,
    elements: ElementBatch,
  ): ElementBatch {
    const counts = present(this.#dag.counts.get(stage.node.id), 'the counts of a sink');
    const rows = {
      values: [] as unknown[],
      timestamps: [] as number[],
      origins: [] as ElementBatch['origins'][number][],
    };
    for (let i = 0; i < elements.length; i++) {
      const value = elements.values[i];
      let writes: unknown;
      try {
        writes = writesFrom(call, value);
      } catch (thrown) {
        counts.in++;
        counts.rejected++;
        rejectThrown(this.#rejections.reject, stage.node.id, thrown, value, elements.origins[i]);
        continue;
      }
      rows.values.push(writes);
      rows.timestamps.push(elements.timestamps[i] as number);
      rows.origins.push(elements.origins[i]);
    }
    return { length: rows.values.length, ...rows };
  }

  async #writeRows(stage: SinkStage, sink: Sink, rows: ElementBatch): Promise<void> {
    const rejected = await sink.write(rows);
    const counts = present(this.#dag.counts.get(stage.node.id), 'the counts of a sink');
    counts.in += rows.length;
    counts.passed += rows.length - rejected.length;
    counts.rejected += rejected.length;
    for (const { index, message, pointer } of rejected) {
      const value = rows.values[index];
      this.#rejections.reject({
        node: stage.node.id,
        code: 'row-mismatch',
        message,
        pointer,
        schema: null,
        value,
        origin: rows.origins[index],
      });
    }
  }

  /** All sinks stage; the states by id. `last`: nothing is kept open. */
  async prepare(checkpoint: number, last: boolean): Promise<Pick<Manifest, 'sinks' | 'retiring'>> {
    const sinks = await Promise.all(
      this.#sinks.map(
        async ({ id, sink }) => [id, await this.#busy(id, sink.prepare(checkpoint, last))] as const,
      ),
    );
    const over = this.#retiring.filter(({ named, to }) => named > 1 && to.pendingRows() === 0);
    for (const { to } of over) await to.close();
    const left = this.#retiring.filter((retiring) => !over.includes(retiring));
    this.#retiring = await Promise.all(
      left.map(async (of) => ({
        ...of,
        named: of.named + 1,
        state: await this.#busy(of.id, of.to.prepare(checkpoint, true)),
      })),
    );
    const retiring = this.#retiring.map(({ id, sink, state }) => ({ id, sink, state }));
    return { sinks: Object.fromEntries(sinks), retiring };
  }

  /** `last`: all is visible when it resolves. */
  commit(checkpoint: number, last: boolean): Promise<void> {
    return this.#commits.commit(
      this.#all.map(({ sink }) => sink),
      checkpoint,
      last,
    );
  }

  pendingRows(): number {
    return this.#all.reduce((rows, { sink }) => rows + sink.pendingRows(), 0);
  }

  async close(): Promise<void> {
    this.#commits.close();
    const failed = (await Promise.allSettled(this.#all.map(({ sink }) => sink.close()))).find(
      ({ status }) => status === 'rejected',
    );
    if (failed?.status === 'rejected') throw failed.reason;
  }
}

/**
 * What a graph sink's function makes of an element; throws also when that is not a list, or not
 * JSON.
 */
export function writesFrom(call: (value: unknown) => unknown, value: unknown): readonly unknown[] {
  const writes = call(value);
  // A sink keeps them until they are staged.
  if (Array.isArray(writes)) return freeze(requireJson(writes, "what a graph's function returns"));
  const found = writes === null ? 'null' : typeof writes;
  throw new SluiceError(
    'function-result',
    `a graph's function must return an array of writes, not ${found}`,
  );
}

function isRejected({ node }: SinkStage): boolean {
  return sinkKindOf(node.sink).isRejected === true;
}

function elementsOf(batch: Batch): ElementBatch {
  const values: unknown[] = [];
  const timestamps: number[] = [];
  const origins: ElementBatch['origins'][number][] = [];
  for (let i = 0; i < batch.length; i++) {
    if (batch.kinds[i] !== rowKinds.element) continue;
    values.push(batch.values[i]);
    timestamps.push(batch.timestamps[i] as number);
    origins.push(batch.origins[i]);
  }
  return { length: values.length, values, timestamps, origins };
}
