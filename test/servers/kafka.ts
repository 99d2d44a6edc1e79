/**
 * Apache Kafka in KRaft mode on loopback, one broker or several, of which the first is the
 * controller as well: a plain listener, one that wants tokens of MSK IAM
 * (java/sluice/MskIamHandler.java), and, where it is asked for, one that wants them over TLS.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { ChildServer } from './child-server.ts';
import { childServer } from './child-server.ts';
import type { JavaStart } from './class-archive.ts';
import { classArchive } from './class-archive.ts';
import { freePort } from './free-port.ts';
import { classPath } from './jars.ts';

const run = promisify(execFile);

const {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  ConfigResourceTypes,
  Kafka,
  logLevel,
  ResourcePatternTypes,
} = createRequire(import.meta.url)('kafkajs') as typeof import('kafkajs');

export interface KafkaServer {
  /** Takes everybody. Of the first broker. */
  readonly plain: string;
  /** Takes tokens of MSK IAM that are signed with one of the keys. Of the first broker. */
  readonly iam: string;
  /** As `iam`, over TLS; undefined without `tls`. */
  readonly iamTls: string | undefined;
  /** A store (PKCS12, of the password `storePassword`) that trusts its certificate; as `iamTls`. */
  readonly trustStore: string | undefined;
  /** The plain listeners of all brokers. */
  readonly brokers: readonly string[];
  /** Their IAM listeners. */
  readonly iamBrokers: readonly string[];
  createTopic(topic: string, partitions: number, batchMaxBytes?: number): Promise<void>;
  /** On as many brokers, and with settings of its own. */
  createReplicated(
    topic: string,
    partitions: number,
    replicas: number,
    settings?: Readonly<Record<string, string>>,
  ): Promise<void>;
  /** The brokers that lead its partitions. */
  leaders(topic: string): Promise<readonly number[]>;
  /** Resolves when all partitions have so many replicas in sync. */
  inSync(topic: string, replicas: number): Promise<void>;
  /** By partition: the offsets that a group committed. */
  committed(group: string, topic: string): Promise<readonly number[]>;
  /** Resolves when the broker has no such topic any more. */
  deleteTopic(topic: string): Promise<void>;
  createPartitions(topic: string, partitions: number): Promise<void>;
  /** One of a topic's own settings, such as `max.message.bytes`. */
  configure(topic: string, name: string, value: string): Promise<void>;
  /** Removes what is before `offset` of a partition, as its retention does. */
  deleteRecords(topic: string, partition: number, offset: number): Promise<void>;
  /**
   * The log of a partition, of which the first broker has the only replica, loses all behind its
   * first batch, as a disk loses its end. Only while that broker is killed.
   */
  cut(topic: string, partition: number): void;
  /** Whether those of the IAM listener may write to the topic. */
  allowWriting(topic: string, allowed: boolean): Promise<void>;
  /** SIGKILL. Brokers are counted from 0, which is the default. */
  kill(broker?: number): Promise<void>;
  /** SIGTERM: it hands over what it leads, as when it is rolled. */
  end(broker?: number): Promise<void>;
  /** On the same ports and data. */
  restart(broker?: number): Promise<void>;
  stop(): Promise<void>;
}

export interface KafkaServerOptions {
  /** Secrets by access key. */
  readonly keys: Readonly<Record<string, string>>;
  /**
   * How long a session of the IAM listener lasts before it has to be renewed. Default: as long as
   * its token.
   */
  readonly sessionMaxMs?: number;
  /** Default 1. */
  readonly brokers?: number;
  /** Whether there is a listener with TLS, whose certificate is for 127.0.0.1. Default false. */
  readonly tls?: boolean;
  /**
   * Given the port of the first broker's plain listener, the one that it says it has: a proxy's
   * (kafka-proxy.ts). Default: the same.
   */
  readonly advertise?: (port: number) => number;
}

interface Ports {
  readonly plain: number;
  readonly iam: number;
  readonly iamTls: number;
}

export const storePassword = 'test-password';

/** A certificate that signs itself: the store has its key, and trusts it. Of the JDK's keytool. */
async function certificate(dir: string): Promise<string> {
  const store = join(dir, 'broker.p12');
  const name = ['-alias', 'broker', '-dname', 'CN=127.0.0.1', '-ext', 'san=ip:127.0.0.1'];
  const key = ['-keyalg', 'EC', '-groupname', 'secp256r1', '-validity', '2'];
  const kept = ['-storetype', 'PKCS12', '-keystore', store, '-storepass', storePassword];
  await run('keytool', ['-genkeypair', ...name, ...key, ...kept]);
  return store;
}

