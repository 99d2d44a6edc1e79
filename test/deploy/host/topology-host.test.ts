/**
 * A topology in its thread: what its author leaves open does not keep it when it is stopped, or
 * when it has failed.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import type { TopologyHost } from '../../../deploy/host/hosted-topology.ts';
import { topologyHost } from '../../../deploy/host/topology-host.ts';
import { TopologyNames } from '../../../deploy/host/topology-names.ts';
import { openEmbeddedStreams } from '../../../deploy/streams/embedded/embedded-log.ts';
import { systemClock } from '../../../schemas/kernel/clock.ts';
import { systemRandom } from '../../../schemas/kernel/random.ts';
import { streamConfig } from '../../ingest/support.ts';

const topology = `import { schemaOf, stream, table, topology } from 'sluice';

setInterval(() => undefined, 1_000);

const row = schemaOf<{ id: string }>({ $id: 'https://sluice.example/test/open', type: 'object', properties: { id: { type: 'string' } } });
export default topology('open', { version: 1, owner: 'a/b' }, (t) => {
  t.source('events', stream('a/b')).map((e) => ({ id: e.id })).sinkTo('rows', table('rows', row));
});
`;

async function hostIn(dir: string, boundTo: string): Promise<TopologyHost> {
  return (await hostsIn(dir, boundTo, ['topology.ts']))[0] as TopologyHost;
}

/** Of one instance: each file has the same topology. */
async function hostsIn(
  dir: string,
  boundTo: string,
  files: readonly string[],
): Promise<readonly TopologyHost[]> {
  const streams = await openEmbeddedStreams({
    root: join(dir, 'log'),
    streams: [streamConfig('a', 'b')],
    local: { kinesisShards: 1, kafkaPartitions: 1, retentionMaxBytes: 1e9, retentionMaxMs: 1e9 },
    clock: systemClock,
  });
  onTestFinished(() => streams.close());
  const names = new TopologyNames();
  return files.map((name) => {
    const file = join(dir, name);
    writeFileSync(file, topology);
    return topologyHost({
      file,
      buildDir: join(dir, 'build'),
      input: {
        place: {
          kind: 'local',
          dir,
          streams: { [boundTo]: streams.handles('a/b') },
          lookups: {},
          parquetFileMaxAgeMs: 0,
        },
        checkpointIntervalMs: 500,
        functionMaxMs: 10_000,
        parallelism: 1,
        dropState: {},
      },
      names,
      clock: systemClock,
      random: systemRandom,
      tell: () => undefined,
    });
  });
}

function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-host-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

it('a thread with something left open ends when it is stopped', { timeout: 30_000 }, async () => {
  const host = await hostIn(folder(), 'a/b');
  await host.start();
  expect((await host.status()).state).toBe('running');
  await host.stop();
  expect((await host.status()).state).toBe('stopped');
});

it('a thread with something left open ends when it has failed, and is told of', {
  timeout: 30_000,
}, async () => {
  const host = await hostIn(folder(), 'a/other');
  await host.start();
  for (let tries = 0; tries < 100 && (await host.status()).state === 'starting'; tries++)
    await sleep(100);
  expect(await host.status()).toMatchObject({ state: 'failed', error: { code: 'stream-missing' } });
  await host.stop();
});

it('a second topology of a name does not take over from the first', {
  timeout: 60_000,
}, async () => {
  const [first, second] = (await hostsIn(folder(), 'a/b', ['first.ts', 'second.ts'])) as [
    TopologyHost,
    TopologyHost,
  ];
  await first.start();
  await second.start();
  for (let tries = 0; tries < 100 && (await second.status()).state === 'starting'; tries++)
    await sleep(100);
  expect(await second.status()).toMatchObject({
    state: 'failed',
    error: { code: 'topology-name-taken' },
    restarts: 0,
  });
  expect((await second.status()).error).toMatchObject({
    code: 'topology-name-taken',
    message: expect.stringMatching(/'open'.*first\.ts/) as string,
  });
  expect((await first.status()).state).toBe('running');
  await first.stop();
  await second.stop();
});
