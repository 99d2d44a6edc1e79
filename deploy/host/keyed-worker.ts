/**
 * A thread that runs the keyed nodes of a topology for a part of its key groups
 * (topology/runtime/parallel/keyed-worker.ts).
 */
import { parentPort, workerData } from 'node:worker_threads';
import { present } from '../../schemas/kernel/assert.ts';
import { systemClock } from '../../schemas/kernel/clock.ts';
import { systemRandom } from '../../schemas/kernel/random.ts';
import { nothingSuspected } from '../../topology/checkpoint/isolation.ts';
import { KeyedWorker } from '../../topology/runtime/parallel/keyed-worker.ts';
import { watchCalls } from '../../topology/runtime/watched-calls.ts';
import type { KeyedAnswer, KeyedInput, KeyedRequest } from './keyed-protocol.ts';
import { keyedLoaded } from './keyed-protocol.ts';
import { openStateFolder } from './state-folder.ts';
import { importTopology } from './topology-file.ts';

const { port, answers, calls, stateFolder, ...compiled } = workerData as KeyedInput;
const host = present(parentPort, 'the host of a worker');
const answered = new Int32Array(answers);

const { topology } = await importTopology(compiled);
// A run that suspects a function has no workers.
const watched = watchCalls(topology, calls, nothingSuspected, () => undefined);
// A folder of its own inside, which the next run removes.
const disk = stateFolder === undefined ? undefined : await openStateFolder(stateFolder);
const worker = new KeyedWorker(watched.topology, {
  clock: systemClock,
  random: systemRandom,
  room: disk ?? {},
});
port.on('message', ({ call, request }: KeyedRequest) => {
  const answer: KeyedAnswer = { call, answer: worker.answer(request) };
  port.postMessage(answer);
  Atomics.add(answered, 0, 1);
  Atomics.notify(answered, 0);
});
// Its host ends it: that the topology's thread is gone is no reason to end before.
host.ref();
host.postMessage(keyedLoaded);
