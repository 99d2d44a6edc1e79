/**
 * Each setting of a Kafka source does on Flink what its page says: in one job, with a source for
 * each, on a real Kafka. Partitions come while it runs, and a topic is deleted and created again.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { builtJob } from '../../../deploy/flink/jar.ts';
import { createKafkaWriter } from '../../../deploy/streams/kafka/kafka-writer.ts';
import { partitionOfKey } from '../../../deploy/streams/kafka-partition.ts';
import { systemClock } from '../../../schemas/kernel/clock.ts';
import type { FaultProxy } from '../../servers/fault-proxy.ts';
import { startFaultProxy } from '../../servers/fault-proxy.ts';
import { javaMissing } from '../../servers/jars.ts';
import type { KafkaServer } from '../../servers/kafka.ts';
import { startKafka, storePassword } from '../../servers/kafka.ts';
import { isFull } from './full.ts';
import type { SourceRunOptions } from './source-run.ts';
import { SourceRun } from './source-run.ts';

/** Kinds of topology/operators/batch.ts. */
const [raw, reads] = [9, 11] as const;
const partitions = [0, 1, 2] as const;
/** A key of each partition. */
const keys = partitions.map((partition) => {
  const all = Array.from({ length: 100 }, (_, n) => `key-${n}`);
  return all.find((key) => partitionOfKey(key, partitions.length) === partition) ?? '';
});

const roleArn = 'arn:aws:iam::123456789012:role/reads';
/** The broker knows what STS gives for the role, and not who asks for it. */
const role = { id: 'AKIDOFROLE', secret: 'secret-of-role' };
const environment = {
  AWS_ACCESS_KEY_ID: 'AKIDOFTASK',
  AWS_SECRET_ACCESS_KEY: 'secret-of-task',
  AWS_REGION: '',
  AWS_EC2_METADATA_DISABLED: 'true',
};

/** Of STS: moto's own keys would be known to no broker. */
const assumed = `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
<Credentials><AccessKeyId>${role.id}</AccessKeyId><SecretAccessKey>${role.secret}</SecretAccessKey>
<SessionToken>session</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>
<AssumedRoleUser><Arn>${roleArn}</Arn><AssumedRoleId>AROA:sluice</AssumedRoleId></AssumedRoleUser>
</AssumeRoleResult></AssumeRoleResponse>`;

