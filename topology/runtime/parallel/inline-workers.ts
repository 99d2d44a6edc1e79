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
    answers: new Map<number, WorkerAnswer>(),
  }));
  let calls = 0;
  return {
    parallelism,
    post(number, request) {
      const { worker, answers } = present(workers[number], 'a worker');
      answers.set(++calls, structuredClone(worker.answer(structuredClone(request))));
      return calls;
    },
    take(number, call) {
      const { answers } = present(workers[number], 'a worker');
      const answer = present(answers.get(call), 'the answer to a call');
      answers.delete(call);
      return answer;
    },
    forget: () => {
      for (const { answers } of workers) answers.clear();
    },
  };
}
