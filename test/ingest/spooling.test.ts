/**
 * What a client is told while its stream is down, and what becomes of what it was told: over HTTP,
 * with spools on a real disk, through recovery, restarts and changes of the configuration.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { Spool } from '../../ingest/delivery/spool.ts';
import { openSpool } from '../../ingest/delivery/spool.ts';
import type { Ingress, IngressSettings } from '../../ingest/ingress.ts';
import { createIngress } from '../../ingest/ingress.ts';
import { createLog } from '../../ingest/telemetry/log.ts';
import type { StreamConfig } from '../../schemas/config.ts';
import { systemClock } from '../../schemas/kernel/clock.ts';
import { systemRandom } from '../../schemas/kernel/random.ts';
import type { WriteOutcome } from '../../schemas/ports/record-writer.ts';
import type { WriterDouble } from './support.ts';
import { post, settings, streamConfig, writerDouble } from './support.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-spooling-'));
const running: Ingress[] = [];
afterEach(async () => {
  for (const ingress of running.splice(0)) await ingress.shutDown();
});
afterAll(() => rmSync(root, { recursive: true, force: true }));
let made = 0;
const folder = (): string => join(root, String(made++));

const down: WriteOutcome = {
  kind: 'refused',
  code: 'stream-unreachable',
  message: 'it is down',
  retryable: true,
};
const never: WriteOutcome = {
  kind: 'refused',
  code: 'record-too-large',
  message: 'it is too large',
  retryable: false,
};

interface Told {
  readonly level: number;
  readonly msg: string;
  readonly [fact: string]: unknown;
}

interface Rig {
  readonly ingress: Ingress;
  readonly kinesis: WriterDouble;
  readonly kafka: WriterDouble;
  readonly told: readonly Told[];
  send(app: string, data: unknown, key?: string): ReturnType<typeof post>;
}

async function rigOf(
  spoolDir: string,
  streams: readonly StreamConfig[],
  bounds: Partial<IngressSettings['ingress']> = {},
  decide: WriterDouble['decide'] = () => undefined,
): Promise<Rig> {
  const told: Told[] = [];
  const to = new Writable({
    write(line: Buffer, _encoding, done) {
      told.push(JSON.parse(line.toString()) as Told);
      done();
    },
  });
  const actions: string[] = [];
  const [kinesis, kafka] = [writerDouble('kinesis', actions), writerDouble('kafka', actions)];
  kinesis.decide = decide;
  const ingress = await createIngress({
    config: settings(streams, bounds),
    writers: { kinesis, kafka },
    spoolDir,
    clock: systemClock,
    random: systemRandom,
    log: createLog({ level: 'info', json: true, to }),
  });
  running.push(ingress);
  const send = (app: string, data: unknown, key?: string): ReturnType<typeof post> =>
    post(
      `${ingress.url}/v1/a/${app}`,
      JSON.stringify(data),
      key === undefined ? {} : { 'X-Partition-Key': key },
    );
  return { ingress, kinesis, kafka, told, send };
}

async function stop({ ingress }: Rig): Promise<void> {
  running.splice(running.indexOf(ingress), 1);
  await ingress.shutDown();
}

const dataIn = ({ applied }: WriterDouble): unknown[] =>
  applied.map(({ data }) => JSON.parse(Buffer.from(data).toString()) as unknown);

const untilIn = (writer: WriterDouble, count: number): Promise<void> =>
  expect.poll(() => writer.applied.length, { timeout: 20_000, interval: 5 }).toBe(count);

const spoolGauge = async ({ ingress }: Rig): Promise<string> =>
  (await ingress.metrics()).text
    .split('\n')
    .filter((line) => /^sluice_ingress_spool_(records|bytes|age)/.test(line))
    .join('\n');

describe('a stream that spools while it is down', () => {
  it('says spooled, and gives all of it to the stream in order once that answers', async () => {
    const rig = await rigOf(folder(), [
      streamConfig('a', 'clicks', { whenDown: 'spool', order: 'key' }),
    ]);
    rig.kinesis.decide = () => down;
    for (let n = 0; n < 5; n++) {
      const answer = await rig.send('clicks', n, 'k');
      expect([answer.status, answer.headers['x-sluice-ack'], answer.json['position']]).toEqual([
        202,
        'spooled',
        undefined,
      ]);
    }
    rig.kinesis.decide = () => undefined;
    await untilIn(rig.kinesis, 5);
    expect(dataIn(rig.kinesis)).toEqual([0, 1, 2, 3, 4]);
    // What comes afterwards goes to the stream again.
    await expect
      .poll(async () => (await rig.send('clicks', 'after', 'k')).status, { interval: 20 })
      .toBe(200);
  });

  it('takes large events as well, on their own route, although the small route is fine', async () => {
    const rig = await rigOf(folder(), [streamConfig('a', 'clicks', { whenDown: 'spool' })]);
    rig.kafka.decide = () => down;
    const large = 'x'.repeat(200_000);
    expect((await rig.send('clicks', large)).status).toBe(202);
    expect((await rig.send('clicks', 'small')).status).toBe(200);
    rig.kafka.decide = () => undefined;
    await untilIn(rig.kafka, 1);
    expect(dataIn(rig.kafka)).toEqual([large]);
  });

  it('leaves what it could not write to the next start, which tells of it and writes it', async () => {
    const dir = folder();
    const streams = [streamConfig('a', 'clicks', { whenDown: 'spool' })];
    const first = await rigOf(dir, streams);
    first.kinesis.decide = () => down;
    for (const data of ['a', 'b', 'c']) expect((await first.send('clicks', data)).status).toBe(202);
    await stop(first);
    expect(first.kinesis.applied).toEqual([]);
    const second = await rigOf(dir, streams);
    await untilIn(second.kinesis, 3);
    expect(dataIn(second.kinesis)).toEqual(['a', 'b', 'c']);
    expect(second.told.find(({ msg }) => msg.includes('earlier run'))).toMatchObject({
      stream: 'a/clicks',
      path: 'kinesis',
      records: 3,
    });
    await expect.poll(() => second.told.some(({ msg }) => msg === 'spool drained')).toBe(true);
  });

  it('refuses with 503 once its spool is full, and takes events again when that was drained', async () => {
    const rig = await rigOf(folder(), [streamConfig('a', 'clicks', { whenDown: 'spool' })], {
      spoolMaxBytes: 20_000,
    });
    rig.kinesis.decide = () => down;
    const statuses: number[] = [];
    for (let n = 0; n < 40; n++)
      statuses.push((await rig.send('clicks', `${n} ${'x'.repeat(900)}`)).status);
    const taken = statuses.indexOf(503);
    expect(taken).toBeGreaterThan(10);
    expect(statuses.slice(taken).every((status) => status === 503)).toBe(true);
    const full = await rig.send('clicks', 'x'.repeat(900));
    expect(full.json.error).toMatchObject({ code: 'spool-full' });
    expect(full.headers['retry-after']).toBeDefined();
    rig.kinesis.decide = () => undefined;
    await untilIn(rig.kinesis, taken);
    rig.kinesis.decide = () => down;
    let again = 0;
    while ((await rig.send('clicks', 'x'.repeat(900))).status === 202) again++;
    expect(again).toBeGreaterThanOrEqual(taken - 4);
  });
});

describe('a stream whose answers mean this disk', () => {
  it('answers 202 after the disk and not after the stream, and writes nothing to the log for it', async () => {
    const rig = await rigOf(folder(), [streamConfig('a', 'clicks', { ack: 'spooled' })]);
    let release: () => void = () => undefined;
    rig.kinesis.gate = new Promise((resolve) => {
      release = resolve;
    });
    const answer = await rig.send('clicks', 'a');
    expect([answer.status, answer.headers['x-sluice-ack']]).toEqual([202, 'spooled']);
    expect(rig.kinesis.applied).toEqual([]);
    release();
    for (const data of ['b', 'c']) await rig.send('clicks', data);
    await untilIn(rig.kinesis, 3);
    expect(rig.told.filter(({ msg }) => msg === 'spool drained')).toEqual([]);
  });

  it('refuses what the disk does not take, and gives nothing of it to the stream', async () => {
    const rig = await rigOf(folder(), [streamConfig('a', 'clicks', { ack: 'spooled' })], {
      spoolMaxBytes: 300,
    });
    const answer = await rig.send('clicks', 'x'.repeat(900));
    expect([answer.status, answer.json.error?.['code']]).toEqual([503, 'spool-full']);
    expect(rig.kinesis.applied).toEqual([]);
  });
});

describe('what a stream left in its spool', () => {
  const leave = async (dir: string, more: Partial<StreamConfig> = {}): Promise<void> => {
    const rig = await rigOf(dir, [streamConfig('a', 'clicks', { whenDown: 'spool', ...more })]);
    rig.kinesis.decide = () => down;
    for (const data of ['a', 'b']) expect((await rig.send('clicks', data, 'k')).status).toBe(202);
    await stop(rig);
  };

  it('is written also when it spools no more', async () => {
    const dir = folder();
    await leave(dir);
    const rig = await rigOf(dir, [streamConfig('a', 'clicks')]);
    await untilIn(rig.kinesis, 2);
    rig.kinesis.decide = () => down;
    expect((await rig.send('clicks', 'c')).status).toBe(503);
  });

  it('goes before anything new in a stream with order, although it spools no more', async () => {
    const dir = folder();
    await leave(dir, { order: 'key' });
    const rig = await rigOf(dir, [streamConfig('a', 'clicks', { order: 'key' })]);
    await expect
      .poll(async () => (await rig.send('clicks', 'c', 'k')).status, {
        interval: 5,
        timeout: 20_000,
      })
      .toBe(200);
    expect(dataIn(rig.kinesis)).toEqual(['a', 'b', 'c']);
  });

  it('is told of and kept when it is configured no more, and written when it is again', async () => {
    const dir = folder();
    await leave(dir);
    const without = await rigOf(dir, [streamConfig('a', 'other')]);
    expect(without.told.find(({ msg }) => msg.includes('no longer configured'))).toMatchObject({
      stream: 'a/clicks',
      path: 'kinesis',
      records: 2,
      dir: join(dir, 'a', 'clicks', 'kinesis'),
    });
    await stop(without);
    expect(without.kinesis.applied).toEqual([]);
    const again = await rigOf(dir, [streamConfig('a', 'clicks')]);
    await untilIn(again.kinesis, 2);
  });

  it("is left alone by a start that fails, because of its port or of another stream's spool", async () => {
    const taken = await rigOf(folder(), [streamConfig('a', 'clicks')]);
    for (const fault of ['port-taken', 'stream-corrupt']) {
      const dir = folder();
      await leave(dir);
      if (fault === 'stream-corrupt') {
        const other = await rigOf(dir, [streamConfig('a', 'other', { ack: 'spooled' })]);
        await stop(other);
        // Says that it was drained further than it reaches.
        writeFileSync(join(dir, 'a', 'other', 'kafka', 'drained'), '7');
      }
      let writes = 0;
      const counting: WriterDouble['decide'] = () => {
        writes++;
        return down;
      };
      const streams = [
        streamConfig('a', 'clicks', { whenDown: 'spool' }),
        streamConfig('a', 'other', { ack: 'spooled' }),
      ];
      const port = fault === 'port-taken' ? taken.ingress.port : 0;
      await expect(rigOf(dir, streams, { port }, counting)).rejects.toMatchObject({ code: fault });
      const before = writes;
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect(writes, fault).toBe(before);
    }
  });

  it('is told of at each start when the stream refused it for good', async () => {
    const dir = folder();
    await leave(dir);
    const streams = [streamConfig('a', 'clicks', { whenDown: 'spool' })];
    const rig = await rigOf(dir, streams, {}, () => never);
    await expect
      .poll(() => rig.told.filter(({ msg }) => msg.includes('set aside')).length, {
        timeout: 20_000,
      })
      .toBe(2);
    await expect.poll(() => spoolGauge(rig)).not.toMatch(/records\{.*kinesis.*\} [1-9]/);
    // A command takes the folder while the ingress runs, which adds to it later again.
    const aside = {
      dir: join(dir, 'a', 'clicks', 'kinesis.refused'),
      clock: systemClock,
      maxBytes: 1e9,
    };
    let taken: Spool | undefined;
    await expect
      .poll(async () => (taken ??= await openSpool(aside).catch(() => undefined))?.records, {
        timeout: 20_000,
      })
      .toBe(2);
    await taken?.close();
    await stop(rig);
    const next = await rigOf(dir, streams);
    expect(next.told.find(({ msg }) => msg.includes('refused permanently'))).toMatchObject({
      stream: 'a/clicks',
      records: 2,
    });
    expect(next.kinesis.applied).toEqual([]);
  });
});
