/**
 * The embedded streams: the contract of the ports, and that splits stay where they were.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, describe, expect, it } from 'vitest';
import type { EmbeddedStreams } from '../../../../deploy/streams/embedded/embedded-log.ts';
import {
  embeddedReader,
  openEmbeddedStreams,
} from '../../../../deploy/streams/embedded/embedded-log.ts';
import { splitOf, splitsAmong } from '../../../../deploy/streams/embedded/embedded-splits.ts';
import { createIngress } from '../../../../ingest/ingress.ts';
import type { OpenLogFile } from '../../../../ingest/segment-log/log-file.ts';
import { openLogFile } from '../../../../ingest/segment-log/log-file.ts';
import { silentLog } from '../../../../ingest/telemetry/log.ts';
import { ledgerStream } from '../../../../schemas/config.ts';
import { systemClock } from '../../../../schemas/kernel/clock.ts';
import { systemRandom } from '../../../../schemas/kernel/random.ts';
import type { Route } from '../../../../schemas/ports/record.ts';
import { routes } from '../../../../schemas/ports/record.ts';
import type { RecordReader } from '../../../../schemas/ports/record-reader.ts';
import { recordReaderContract } from '../../../contract/record-reader.ts';
import type { StreamHarness } from '../../../contract/record-stream.ts';
import { readAll, recordStreamContract } from '../../../contract/record-stream.ts';
import { recordWriterContract } from '../../../contract/record-writer.ts';
import { post, settings, streamConfig } from '../../../ingest/support.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-embedded-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let made = 0;

function open(
  dir: string,
  splits = 3,
  openFile?: OpenLogFile,
  retentionMaxBytes = 1e9,
): Promise<EmbeddedStreams> {
  return openEmbeddedStreams({
    root: dir,
    streams: [streamConfig('a', 'b'), ledgerStream],
    local: {
      kinesisShards: splits,
      kafkaPartitions: splits,
      retentionMaxBytes,
      retentionMaxMs: 1e9,
    },
    clock: systemClock,
    segmentMaxBytes: 2_000,
    ...(openFile === undefined ? {} : { openFile }),
  });
}

async function harness(path: Route): Promise<StreamHarness> {
  const streams = await open(join(root, String(made++)));
  const handle = streams.handles('a/b').find((each) => each.route === path);
  if (handle === undefined) throw new Error('no handle');
  const readers: RecordReader[] = [];
  return {
    path,
    stream: 'a/b',
    writer: streams.writer(path),
    reader() {
      const reader = embeddedReader(handle);
      readers.push(reader);
      return reader;
    },
    async close() {
      for (const reader of readers) await reader.close();
      await streams.close();
    },
  };
}

describe('the embedded Kinesis stream', () => recordStreamContract(() => harness('kinesis')));
describe('the embedded Kafka topic', () => recordStreamContract(() => harness('kafka')));
for (const path of routes) {
  recordWriterContract(`the embedded writer of ${path}`, () => harness(path));
  recordReaderContract(`the embedded reader of ${path}`, () => harness(path));
}

describe('embedded streams', () => {
  it('have everything again when they are opened again, also when configuration asks for other splits', async () => {
    const dir = join(root, 'again');
    const before = await open(dir, 2);
    for (let n = 0; n < 40; n++)
      await before
        .writer('kafka')
        .write('a/b', [{ key: `k${n}`, value: [Buffer.from(String(n))], headers: { n: `é${n}` } }]);
    await before.close();
    const after = await open(dir, 5);
    const handle = after.handles('a/b').find((each) => each.route === 'kafka');
    if (handle === undefined) throw new Error('no handle');
    const reader = embeddedReader(handle);
    const all = await readAll(reader);
    expect([...all.keys()]).toEqual(['partition-0', 'partition-1']);
    expect(
      [...all.values()]
        .flat()
        .map((read) => Number(read.text))
        .sort((a, b) => a - b),
    ).toEqual(Array.from({ length: 40 }, (_, n) => n));
    const [record] = (
      await reader.read('partition-0', undefined, { maxRecords: 1, maxBytes: 1_000 })
    ).records;
    expect(record?.headers?.['n']).toMatch(/^é\d+$/);
    await reader.close();
    await after.close();
  });

  it('give sequence numbers beyond 2^53 on the small route', async () => {
    const made = await harness('kinesis');
    const [outcome] = await made.writer.write('a/b', [{ key: 'k', value: [Buffer.from('1')] }]);
    expect(
      outcome?.kind === 'applied' && BigInt(outcome.position) > BigInt(Number.MAX_SAFE_INTEGER),
    ).toBe(true);
    await made.close();
  });

  it('shard as Kinesis does, by the MD5 of the key over even ranges', () => {
    for (const count of [1, 2, 3, 7, 16])
      for (let n = 0; n < 200; n++) {
        const md5 = BigInt(`0x${createHash('md5').update(`key-${n}`).digest('hex')}`);
        expect(splitOf('kinesis', `key-${n}`, count)).toBe(Number((md5 * BigInt(count)) >> 128n));
      }
  });

  it('order splits by number, so that no key moves when there are more than ten, and take nothing else for a split', () => {
    const names = [
      'partition-10',
      '.DS_Store',
      'partition-9',
      'partition-0',
      'shardId-000000000000',
      'partition-x',
    ];
    expect(splitsAmong('kafka', names)).toEqual(['partition-0', 'partition-9', 'partition-10']);
    expect(splitsAmong('kinesis', names)).toEqual(['shardId-000000000000']);
  });

  it('are not disturbed by what else lies in their folder', async () => {
    const dir = join(root, 'strangers');
    mkdirSync(join(dir, 'a', 'b', 'kafka'), { recursive: true });
    writeFileSync(join(dir, 'a', 'b', 'kafka', '.DS_Store'), '');
    const streams = await open(dir, 2);
    expect((await streams.writer('kafka').describe('a/b')).splits).toEqual([
      'partition-0',
      'partition-1',
    ]);
    await streams.close();
    writeFileSync(join(dir, 'a', 'b', 'kafka', 'partition-0', 'notes.log'), 'not a segment');
    await (await open(dir, 2)).close();
  });

  it('read from the oldest kept record when no position is given, and count the lag from there', async () => {
    const dir = join(root, 'trimmed');
    const streams = await open(dir, 1, undefined, 3_000);
    for (let n = 0; n < 60; n++)
      await streams
        .writer('kafka')
        .write('a/b', [{ key: 'k', value: [Buffer.from(`${n}`.padEnd(200))] }]);
    const handle = streams.handles('a/b').find((each) => each.route === 'kafka');
    if (handle === undefined) throw new Error('no handle');
    const reader = embeddedReader(handle);
    const [all] = [...(await readAll(reader)).values()];
    const kept = all?.map((read) => Number(read.text)) ?? [];
    const [oldest = 0] = kept;
    expect(oldest).toBeGreaterThan(10);
    expect(kept).toEqual(Array.from({ length: 60 - oldest }, (_, n) => oldest + n));
    expect(await reader.lag('partition-0', undefined)).toBe(60 - oldest);
    await expect(
      reader.read('partition-0', '0', { maxRecords: 1, maxBytes: 1_000 }),
    ).rejects.toMatchObject({ code: 'position-trimmed' });
    await reader.close();
    await streams.close();
  });

  it('show a reader in another thread nothing that is written and not yet synced', async () => {
    const dir = join(root, 'unsynced');
    let held: (() => void)[] | undefined;
    let reached = (): void => undefined;
    const streams = await open(dir, 1, async (path) => {
      const file = await openLogFile(path);
      return {
        ...file,
        async datasync() {
          await file.datasync();
          if (held === undefined) return;
          await new Promise<void>((resolve) => {
            held?.push(resolve);
            reached();
          });
        },
      };
    });
    const handle = streams.handles('a/b').find((each) => each.route === 'kinesis');
    const module = new URL('../../../../deploy/streams/embedded/embedded-log.js', import.meta.url)
      .href;
    const script = `
      const { parentPort, workerData } = require('node:worker_threads');
      import(workerData.module).then(({ embeddedReader }) => {
        const reader = embeddedReader(workerData.handle);
        parentPort.on('message', async () => {
          const { records } = await reader.read('shardId-000000000000', undefined, { maxRecords: 50, maxBytes: 100000 });
          parentPort.postMessage({ read: records.length, latest: await reader.latest('shardId-000000000000') !== undefined });
        });
      });`;
    const worker = new Worker(script, { eval: true, workerData: { module, handle } });
    const ask = (): Promise<unknown> =>
      new Promise((resolve, reject) => {
        worker.once('message', resolve).once('error', reject);
        worker.postMessage('read');
      });
    held = [];
    const atSync = new Promise<void>((resolve) => {
      reached = resolve;
    });
    const writing = streams
      .writer('kinesis')
      .write('a/b', [{ key: 'k', value: [Buffer.from('1')] }]);
    await atSync;
    expect(readdirSync(join(dir, 'a', 'b', 'kinesis', 'shardId-000000000000'))).toEqual([
      '00000000000000000000.log',
      'lock',
    ]);
    expect(await ask()).toEqual({ read: 0, latest: false });
    const release = held;
    held = undefined;
    for (const go of release) go();
    expect((await writing)[0]?.kind).toBe('applied');
    expect(await ask()).toEqual({ read: 1, latest: true });
    await worker.terminate();
    await streams.close();
  });

  it('can be read in another thread while they are written', async () => {
    const dir = join(root, 'thread');
    const streams = await open(dir, 1);
    const handle = streams.handles('a/b').find((each) => each.route === 'kinesis');
    const module = new URL('../../../../deploy/streams/embedded/embedded-log.js', import.meta.url)
      .href;
    const script = `
      const { parentPort, workerData } = require('node:worker_threads');
      (async () => {
        const { embeddedReader } = await import(workerData.module);
        const reader = embeddedReader(workerData.handle);
        const seen = [];
        let after;
        while (seen.length < 500) {
          const { records } = await reader.read('shardId-000000000000', after, { maxRecords: 50, maxBytes: 100000 });
          for (const record of records) seen.push(Number(Buffer.from(record.value).toString()));
          after = records.at(-1)?.position ?? after;
          if (records.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
        }
        parentPort.postMessage(seen);
      })();`;
    const worker = new Worker(script, { eval: true, workerData: { module, handle } });
    const seen = new Promise<number[]>((resolve, reject) =>
      worker.once('message', resolve).once('error', reject),
    );
    for (let n = 0; n < 500; n += 5)
      await streams.writer('kinesis').write(
        'a/b',
        [0, 1, 2, 3, 4].map((i) => ({ key: 'k', value: [Buffer.from(String(n + i))] })),
      );
    expect(await seen).toEqual(Array.from({ length: 500 }, (_, n) => n));
    await worker.terminate();
    await streams.close();
  });

  it('behind the ingress answer 503 while the disk is full, and hold everything that was answered 200', async () => {
    let room = true;
    const streams = await open(join(root, 'full'), 2, async (path) => {
      const file = await openLogFile(path);
      const full = (): Promise<void> =>
        Promise.reject(
          Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' }),
        );
      return { ...file, write: (bytes, position) => (room ? file.write(bytes, position) : full()) };
    });
    const ingress = await createIngress({
      config: settings(
        [streamConfig('a', 'b')],
        { bodyMaxBytes: 1e6, bodyDecodedMaxBytes: 1e6, inFlightMaxBytes: 1e6 },
        100,
      ),
      writers: { kinesis: streams.writer('kinesis'), kafka: streams.writer('kafka') },
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
    });
    const acknowledged: string[] = [];
    const statuses: number[] = [];
    for (let n = 0; n < 30; n++) {
      if (n === 20) await untilTaken(ingress.url, acknowledged, () => (room = true));
      room = n < 10 || n >= 20;
      const body = JSON.stringify(`${n}`.padEnd(n % 2 === 0 ? 5 : 200));
      const answer = await post(`${ingress.url}/v1/a/b`, body);
      statuses.push(answer.status);
      if (answer.status === 200) acknowledged.push(body);
      else
        expect(answer).toMatchObject({
          headers: { 'retry-after': '1' },
          json: { error: { code: expect.stringMatching(/^(?:disk-full|stream-down)$/) } },
        });
    }
    expect(statuses).toEqual([
      ...Array.from({ length: 10 }, () => 200),
      ...Array.from({ length: 10 }, () => 503),
      ...Array.from({ length: 10 }, () => 200),
    ]);
    await ingress.shutDown();
    const found: string[] = [];
    for (const handle of streams.handles('a/b')) {
      const reader = embeddedReader(handle);
      for (const records of (await readAll(reader)).values())
        found.push(
          ...records.map((record) =>
            handle.route === 'kafka'
              ? record.text
              : record.text.slice(record.text.indexOf('"data":') + 7, -1),
          ),
        );
      await reader.close();
    }
    expect(found.sort()).toEqual(acknowledged.sort());
    await streams.close();
  });
});

/** Sends until the breaker has let one through again. */
async function untilTaken(url: string, acknowledged: string[], make: () => void): Promise<void> {
  make();
  for (const path of ['small', 'l'.repeat(200)]) {
    const body = JSON.stringify(path);
    for (;;) {
      const { status } = await post(`${url}/v1/a/b`, body);
      if (status !== 200) continue;
      acknowledged.push(body);
      break;
    }
  }
}
