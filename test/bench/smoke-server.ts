/**
 * The servers under measurement, each in a process of its own: `bare` drains the body and answers,
 * `sluice` is the ingress over the embedded log.
 */
// Before the ingress: its binary reads a bound when it is loaded.
import '../../deploy/host/http-server.ts';
import uws from 'uWebSockets.js';
import { openEmbeddedStreams } from '../../deploy/streams/embedded/embedded-log.ts';
import { createIngress } from '../../ingest/ingress.ts';
import { openLogFile } from '../../ingest/segment-log/log-file.ts';
import { silentLog } from '../../ingest/telemetry/log.ts';
import { ledgerStream } from '../../schemas/config.ts';
import { parseConfig } from '../../schemas/config-file.ts';
import { systemClock } from '../../schemas/kernel/clock.ts';
import { systemRandom } from '../../schemas/kernel/random.ts';

const [kind, dir = ''] = process.argv.slice(2);
const parts = { commits: 0, records: 0 };

function usage(): { readonly cpuUs: number; readonly parts: typeof parts } {
  const { user, system } = process.cpuUsage();
  return { cpuUs: user + system, parts: { ...parts } };
}

function serveBare(): number {
  let port = 0;
  uws
    .App()
    .post('/*', (res) => {
      res.onAborted(() => undefined);
      res.onData((_chunk, isLast) => {
        if (isLast) res.cork(() => res.end('ok'));
      });
    })
    .listen('127.0.0.1', 0, (socket) => {
      port = socket === false ? 0 : uws.us_socket_local_port(socket);
    });
  return port;
}

async function serveSluice(): Promise<number> {
  const parsed = parseConfig('streams: [{team: bench, app: events}]\ningress: {port: 0}\n', {
    file: 'bench',
    env: {},
    baseDir: '.',
  });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const { config } = parsed;
  const streams = await openEmbeddedStreams({
    root: dir,
    streams: [...config.streams, ledgerStream],
    local: config.local,
    clock: systemClock,
    openFile: async (path) => {
      const file = await openLogFile(path);
      return {
        ...file,
        datasync: async () => {
          await file.datasync();
          parts.commits++;
        },
      };
    },
  });
  const ingress = await createIngress({
    config,
    writers: { kinesis: streams.writer('kinesis'), kafka: streams.writer('kafka') },
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  });
  process.on('message', () => {
    parts.records = ingress.counts().accepted.kinesis;
  });
  return ingress.port;
}

const port = kind === 'bare' ? serveBare() : await serveSluice();
process.on('message', (message) => {
  if (message === 'usage') process.send?.(usage());
  else process.exit(0);
});
process.send?.({ port });
