/**
 * Data beyond both routes, from the request to the topology: over HTTP, real embedded streams and a
 * real blob store.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { localBlobStore } from '../../deploy/stores/local/local-blob-store.ts';
import { embeddedReader, openEmbeddedStreams } from '../../deploy/streams/embedded/embedded-log.ts';
import { createIngress } from '../../ingest/ingress.ts';
import { silentLog } from '../../ingest/telemetry/log.ts';
import { routing } from '../../schemas/config/ingress.ts';
import { defaultsOf } from '../../schemas/config/values.ts';
import type { StreamConfig } from '../../schemas/config.ts';
import { ledgerStream } from '../../schemas/config.ts';
import { systemClock } from '../../schemas/kernel/clock.ts';
import { systemRandom } from '../../schemas/kernel/random.ts';
import type { BlobStore } from '../../schemas/ports/blob-store.ts';
import type { Route } from '../../schemas/ports/record.ts';
import type { RecordWriter } from '../../schemas/ports/record-writer.ts';
import { createJob, schemaOf, stream, table, topology } from '../../topology/index.ts';
import { memoryBlobs, world } from '../topology/support.ts';
import type { HttpAnswer } from './support.ts';
import { post, settings, streamConfig } from './support.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-claims-'));
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});
afterAll(() => rmSync(root, { recursive: true, force: true }));
let made = 0;

const row = schemaOf<{ readonly id: string; readonly text: string }>({
  $id: 'https://sluice.example/test/claimed',
  type: 'object',
  properties: { id: { type: 'string' }, text: { type: 'string' } },
});

interface Landed {
  readonly out: readonly { readonly id: string; readonly text: string }[];
  readonly rejected: readonly Record<string, unknown>[];
}

interface Rig {
  readonly claimsDir: string;
  readonly actions: string[];
  send(
    id: string,
    body: string | Uint8Array,
    headers?: Readonly<Record<string, string>>,
  ): Promise<HttpAnswer>;
  /** What a topology that reads the stream from its beginning to its end gets. */
  read(): Promise<Landed>;
}

/** The large route takes records of `largeMaxBytes`. */
async function rigOf(
  more: Partial<StreamConfig> = {},
  options: {
    readonly largeMaxBytes?: number;
    readonly claimCheck?: boolean;
    readonly store?: (real: BlobStore) => BlobStore;
  } = {},
): Promise<Rig> {
  const dir = join(root, String(made++));
  const claimsDir = join(dir, 'claims');
  const own = streamConfig('a', 'b', more);
  const streams = await openEmbeddedStreams({
    root: join(dir, 'log'),
    streams: [own, ledgerStream],
    local: { kinesisShards: 1, kafkaPartitions: 1, retentionMaxBytes: 1e9, retentionMaxMs: 1e9 },
    clock: systemClock,
  });
  closing.push(() => streams.close());
  const real = localBlobStore(claimsDir);
  const store = options.store?.(real) ?? real;
  const actions: string[] = [];
  const writerOf = (path: Route): RecordWriter => {
    const writer = streams.writer(path);
    return {
      route: path,
      async describe(name) {
        const found = await writer.describe(name);
        return path === 'kafka' && options.largeMaxBytes !== undefined
          ? { ...found, recordMaxBytes: options.largeMaxBytes }
          : found;
      },
      write(name, records) {
        if (name === own.name) actions.push(`${path} written`);
        return writer.write(name, records);
      },
      close: () => writer.close(),
    };
  };
  const ingress = await createIngress({
    config: settings([own], {}, 1_000, {
      routing: {
        ...defaultsOf(routing),
        largeMessageThresholdBytes: 1_000,
        claimCheck: options.claimCheck ?? true,
      },
    }),
    writers: { kinesis: writerOf('kinesis'), kafka: writerOf('kafka') },
    spoolDir: join(dir, 'spool'),
    blobs: {
      ...store,
      async createIfAbsent(key, bytes) {
        const isNew = await store.createIfAbsent(key, bytes);
        actions.push('stored');
        return isNew;
      },
    },
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  });
  closing.push(() => ingress.shutDown());

  return {
    claimsDir,
    actions,
    send: (id, body, headers = {}) =>
      post(`${ingress.url}/v1/a/b`, body, {
        ...(id === '' ? {} : { 'X-Event-Id': id }),
        'X-Partition-Key': 'k',
        ...headers,
      }),
    async read() {
      const job_ = world({});
      const job = createJob({
        topology: topology('claimed', { version: 1, owner: 'a/b' }, (t) => {
          t.source('in', stream('a/b', { dataText: true }))
            .map((e) => ({ id: e.id, text: e.dataText }))
            .sinkTo('out', table('out', row));
        }),
        blobs: memoryBlobs(),
        connectors: {
          ...job_.connectors,
          readers: (name) => Promise.resolve(streams.handles(name).map(embeddedReader)),
          claims: store,
        },
        clock: systemClock,
        random: systemRandom,
        checkpointIntervalMs: 0,
      });
      await job.open();
      const running = job.run();
      await job.drain();
      await running;
      await job.close();
      return {
        out: (job_.tables['out']?.visible ?? []) as Landed['out'],
        rejected: (job_.tables['rejected']?.visible ?? []) as Landed['rejected'],
      };
    },
  };
}

