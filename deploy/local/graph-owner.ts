/**
 * The one owner of the embedded graph's file in this process: it is opened when the first topology or question needs it, and not before.
 *
 * Invariants:
 * 1. The file is open at most once. An attempt to open that failed is forgotten: the next need tries again.
 * 2. A question makes no graph where there is none.
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
  let closed = false;

  const open = (): Promise<OpenGraph> => {
    if (opening !== undefined) return opening;
    if (closed) return Promise.reject(new SluiceError('graph-closed', 'the instance stops', { retryable: true }));
    const next = openLadybug({ path, readOnly: false }).then((ladybug) => ({ ladybug, database: cypherDatabase(ladybug.session) }));
    opening = next;
    next.catch(() => {
      opening = undefined;
    });
    return next;
  };

  return {
    openSink: async (claim) => (await open()).database.openSink(claim),
    applyChunk: async (chunk, writes) => (await open()).database.applyChunk(chunk, writes),
    async query(statement) {
      if (opening === undefined) requireGraph(path);
      return (await open()).ladybug.query(statement);
    },
    async close() {
      closed = true;
      const last = await opening?.catch(() => undefined);
      await last?.ladybug.close();
    },
  };
}

export function requireGraph(path: string): void {
  if (existsSync(path)) return;
  throw new SluiceError('graph-missing', `there is no graph at ${path}`, { fix: 'run a topology that has a graph sink' });
}
