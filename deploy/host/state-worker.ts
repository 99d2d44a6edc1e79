/**
 * The thread that sorts, deflates, digests and merges the runs of one topology's state, and deflates
 * what of it is at rest in memory. It knows no store: files come and go through the topology.
 */
import { parentPort } from 'node:worker_threads';
import { present } from '../../schemas/kernel/assert.ts';
import type { MergeFiles } from '../../topology/checkpoint/sorted-runs/merge-runs.ts';
import type { StateFile } from '../../topology/checkpoint/sorted-runs/sorted-run.ts';
import { inlineStateWriter } from '../../topology/checkpoint/sorted-runs/state-writer.ts';
import { deflatedBlocks } from '../../topology/state/deflate-blocks.ts';
import type { FromStateWorker, ToStateWorker } from './state-protocol.ts';
import { faultOf } from './worker-protocol.ts';

const port = present(parentPort, 'the parent of a run worker');
const writer = inlineStateWriter();
const asked = new Map<number, (outcome: Uint8Array | 'stored' | 'failed') => void>();
let asks = 0;

port.on('message', (message: ToStateWorker) => {
  switch (message.kind) {
    case 'add':
      return writer.add(message.chunks);
    case 'write':
      return answer(message.call, writer.write(message.prefix, filesOf(message.call).put));
    case 'merge': {
      const { call, prefix, runs, rules } = message;
      return answer(call, writer.merge(prefix, runs, rules, filesOf(call)));
    }
    case 'deflate': {
      const blocks = deflatedBlocks(message.blocks);
      return tell({ kind: 'deflated', call: message.call, blocks }, [blocks.bytes.buffer]);
    }
    case 'answer':
      asked.get(message.ask)?.(message.outcome);
      asked.delete(message.ask);
  }
});

function answer(call: number, work: Promise<readonly StateFile[]>): void {
  void work.then(
    (files) => tell({ kind: 'done', call, files }),
    (thrown: unknown) => tell({ kind: 'failed', call, fault: faultOf(thrown) }),
  );
}

function filesOf(call: number): MergeFiles {
  return {
    async get(name) {
      const bytes = await ask((id) => tell({ kind: 'get', call, ask: id, name }));
      if (typeof bytes === 'string') throw new Error(`${name} was not read`);
      return bytes;
    },
    async put(made) {
      const told = (id: number): void =>
        tell({ kind: 'put', call, ask: id, made }, [made.bytes.buffer]);
      if ((await ask(told)) !== 'stored') throw new Error(`${made.file.name} was not stored`);
    },
  };
}

function ask(told: (id: number) => void): Promise<Uint8Array | 'stored' | 'failed'> {
  return new Promise((resolve) => {
    asked.set(++asks, resolve);
    told(asks);
  });
}

function tell(message: FromStateWorker, handedOver: readonly ArrayBuffer[] = []): void {
  port.postMessage(message, [...handedOver]);
}
