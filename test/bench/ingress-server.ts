/**
 * The servers under measurement, each in a process of its own: `node ingress-server.js KIND
 * STUB_PORT`.
 *   bare   drains the body and answers
 *   naive  drains the body, hands 500 at a time to the SDK's own PutRecords, and answers
 *   full   the ingress with its Kinesis writer; a key is asked for, each body is checked
 * Sends `{ port }` to its parent, and what it used when asked.
 */

// Before the ingress: its binary reads a bound when it is loaded.
import '../../deploy/host/http-server.ts';
import type { HttpResponse, TemplatedApp } from 'uWebSockets.js';
import uws from 'uWebSockets.js';
import { createHash } from 'node:crypto';
import { KinesisClient, PutRecordsCommand } from '@aws-sdk/client-kinesis';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { createKinesisWriter } from '../../deploy/streams/kinesis/kinesis-writer.ts';
import { createIngress } from '../../ingest/ingress.ts';
import { silentLog } from '../../ingest/telemetry/log.ts';
import { ledgerStream } from '../../schemas/config.ts';
import { parseConfig } from '../../schemas/config-file.ts';
import { systemClock } from '../../schemas/kernel/clock.ts';
import { systemRandom } from '../../schemas/kernel/random.ts';
import type { RecordWriter } from '../../schemas/ports/record-writer.ts';
import { apiKey, streams } from './ingress-names.ts';

export interface ServerUsage {
  /** Of the process since its start, user and system. */
  readonly cpuUs: number;
  readonly rssBytes: number;
  readonly heapUsedBytes: number;
}

const credentials = { accessKeyId: 'AKIDBENCH', secretAccessKey: 'bench' };
const region = 'eu-central-1';
const batchRecords = 500;
const lingerMs = 5;

function listen(app: TemplatedApp): number {
  let port = 0;
  app.listen('127.0.0.1', 0, (socket) => {
    port = socket === false ? 0 : uws.us_socket_local_port(socket);
  });
  return port;
}

function serveBare(): number {
  const app = uws.App().post('/*', (res) => {
    res.onAborted(() => undefined);
    res.onData((_chunk, isLast) => {
      if (isLast) res.cork(() => res.end('ok'));
    });
  });
  return listen(app);
}

interface Waiting {
  readonly res: HttpResponse;
  readonly body: Buffer;
  open: boolean;
}

function serveNaive(endpoint: string): number {
  const client = new KinesisClient({
    endpoint,
    region,
    credentials,
    requestHandler: new NodeHttpHandler({ httpAgent: { keepAlive: true, maxSockets: 64 } }),
  });
  let waiting: Waiting[] = [];
  let timer: NodeJS.Timeout | undefined;
  let key = 0;
  const flush = async (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    const batch = waiting;
    waiting = [];
    await client.send(
      new PutRecordsCommand({
        StreamName: streams.naive,
        Records: batch.map(({ body }) => ({ Data: body, PartitionKey: `key-${key++}` })),
      }),
    );
    for (const { res, open } of batch) if (open) res.cork(() => res.end('ok'));
  };
  const app = uws.App().post('/*', (res) => {
    const chunks: Buffer[] = [];
    const request: { res: HttpResponse; body: Buffer; open: boolean } = {
      res,
      body: Buffer.alloc(0),
      open: true,
    };
    res.onAborted(() => {
      request.open = false;
    });
    res.onData((chunk, isLast) => {
      chunks.push(Buffer.from(new Uint8Array(chunk)));
      if (!isLast) return;
      request.body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
      waiting.push(request);
      if (waiting.length >= batchRecords) void flush();
      else timer ??= setTimeout(() => void flush(), lingerMs);
    });
  });
  return listen(app);
}

async function serveFull(endpoint: string): Promise<number> {
  const sha256 = createHash('sha256').update(apiKey).digest('hex');
  const yaml = [
    'streams:',
    '  - {team: bench, app: events}',
    '  - {team: bench, app: ordered, order: key}',
    `keys: [{name: bench, sha256: ${sha256}, streams: [bench/*]}]`,
    'ingress: {port: 0}',
  ].join('\n');
  const parsed = parseConfig(`${yaml}\n`, { file: 'bench', env: {}, baseDir: '.' });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const kinesis = createKinesisWriter({
    endpoint,
    region,
    credentials,
    streams: new Map([
      ['bench/events', streams.full],
      ['bench/ordered', streams.ordered],
      [ledgerStream.name, streams.ledger],
    ]),
  });
  const ingress = await createIngress({
    config: parsed.config,
    writers: { kinesis, kafka: noKafka },
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  });
  return ingress.port;
}

/** No event of a benchmark is large. */
const noKafka: RecordWriter = {
  route: 'kafka',
  describe: () => Promise.resolve({ recordMaxBytes: 8_388_608, splits: ['partition-0'] }),
  write: (_stream, records) =>
    Promise.resolve(
      records.map(() => ({
        kind: 'refused',
        code: 'stream-unreachable',
        message: 'there is none',
        retryable: false,
      })),
    ),
  close: () => Promise.resolve(),
};

const [kind = '', stubPort = ''] = process.argv.slice(2);
const endpoint = `http://127.0.0.1:${stubPort}`;
const port =
  kind === 'bare'
    ? serveBare()
    : kind === 'naive'
      ? serveNaive(endpoint)
      : await serveFull(endpoint);

process.on('message', () => {
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed } = process.memoryUsage();
  const usage: ServerUsage = { cpuUs: user + system, rssBytes: rss, heapUsedBytes: heapUsed };
  process.send?.(usage);
});
process.once('disconnect', () => process.exit(0));
process.send?.({ port });
