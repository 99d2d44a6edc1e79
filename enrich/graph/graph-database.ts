/**
 * The graph database as a sink sees it, and how any Cypher database becomes one. The port lies here
 * and not in schemas/ports: it speaks of graph models, which schemas does not know, and only this
 * folder and deploy use it.
 *
 * Bookkeeping nodes are in the same database, because only there they change in the transaction of
 * the writes they tell of.
 *
 * Invariants:
 * 1. A chunk is applied in one transaction with the record that it was: a crash leaves both or
 *    neither.
 * 2. Chunks of a sink are applied in order, each once: one that was is skipped, and one that does
 *    not follow is refused.
 * 3. A run that another one has taken its sink over from is refused: a later attempt of its
 *    lineage, or any run of another one.
 * 4. Progress beyond the checkpoint that a sink resumes from is of a history that its checkpoints
 *    do not have: it does not count.
 * 5. A model only grows: what another model means otherwise is refused before anything is written.
 */
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { RunOrder, RunTrace } from '../../schemas/run-id.ts';
import { isLater } from '../../schemas/run-id.ts';
import type { GraphModel, GraphWrite, NodeModel, NodeWrite } from '../../topology/index.ts';
import type { Dialect, Row, WriteStep } from './cypher.ts';
import { readStep, writeSteps } from './cypher.ts';
import { emptyModel, growModel } from './grow-model.ts';

/** How far a sink's writes are in the database: chunks count from 1 in each checkpoint. */
export interface Progress {
  readonly checkpoint: number;
  readonly chunk: number;
}

/** Who opens a sink, and what it resumes from. */
export interface SinkRun {
  readonly run: RunOrder;
  /**
   * How far the state that the sink resumes from was applied at least, and how far it can be: 0 and
   * 0 without one.
   */
  readonly restored: { readonly from: Progress; readonly to: Progress };
}

export interface SinkClaim extends SinkRun {
  /** `<topology>/<node>` */
  readonly sink: string;
  readonly model: GraphModel;
}

export interface ChunkId extends Progress {
  readonly sink: string;
  readonly run: RunOrder;
}

export interface GraphDatabase {
  /**
   * Prepares the database for the sink's model and fences earlier runs. Returns how far the sink
   * was applied, as far as that counts for what it was restored from: 0 and 0 at first, and for a
   * run without a checkpoint. Throws `fenced`, `graph-model-mismatch`, and what the database fails
   * with.
   */
  openSink(claim: SinkClaim): Promise<Progress>;
  /**
   * Applies a chunk: writes that fit the model, at most one for each node and edge. Throws
   * `fenced`, `graph-behind`.
   */
  applyChunk(chunk: ChunkId, writes: readonly GraphWrite[]): Promise<'applied' | 'skipped'>;
}

/** A sink whose runs are numbered by what the database knows of the one before. */
export interface FollowingClaim extends Pick<SinkClaim, 'sink' | 'model'> {
  /** Asked in the transaction of the claim, which may run more than once. */
  readonly follow: (found: RunTrace | undefined) => SinkRun;
}

export interface CypherGraph extends GraphDatabase {
  /** As `openSink`. */
  followSink(claim: FollowingClaim): Promise<Progress>;
}

/** Runs a statement on rows; gives the rows that it returns. */
export type RunStatement = (
  text: string,
  rows: readonly Row[],
) => Promise<readonly Readonly<Record<string, unknown>>[]>;

/**
 * One database, as little of it as this needs. Calls may overlap; the session carries them out one
 * after the other.
 */
export interface CypherSession {
  readonly dialect: Dialect;
  /** A change of the schema, in a transaction of its own. */
  define(statement: string): Promise<void>;
  /**
   * Makes what the labels of `model` lack, whoever made what they have; in place of the statements
   * of a schema. Throws `SluiceError` `graph-constraint-blocked`.
   */
  readonly constrain?: (model: GraphModel) => Promise<void>;
  /**
   * One write transaction; durable when it resolves, and nothing of it stays when `work` throws.
   * `work` may be called again, also when what it did before is there after all.
   */
  transaction<T>(work: (run: RunStatement) => Promise<T>): Promise<T>;
}

const sinkLabel = 'SluiceSink';
const modelLabel = 'SluiceModel';
const modelName = 'graph';

/**
 * Their properties have names of their own too: an analyst's question over all labels must not find
 * other types under `id` or `name`.
 */
