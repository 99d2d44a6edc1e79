/**
 * docs/operating/kafka-connect.md is true: its connector, on a real worker of Kafka Connect, writes
 * a file that has the events as they were sent; and each converter gives a connector what the page
 * says.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKafkaWriter } from '../../../../deploy/streams/kafka/kafka-writer.ts';
import type { EventAttributes } from '../../../../schemas/event.ts';
import { systemClock } from '../../../../schemas/kernel/clock.ts';
import { encodeBinary } from '../../../../schemas/wire.ts';
import { javaMissing } from '../../../servers/jars.ts';
import type { KafkaServer } from '../../../servers/kafka.ts';
import { startKafka } from '../../../servers/kafka.ts';
import type { KafkaConnect, Properties } from '../../../servers/kafka-connect.ts';
import { startKafkaConnect } from '../../../servers/kafka-connect.ts';

const page = readFileSync(
  fileURLToPath(new URL('../../../../../docs/operating/kafka-connect.md', import.meta.url)),
  'utf8',
);
const fence = /^```properties\n(.*?)^```$/ms.exec(page)?.[1] ?? '';
/** The connector that the page shows. */
const shown: Properties = Object.fromEntries(
  fence
    .trim()
    .split('\n')
    .map((line) => line.split(/=(.*)/s).slice(0, 2)) as [string, string][],
);

const attributes = (id: string, more: Partial<EventAttributes> = {}): EventAttributes => ({
  id,
  source: '/shop/web',
  type: 'shop.clicks',
  time: '2026-01-02T03:04:05.678Z',
  datacontenttype: 'application/json',
  team: 'shop',
  app: 'clicks',
  partitionkey: `k\u00e9y-${id}`,
  receivedtime: '2026-01-02T03:04:06.000Z',
  ...more,
});

const large = JSON.stringify({ text: 'x'.repeat(300_000) });
/** Data as clients send it: each line has to come out as it is. */
const sent: readonly (readonly [EventAttributes, string])[] = [
  [attributes('1', { extensions: { campaign: '007' } }), '{"a": 1.10, "b": "\\u00e9\u00e9"}'],
  [attributes('2'), '[1,2,{"deep":[null,true]}]'],
  [attributes('3'), '"text, with \\"quotes\\""'],
  [attributes('4', { subject: '42' }), '{"n": 9007199254740993}'],
  [attributes('5'), large],
];

describe.skipIf(javaMissing() !== undefined)('Kafka Connect', () => {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-connect-test-'));
  const fileOf = (name: string): string => join(dir, name);
  let kafka: KafkaServer;
  let connect: KafkaConnect;

  /** The page's connector, under another name and into another file. */
  const connector = (name: string, more: Properties): Properties => ({
    ...shown,
    ...{ name, file: fileOf(name), ...more },
  });
  const seen = { transforms: 'see', 'transforms.see.type': 'connect.RecordAsJson' };
  const headersOf = (line: unknown): unknown => (line as { readonly headers: unknown }).headers;

  beforeAll(async () => {
    kafka = await startKafka({ keys: { AKID: 'secret' } });
    const topic = shown['topics'] ?? '';
    await kafka.createTopic(topic, 1, 2 ** 21);
    const writer = createKafkaWriter({
      connection: { brokers: [kafka.plain], tls: false, clientId: 'test' },
      topics: new Map([['shop/clicks', topic]]),
      clock: systemClock,
      compression: 'zstd',
      tell: () => undefined,
    });
    const records = sent.map(([own, data]) => encodeBinary(own, Buffer.from(data)));
    const outcomes = await writer.write('shop/clicks', records);
    expect(outcomes.map(({ kind }) => kind)).toEqual(sent.map(() => 'applied'));
    await writer.close();
    const bytes = 'org.apache.kafka.connect.converters.ByteArrayConverter';
    const json = 'org.apache.kafka.connect.json.JsonConverter';
    connect = await startKafkaConnect(
      {
        'bootstrap.servers': kafka.plain,
        // What a connector does not say itself would fail here.
        ...{ 'key.converter': json, 'value.converter': json },
      },
      [
        { ...shown, file: fileOf('shown') },
        connector('bytes', { ...seen, 'value.converter': bytes }),
        connector('json', {
          ...seen,
          'value.converter': json,
          'value.converter.schemas.enable': 'false',
        }),
        connector('guessed', {
          ...seen,
          'header.converter': 'org.apache.kafka.connect.storage.SimpleHeaderConverter',
        }),
      ],
    );
  }, 240_000);

  afterAll(async () => {
    await connect?.stop();
    await kafka?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  async function linesOf(name: string): Promise<readonly string[]> {
    for (;;) {
      const lines = readIfThere(fileOf(name)).split('\n').slice(0, -1);
      if (lines.length >= sent.length) return lines;
      await sleep(50);
    }
  }
  const valuesOf = async (name: string): Promise<readonly unknown[]> =>
    (await linesOf(name)).map((line) => JSON.parse(line) as unknown);

  it('writes a file of the events as they were sent, by the connector of the page', async () => {
    expect(await linesOf('shown')).toEqual(sent.map(([, data]) => data));
  }, 60_000);

  it('gives a connector the bytes, and key and attributes as text', async () => {
    expect(await valuesOf('bytes')).toEqual(
      sent.map(([own, data]) => ({
        key: own.partitionkey,
        headers: encodeBinary(own, Buffer.from(data)).headers,
        value: { bytes: Buffer.from(data).toString('base64') },
      })),
    );
  }, 60_000);

  it('gives a connector maps with JsonConverter, in whose numbers texts are lost', async () => {
    const lines = await linesOf('json');
    const values = lines.map((line) => (JSON.parse(line) as { readonly value: unknown }).value);
    expect(values[0]).toEqual({ a: 1.1, b: '\u00e9\u00e9' });
    expect(lines[0]).toContain('"a":1.1,');
    expect(lines[3]).toContain('"n":9007199254740993');
    expect(values[4]).toEqual(JSON.parse(large));
  }, 60_000);

  it('would be given numbers for attributes by the default header converter', async () => {
    const [first, , , fourth] = await valuesOf('guessed');
    expect(headersOf(first)).toMatchObject({ ce_specversion: { Byte: '1' } });
    expect(headersOf(first)).not.toMatchObject({ ce_id: '1' });
    expect(headersOf(fourth)).not.toMatchObject({ ce_subject: '42' });
  }, 60_000);
});

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
