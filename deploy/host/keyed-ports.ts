/**
 * The workers of a topology in threads of their own, as the topology's thread has them: it asks, and
 * does nothing else while it waits.
 */
import { receiveMessageOnPort } from 'node:worker_threads';
import { present } from '../../schemas/kernel/assert.ts';
import type { KeyedWorkers, WorkerAnswer } from '../../topology/runtime/parallel/keyed-workers.ts';
import type { KeyedAnswer, KeyedPort, KeyedRequest } from './keyed-protocol.ts';

export function threadedWorkers(ports: readonly KeyedPort[]): KeyedWorkers {
  const workers = ports.map((port) => ({ port, answers: new Map<number, WorkerAnswer>() }));
  const of = (worker: number): (typeof workers)[number] => present(workers[worker], 'a worker');
  let calls = 0;
  /** Answers up to this call are taken by nobody. */
  let forgotten = 0;
  return {
    parallelism: ports.length,
    post(worker, request) {
      const asked: KeyedRequest = { call: ++calls, request };
      of(worker).port.port.postMessage(asked);
      return calls;
    },
    take(worker, call) {
      const { port, answers } = of(worker);
      for (;;) {
        const answer = answers.get(call);
        if (answer !== undefined) {
          answers.delete(call);
          return answer;
        }
        const next = nextAnswer(port);
        if (next.call > forgotten) answers.set(next.call, next.answer);
      }
    },
    forget() {
      forgotten = calls;
      for (const { answers } of workers) answers.clear();
    },
  };
}

function nextAnswer({ port, answers }: KeyedPort): KeyedAnswer {
  const answered = new Int32Array(answers);
  for (;;) {
    const before = Atomics.load(answered, 0);
    const received = receiveMessageOnPort(port);
    if (received !== undefined) return received.message as KeyedAnswer;
    Atomics.wait(answered, 0, before);
  }
}
