/**
 * A topology moves to a real Flink cluster and back, on a real Kafka: it is drained here, its job is
 * submitted at the positions of that checkpoint, drained there, handed back, and started here again.
 * Each event is counted once, on one of the three legs.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { builtJob } from '../../../deploy/flink/jar.ts';
import { loadTopologyFile } from '../../../deploy/host/topology-file.ts';
import { localBlobStore } from '../../../deploy/stores/local/local-blob-store.ts';
import { createKafkaReader } from '../../../deploy/streams/kafka/kafka-reader.ts';
import { createKafkaWriter } from '../../../deploy/streams/kafka/kafka-writer.ts';
import { systemClock } from '../../../schemas/kernel/clock.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import { encodeBinary } from '../../../schemas/wire.ts';
import { createJob } from '../../../topology/index.ts';
import type { FlinkServer } from '../../servers/flink.ts';
import { startFlink } from '../../servers/flink.ts';
import { javaMissing } from '../../servers/jars.ts';
import type { KafkaServer } from '../../servers/kafka.ts';
import { startKafka } from '../../servers/kafka.ts';
import { world } from '../../topology/support.ts';
import { sluice } from '../support.ts';
import { isFull } from './full.ts';

const topic = 'shop-clicks';
const source = `import { count, schemaOf, stream, table, topology, tumbling } from 'sluice';
const row = schemaOf({ $id: 'row', type: 'object', properties: { n: { type: 'integer' } } });
export default topology('clicks', { version: 1, owner: 'shop/web' }, (t) => {
  t.source('clicks', stream('shop/clicks'))
    .eventTime('time', (e) => e.data.at, { outOfOrderness: 0, idleAfter: '1s' })
    .keyBy(() => 'all')
    .window('hours', tumbling('1h'))
    .aggregate({ n: count() })
    .out.map(({ n }) => ({ n }))
    .sinkTo('counts', table('counts', row));
});
`;

interface Row {
  readonly n: number;
}

describe.skipIf(!isFull || javaMissing() !== undefined)('a move', { timeout: 240_000 }, () => {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-move-'));
  const path = (name: string): string => join(dir, name);
  const [file, data, settings, moved] = [
    path('topology.ts'),
    path('data'),
    path('settings.json'),
    path('moved.json'),
  ];
  let kafka: KafkaServer;
  let flink: FlinkServer;
  let jar: string;
  beforeAll(async () => {
    [kafka, flink, { jar }] = await Promise.all([
      startKafka({ keys: { AKIDMOVE: 'secret' } }),
      startFlink(),
      builtJob(),
    ]);
    await kafka.createTopic(topic, 2);
    writeFileSync(file, source);
    mkdirSync(data);
    const lines = (name: string) => ({ connector: 'lines', path: path(name) });
    writeFileSync(
      settings,
      JSON.stringify({
        ...{ parallelism: 2, checkpointIntervalMs: 500 },
        sources: {
          clicks: {
            ...{ connector: 'kafka', brokers: kafka.plain },
            claims: { folder: path('claims') },
          },
        },
        sinks: { counts: lines('counts') },
        rejected: lines('rejected'),
      }),
    );
  }, 600_000);
  afterAll(async () => {
    await flink?.stop();
    await kafka?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  /** Sends events of one hour; keys are spread over both partitions. */
  async function send(from: number, to: number): Promise<void> {
    const connection = { brokers: [kafka.plain], tls: false, clientId: 'test' };
    const topics = new Map([['shop/clicks', topic]]);
    const writer = createKafkaWriter({
      connection,
      topics,
      clock: systemClock,
      compression: 'none',
    });
    const attributes = {
      ...{ source: '/shop', type: 'click', team: 'shop', app: 'clicks' },
      ...{ time: '2026-01-01T00:00:00.000Z', receivedtime: '2026-01-01T00:00:00.000Z' },
      datacontenttype: 'application/json',
    };
    const records = Array.from({ length: to - from }, (_, i) => {
      const id = `e${from + i}`;
      const data = Buffer.from(JSON.stringify({ at: Date.UTC(2026, 0, 1) + from + i }));
      return encodeBinary({ ...attributes, id, partitionkey: id }, data);
    });
    const outcomes = await writer.write('shop/clicks', records);
    expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(['applied']));
    await writer.close();
  }

  /** A run here, from its last checkpoint or a savepoint, until it is drained: what it counted. */
  async function countedHere(savepoint?: string): Promise<number> {
    const made = world({});
    const connection = { brokers: [kafka.plain], tls: false, clientId: 'here' };
    const { topology } = await loadTopologyFile(file);
    const job = createJob({
      topology,
      blobs: localBlobStore(data),
      connectors: {
        ...made.connectors,
        readers: () => Promise.resolve([createKafkaReader({ connection, topic })]),
      },
      clock: systemClock,
      random: seededRandom(savepoint === undefined ? 1 : 2),
      checkpointIntervalMs: 1_000,
      ...(savepoint === undefined ? {} : { savepoint }),
    });
    await job.open();
    const running = job.run();
    await job.drain();
    await running;
    await job.close();
    const rows = (made.tables['counts']?.visible ?? []) as readonly Row[];
    return rows.reduce((sum, { n }) => sum + n, 0);
  }

  const ran = async (...args: readonly string[]): Promise<string> => {
    const { code, out, err } = await sluice(['--dir', data, ...args]);
    expect([args.join(' '), code, code === 0 ? '' : out + err]).toEqual([args.join(' '), 0, '']);
    return out;
  };
  const cluster = (): readonly string[] => ['--url', flink.url, '--wait', '120s'];
  const countedThere = (): number =>
    readFileSync(join(path('counts'), 'rows.ndjson'), 'utf8')
      .split('\n')
      .slice(0, -1)
      .reduce((sum, line) => sum + (JSON.parse(line) as { value: Row }).value.n, 0);

  it('there and back counts each event once', async () => {
    await send(0, 20);
    expect(await countedHere()).toBe(20);

    await ran('flink', 'positions', file, '--settings', settings, '--out', moved);
    await send(20, 50);
    await ran('flink', 'submit', file, '--settings', moved, '--jar', jar, ...cluster());
    for (;;) {
      const { positions } = JSON.parse(
        await ran('--json', 'flink', 'status', 'clicks', '--url', flink.url),
      ) as { readonly positions: Readonly<Record<string, Readonly<Record<string, string>>>> };
      const offsets = Object.values(positions['clicks'] ?? {}).map(Number);
      // The offset of the last record of each of two partitions.
      if (offsets.reduce((sum, offset) => sum + offset + 1, 0) === 50) break;
      await sleep(500);
    }
    const refused = await sluice(['--dir', data, 'flink', 'return', file, '--url', flink.url]);
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('it reads on')]);
    await ran('flink', 'drain', 'clicks', ...cluster());
    expect(countedThere()).toBe(30);

    await ran('flink', 'return', file, '--name', 'back', '--url', flink.url);
    await send(50, 60);
    expect(await countedHere('back')).toBe(10);
  });
});
