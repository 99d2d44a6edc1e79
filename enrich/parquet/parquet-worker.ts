/**
 * The thread of one table sink: it takes rows, and stages and publishes files on request, one
 * request after the other.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { present } from '../../schemas/kernel/assert.ts';
import { fileFault } from '../../schemas/kernel/file-fault.ts';
import { openLake } from '../../schemas/ports/lake-files.ts';
import { TableStaging } from './staging.ts';
import type { ParquetReply, ParquetRequest, ParquetWorkerInput } from './worker-protocol.ts';

const port = present(parentPort, 'the parent of a Parquet worker');
const input = workerData as ParquetWorkerInput;
const lake = openLake(input.lake, input.run);
const opening = lake.then((files) => new TableStaging(input, files));
let last: Promise<void> = Promise.resolve();

port.on('message', (request: ParquetRequest | 'end') => {
  if (request === 'end') {
    // Nobody waits for what was asked before.
    void lake.then((files) => files.close()).finally(() => process.exit());
    return;
  }
  last = last.then(async () => port.postMessage(await replyTo(request)));
});

async function replyTo(request: ParquetRequest): Promise<ParquetReply> {
  try {
    return await answer(await opening, request);
  } catch (thrown) {
    const { code, message, fix } = fileFault('lake-write-failed', `table '${input.table}'`, thrown);
    return { ok: false, code, message, fix };
  }
}

async function answer(staging: TableStaging, request: ParquetRequest): Promise<ParquetReply> {
  switch (request.kind) {
    case 'open':
      return { ok: true, state: await staging.open(request.state) };
    case 'rows':
      return { ok: true, early: await staging.add(request) };
    case 'stage':
      return { ok: true, state: await staging.stage(request) };
    case 'publish':
      await staging.publish(request.files);
      return { ok: true };
  }
}
