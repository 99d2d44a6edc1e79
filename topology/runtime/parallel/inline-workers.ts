/**
 * Workers in the thread of their coordinator, for tests: what is said is copied, as between
 * threads.
 */
import { assert, present } from '../../../schemas/kernel/assert.ts';
import type { Topology } from '../../plan/plan.ts';
import type { WorkerWorld } from './keyed-worker.ts';
import { KeyedWorker } from './keyed-worker.ts';
import type { KeyedWorkers, WorkerAnswer } from './keyed-workers.ts';

export function inlineWorkers(
  topology: Topology,
  parallelism: number,
  world: WorkerWorld,
): KeyedWorkers {
  assert(parallelism > 1, 'several workers');
  const workers = Array.from({ length: parallelism }, () => ({
    worker: new KeyedWorker(topology, world),
    answers: [] as WorkerAnswer[],
  }));
  const of = (number: number) => present(workers[number], 'a worker');
  return {
    parallelism,
    post(number, request) {
      const { worker, answers } = of(number);
      answers.push(structuredClone(worker.answer(structuredClone(request))));
    },
    take: (number) => present(of(number).answers.shift(), 'the answer to a request'),
  };
}