const sinkNode: NodeModel = {
  key: 'sluiceSink',
  props: {
    sluiceSink: 'string',
    sluiceLineage: 'string',
    sluiceAttempt: 'integer',
    sluiceCheckpoint: 'integer',
    sluiceChunk: 'integer',
  },
};
const modelNode: NodeModel = {
  key: 'sluiceModel',
  props: { sluiceModel: 'string', sluiceDefinition: 'string' },
};
const bookkeeping: GraphModel = {
  nodes: { [sinkLabel]: sinkNode, [modelLabel]: modelNode },
  edges: {},
};

export interface RecordedProgress extends Progress {
  readonly run: RunTrace;
}

export type ChunkDecision = 'apply' | 'skip' | 'fenced' | 'behind';

/** Whether a chunk's turn has come. Pure. */
export function decideChunk(
  recorded: RecordedProgress | undefined,
  { run, checkpoint, chunk }: ChunkId,
): ChunkDecision {
  if (recorded === undefined) return 'behind';
  // A run without a lineage is one of an earlier version of Sluice.
  if (isLater(recorded.run, run) || (recorded.run.lineage ?? run.lineage) !== run.lineage)
    return 'fenced';
  if (recorded.checkpoint > checkpoint) return 'skip';
  if (recorded.checkpoint === checkpoint)
    return recorded.chunk >= chunk ? 'skip' : recorded.chunk + 1 === chunk ? 'apply' : 'behind';
  return chunk === 1 ? 'apply' : 'behind';
}

export function cypherDatabase(session: CypherSession): CypherGraph {
  return new CypherDatabase(session);
}

class CypherDatabase implements CypherGraph {
  readonly #session: CypherSession;
  readonly #books: GraphBooks;
  #known: GraphModel | undefined;
  #prepared = false;

  constructor(session: CypherSession) {
    this.#session = session;
    this.#books = new GraphBooks(session.dialect);
  }

  openSink({ sink, model, ...claimed }: SinkClaim): Promise<Progress> {
    return this.followSink({ sink, model, follow: () => claimed });
  }

  async followSink({ sink, model, follow }: FollowingClaim): Promise<Progress> {
    const books = this.#books;
    await this.#prepare();
    const before = grown(await this.#session.transaction((run) => books.readModel(run)), model);
    await this.#define(model, before);
    return this.#session.transaction(async (run) => {
      // Read again: another sink may have brought its own meanwhile.
      const now = grown(await books.readModel(run), model);
      await books.runAll(run, books.modelSteps(now.model));
      this.#known = now.model;
      const found = await books.readProgress(run, sink);
      const { run: by, restored } = follow(found?.run);
      if (found !== undefined && isLater(found.run, by)) throw fenced(sink, by, found.run);
      const progress = progressFor(found, { run: by, restored });
      await books.runAll(run, books.progressSteps({ sink, run: by, ...progress }));
      return progress;
    });
  }

  async applyChunk(id: ChunkId, writes: readonly GraphWrite[]): Promise<'applied' | 'skipped'> {
    const { sink, run: by } = id;
    const books = this.#books;
    await this.#prepare();
    return this.#session.transaction(async (run) => {
      const found = await books.readProgress(run, sink);
      switch (decideChunk(found, id)) {
        case 'skip':
          return 'skipped';
        case 'fenced':
          throw fenced(sink, by, found?.run ?? by);
        case 'behind':
          throw graphBehind(sink, found, id);
        case 'apply': {
          this.#known ??= await books.readModel(run);
          const steps = writeSteps(this.#session.dialect, this.#known, writes);
          await books.runAll(run, [...steps, ...books.progressSteps(id)]);
          return 'applied';
        }
      }
    });
  }

  async #prepare(): Promise<void> {
    if (this.#prepared) return;
    await this.#define(bookkeeping, { model: bookkeeping, added: bookkeeping });
    this.#prepared = true;
  }

  async #define(
    wanted: GraphModel,
    { model, added }: { readonly model: GraphModel; readonly added: GraphModel },
  ): Promise<void> {
    const session = this.#session;
    if (session.constrain !== undefined) return session.constrain(wanted);
    for (const statement of session.dialect.schema(model, added)) await session.define(statement);
  }
}

/** The bookkeeping nodes, read and written by the statements of a dialect. */
class GraphBooks {
  readonly #dialect: Dialect;

  constructor(dialect: Dialect) {
    this.#dialect = dialect;
  }

