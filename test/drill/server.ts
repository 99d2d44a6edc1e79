/**
 * The ingress over the embedded log, in a process of its own, with a bus and a clock that the drill
 * can make fail: what `sluice start` runs, but for its topologies.
 *
 *   node server.js CONFIG DIR
 *
 * Over IPC it reports {ready, url}, accepts {fault, ...} and answers with its metrics.
 */
// Before the ingress: its binary reads a bound when it is loaded.
import type { RefusedCode } from '../../schemas/kernel/error-codes.ts';
import '../../deploy/host/http-server.ts';
import { join } from 'node:path';
import { claimsDir, logDir, spoolDir } from '../../deploy/host/layout.ts';
import { localBlobStore } from '../../deploy/stores/local/local-blob-store.ts';
import { openEmbeddedStreams } from '../../deploy/streams/embedded/embedded-log.ts';
import { createIngress } from '../../ingest/ingress.ts';
import { silentLog } from '../../ingest/telemetry/log.ts';
import { ledgerStream } from '../../schemas/config.ts';
import { loadConfig } from '../../schemas/config-file.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { sleep, systemClock } from '../../schemas/kernel/clock.ts';
import { systemRandom } from '../../schemas/kernel/random.ts';
import type { RecordWriter, WriteOutcome } from '../../schemas/ports/record-writer.ts';
import type { Fault } from './instance.ts';

const [configFile = '', dir = ''] = process.argv.slice(2);
let fault: Fault = { kind: 'none' };
let steppedMs = 0;

/** The system's clock, whose wall time can be stepped. */
const clock: Clock = { ...systemClock, now: () => systemClock.now() + steppedMs };

/** A bus in front of the log that does what the fault says. */
function faulty(writer: RecordWriter): RecordWriter {
  let nth = 0;
  const refused = (code: RefusedCode): WriteOutcome => ({
    kind: 'refused',
    code,
    message: 'as the drill says',
    retryable: true,
  });
  return {
    ...writer,
    async write(stream, records) {
      const now = fault;
      if (stream === ledgerStream.name || now.kind === 'none') return writer.write(stream, records);
      if (now.kind === 'down') return records.map(() => refused('stream-unreachable'));
      if (now.kind === 'slow') await sleep(systemClock, now.ms);
      if (now.kind !== 'part') return writer.write(stream, records);
      const taken = records.map(() => nth++ % now.every !== 0);
      const outcomes = await writer.write(
        stream,
        records.filter((_record, index) => taken[index]),
      );
      let at = 0;
      return taken.map((isTaken) =>
        isTaken ? (outcomes[at++] as WriteOutcome) : refused('throughput-exceeded'),
      );
    },
  };
}

const config = loadConfig(configFile, process.env);
const streams = await openEmbeddedStreams({
  root: logDir(dir),
  streams: [...config.streams, ledgerStream],
  local: config.local,
  clock,
});
const ingress = await createIngress({
  config,
  writers: { kinesis: faulty(streams.writer('kinesis')), kafka: faulty(streams.writer('kafka')) },
  spoolDir: spoolDir(dir),
  blobs: localBlobStore(claimsDir(dir)),
  clock,
  random: systemRandom,
  log: silentLog,
});
process.on('message', (message: { readonly fault?: Fault; readonly stepMs?: number }) => {
  if (message.fault !== undefined) fault = message.fault;
  if (message.stepMs !== undefined) steppedMs += message.stepMs;
  void ingress.metrics().then(({ text }) => process.send?.({ metrics: text }));
});
process.once(
  'SIGTERM',
  () => void ingress.shutDown().then(() => streams.close().then(() => process.exit(0))),
);
process.send?.({ ready: true, url: ingress.url, dir: join(dir) });
