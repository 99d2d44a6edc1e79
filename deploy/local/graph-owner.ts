/**
 * The one owner of the embedded graph's file: it is opened when the first topology or question
 * needs it, and not before.
 *
 * Invariants:
 * 1. The file is open at most once. An attempt to open that failed is forgotten: the next need
 *    tries again.
 * 2. After a write that the database failed on it is closed, and opened anew for the next: what it
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
import { requireQuestion } from '../../enrich/graph/ask-ladybug.ts';
import type { GraphDatabase } from '../../enrich/graph/graph-database.ts';
import { cypherDatabase } from '../../enrich/graph/graph-database.ts';
import type { LadybugDatabase } from '../../enrich/graph/ladybug-database.ts';
import { openLadybug } from '../../enrich/graph/ladybug-database.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { FolderLock } from '../../schemas/kernel/folder-lock.ts';
import { lockPath } from '../../schemas/kernel/folder-lock.ts';
import { limits } from '../../schemas/limits.ts';
import { askInChild } from '../host/question-process.ts';
import { questionQueue } from '../host/question-queue.ts';
import { graphCopies } from './graph-copies.ts';

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

export function graphOwner({ path, copies: folder, clock }: GraphOwnerOptions): GraphOwner {
  let opening: Promise<OpenGraph> | undefined;
  let closing: Promise<void> = Promise.resolve();
  let closed = false;

  const open = (): Promise<OpenGraph> => {
    if (opening !== undefined) return opening;
    if (closed)
      return Promise.reject(
        new SluiceError('graph-closed', 'the instance stops', { retryable: true }),
      );
    const next = closing.then(() => openLocked(path));
    opening = next;
    next.catch(() => {
      if (opening === next) opening = undefined;
    });
    return next;
  };

  const copies = graphCopies({
    path,
    folder,
    clock,
    copyTo: async (to) => (await open()).ladybug.copyTo(to),
  });
  const stopping = new AbortController();
  const queue = questionQueue(limits.questionsRunningMax, limits.questionsWaitingMax);

  const write = async <T>(call: (database: GraphDatabase) => Promise<T>): Promise<T> => {
    const current = open();
    const graph = await current;
    try {
      const result = await call(graph.database);
      copies.outdate();
      return result;
    } catch (thrown) {
      if (
        thrown instanceof SluiceError &&
        thrown.code === 'graph-write-failed' &&
        opening === current
      ) {
        opening = undefined;
        closing = closeLocked(graph).catch(() => undefined);
      }
      throw thrown;
    }
  };

  return {
    openSink: (claim) => write((database) => database.openSink(claim)),
    applyChunk: (chunk, writes) => write((database) => database.applyChunk(chunk, writes)),
    async query(statement, asker) {
      requireQuestion(statement);
      if (opening === undefined) requireGraph(path);
      await open();
      const signal =
        asker === undefined ? stopping.signal : AbortSignal.any([asker, stopping.signal]);
      return queue.run(
        () =>
          copies.use(async ({ path: file, takenAt }) => ({
            ...(await askInChild({ kind: 'graph', file, statement }, { clock, signal })),
            asOf: new Date(takenAt).toISOString(),
          })),
        signal,
      );
    },
    async close() {
      closed = true;
      stopping.abort();
      const last = await opening?.catch(() => undefined);
      if (last !== undefined) await closeLocked(last);
      await closing;
      copies.close();
    },
  };
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
