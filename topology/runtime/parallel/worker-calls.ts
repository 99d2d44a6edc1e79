/**
 * Asks workers: one after the other, or all at the same time.
 *
 * Invariants:
 * 1. When a call returns or throws, every request before it is answered, but for those that were
 *    only told.
 * 2. What a worker failed on is thrown here: of several that of the first worker.
 */
import { present } from '../../../schemas/kernel/assert.ts';
import type { KeyedWorkers, WorkerAnswer, WorkerRequest, WorkerResults } from './keyed-workers.ts';
import { thrownOfFailure } from './keyed-workers.ts';

type RequestOf<K extends WorkerRequest['kind']> = Extract<WorkerRequest, { readonly kind: K }>;

type Answer<R> =
  | { readonly is: 'done'; readonly result: R }
  | Extract<WorkerAnswer, { readonly is: 'failed' }>;
type AnswerOf<K extends WorkerRequest['kind']> = Answer<WorkerResults[K]>;

/** Requests of a worker that wait for their answers while more are told. */
const toldMax = 4;

/** Workers with new operators of their keyed nodes. */
export function openWorkers(
  workers: KeyedWorkers,
  how: Pick<RequestOf<'open'>, 'freezes' | 'rejectsFailing'>,
): WorkerCalls {
  const calls = new WorkerCalls(workers);
  const { parallelism } = workers;
  calls.askAll<'open'>((worker) => ({ kind: 'open', worker, parallelism, ...how }));
  return calls;
}

export class WorkerCalls {
  readonly parallelism: number;
  readonly #workers: KeyedWorkers;
  /** By worker: requests that were told, and whose answers were not taken. */
  readonly #told: number[];

  constructor(workers: KeyedWorkers) {
    this.#workers = workers;
    this.parallelism = workers.parallelism;
    this.#told = Array.from({ length: workers.parallelism }, () => 0);
  }

  /** What each answers, by worker. */
  askAll<K extends WorkerRequest['kind']>(
    requestOf: (worker: number) => RequestOf<K>,
  ): readonly WorkerResults[K][] {
    return this.askEach<K>(requestOf).map(resultOf);
  }

  /** The same, where some may fail. */
  askEach<K extends WorkerRequest['kind']>(
    requestOf: (worker: number) => RequestOf<K>,
  ): readonly AnswerOf<K>[] {
    for (let worker = 0; worker < this.parallelism; worker++) {
      this.#settle(worker);
      this.#workers.post(worker, requestOf(worker));
    }
    return this.#told.map((_, worker) => this.#workers.take(worker) as AnswerOf<K>);
  }

  /** It does not wait, unless many wait already. What fails is thrown by a later call. */
  tell(worker: number, request: WorkerRequest): void {
    if (present(this.#told[worker], 'a worker') >= toldMax) this.#takeTold(worker);
    this.#workers.post(worker, request);
    this.#told[worker] = (this.#told[worker] as number) + 1;
  }

  #settle(worker: number): void {
    while ((this.#told[worker] as number) > 0) this.#takeTold(worker);
  }

  #takeTold(worker: number): void {
    this.#told[worker] = (this.#told[worker] as number) - 1;
    resultOf(this.#workers.take(worker));
  }
}

/** Throws what a worker failed on. */
export function resultOf<R>(answer: Answer<R>): R {
  if (answer.is === 'failed') throw thrownOfFailure(answer.failure);
  return answer.result;
}
