/**
 * `sluice topics plan|apply` on a real broker and a Kinesis stand-in: what is created and altered,
 * what is left alone, and what a pipeline is told by the exit code.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { DescribeStreamSummaryCommand, KinesisClient } from '@aws-sdk/client-kinesis';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../repo/support.ts';
import { javaMissing } from '../../servers/jars.ts';
import type { KafkaServer } from '../../servers/kafka.ts';
import { startKafka } from '../../servers/kafka.ts';
import type { KinesisServer } from '../../servers/kinesis.ts';
import { startKinesis, testCredentials } from '../../servers/kinesis.ts';
import { sluice } from '../support.ts';

const { ConfigResourceTypes, Kafka, logLevel } = createRequire(import.meta.url)(
  'kafkajs',
) as typeof import('kafkajs');

const brokerKeys = {
  [testCredentials.AWS_ACCESS_KEY_ID]: testCredentials.AWS_SECRET_ACCESS_KEY,
};

describe.skipIf(javaMissing() !== undefined)('sluice topics', { timeout: 120_000 }, () => {
  let kafka: KafkaServer;
  let kinesis: KinesisServer;

  beforeAll(async () => {
    [kafka, kinesis] = await Promise.all([startKafka({ keys: brokerKeys }), startKinesis()]);
  }, 120_000);
  afterAll(async () => {
    await kafka?.stop();
    await kinesis?.stop();
  });

  /** A configuration of one stream, team/`app`. */
  const topics = async (
    verb: 'plan' | 'apply',
    app: string,
    settings: string,
    ...args: readonly string[]
  ) => {
    const file = join(temporaryFolder('topics'), 'sluice.yaml');
    writeFileSync(
      file,
      `streams: [{team: team, app: ${app}, ${settings}}]
kinesis: {endpoint: "${kinesis.endpoint}"}
kafka: {brokers: "${kafka.plain}"}
`,
    );
    const own = ['--stream', `team/${app}`];
    const isJson = args.includes('--json');
    const done = await sluice(
      [
        ...(isJson ? ['--json'] : []),
        ...['--config', file, 'topics', verb, ...own],
        ...args.filter((arg) => arg !== '--json'),
      ],
      undefined,
      testCredentials,
    );
    return { ...done, lines: done.out.trimEnd().split('\n') };
  };

  /** What the broker and the stand-in have. */
  const found = async (name: string) => {
    const admin = new Kafka({ brokers: [kafka.plain], logLevel: logLevel.NOTHING }).admin();
    const client = new KinesisClient({
      endpoint: kinesis.endpoint,
      region: testCredentials.AWS_REGION,
      credentials: {
        accessKeyId: testCredentials.AWS_ACCESS_KEY_ID,
        secretAccessKey: testCredentials.AWS_SECRET_ACCESS_KEY,
      },
      requestHandler: new NodeHttpHandler(),
    });
    try {
      await admin.connect();
      const { topics: named } = await admin.fetchTopicMetadata({ topics: [name] });
      const { resources } = await admin.describeConfigs({
        includeSynonyms: false,
        resources: [{ type: ConfigResourceTypes.TOPIC, name }],
      });
      const { StreamDescriptionSummary: summary } = await client.send(
        new DescribeStreamSummaryCommand({ StreamName: name }),
      );
      return {
        partitions: named[0]?.partitions.length,
        settings: Object.fromEntries(
          resources[0]?.configEntries
            // The brokers' own value of it is listed as one of the topic's.
            .filter(
              ({ isDefault, configName }) => !isDefault && configName !== 'min.insync.replicas',
            )
            .map(({ configName, configValue }) => [configName, configValue]) ?? [],
        ),
        mode: summary?.StreamModeDetails?.StreamMode,
        shards: summary?.OpenShardCount,
        hours: summary?.RetentionPeriodHours,
      };
    } finally {
      await admin.disconnect();
      client.destroy();
    }
  };

  it('plans, creates, and has nothing to do after that', async () => {
    const settings =
      'kinesis: {shards: 2, retention_h: 48}, kafka: {partitions: 3, retention_h: 24, message_max_kb: 2048}';
    const planned = await topics('plan', 'new', settings);
    expect([planned.code, planned.lines]).toEqual([
      3,
      [
        '+ Kinesis stream team-new (team/new): to be created',
        '    mode provisioned',
        '    shards 2',
        '    retention_h 48',
        '+ Kafka topic team-new (team/new): to be created',
        '    partitions 3',
        '    retention_h 24',
        '    message_max_kb 2048',
        '2 new, 0 changed, 0 unchanged, 0 failed, 0 settings that are not changed',
        'nothing was changed: `sluice topics apply` does it',
      ],
    ]);
    await expect(found('team-new')).rejects.toThrow();
    const applied = await topics('apply', 'new', settings);
    expect([applied.code, applied.lines.at(-1)]).toEqual([
      0,
      '2 new, 0 changed, 0 unchanged, 0 failed, 0 settings that are not changed',
    ]);
    expect(await found('team-new')).toEqual({
      partitions: 3,
      settings: { 'retention.ms': '86400000', 'max.message.bytes': '2097152' },
      mode: 'PROVISIONED',
      shards: 2,
      hours: 48,
    });
    for (const verb of ['plan', 'apply'] as const) {
      const again = await topics(verb, 'new', settings);
      expect([again.code, again.lines[0], again.lines[1]]).toEqual([
        0,
        '= Kinesis stream team-new (team/new): as configured',
        '= Kafka topic team-new (team/new): as configured',
      ]);
    }
  });

  it('changes what is configured, and no setting that somebody else made', async () => {
    await topics('apply', 'grown', 'kafka: {partitions: 1}');
    await kafka.configure('team-grown', 'segment.bytes', '1048576');
    const settings =
      'order: key, kinesis: {mode: provisioned, shards: 5}, kafka: {partitions: 4, retention_h: 300, message_max_kb: 4096}';
    const planned = await topics('plan', 'grown', settings);
    expect([planned.code, planned.lines.slice(0, -2)]).toEqual([
      3,
      [
        '~ Kinesis stream team-grown (team/grown): to be changed',
        '    shards 1 -> 5 (by way of 2, 4)',
        '~ Kafka topic team-grown (team/grown): to be changed',
        '    partitions 1 -> 4 (events of a key may go to another partition: their order is not kept across the change)',
        '    retention_h 168 -> 300',
        '    message_max_kb 1024.01 -> 4096',
      ],
    ]);
    const before = await found('team-grown');
    expect(before).toMatchObject({ partitions: 1, shards: 1 });
    const applied = await topics('apply', 'grown', settings);
    expect([applied.code, applied.lines[0], applied.lines[2]]).toEqual([
      0,
      '~ Kinesis stream team-grown (team/grown): changed',
      '~ Kafka topic team-grown (team/grown): changed',
    ]);
    expect(await found('team-grown')).toEqual({
      ...before,
      partitions: 4,
      shards: 5,
      settings: {
        'retention.ms': String(300 * 3_600_000),
        'max.message.bytes': '4194304',
        'segment.bytes': '1048576',
      },
    });
    expect((await topics('plan', 'grown', settings)).code).toBe(0);
    // What is not configured is not looked at.
    expect((await topics('plan', 'grown', 'order: none')).code).toBe(0);
  });

  it('shrinks nothing, says why, and does the rest', async () => {
    await topics(
      'apply',
      'large',
      'kinesis: {shards: 4, retention_h: 72}, kafka: {partitions: 4, retention_h: 72, message_max_kb: 4096}',
    );
    const settings =
      'kinesis: {shards: 2, retention_h: 96}, kafka: {partitions: 2, replicas: 2, retention_h: 24, message_max_kb: 1024}';
    const before = await found('team-large');
    const applied = await topics('apply', 'large', settings);
    expect([applied.code, applied.lines]).toEqual([
      4,
      [
        '~ Kinesis stream team-large (team/large): changed',
        '    retention_h 72 -> 96',
        '    shards stays 4, configured is 2: a stream is never made smaller here; merge shards in AWS if you mean it',
        '! Kafka topic team-large (team/large): stays as it is',
        '    partitions stays 4, configured is 2: Kafka cannot remove partitions',
        "    replicas stays 1, configured is 2: replicas are set for a new topic only; reassign partitions with Kafka's own tools",
        '    retention_h stays 72, configured is 24: a shorter retention removes records',
        "    message_max_kb stays 4096, configured is 1024: producers may send batches that large; lower max.message.bytes with Kafka's own tools if none does",
        '0 new, 1 changed, 1 unchanged, 0 failed, 5 settings that are not changed',
      ],
    ]);
    expect(await found('team-large')).toEqual({ ...before, hours: 96 });
  });

  it('changes the mode of a stream, and leaves shards of one that is on-demand to AWS', async () => {
    expect((await topics('apply', 'mode', 'kinesis: {mode: on-demand}')).code).toBe(0);
    expect(await found('team-mode')).toMatchObject({ mode: 'ON_DEMAND' });
    const refused = await topics('plan', 'mode', 'kinesis: {shards: 9}');
    expect([refused.code, refused.lines[1]]).toEqual([
      4,
      '    shards stays on-demand, configured is 9: AWS chooses the shards of a stream that is on-demand; set mode: provisioned as well',
    ]);
    const shards = (await found('team-mode')).shards ?? 0;
    const provisioned = `kinesis: {mode: provisioned, shards: ${shards + 1}}`;
    expect((await topics('apply', 'mode', provisioned)).code).toBe(0);
    expect(await found('team-mode')).toMatchObject({ mode: 'PROVISIONED', shards: shards + 1 });
  });

  it('does the rest when one is refused, and says so to a program', async () => {
    const { code, out } = await topics(
      'apply',
      'half',
      'kafka: {partitions: 2, replicas: 3}',
      '--json',
    );
    expect(code).toBe(1);
    const { resources } = JSON.parse(out) as { readonly resources: readonly object[] };
    expect(resources).toMatchObject([
      { what: 'Kinesis stream team-half', outcome: 'applied', isNew: true },
      {
        what: 'Kafka topic team-half',
        stream: 'team/half',
        outcome: 'failed',
        error: {
          code: 'topics-failed',
          message: "Kafka topic 'team-half': Replication-factor is invalid",
          fix: 'set kafka.replicas of the stream to at most as many as there are brokers',
        },
      },
    ]);
    const only = await topics('apply', 'half', 'kafka: {partitions: 2}', '--only', 'kafka');
    expect([only.code, only.lines]).toEqual([
      0,
      [
        '+ Kafka topic team-half (team/half): created',
        '    partitions 2',
        '1 new, 0 changed, 0 unchanged, 0 failed, 0 settings that are not changed',
      ],
    ]);
  });

  it('makes the ledger too, and speaks to brokers that want tokens of MSK IAM', async () => {
    const file = join(temporaryFolder('topics'), 'sluice.yaml');
    writeFileSync(
      file,
      `streams: [{team: team, app: signed}]
kinesis: {endpoint: "${kinesis.endpoint}"}
kafka: {brokers: "${kafka.iam}", auth: msk_iam, region: us-east-1}
`,
    );
    const run = (verb: string) =>
      sluice(['--config', file, 'topics', verb], undefined, testCredentials);
    const applied = await run('apply');
    expect(applied.out.split('\n').filter((line) => line.startsWith('+'))).toEqual([
      '+ Kinesis stream team-signed (team/signed): created',
      '+ Kafka topic team-signed (team/signed): created',
      '+ Kinesis stream sluice-ledger (sluice/ledger): created',
      '+ Kafka topic sluice-ledger (sluice/ledger): created',
    ]);
    expect((await run('plan')).code).toBe(0);
    const text = readFileSync(file, 'utf8').replace(/, auth: .*(?=})/, '');
    writeFileSync(file, text);
    const unsigned = await run('plan');
    expect(unsigned.out).toContain('check kafka.brokers, kafka.tls, kafka.auth and the network');
  });
});

