/**
 * The workers of a topology in threads of their own, as the topology's thread has them: it asks, and
 * does nothing else until it is answered.
 */
import { receiveMessageOnPort } from 'node:worker_threads';
import { present } from '../../schemas/kernel/assert.ts';
import type { KeyedWorkers } from '../../topology/runtime/parallel/keyed-workers.ts';
import type { KeyedAnswer, KeyedPort, KeyedRequest } from './keyed-protocol.ts';

export function threadedWorkers(ports: readonly KeyedPort[]): KeyedWorkers {
  const of = (worker: number): KeyedPort => present(ports[worker], 'a worker');
  let calls = 0;
  return {
    parallelism: ports.length,
    post(worker, request) {
      const asked: KeyedRequest = { call: ++calls, request };
      of(worker).port.postMessage(asked);
      return calls;
    },
    take(worker, call) {
      for (;;) {
        const next = nextAnswer(of(worker));
        if (next.call === call) return next.answer;
      }
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