/** Of a listener that wants tokens of MSK IAM. */
function iamProperties(
  listener: string,
  { keys, sessionMaxMs }: KafkaServerOptions,
): Readonly<Record<string, string | number>> {
  const secrets = Object.entries(keys)
    .map(([id, secret]) => `${id}:${secret}`)
    .join(',');
  const login = 'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required';
  const of = `listener.name.${listener}`;
  return {
    [`${of}.sasl.enabled.mechanisms`]: 'OAUTHBEARER',
    [`${of}.oauthbearer.sasl.jaas.config`]: `${login} unsecuredLoginStringClaim_sub="broker" keys="${secrets}";`,
    [`${of}.oauthbearer.sasl.server.callback.handler.class`]: 'sluice.MskIamHandler',
    ...(sessionMaxMs === undefined
      ? {}
      : { [`${of}.oauthbearer.connections.max.reauth.ms`]: sessionMaxMs }),
  };
}

function tlsProperties(options: KafkaServerOptions, store: string) {
  const of = 'listener.name.iamtls.ssl.keystore';
  return {
    ...iamProperties('iamtls', options),
    ...{ [`${of}.type`]: 'PKCS12', [`${of}.location`]: store, [`${of}.password`]: storePassword },
    'listener.name.iamtls.ssl.key.password': storePassword,
  };
}

