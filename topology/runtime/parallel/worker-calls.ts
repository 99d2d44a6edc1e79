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

/** What was asked, by worker, and is not answered yet. */
export interface Begun<K extends WorkerRequest['kind']> {
  readonly calls: readonly number[];
  readonly kind?: K;
}

/** Requests of a worker that wait for their answers while more are told. */
const toldMax = 4;

/** Workers with new operators of their keyed nodes. */
export function openWorkers(
  workers: KeyedWorkers,
  how: Pick<RequestOf<'open'>, 'freezes' | 'rejectsFailing'>,
): WorkerCalls {
  workers.forget();
  const calls = new WorkerCalls(workers);
  const { parallelism } = workers;
  calls.askAll<'open'>((worker) => ({ kind: 'open', worker, parallelism, ...how }));
  return calls;
}

export class WorkerCalls {
  readonly parallelism: number;
  readonly #workers: KeyedWorkers;
  /** By worker: calls that were told, and whose answers were not taken. */
  readonly #told: readonly number[][];

  constructor(workers: KeyedWorkers) {
    this.#workers = workers;
    this.parallelism = workers.parallelism;
    this.#told = Array.from({ length: workers.parallelism }, () => []);
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
    return this.#take(this.begin(requestOf));
  }

  /** Asks, and does not wait: `end` does. */
  begin<K extends WorkerRequest['kind']>(requestOf: (worker: number) => RequestOf<K>): Begun<K> {
    for (const worker of this.#told.keys()) this.#settle(worker);
    return { calls: this.#told.map((_, worker) => this.#workers.post(worker, requestOf(worker))) };
  }

  end<K extends WorkerRequest['kind']>(begun: Begun<K>): readonly WorkerResults[K][] {
    return this.#take(begun).map(resultOf);
  }

  #take<K extends WorkerRequest['kind']>({ calls }: Begun<K>): readonly AnswerOf<K>[] {
    return calls.map((call, worker) => this.#workers.take(worker, call) as AnswerOf<K>);
  }

  /** It does not wait, unless many wait already. What fails is thrown by a later call. */
  tell(worker: number, request: WorkerRequest): void {
    this.#settle(worker, toldMax - 1);
    this.#toldOf(worker).push(this.#workers.post(worker, request));
  }

  /** At most `left` of those that were told wait after it. */
  #settle(worker: number, left = 0): void {
    const told = this.#toldOf(worker);
    while (told.length > left)
      resultOf(this.#workers.take(worker, present(told.shift(), 'a call that was told')));
  }

  #toldOf(worker: number): number[] {
    return present(this.#told[worker], 'a worker');
  }
}

/** Throws what a worker failed on. */
export function resultOf<R>(answer: Answer<R>): R {
  if (answer.is === 'failed') throw thrownOfFailure(answer.failure);
  return answer.result;
}
