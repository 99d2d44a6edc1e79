/**
 * The thread of one table sink: it takes rows, and stages and publishes files on request, one request after the other.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { present } from '../../schemas/kernel/assert.ts';
import { fileFault } from '../durable-file.ts';
import { TableStaging } from './staging.ts';
import type { ParquetReply, ParquetRequest, ParquetWorkerInput } from './worker-protocol.ts';

const port = present(parentPort, 'the parent of a Parquet worker');
const input = workerData as ParquetWorkerInput;
const staging = new TableStaging(input);

port.on('message', (request: ParquetRequest) => {
  let reply: ParquetReply;
  try {
    reply = answer(request);
  } catch (thrown) {
    const { code, message, fix } = fileFault('lake-write-failed', `table '${input.table}'`, thrown);
    reply = { ok: false, code, message, fix };
  }
  port.postMessage(reply);
});

function answer(request: ParquetRequest): ParquetReply {
  switch (request.kind) {
    case 'open':
      return { ok: true, state: staging.open(request.state) };
    case 'rows':
      staging.add(request);
      return { ok: true };
    case 'stage':
      return { ok: true, state: staging.stage(request) };
    case 'publish':
      staging.publish(request.files);
      return { ok: true };
  }
}