const filesIn = (dir: string): readonly string[] =>
  readdirSync(dir, { recursive: true, encoding: 'utf8', withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

describe('an event beyond both routes', () => {
  it('of many MiB is stored, then written, then answered, and comes out byte for byte', async () => {
    const rig = await rigOf();
    const body = `{ "fill" :\t"${'\u00e9'.repeat(6_000_000)}", "n": 1e0 }`;
    const answer = await rig.send('huge', body);
    expect([answer.status, answer.json['route'], answer.headers['x-sluice-ack']]).toEqual([
      200,
      'kinesis',
      'replicated',
    ]);
    expect(rig.actions).toEqual(['stored', 'kinesis written']);
    const { out, rejected } = await rig.read();
    expect(rejected).toEqual([]);
    expect(out.map(({ id }) => id)).toEqual(['huge']);
    expect(out[0]?.text === body).toBe(true);
  });

  it('comes out between the small and the large ones, compressed or in an array as it may have been', async () => {
    const rig = await rigOf({}, { largeMaxBytes: 40_000 });
    const texts = new Map<string, string>();
    for (const [n, size] of [10, 5_000, 50_000, 20, 90_000, 3_000].entries()) {
      const text = JSON.stringify(`${n}${'x'.repeat(size)}`);
      texts.set(`e${n}`, text);
      const isPacked = n % 2 === 0;
      const answer = await rig.send(
        `e${n}`,
        isPacked ? gzipSync(text) : text,
        isPacked ? { 'content-encoding': 'gzip' } : {},
      );
      expect(answer.status).toBe(200);
    }
    const batch = [1, 60_000, 70_000].map((size) => JSON.stringify('y'.repeat(size)));
    const array = await rig.send('', `[${batch.join(',')}]`);
    expect([array.status, array.json.results?.length]).toEqual([200, 3]);
    const { out, rejected } = await rig.read();
    expect(rejected).toEqual([]);
    for (const [id, text] of texts)
      expect(out.find((each) => each.id === id)?.text === text, id).toBe(true);
    expect(out.filter(({ text }) => batch.includes(text))).toHaveLength(3);
    expect(filesIn(rig.claimsDir)).toHaveLength(4);
  });

  it('is refused where claim checks are off, and nothing is stored', async () => {
    const rig = await rigOf({}, { largeMaxBytes: 40_000, claimCheck: false });
    const answer = await rig.send('e', JSON.stringify('x'.repeat(50_000)));
    expect([answer.status, answer.json.error?.['code']]).toEqual([413, 'event-too-large']);
    expect(rig.actions).toEqual([]);
  });

  it('that cannot be stored is refused with 503, written nowhere, and taken when it is sent again', async () => {
    let isFull = true;
    const rig = await rigOf(
      {},
      {
        largeMaxBytes: 40_000,
        store: (real) => ({
          ...real,
          createIfAbsent: (key, bytes) =>
            isFull
              ? Promise.reject(new Error('the disk is full'))
              : real.createIfAbsent(key, bytes),
        }),
      },
    );
    const body = JSON.stringify('x'.repeat(50_000));
    const refused = await rig.send('e', body);
    expect([refused.status, refused.json.error?.['code']]).toEqual([503, 'claim-not-stored']);
    expect(refused.headers['retry-after']).toBeDefined();
    expect(rig.actions).toEqual([]);
    isFull = false;
    expect((await rig.send('e', body)).status).toBe(200);
    expect((await rig.read()).out).toEqual([{ id: 'e', text: body }]);
  });

  it('that is sent again is stored and written once', async () => {
    const rig = await rigOf({}, { largeMaxBytes: 40_000 });
    const body = JSON.stringify('x'.repeat(50_000));
    const answers = await Promise.all([rig.send('e', body), rig.send('e', body)]);
    answers.push(await rig.send('e', body));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(rig.actions).toEqual(['stored', 'kinesis written']);
  });

  it('of a stream whose answers mean this disk goes through its spool', async () => {
    const rig = await rigOf({ ack: 'spooled', order: 'key' }, { largeMaxBytes: 40_000 });
    const body = JSON.stringify('x'.repeat(50_000));
    for (let n = 0; n < 4; n++) {
      expect((await rig.send(`e${n}`, n % 2 === 0 ? body : '1')).status).toBe(202);
    }
    await expect.poll(async () => (await rig.read()).out.length, { timeout: 10_000 }).toBe(4);
    expect((await rig.read()).out.map(({ id, text }) => [id, text.length])).toEqual([
      ['e0', body.length],
      ['e1', 1],
      ['e2', body.length],
      ['e3', 1],
    ]);
  });

  it('keeps its place in the order of its key, however long its data takes to be stored', async () => {
    const rig = await rigOf(
      { order: 'key' },
      {
        largeMaxBytes: 40_000,
        store: (real) => ({
          ...real,
          // The larger, the sooner: were they not in a line, they would change places.
          async createIfAbsent(key, bytes) {
            await new Promise((resolve) => setTimeout(resolve, bytes.length < 60_000 ? 60 : 20));
            return real.createIfAbsent(key, bytes);
          },
        }),
      },
    );
    const texts = [50_000, 1, 70_000, 2, 55_000, 80_000, 3].map((size, n) =>
      JSON.stringify(`${n}${'x'.repeat(size)}`),
    );
    expect((await rig.send('', `[${texts.join(',')}]`)).status).toBe(200);
    const { out } = await rig.read();
    expect(out.map(({ text }) => text.slice(1, 2))).toEqual(['0', '1', '2', '3', '4', '5', '6']);
  });

  it('that cannot be stored keeps nothing that came behind it from coming after it', async () => {
    let isFull = true;
    const rig = await rigOf(
      { order: 'key' },
      {
        largeMaxBytes: 40_000,
        store: (real) => ({
          ...real,
          createIfAbsent: (key, bytes) =>
            isFull
              ? Promise.reject(new Error('the disk is full'))
              : real.createIfAbsent(key, bytes),
        }),
      },
    );
    const texts = [50_000, 1].map((size, n) => JSON.stringify(`${n}${'x'.repeat(size)}`));
    const answer = await rig.send('', `[${texts.join(',')}]`);
    const codes = answer.json.results?.map(
      ({ error }) => (error as { readonly code?: string } | undefined)?.code,
    );
    expect(codes ?? answer.json.error?.['code']).toEqual(['claim-not-stored', 'order-kept']);
    isFull = false;
    expect((await rig.send('', `[${texts.join(',')}]`)).status).toBe(200);
    expect((await rig.read()).out.map(({ text }) => text.slice(1, 2))).toEqual(['0', '1']);
  });

  it('whose blob was altered is rejected by itself', async () => {
    const rig = await rigOf({}, { largeMaxBytes: 40_000 });
    for (const id of ['bad', 'good'])
      expect((await rig.send(id, JSON.stringify(id.repeat(20_000)))).status).toBe(200);
    const bad =
      filesIn(rig.claimsDir).find((path) => readFileSync(path, 'utf8').startsWith('"bad')) ?? '';
    const bytes = readFileSync(bad);
    bytes[9] = (bytes[9] ?? 0) ^ 1;
    writeFileSync(bad, bytes);
    const { out, rejected } = await rig.read();
    expect(out.map(({ id }) => id)).toEqual(['good']);
    expect(rejected).toMatchObject([
      {
        id: 'bad',
        code: 'claim-unresolved',
        message: expect.stringContaining('SHA-256') as string,
      },
    ]);
  });
});

describe('a client', () => {
  it('cannot make a topology read what was stored for another', async () => {
    const rig = await rigOf({}, { largeMaxBytes: 40_000 });
    const pointer = { dataref: 'claim:c/d/2026-01-01/1', datasize: '1', datasha256: '0' };
    const event = { specversion: '1.0', id: 'e', source: '/s', type: 't', ...pointer };
    const answer = await rig.send('e', JSON.stringify(event), {
      'content-type': 'application/cloudevents+json',
    });
    expect(answer.status).toBe(400);
    const binary = Object.fromEntries(
      Object.entries(event).map(([name, value]) => [`ce-${name}`, value]),
    );
    expect((await rig.send('e', '1', binary)).status).toBe(400);
    // As data it is data.
    expect((await rig.send('e', JSON.stringify({ ...pointer, data: null }))).status).toBe(200);
    expect((await rig.read()).out).toEqual([
      { id: 'e', text: JSON.stringify({ ...pointer, data: null }) },
    ]);
  });
});
