/**
 * The one owner of the embedded graph's file: it is opened when the first topology or question
 * needs it, and not before.
 *
 * Invariants:
 * 1. The file is open at most once. An attempt to open that failed is forgotten: the next need
 *    tries again.
 * 2. After a write that the database failed on it is closed, and opened again for the next: what it
 *    held in memory is not trusted, nor full.
 * 3. A question makes no graph where there is none.
 * 4. The file is open only under the lock of `<file>.lock` beside the file itself, also where
 *    `path` is a link to it. The database's own lock on the file does not do: it is one that ends
 *    as soon as anything in this process closes the file.
 * 5. Questions read copies of the file, each in a process of its own: what becomes of one is
 *    nothing to the owner but an error.
 */
import { existsSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Answer } from '../../enrich/answer.ts';
import type {
  ChunkId,
  GraphDatabase,
  Progress,
  SinkClaim,
} from '../../enrich/graph/graph-database.ts';
import { cypherDatabase } from '../../enrich/graph/graph-database.ts';
import { requireQuestion } from '../../enrich/graph/ladybug/ask-ladybug.ts';
import type { LadybugDatabase } from '../../enrich/graph/ladybug/ladybug-database.ts';
import { openLadybug } from '../../enrich/graph/ladybug/ladybug-database.ts';
import { assert } from '../../schemas/kernel/assert.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { FolderLock } from '../../schemas/kernel/folder-lock.ts';
import { lockPath } from '../../schemas/kernel/folder-lock.ts';
import { limits } from '../../schemas/limits.ts';
import type { GraphWrite } from '../../topology/index.ts';
import { askInChild, questionMaxMs } from '../host/question-process.ts';
import { questionQueue } from '../host/question-queue.ts';
import type { GraphCopies } from './graph-copies.ts';
import { graphCopies, graphCopyWaitMaxMs } from './graph-copies.ts';

/** Questions to one instance that run, and that wait for their turn; past it they are refused. */
const questionsRunningMax = 2;
const questionsWaitingMax = 8;
assert(
  (1 + questionsWaitingMax / questionsRunningMax) * questionMaxMs + graphCopyWaitMaxMs <
    limits.controlAnswerMaxMs,
  'a command waits for the answer to its question',
);

export interface GraphAnswer extends Answer {
  /** RFC 3339: what was committed then was asked, and perhaps a little of what came after. */
  readonly asOf: string;
}

export interface GraphOwner extends GraphDatabase {
  /**
   * Throws `SluiceError` `graph-missing`, `query-failed`, `too-many-questions`,
   * `graph-copy-failed`. The signal ends the question.
   */
  query(statement: string, signal?: AbortSignal): Promise<GraphAnswer>;
  close(): Promise<void>;
}

export interface GraphOwnerOptions {
  /** The graph's file. */
  readonly path: string;
  /** A folder for copies of it. */
  readonly copies: string;
  readonly clock: Clock;
}

interface OpenGraph {
  readonly lock: FolderLock;
  readonly ladybug: LadybugDatabase;
  readonly database: GraphDatabase;
}

export function graphOwner(options: GraphOwnerOptions): GraphOwner {
  return new Owner(options);
}

class Owner implements GraphOwner {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #copies: GraphCopies;
  readonly #queue = questionQueue(questionsRunningMax, questionsWaitingMax);
  readonly #stopping = new AbortController();
  #opening: Promise<OpenGraph> | undefined;
  #closing: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor({ path, copies: folder, clock }: GraphOwnerOptions) {
    this.#path = path;
    this.#clock = clock;
    this.#copies = graphCopies({
      path,
      folder,
      clock,
      copyTo: async (to) => (await this.#open()).ladybug.copyTo(to),
    });
  }

  openSink(claim: SinkClaim): Promise<Progress> {
    return this.#write((database) => database.openSink(claim));
  }

  applyChunk(chunk: ChunkId, writes: readonly GraphWrite[]): Promise<'applied' | 'skipped'> {
    return this.#write((database) => database.applyChunk(chunk, writes));
  }

  async query(statement: string, asker?: AbortSignal): Promise<GraphAnswer> {
    requireQuestion(statement);
    if (this.#opening === undefined) requireGraph(this.#path);
    await this.#open();
    const stopping = this.#stopping.signal;
    const signal = asker === undefined ? stopping : AbortSignal.any([asker, stopping]);
    return this.#queue.run(() => this.#ask(statement, signal), signal);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopping.abort();
    const last = await this.#opening?.catch(() => undefined);
    if (last !== undefined) await closeLocked(last);
    await this.#closing;
    this.#copies.close();
  }

  #ask(statement: string, signal: AbortSignal): Promise<GraphAnswer> {
    return this.#copies.use(async ({ path: file, takenAt }) => ({
      ...(await askInChild({ kind: 'graph', file, statement }, { clock: this.#clock, signal })),
      asOf: new Date(takenAt).toISOString(),
    }));
  }

  #open(): Promise<OpenGraph> {
    if (this.#opening !== undefined) return this.#opening;
    if (this.#isClosed)
      return Promise.reject(
        new SluiceError('graph-closed', 'the instance stops', { retryable: true }),
      );
    const next = this.#closing.then(() => openLocked(this.#path));
    this.#opening = next;
    next.catch(() => {
      if (this.#opening === next) this.#opening = undefined;
    });
    return next;
  }

  /** Invariant 2. */
  async #write<T>(call: (database: GraphDatabase) => Promise<T>): Promise<T> {
    const current = this.#open();
    const graph = await current;
    try {
      const result = await call(graph.database);
      this.#copies.outdate();
      return result;
    } catch (thrown) {
      const isFailed = thrown instanceof SluiceError && thrown.code === 'graph-write-failed';
      if (isFailed && this.#opening === current) {
        this.#opening = undefined;
        this.#closing = closeLocked(graph).catch(() => undefined);
      }
      throw thrown;
    }
  }
}

async function openLocked(path: string): Promise<OpenGraph> {
  const lock = await lockPath(`${realPath(path)}.lock`, path);
  try {
    const ladybug = await openLadybug(path);
    return { lock, ladybug, database: cypherDatabase(ladybug.session) };
  } catch (thrown) {
    lock.release();
    throw thrown;
  }
}

async function closeLocked({ lock, ladybug }: OpenGraph): Promise<void> {
  try {
    await ladybug.close();
  } finally {
    lock.release();
  }
}

/** Of a file that may not be there yet. */
function realPath(path: string): string {
  return existsSync(path) ? realpathSync(path) : join(realpathSync(dirname(path)), basename(path));
}

export function requireGraph(path: string): void {
  if (existsSync(path)) return;
  throw new SluiceError('graph-missing', `there is no graph at ${path}`, {
    fix: 'run a topology that has a graph sink',
  });
}