describe.skipIf(javaMissing() !== undefined)('the settings of a Kafka source on Flink', () => {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-flink-kafka-settings-'));
  let server: KafkaServer;
  let sts: FaultProxy;
  let run: SourceRun | undefined;
  let denied: SourceRun | undefined;
  beforeAll(async () => {
    [server, sts] = await Promise.all([
      startKafka({ keys: { [role.id]: role.secret }, tls: true }),
      startFaultProxy('http://127.0.0.1:1', { keep: true }),
      builtJob({ harness: true }),
    ]);
    sts.decide = () => ({ kind: 'answer', status: 200, contentType: 'text/xml', body: assumed });
  }, 600_000);
  afterAll(async () => {
    await run?.kill();
    await denied?.kill();
    await sts?.close();
    await server?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  /** `count` records to each of these partitions. */
  async function write(topic: string, to: readonly number[], count: number): Promise<void> {
    const connection = { brokers: [server.plain], tls: false, clientId: 'test' };
    const topics = new Map([['shop/clicks', topic]]);
    const writer = createKafkaWriter({ connection, topics, clock: systemClock });
    const records = to.flatMap((partition) =>
      Array.from({ length: count }, () => ({
        key: keys[partition] ?? '',
        value: [Buffer.from('{}')],
      })),
    );
    const outcomes = await writer.write('shop/clicks', records);
    expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(['applied']));
    await writer.close();
  }

  /** By partition: offsets in the order in which they were read. */
  function offsets(source: string): readonly (readonly number[])[] {
    const read: number[][] = partitions.map(() => []);
    for (const { kind, value } of (run?.emitted(source) ?? []).flat()) {
      if (kind !== raw) continue;
      const { split, position } = value as { readonly split: string; readonly position: string };
      read[Number(split.split('-')[1])]?.push(Number(position));
    }
    return read;
  }

  const kafka = { connector: 'kafka', topic: 'starts' };
  const secure = () => ({
    ...{ ...kafka, brokers: server.iamTls, tls: true, auth: 'msk_iam' },
    ...{ region: 'eu-central-1', roleArn },
  });

  function start(sources: SourceRunOptions['sources']): Promise<SourceRun> {
    const trust = [`trustStore=${server.trustStore}`, `trustStorePassword=${storePassword}`];
    return SourceRun.start({
      ...{ sources, dir, parallelism: 2 },
      env: {
        ...{ ...environment, AWS_ENDPOINT_URL_STS: sts.endpoint },
        JAVA_TOOL_OPTIONS: trust.map((one) => `-Djavax.net.ssl.${one}`).join(' '),
      },
    });
  }

  it('hold, also while partitions come and a topic is created again', {
    timeout: 120_000,
  }, async () => {
    await server.createTopic('starts', 3);
    await server.createTopic('grown', 1);
    await server.createTopic('again', 3);
    await write('starts', [0, 1, 2], 1);
    await sleep(20);
    const since = new Date().toISOString();
    await sleep(20);
    // The third has nothing of that time or later.
    await write('starts', [0, 1], 1);
    await write('grown', [0], 4);
    await server.deleteRecords('grown', 0, 2);
    await write('again', [0, 1, 2], 5);
    const plain = { ...kafka, brokers: server.plain };
    const often = { ...plain, discoveryMs: 200 };
    const from = { positions: { 'partition-0': '0' } };
    run = await start({
      latest: { ...plain, from: 'latest', group: 'lag-of-latest' },
      since: { ...plain, from: since },
      secure: secure(),
      grown: { ...often, topic: 'grown', from, whenTrimmed: 'oldest' },
      // Long enough to be at offsets that the new topic does not have before it is found.
      again: { ...plain, topic: 'again', discoveryMs: 2_000 },
    });
    for (const name of ['latest', 'since']) await run.emits(name, reads, 2);
    await run.records('secure', 5);
    await run.records('grown', 2);
    await run.records('again', 15);

    await write('starts', [0, 1, 2], 1);
    await run.records('latest', 3);
    await run.records('since', 5);
    await run.records('secure', 8);
    expect(offsets('latest')).toEqual([[2], [2], [1]]);
    expect(offsets('since')).toEqual([[1, 2], [1, 2], [1]]);
    const all = [
      [0, 1, 2],
      [0, 1, 2],
      [0, 1],
    ];
    expect(offsets('secure')).toEqual(all);
    const asked = sts.asked.map(({ body }) => new URLSearchParams(body.toString()));
    expect(asked.map((one) => one.get('Action'))).toContain('AssumeRole');
    expect(new Set(asked.map((one) => one.get('RoleArn')))).toEqual(new Set([roleArn]));
    for (const group of ['lag-of-latest', 'sluice-source-run'])
      while (String(await server.committed(group, 'starts')) !== '3,3,2') await sleep(50);

    // Behind the position 0 two are no longer kept; what comes later begins with its oldest record.
    await server.createPartitions('grown', 3);
    await write('grown', [1, 2], 1);
    await run.records('grown', 4);
    expect(offsets('grown')).toEqual([[2, 3], [0], [0]]);

    await server.deleteTopic('again');
    await server.createTopic('again', 3);
    await write('again', [0, 1, 2], 2);
    await run.records('again', 15 + 6);
    const twice = [0, 1, 2, 3, 4, 0, 1];
    expect(offsets('again')).toEqual([twice, twice, twice]);
    expect(run.log).toContain('again: the topic was deleted and created again');
    await run.stop();
  });

  it.skipIf(!isFull)('log in as the role or not at all', { timeout: 120_000 }, async () => {
    const body =
      '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>may not assume it</Message></Error></ErrorResponse>';
    sts.decide = () => ({ kind: 'answer', status: 403, contentType: 'text/xml', body });
    denied = await start({ secure: secure() });
    expect(await denied.failure()).toContain('may not assume it');
  });
});
