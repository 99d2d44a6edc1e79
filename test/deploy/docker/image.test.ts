/**
 * The image as it is built and run elsewhere: the Dockerfile by buildah, containers by podman, as
 * non-root with a read-only root and without capabilities. It builds an image of a user as
 * docs/operating/containers.md shows it, which takes 1,000 events with a SIGTERM in the middle.
 */
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { root } from '../../repo/files.ts';
import { copyLake, startCloud } from '../../servers/cloud.ts';
import type { Container, ContainerStore } from '../../servers/containers.ts';
import { containersMissing, imageUser, openContainers } from '../../servers/containers.ts';
import { freePort } from '../../servers/free-port.ts';
import { rowsOf } from '../../tools/flights-checks.ts';
import { makeImage, saveImage } from '../../tools/image.ts';

const events = 1_000;
const senders = 8;
/** `npm run image:test`; CI leaves out what needs servers beside the image. */
const isFull = process.env['IMAGE_TEST'] === 'full';
const topology = `
import { schemaOf, stream, table, topology } from 'sluice';
type Row = { id: string; n: number };
const row = schemaOf<Row>({ $id: 'row', type: 'object', required: ['id', 'n'], properties: { id: { type: 'string' }, n: { type: 'integer' } } });
export default topology('clicks', { version: 1, owner: 'a/clicks' }, (t) => {
  t.source('clicks', stream('a/clicks')).map((e): Row => ({ id: e.id, n: (e.data as { n: number }).n })).sinkTo('clicks-table', table('clicks', row));
});
`;

let store: ContainerStore;
let tag: string;
let dir: string;

/** A folder of this machine that the image's user may write. */
function volume(name: string): string {
  const made = join(dir, name);
  mkdirSync(made);
  chownSync(made, imageUser, imageUser);
  return made;
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (const deadline = performance.now() + 60_000; performance.now() < deadline; await sleep(100))
    if (await holds()) return;
  throw new Error(`waited in vain until ${what}`);
}

const isReady = (url: string): Promise<boolean> =>
  fetch(`${url}/readyz`).then(
    (answer) => answer.ok,
    () => false,
  );

