/**
 * What a topology's thread and one that runs a part of its keys share, and how they wait for each
 * other.
 *
 * Invariants:
 * 1. `answers` counts the answers that were posted, after each: who waits for it to change, and
 *    looked before, misses none.
 * 2. A thread that ends answers nothing more, and ends nobody's waiting: its host does.
 */
import type { MessagePort } from 'node:worker_threads';
import type { SharedCalls } from '../../topology/index.ts';
import type { WorkerAnswer, WorkerRequest } from '../../topology/runtime/parallel/keyed-workers.ts';
import type { WorkerInput } from './worker-protocol.ts';

/** The topology's end. */
export interface KeyedPort {
  readonly port: MessagePort;
  readonly answers: SharedArrayBuffer;
}

/** What a thread for a part of the keys is started with. */
export interface KeyedInput
  extends Pick<WorkerInput, 'script' | 'file' | 'stateFolder'>,
    KeyedPort {
  readonly calls: SharedCalls;
}

export interface KeyedRequest {
  readonly call: number;
  readonly request: WorkerRequest;
}

export interface KeyedAnswer {
  readonly call: number;
  readonly answer: WorkerAnswer;
}

/** To its host: its modules are evaluated. */
export const keyedLoaded = 'loaded';
