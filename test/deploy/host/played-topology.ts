/**
 * A topology of one's own in its thread, kept running by its host: sends it some events, drains it
 * when it has read them, and reads what it wrote.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished } from 'vitest';
import type { TopologyHostStatus } from '../../../deploy/host/hosted-topology.ts';
import { topologyHost } from '../../../deploy/host/topology-host.ts';
import { TopologyNames } from '../../../deploy/host/topology-names.ts';
import { openEmbeddedStreams } from '../../../deploy/streams/embedded/embedded-log.ts';
import { queryLake } from '../../../enrich/lake/query.ts';
import { systemClock } from '../../../schemas/kernel/clock.ts';
import { systemRandom } from '../../../schemas/kernel/random.ts';
import { encodeStructured } from '../../../schemas/wire.ts';
import { streamConfig } from '../../ingest/support.ts';

export const events = 300;

const flow = (
  body: string,
): string => `import { aggregator, asyncLookup, schemaOf, stream, table, topology, tumbling } from 'sluice';

const row = schemaOf<{ key: string; n: number }>({ $id: 'counted', type: 'object', properties: { key: { type: 'string' }, n: { type: 'integer' } } });
export default topology('counted', { version: 1, owner: 'a/b' }, (t) => {
  const timed = t.source('in', stream('a/b')).eventTime('time', (e) => (e.data as { n: number }).n, { outOfOrderness: 0, future: { max: 0 } });
  ${body}
});
`;

export interface Ended {
  readonly rows: readonly (readonly unknown[])[];
  readonly rejected: readonly (readonly unknown[])[];
  readonly told: string;
  readonly status: TopologyHostStatus;
}

/** Event number `n` of the stream `a/b`, as the ingress writes it. */
export function recordOf(
  n: number,
  data: unknown,
): { readonly key: string; readonly value: readonly Uint8Array[] } {
  const time = '2026-01-01T00:00:00.000Z';
  const value = encodeStructured(
    {
      id: `e${n}`,
      source: '/a/b',
      type: 'a.b',
      time,
      datacontenttype: 'application/json',
      team: 'a',
      app: 'b',
      partitionkey: 'k',
      receivedtime: time,
    },
    Buffer.from(JSON.stringify(data)),
  );
  return { key: 'k', value };
}

/**
 * Sends all events, then starts; ends when everything was read and a checkpoint is complete beyond.
 */
export async function play(body: string, functionMaxMs = 1_000, parallelism = 1): Promise<Ended> {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-stuck-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const streams = await openEmbeddedStreams({
    root: join(dir, 'log'),
    streams: [streamConfig('a', 'b')],
    local: { kinesisShards: 1, kafkaPartitions: 1, retentionMaxBytes: 1e9, retentionMaxMs: 1e9 },
    clock: systemClock,
  });
  onTestFinished(() => streams.close());
  const records = Array.from({ length: events }, (_, n) =>
    recordOf(n, { n, text: n === 137 ? `${'a'.repeat(40)}!` : 'aaa' }),
  );
  await streams.writer('kinesis').write('a/b', records);
  const file = join(dir, 'topology.ts');
  writeFileSync(file, flow(body));
  const told: string[] = [];
  const host = topologyHost({
    file,
    buildDir: join(dir, 'build'),
    input: {
      place: {
        kind: 'local',
        dir,
        streams: { 'a/b': streams.handles('a/b') },
        lookups: {},
        parquetFileMaxAgeMs: 0,
      },
      checkpointIntervalMs: 200,
      functionMaxMs,
      parallelism,
      dropState: {},
    },
    names: new TopologyNames(),
    clock: systemClock,
    random: systemRandom,
    tell: (line) => told.push(line),
  });
  onTestFinished(() => host.stop());
  await host.start();
  const isRead = ({ state, job }: TopologyHostStatus): boolean =>
    state === 'running' &&
    job !== null &&
    job.uncommittedRows === 0 &&
    job.splits.every(({ lag }) => lag === 0);
  for (let tries = 0; tries < 600 && !isRead(await host.status()); tries++) await sleep(50);
  // A run that fails while it drains goes on from before.
  for (let tries = 0; tries < 600 && (await host.status()).state !== 'drained'; tries++) {
    if ((await host.status()).state === 'running') await host.drain().catch(() => undefined);
    await sleep(50);
  }
  const status = await host.status();
  expect(status.state, told.join('\n')).toBe('drained');
  const lake = join(dir, 'lake');
  const rows = (
    await queryLake(lake, 'SELECT key, sum(n), count(*) FROM counted GROUP BY ALL ORDER BY key')
  ).rows;
  const rejected = (
    await queryLake(lake, 'SELECT id, operator, code, data FROM rejected ORDER BY id')
  ).rows;
  return { rows, rejected, told: told.join('\n'), status };
}