describe.skipIf(containersMissing() !== undefined)('the image', { timeout: 400_000 }, () => {
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'sluice-image-'));
    store = await openContainers();
    tag = await makeImage(store);
  }, 1_200_000);
  afterAll(async () => {
    await store.remove();
    rmSync(dir, { recursive: true, force: true });
  }, 120_000);

  it('is below 400 MB, and says what it is, who runs it and how its health is asked', async () => {
    expect(await store.sizeBytes(tag)).toBeLessThan(400_000_000);
    const { Config: config, Healthcheck: health } = await store.inspect(tag);
    expect(health).toMatchObject({ Test: ['CMD', 'sluice', 'health'] });
    expect(config).toMatchObject({
      User: `${imageUser}:${imageUser}`,
      StopSignal: 'SIGTERM',
      Entrypoint: ['sluice'],
      Labels: {
        'org.opencontainers.image.version': tag.split(':')[1],
        'org.opencontainers.image.revision': expect.stringMatching(/^[0-9a-f]{40}$/) as string,
        'org.opencontainers.image.licenses': 'Apache-2.0',
      },
    });
    const file = join(dir, 'saved', 'image.tar');
    expect(await saveImage(store, tag, file)).toMatch(/: \d{3} MB unpacked, in /);
    expect(statSync(file).size).toBeGreaterThan(300_000_000);
    rmSync(file);
  });

  it('refuses a volume that belongs to root with its folder, its user and what to do', async () => {
    const mine = join(dir, 'of-root');
    mkdirSync(mine, { mode: 0o755 });
    const container = await store.start(tag, [], { mounts: { [mine]: '/var/lib/sluice' } });
    expect(await container.ended()).toBe(1);
    const said = await container.logs();
    expect(said).toContain(
      `/var/lib/sluice/key cannot be written by user ${imageUser} of group ${imageUser}: /var/lib/sluice belongs to user 0`,
    );
    expect(said).toContain(`securityContext.fsGroup: ${imageUser}`);
    expect(said).not.toContain('defect');
  });

  it('with topologies of a user takes 1,000 events with a SIGTERM in the middle, and loses none', async () => {
    const [port, url] = await buildOfUser();
    const data = volume('data');
    const start = (): Promise<Container> =>
      store.start('localhost/shop', ['start', '--key-file', '/var/lib/sluice/key'], {
        mounts: { [data]: '/var/lib/sluice' },
        env: { PORT: String(port) },
      });
    const first = await start();
    await until('it is ready', () => isReady(url));
    // As the kernel sees it: the user, no capability, system calls filtered.
    const status = readFileSync(`/proc/${first.pid}/status`, 'utf8');
    expect(status).toMatch(new RegExp(`^Uid:\\s+${imageUser}\\s`, 'm'));
    expect(status).toMatch(/^CapEff:\s+0+$/m);
    expect(status).toMatch(/^Seccomp:\s+2$/m);
    expect((await first.exec('touch', '/app/x')).said).toContain('Read-only file system');
    expect(await first.exec('sluice', 'health')).toMatchObject({ code: 0 });
    expect((await first.exec('sluice', 'status')).said).toContain('(topology.ts)');

    const key = (await first.exec('cat', '/var/lib/sluice/key')).said.trim();
    const send = sender(url, key);
    expect(await sender(url, 'slc_of_nobody')(0)).toBe(401);
    let again: Promise<Container> | undefined;
    const restart = async (): Promise<Container> => {
      expect(await first.end('SIGTERM')).toBe(0);
      return start();
    };
    const refused = await sendAll(send, (n) => {
      if (n === events / 2) again = restart();
    });
    const second = await again;
    expect(refused).toBeGreaterThan(0);
    expect(await first.logs()).toContain('SIGTERM: stopping');
    const count = 'SELECT count(*) AS events, count(DISTINCT id) AS ids FROM clicks';
    let rows: unknown;
    await until('all rows are there', async () => {
      const asked = await second?.exec('sluice', '--json', 'query', count);
      rows = asked?.code === 0 ? JSON.parse(asked.said) : asked;
      return JSON.stringify(rows).includes(`"ids":${events}`);
    });
    expect(JSON.stringify(rows)).toContain(`"events":${events}`);
    expect(await second?.end('SIGTERM')).toBe(0);
  });

  it.runIf(isFull)(
    'as two services takes 1,000 events with a SIGTERM of each in the middle, and loses none',
    async () => {
      const cloud = await startCloud();
      onTestFinished(() => cloud.stop());
      await cloud.createStream('shop', 2);
      await cloud.createBucket('shop');
      await buildOfUser();
      const [port, healthPort] = [await freePort(), await freePort()];
      const env = {
        ...cloud.env,
        SLUICE_CONFIG: '/etc/sluice/services.yaml',
        KAFKA_BROKERS: cloud.kafka.plain,
        PORT: String(port),
        HEALTH_PORT: String(healthPort),
      };
      const data = { ingest: volume('ingest'), enrich: volume('enrich') };
      const start = (name: 'ingest' | 'enrich'): Promise<Container> =>
        store.start(
          'localhost/shop',
          name === 'ingest' ? [name, '--key-file', '/var/lib/sluice/key'] : [name],
          { mounts: { [data[name]]: '/var/lib/sluice' }, env },
        );
      const [ingest, enrich] = [await start('ingest'), await start('enrich')];
      const url = `http://127.0.0.1:${port}`;
      await until('both are ready', async () => {
        const ready = await Promise.all([url, `http://127.0.0.1:${healthPort}`].map(isReady));
        return ready.every(Boolean);
      });
      for (const each of [ingest, enrich])
        expect(await each.exec('sluice', 'health', '--ready')).toMatchObject({ code: 0 });
      const key = (await ingest.exec('cat', '/var/lib/sluice/key')).said.trim();
      const again: Promise<Container>[] = [];
      const restart = async (name: 'ingest' | 'enrich', first: Container): Promise<Container> => {
        expect(await first.end('SIGTERM')).toBe(0);
        return start(name);
      };
      const refused = await sendAll(sender(url, key), (n) => {
        if (n === events / 4) again.push(restart('enrich', enrich));
        if (n === events / 2) again.push(restart('ingest', ingest));
      });
      expect(refused).toBeGreaterThan(0);
      const second = await Promise.all(again);
      const lake = join(dir, 'lake');
      let rows: readonly unknown[] = [];
      await until('all rows are there', async () => {
        rmSync(lake, { recursive: true, force: true });
        await copyLake(cloud, 'shop', 'lake/', lake);
        const count = 'SELECT count(*), count(DISTINCT id) FROM clicks';
        rows = await rowsOf(lake, count).catch(() => []);
        return JSON.stringify(rows).endsWith(`${events}]]`);
      });
      expect(rows).toEqual([[events, events]]);
      for (const each of second) expect(await each.end('SIGTERM')).toBe(0);
    },
  );
});

