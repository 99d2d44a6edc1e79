/**
 * The thread of one table sink: it takes rows, and stages and publishes files on request, one request after the other.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { present } from '../../schemas/kernel/assert.ts';
import { messageOf, systemCodeOf } from '../../schemas/kernel/errors.ts';
import { TableStaging } from './staging.ts';
import type { ParquetReply, ParquetRequest, ParquetWorkerInput } from './worker-protocol.ts';

const port = present(parentPort, 'the parent of a Parquet worker');
const staging = new TableStaging(workerData as ParquetWorkerInput);

port.on('message', (request: ParquetRequest) => {
  let reply: ParquetReply;
  try {
    reply = answer(request);
  } catch (thrown) {
    reply = { ok: false, code: systemCodeOf(thrown) === 'ENOSPC' ? 'disk-full' : 'lake-write-failed', message: messageOf(thrown) };
  }
  port.postMessage(reply);
});

function answer(request: ParquetRequest): ParquetReply {
  switch (request.kind) {
    case 'open':
      return { ok: true, state: staging.open(request.state) };
    case 'rows':
      staging.add(request.partitions, request.cells);
      return { ok: true };
    case 'stage':
      return { ok: true, state: staging.stage(request.checkpoint, request.roll, request.since) };
    case 'publish':
      staging.publish(request.files);
      return { ok: true };
  }
}