describe('sluice topics that is called wrongly', { timeout: 60_000 }, () => {
  const refused = async (text: string, ...args: readonly string[]) => {
    const file = join(temporaryFolder('topics'), 'sluice.yaml');
    writeFileSync(file, text);
    const { code, err } = await sluice(
      ['--config', file, 'topics', 'plan', ...args],
      undefined,
      testCredentials,
    );
    expect(code).toBe(1);
    return err;
  };
  const streams = 'streams: [{team: a, app: b}]\n';

  it('says what is wrong with what, and what to do', async () => {
    expect(await refused(streams)).toContain('kafka.brokers');
    expect(await refused(`${streams}kafka: {brokers: "127.0.0.1:1"}\n`, '--stream', 'a/c')).toMatch(
      /there is no stream 'a\/c' in .*\n {2}name one of a\/b, sluice\/ledger/,
    );
    expect(await refused(streams, '--only', 'redis')).toContain("invalid --only 'redis'");
    expect(await refused('streams: [{team: a, app: b, kafka: {partitions: 0}}]\n')).toContain(
      'streams[0].kafka.partitions: invalid value 0; expected a whole number from 1',
    );
  });

  it('wants a configuration of its own, and does not take the example', async () => {
    const { code, err } = await sluice(['topics', 'apply'], temporaryFolder('empty'));
    expect([code, err]).toEqual([1, expect.stringContaining('sluice.yaml cannot be read')]);
  });

  it('names the brokers and the endpoint that do not answer', async () => {
    const file = join(temporaryFolder('topics'), 'sluice.yaml');
    writeFileSync(
      file,
      `${streams}kafka: {brokers: "127.0.0.1:1"}\nkinesis: {endpoint: "http://127.0.0.1:1"}\n`,
    );
    const { code, out } = await sluice(
      ['--config', file, 'topics', 'plan', '--stream', 'a/b'],
      undefined,
      testCredentials,
    );
    expect([code, out.split('\n')]).toEqual([
      1,
      [
        'x Kinesis stream a-b (a/b): failed',
        expect.stringContaining('ECONNREFUSED'),
        expect.stringContaining('kinesis.endpoint'),
        'x Kafka topic a-b (a/b): failed',
        "    Kafka topic 'a-b': the brokers cannot be reached",
        '    check kafka.brokers, kafka.tls and the network',
        '0 new, 0 changed, 0 unchanged, 2 failed, 0 settings that are not changed',
        '',
      ],
    ]);
  });
});