/** Sends one event; its status, 0 without an answer. */
function sender(url: string, key: string): (n: number) => Promise<number> {
  return (n) =>
    fetch(`${url}/v1/a/clicks`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': key, 'x-event-id': `e${n}` },
      body: JSON.stringify({ n }),
    }).then(
      (answer) => answer.status,
      () => 0,
    );
}

/** Sends all events; one that is not taken is sent again. How often that was. */
async function sendAll(
  send: (n: number) => Promise<number>,
  before: (n: number) => void,
): Promise<number> {
  let next = 0;
  let refused = 0;
  const sendRest = async (): Promise<void> => {
    while (next < events) {
      const n = next++;
      before(n);
      for (; (await send(n)) !== 200; refused++) await sleep(20);
    }
  };
  await Promise.all(Array.from({ length: senders }, sendRest));
  return refused;
}

/** The image of a user, of the Dockerfile that the page has; its port and address. */
async function buildOfUser(): Promise<readonly [number, string]> {
  const page = readFileSync(join(root, 'docs', 'operating', 'containers.md'), 'utf8');
  const [, text = ''] = /^```dockerfile\n(.*?)^```$/ms.exec(page) ?? [];
  expect(text).toContain('FROM sluice AS build');
  const own = join(dir, 'shop');
  mkdirSync(own, { recursive: true });
  writeFileSync(join(own, 'Dockerfile'), text.replaceAll('FROM sluice', `FROM ${tag}`));
  writeFileSync(join(own, 'topology.ts'), topology);
  writeFileSync(
    join(own, 'sluice.yaml'),
    `streams: [{ team: a, app: clicks, envelope: none }]
ingress: { port: "\${PORT}" }
local: { checkpoint_ms: 200, parquet_file_age_ms: 0 }
topologies: [topology.ts]
`,
  );
  writeFileSync(
    join(own, 'services.yaml'),
    `streams: [{ team: a, app: clicks, envelope: none, kinesis_stream: shop, kafka_topic: shop }]
ingress: { port: "\${PORT}" }
enrich: { port: "\${HEALTH_PORT}", checkpoint_ms: 1000, parquet_file_age_ms: 1000 }
metrics: { port: 0 }
kinesis: { region: us-east-1, endpoint: "\${KINESIS_ENDPOINT}" }
kafka: { brokers: "\${KAFKA_BROKERS}" }
s3: { bucket: shop, region: us-east-1, endpoint: "\${S3_ENDPOINT}" }
topologies: [topology.ts]
`,
  );
  await store.build('localhost/shop', join(own, 'Dockerfile'), own);
  expect(existsSync(join(own, 'topology.built.mjs'))).toBe(false);
  const port = await freePort();
  return [port, `http://127.0.0.1:${port}`];
}