  /** In their order. */
  async runAll(run: RunStatement, steps: readonly WriteStep[]): Promise<void> {
    if (this.#dialect.sendsAhead) await Promise.all(steps.map((step) => runStep(run, step)));
    else for (const step of steps) await runStep(run, step);
  }

  modelSteps(model: GraphModel): readonly WriteStep[] {
    const props = { sluiceModel: modelName, sluiceDefinition: JSON.stringify(model) };
    return this.#steps(modelLabel, props);
  }

  progressSteps({ sink, run, checkpoint, chunk }: ChunkId): readonly WriteStep[] {
    return this.#steps(sinkLabel, {
      sluiceSink: sink,
      sluiceLineage: run.lineage,
      sluiceAttempt: run.attempt,
      sluiceCheckpoint: checkpoint,
      sluiceChunk: chunk,
    });
  }

  async readModel(run: RunStatement): Promise<GraphModel> {
    const found = await this.#read(run, modelLabel, modelName);
    const definition = found?.['sluiceDefinition'];
    return typeof definition === 'string' ? (JSON.parse(definition) as GraphModel) : emptyModel;
  }

  async readProgress(run: RunStatement, sink: string): Promise<RecordedProgress | undefined> {
    const found = await this.#read(run, sinkLabel, sink);
    if ((found?.['sluiceAttempt'] ?? undefined) === undefined) return undefined;
    const [attempt, checkpoint, chunk] = ['sluiceAttempt', 'sluiceCheckpoint', 'sluiceChunk'].map(
      (name) => Number(found?.[name]),
    );
    const lineage = found?.['sluiceLineage'];
    const by = {
      attempt: attempt ?? 0,
      lineage: typeof lineage === 'string' ? lineage : undefined,
    };
    return { run: by, checkpoint: checkpoint ?? 0, chunk: chunk ?? 0 };
  }

  #steps(label: string, props: NodeWrite['props']): readonly WriteStep[] {
    return writeSteps(this.#dialect, bookkeeping, [{ kind: 'node', label, props }]);
  }

  async #read(
    run: RunStatement,
    label: string,
    value: string,
  ): Promise<Readonly<Record<string, unknown>> | undefined> {
    const step = readStep(this.#dialect, label, bookkeeping.nodes[label] as NodeModel, value);
    return (await run(step.text, step.rows))[0];
  }
}

async function runStep(run: RunStatement, step: WriteStep): Promise<void> {
  if (step.kind === 'run') {
    await run(step.text, step.rows);
    return;
  }
  const found = new Set((await run(step.update, step.rows)).map((row) => String(row['found'])));
  const missing = step.rows.filter((row) => !found.has(String(row[step.key])));
  if (missing.length > 0) await run(step.create, missing);
}

function grown(
  known: GraphModel,
  wanted: GraphModel,
): { readonly model: GraphModel; readonly added: GraphModel } {
  const growth = growModel(known, wanted);
  if (growth.kind === 'grown') return growth;
  throw new SluiceError(
    'graph-model-mismatch',
    `the graph model does not fit the existing graph: ${growth.problems.join('; ')}`,
    {
      fix: 'use another name in the model, or start with an empty graph',
    },
  );
}

/** What counts of the recorded progress for a sink that was restored. Pure. */
function progressFor(
  found: RecordedProgress | undefined,
  { run, restored: { from, to } }: Omit<SinkClaim, 'sink' | 'model'>,
): Progress {
  if (found === undefined) return { checkpoint: 0, chunk: 0 };
  if (found.checkpoint <= to.checkpoint)
    return { checkpoint: found.checkpoint, chunk: found.chunk };
  // An older copy of the same checkpoints has nothing that was not applied on the way there.
  return (found.run.lineage ?? run.lineage) === run.lineage ? to : from;
}

/** Another run has taken the sink over. */
export function fenced(sink: string, run: RunOrder, by: RunTrace): SluiceError {
  const fix = 'stop this run; the newer one continues';
  if (by.lineage !== run.lineage) {
    return new SluiceError(
      'fenced',
      `the graph sink '${sink}' was taken over by a run that started without these checkpoints`,
      { fix, details: { sink, attempt: run.attempt, by: by.attempt, restarted: true } },
    );
  }
  return new SluiceError(
    'fenced',
    `attempt ${run.attempt} of the graph sink '${sink}' was taken over by attempt ${by.attempt}`,
    { fix, details: { sink, attempt: run.attempt, by: by.attempt, restarted: false } },
  );
}

/** The graph lacks what a checkpoint says was applied: it is another one, or an old copy. */
export function graphBehind(
  sink: string,
  found: Progress | undefined,
  wanted: Progress,
): SluiceError {
  const is =
    found === undefined ? 'nothing' : `checkpoint ${found.checkpoint}, chunk ${found.chunk}`;
  return new SluiceError(
    'graph-behind',
    `the graph has ${is} of the sink '${sink}', but the checkpoints resume at checkpoint ${wanted.checkpoint}, chunk ${wanted.chunk}`,
    {
      fix: 'restore the graph that belongs to these checkpoints, or start over with `sluice reset`',
      details: { sink, found: found?.checkpoint, wanted: wanted.checkpoint },
    },
  );
}
