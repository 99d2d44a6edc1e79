/**
 * How a topology's thread reaches the graph, which the main thread owns: calls as messages, answers
 * by number.
 */

import type {
  ChunkId,
  GraphDatabase,
  Progress,
  SinkClaim,
} from '../../enrich/graph/graph-database.ts';
import type { OperationalCode } from '../../schemas/kernel/error-codes.ts';
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';
import type { GraphWrite } from '../../topology/index.ts';

export type GraphCall =
  | { readonly call: 'openSink'; readonly claim: SinkClaim }
  | {
      readonly call: 'applyChunk';
      readonly chunk: ChunkId;
      readonly writes: readonly GraphWrite[];
    };

export type GraphReply =
  | { readonly ok: true; readonly value: Progress | 'applied' | 'skipped' }
  | {
      readonly ok: false;
      readonly code: OperationalCode;
      readonly message: string;
      readonly fix: string | undefined;
      readonly retryable: boolean;
    };

/** The thread's side. */
export interface RemoteGraph {
  readonly database: GraphDatabase;
  settle(id: number, reply: GraphReply): void;
}

export function remoteGraph(send: (id: number, call: GraphCall) => void): RemoteGraph {
  const waiting = new Map<number, (reply: GraphReply) => void>();
  let ids = 0;
  const ask = async (call: GraphCall): Promise<unknown> => {
    const id = ++ids;
    const reply = await new Promise<GraphReply>((resolve) => {
      waiting.set(id, resolve);
      send(id, call);
    });
    if (reply.ok) return reply.value;
    const { code, message, fix, retryable } = reply;
    throw new SluiceError(code, message, { retryable, ...(fix === undefined ? {} : { fix }) });
  };
  return {
    database: {
      openSink: (claim) => ask({ call: 'openSink', claim }) as Promise<Progress>,
      applyChunk: (chunk, writes) =>
        ask({ call: 'applyChunk', chunk, writes }) as Promise<'applied' | 'skipped'>,
    },
    settle(id, reply) {
      waiting.get(id)?.(reply);
      waiting.delete(id);
    },
  };
}

/** The owner's side. Never rejects: what fails is told to the thread. */
export async function answerCall(database: GraphDatabase, call: GraphCall): Promise<GraphReply> {
  try {
    const value =
      call.call === 'openSink'
        ? await database.openSink(call.claim)
        : await database.applyChunk(call.chunk, call.writes);
    return { ok: true, value };
  } catch (thrown) {
    const known = thrown instanceof SluiceError ? thrown : undefined;
    return {
      ok: false,
      code: known?.code ?? 'defect',
      message: messageOf(thrown),
      fix: known?.fix,
      retryable: known?.retryable ?? false,
    };
  }
}