const brokerProperties = (
  options: KafkaServerOptions,
  { plain, iam, iamTls }: Ports,
  control: number,
  nth: number,
  dir: string,
  store: string | undefined,
): Readonly<Record<string, string | number | boolean>> => {
  const { brokers = 1, advertise = (port) => port } = options;
  const isController = nth === 0;
  const tokens = [
    `IAM://127.0.0.1:${iam}`,
    ...(store === undefined ? [] : [`IAMTLS://127.0.0.1:${iamTls}`]),
  ];
  const listeners = [
    `PLAINTEXT://127.0.0.1:${plain}`,
    ...tokens,
    ...(isController ? [`CONTROLLER://127.0.0.1:${control}`] : []),
  ];
  const advertised = [
    `PLAINTEXT://127.0.0.1:${isController ? advertise(plain) : plain}`,
    ...tokens,
  ];
  return {
    'process.roles': isController ? 'broker,controller' : 'broker',
    'node.id': nth + 1,
    'controller.quorum.voters': `1@127.0.0.1:${control}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    listeners: listeners.join(','),
    'advertised.listeners': advertised.join(','),
    'listener.security.protocol.map':
      'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,IAM:SASL_PLAINTEXT,IAMTLS:SASL_SSL',
    'log.dirs': join(dir, `data-${nth}`),
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
    // Alone it could hand over to nobody.
    'controlled.shutdown.enable': brokers > 1,
    'sasl.enabled.mechanisms': 'OAUTHBEARER',
    ...iamProperties('iam', options),
    ...(store === undefined ? {} : tlsProperties(options, store)),
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'allow.everyone.if.no.acl.found': true,
    'super.users': 'User:ANONYMOUS',
  };
};

export async function startKafka(options: KafkaServerOptions): Promise<KafkaServer> {
  const classes = await classPath('kafka');
  const dir = mkdtempSync(join(tmpdir(), 'sluice-kafka-'));
  const control = await freePort();
  const store = options.tls === true ? await certificate(dir) : undefined;
  const ports: Ports[] = [];
  for (let nth = 0; nth < (options.brokers ?? 1); nth++) {
    ports.push({ plain: await freePort(), iam: await freePort(), iamTls: await freePort() });
    const properties = brokerProperties(options, ports[nth] as Ports, control, nth, dir, store);
    const lines = Object.entries(properties).map(([name, value]) => `${name}=${value}\n`);
    writeFileSync(join(dir, `server-${nth}.properties`), lines.join(''));
  }
  const addresses = ports.map(({ plain }) => `127.0.0.1:${plain}`);
  // An id that began with - would be an option.
  const cluster = Buffer.concat([Buffer.of(1), randomBytes(15)]).toString('base64url');
  const client = new Kafka({ brokers: addresses, logLevel: logLevel.NOTHING });
  /** Whether the controller knows it, too. */
  const answers = async (nth: number): Promise<boolean> => {
    const { plain } = ports[nth] as Ports;
    if (!(await listens(plain))) return false;
    const admin = new Kafka({ brokers: [`127.0.0.1:${plain}`], logLevel: logLevel.NOTHING }).admin({
      retry: { retries: 0 },
    });
    try {
      await admin.connect();
      return (await admin.describeCluster()).brokers.some(({ nodeId }) => nodeId === nth + 1);
    } finally {
      await admin.disconnect();
    }
  };
  const startWith = (nth: number, { options, ...more }: JavaStart): Promise<ChildServer> =>
    childServer({
      name: 'Kafka',
      command: 'java',
      args: [
        ...options,
        ...['-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', classes],
        ...['sluice.KafkaServer', cluster, join(dir, `server-${nth}.properties`)],
      ],
      env: { KAFKAJS_NO_PARTITIONER_WARNING: '1' },
      isReady: () => answers(nth),
      ...more,
    });
  const archive = await classArchive('kafka', classes, (first) => startWith(0, first));
  const start = (nth: number): Promise<ChildServer> => startWith(nth, archive);
  const servers = [await start(0)];
  servers.push(...(await Promise.all(ports.slice(1).map((_, nth) => start(nth + 1)))));
  const withAdmin = async (
    work: (admin: ReturnType<typeof client.admin>) => Promise<unknown>,
  ): Promise<void> => {
    const admin = client.admin();
    await admin.connect();
    try {
      await work(admin);
    } finally {
      await admin.disconnect();
    }
  };
  const createReplicated: KafkaServer['createReplicated'] = (
    topic,
    numPartitions,
    replicationFactor,
    settings = {},
  ) =>
    withAdmin(async (admin) => {
      const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
      await admin.createTopics({
        waitForLeaders: false,
        topics: [{ topic, numPartitions, replicationFactor, configEntries }],
      });
      // The client's own waiting fails when the broker has not heard of the topic yet, which it
      // does before it leads its partitions.
      const hasLeaders = async (): Promise<boolean> => {
        const offsets = await admin.fetchTopicOffsets(topic).catch(() => []);
        return offsets.length === numPartitions;
      };
      while (!(await hasLeaders())) await sleep(20);
    });
  return {
    plain: addresses[0] as string,
    iam: `127.0.0.1:${(ports[0] as Ports).iam}`,
    iamTls: store === undefined ? undefined : `127.0.0.1:${(ports[0] as Ports).iamTls}`,
    trustStore: store,
    brokers: addresses,
    iamBrokers: ports.map(({ iam }) => `127.0.0.1:${iam}`),
    createReplicated,
    createTopic: (topic, partitions, batchMaxBytes) =>
      createReplicated(
        topic,
        partitions,
        1,
        batchMaxBytes === undefined ? {} : { 'max.message.bytes': String(batchMaxBytes) },
      ),
    async leaders(topic) {
      let leaders: readonly number[] = [];
      await withAdmin(async (admin) => {
        const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
        const partitions = topics.flatMap((each) => each.partitions);
        leaders = partitions
          .sort((a, b) => a.partitionId - b.partitionId)
          .map(({ leader }) => leader - 1);
      });
      return leaders;
    },
    inSync: (topic, replicas) =>
      withAdmin(async (admin) => {
        const isSo = async (): Promise<boolean> => {
          const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
          return topics.every(({ partitions }) =>
            partitions.every(({ isr }) => isr.length >= replicas),
          );
        };
        while (!(await isSo().catch(() => false))) await sleep(100);
      }),
    async committed(group, topic) {
      let offsets: readonly number[] = [];
      await withAdmin(async (admin) => {
        const found = await admin.fetchOffsets({ groupId: group, topics: [topic] });
        offsets = found
          .flatMap(({ partitions }) => partitions)
          .sort((a, b) => a.partition - b.partition)
          .map(({ offset }) => Number(offset));
      });
      return offsets;
    },
    deleteTopic: (topic) =>
      withAdmin(async (admin) => {
        await admin.deleteTopics({ topics: [topic] });
        while ((await admin.listTopics()).includes(topic)) await sleep(50);
      }),
    createPartitions: (topic, count) =>
      withAdmin((admin) => admin.createPartitions({ topicPartitions: [{ topic, count }] })),
    configure: (topic, name, value) =>
      withAdmin((admin) =>
        admin.alterConfigs({
          validateOnly: false,
          resources: [
            { type: ConfigResourceTypes.TOPIC, name: topic, configEntries: [{ name, value }] },
          ],
        }),
      ),
    deleteRecords: (topic, partition, offset) =>
      withAdmin(async (admin) => {
        // Which loads what the client has to know of the topic.
        await admin.fetchTopicOffsets(topic);
        await admin.deleteTopicRecords({
          topic,
          partitions: [{ partition, offset: String(offset) }],
        });
      }),
    cut(topic, partition) {
      const log = join(dir, 'data-0', `${topic}-${partition}`, `${'0'.repeat(20)}.log`);
      // https://kafka.apache.org/documentation/#recordbatch: a batch says how long it is.
      truncateSync(log, 12 + readFileSync(log).readInt32BE(8));
    },
    allowWriting: (topic, allowed) =>
      withAdmin((admin) => {
        const acl = {
          resourceType: AclResourceTypes.TOPIC,
          resourceName: topic,
          resourcePatternType: ResourcePatternTypes.LITERAL,
          principal: 'User:*',
          host: '*',
          operation: AclOperationTypes.WRITE,
        };
        if (allowed)
          return admin.deleteAcls({
            filters: [{ ...acl, permissionType: AclPermissionTypes.DENY }],
          });
        const rest = {
          ...acl,
          operation: AclOperationTypes.ALL,
          permissionType: AclPermissionTypes.ALLOW,
        };
        return admin.createAcls({
          acl: [rest, { ...acl, permissionType: AclPermissionTypes.DENY }],
        });
      }),
    kill: async (nth = 0) => servers[nth]?.kill(),
    end: async (nth = 0) => servers[nth]?.stop(),
    async restart(nth = 0) {
      servers[nth] = await start(nth);
    },
    async stop() {
      await Promise.all(servers.map((server) => server.kill()));
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
