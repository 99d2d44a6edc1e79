/**
 * The one owner of the embedded graph's file in this process: it is opened when the first topology or question needs it, and not before.
 *
 * Invariants:
 * 1. The file is open at most once. An attempt to open that failed is forgotten: the next need tries again.
 * 2. After a write that the database failed on it is closed, and opened anew for the next: what it held in memory is not trusted, nor full.
 * 3. A question makes no graph where there is none.
 */
import { existsSync } from 'node:fs';
import type { GraphDatabase } from '../../enrich/graph/graph-database.ts';
import { cypherDatabase } from '../../enrich/graph/graph-database.ts';
import type { GraphAnswer, LadybugDatabase } from '../../enrich/graph/ladybug-database.ts';
import { openLadybug } from '../../enrich/graph/ladybug-database.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';

export interface GraphOwner extends GraphDatabase {
  /** Throws `SluiceError` `graph-missing`, `query-failed`. */
  query(statement: string): Promise<GraphAnswer>;
  close(): Promise<void>;
}

interface OpenGraph {
  readonly ladybug: LadybugDatabase;
  readonly database: GraphDatabase;
}

export function graphOwner(path: string): GraphOwner {
  let opening: Promise<OpenGraph> | undefined;
  let closing: Promise<void> = Promise.resolve();
  let closed = false;

  const open = (): Promise<OpenGraph> => {
    if (opening !== undefined) return opening;
    if (closed) return Promise.reject(new SluiceError('graph-closed', 'the instance stops', { retryable: true }));
    const next = closing
      .then(() => openLadybug({ path, readOnly: false }))
      .then((ladybug) => ({ ladybug, database: cypherDatabase(ladybug.session) }));
    opening = next;
    next.catch(() => {
      if (opening === next) opening = undefined;
    });
    return next;
  };

  const write = async <T>(call: (database: GraphDatabase) => Promise<T>): Promise<T> => {
    const current = open();
    const { ladybug, database } = await current;
    try {
      return await call(database);
    } catch (thrown) {
      if (thrown instanceof SluiceError && thrown.code === 'graph-write-failed' && opening === current) {
        opening = undefined;
        closing = ladybug.close().catch(() => undefined);
      }
      throw thrown;
    }
  };

  return {
    openSink: (claim) => write((database) => database.openSink(claim)),
    applyChunk: (chunk, writes) => write((database) => database.applyChunk(chunk, writes)),
    async query(statement) {
      if (opening === undefined) requireGraph(path);
      return (await open()).ladybug.query(statement);
    },
    async close() {
      closed = true;
      const last = await opening?.catch(() => undefined);
      await last?.ladybug.close();
      await closing;
    },
  };
}

export function requireGraph(path: string): void {
  if (existsSync(path)) return;
  throw new SluiceError('graph-missing', `there is no graph at ${path}`, { fix: 'run a topology that has a graph sink' });
}
