/**
 * Apache Kafka in KRaft mode, one broker on loopback: a plain listener, and one that wants tokens of MSK IAM (java/sluice/MskIamHandler.java).
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChildServer } from './child-server.ts';
import { childServer } from './child-server.ts';
import { freePort } from './free-port.ts';
import { classPath } from './jars.ts';

const { ConfigResourceTypes, Kafka, logLevel } = createRequire(import.meta.url)('kafkajs') as typeof import('kafkajs');

export interface KafkaServer {
  /** Takes everybody. */
  readonly plain: string;
  /** Takes tokens of MSK IAM that are signed with one of the keys. */
  readonly iam: string;
  createTopic(topic: string, partitions: number, batchMaxBytes?: number): Promise<void>;
  /** Resolves when the broker has no such topic any more. */
  deleteTopic(topic: string): Promise<void>;
  createPartitions(topic: string, partitions: number): Promise<void>;
  /** One of a topic's own settings, such as `max.message.bytes`. */
  configure(topic: string, name: string, value: string): Promise<void>;
  /** Removes what is before `offset` of a partition, as its retention does. */
  deleteRecords(topic: string, partition: number, offset: number): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** On the same ports and data. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface KafkaServerOptions {
  /** Secrets by access key. */
  readonly keys: Readonly<Record<string, string>>;
  /** How long a session of the IAM listener lasts before it has to be renewed. Default: as long as its token. */
  readonly sessionMaxMs?: number;
}

export async function startKafka({ keys, sessionMaxMs }: KafkaServerOptions): Promise<KafkaServer> {
  const classes = await classPath('kafka');
  const dir = mkdtempSync(join(tmpdir(), 'sluice-kafka-'));
  const [plain, control, iam] = [await freePort(), await freePort(), await freePort()];
  const secrets = Object.entries(keys)
    .map(([id, secret]) => `${id}:${secret}`)
    .join(',');
  const login = 'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required';
  const properties = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${control}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    listeners: `PLAINTEXT://127.0.0.1:${plain},CONTROLLER://127.0.0.1:${control},IAM://127.0.0.1:${iam}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${plain},IAM://127.0.0.1:${iam}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,IAM:SASL_PLAINTEXT',
    'log.dirs': join(dir, 'data'),
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'group.initial.rebalance.delay.ms': 0,
    'auto.create.topics.enable': false,
    'num.network.threads': 2,
    'num.io.threads': 4,
    'controlled.shutdown.enable': false,
    'sasl.enabled.mechanisms': 'OAUTHBEARER',
    'listener.name.iam.sasl.enabled.mechanisms': 'OAUTHBEARER',
    'listener.name.iam.oauthbearer.sasl.jaas.config': `${login} unsecuredLoginStringClaim_sub="broker" keys="${secrets}";`,
    'listener.name.iam.oauthbearer.sasl.server.callback.handler.class': 'sluice.MskIamHandler',
    ...(sessionMaxMs === undefined ? {} : { 'listener.name.iam.oauthbearer.connections.max.reauth.ms': sessionMaxMs }),
  };
  const file = join(dir, 'server.properties');
  writeFileSync(
    file,
    Object.entries(properties)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  );
  // An id that began with - would be an option.
  const cluster = Buffer.concat([Buffer.of(1), randomBytes(15)]).toString('base64url');
  const client = new Kafka({ brokers: [`127.0.0.1:${plain}`], logLevel: logLevel.NOTHING });
  const answers = async (): Promise<boolean> => {
    if (!(await listens(plain))) return false;
    const admin = client.admin({ retry: { retries: 0 } });
    try {
      await admin.connect();
      return (await admin.describeCluster()).brokers.length > 0;
    } finally {
      await admin.disconnect();
    }
  };
  const start = (): Promise<ChildServer> =>
    childServer({
      name: 'Kafka',
      command: 'java',
      args: ['-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', classes, 'sluice.KafkaServer', cluster, file],
      env: { KAFKAJS_NO_PARTITIONER_WARNING: '1' },
      isReady: answers,
    });
  let server = await start();
  const withAdmin = async (work: (admin: ReturnType<typeof client.admin>) => Promise<unknown>): Promise<void> => {
    const admin = client.admin();
    await admin.connect();
    try {
      await work(admin);
    } finally {
      await admin.disconnect();
    }
  };
  return {
    plain: `127.0.0.1:${plain}`,
    iam: `127.0.0.1:${iam}`,
    createTopic: (topic, numPartitions, batchMaxBytes) =>
      withAdmin(async (admin) => {
        const configEntries = batchMaxBytes === undefined ? [] : [{ name: 'max.message.bytes', value: String(batchMaxBytes) }];
        await admin.createTopics({ waitForLeaders: false, topics: [{ topic, numPartitions, replicationFactor: 1, configEntries }] });
        // The client's own waiting fails when the broker has not heard of the topic yet, which it does before it leads its partitions.
        const hasLeaders = async (): Promise<boolean> => {
          const offsets = await admin.fetchTopicOffsets(topic).catch(() => []);
          return offsets.length === numPartitions;
        };
        while (!(await hasLeaders())) await sleep(20);
      }),
    deleteTopic: (topic) =>
      withAdmin(async (admin) => {
        await admin.deleteTopics({ topics: [topic] });
        while ((await admin.listTopics()).includes(topic)) await sleep(50);
      }),
    createPartitions: (topic, count) => withAdmin((admin) => admin.createPartitions({ topicPartitions: [{ topic, count }] })),
    configure: (topic, name, value) =>
      withAdmin((admin) =>
        admin.alterConfigs({
          validateOnly: false,
          resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries: [{ name, value }] }],
        }),
      ),
    deleteRecords: (topic, partition, offset) =>
      withAdmin(async (admin) => {
        // Which loads what the client has to know of the topic.
        await admin.fetchTopicOffsets(topic);
        await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(offset) }] });
      }),
    kill: () => server.kill(),
    async restart() {
      server = await start();
    },
    async stop() {
      await server.kill();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
