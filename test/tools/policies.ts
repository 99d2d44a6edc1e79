/**
 * The IAM policies of docs/operating/policies/, one a role, made of the calls that the role's code
 * makes: `node dist/test/tools/policies.js` writes them anew.
 *
 * A role's code is what its composition root imports, at once, later or as a thread; that of the job
 * on Flink is its sources in Java. Kafka's rights are no calls of AWS' SDK, and tables of the job are
 * written by Flink's own file system: these are listed here.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AwsCall, AwsRight } from '../../schemas/aws-rights.ts';
import { awsRights } from '../../schemas/aws-rights.ts';

/** Services in TypeScript, and the job that runs topologies on Flink. */
export const roles = ['ingest', 'enrich', 'topics', 'flink'] as const;
export type Role = (typeof roles)[number];

/** What a policy is made for; the documented ones have names to be replaced. */
export interface PolicyPlaces {
  readonly bucket: string;
  /** `s3.prefix` of the configuration. */
  readonly prefix: string;
  readonly region: string;
  readonly account: string;
  readonly stream: string;
  readonly deliveryStream: string;
  readonly key: string;
  readonly cluster: string;
  readonly topic: string;
}

interface Statement {
  readonly Sid: string;
  readonly Effect: 'Allow';
  readonly Action: readonly string[];
  readonly Resource: readonly string[];
}

export interface Policy {
  readonly Version: '2012-10-17';
  readonly Statement: readonly Statement[];
}

const root = fileURLToPath(new URL('../../..', import.meta.url));
const documented: PolicyPlaces = {
  bucket: 'BUCKET',
  prefix: 'PREFIX/',
  region: 'REGION',
  account: 'ACCOUNT',
  stream: 'STREAM',
  deliveryStream: 'DELIVERY_STREAM',
  key: 'KEY',
  cluster: 'CLUSTER/*',
  topic: 'CLUSTER/*/TOPIC',
};

const importPattern =
  /(?:^|\n)\s*(?:import|export)\s+(?!type\b)[^;]*?from\s+'(\.[^']+)'|import\('(\.[^']+)'\)|new URL\('(\.[^']+)'/g;
const clientPattern = /from '@aws-sdk\/client-(\w+)'/;
const commandPattern = /new (\w+)Command\(/g;

/** The calls to AWS that a role's code makes, sorted, such as `s3:PutObject`. */
export function callsOf(role: Role): readonly string[] {
  if (role === 'flink') return [...new Set([...callsInJava(), ...listedForFlink])].sort();
  const calls = new Set<string>();
  for (const text of sourcesOf(join(root, `deploy/services/${role}.ts`)).values()) {
    const service = clientPattern.exec(text)?.[1];
    if (service === undefined) continue;
    for (const [, call] of text.matchAll(commandPattern)) calls.add(`${service}:${call}`);
  }
  return [...calls].sort();
}

/** Requests and answers that a source in Java imports by name. */
const requestPattern =
  /^import software\.amazon\.awssdk\.services\.(\w+)\.model\.(\w+?)(?:Request|Response);$/gm;
/** How shards are read; and how Flink's file system for S3 writes tables: in parts, or not at all. */
const listedForFlink: readonly AwsCall[] = [
  'kinesis:GetRecords',
  'kinesis:GetShardIterator',
  'kinesis:ListShards',
  's3:AbortMultipartUpload',
  's3:CompleteMultipartUpload',
  's3:CreateMultipartUpload',
  's3:DeleteObject',
  's3:GetObject',
  's3:HeadObject',
  's3:ListObjectsV2',
  's3:PutObject',
  's3:UploadPart',
];

function callsInJava(): readonly string[] {
  const folder = join(root, 'deploy/flink/job/src/main/java');
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.java'))
    .flatMap((file) => [...readFileSync(join(folder, file), 'utf8').matchAll(requestPattern)])
    .map(([, service, call]) => `${service}:${call}`);
}

function sourcesOf(entry: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const left = [entry];
  for (let path = left.pop(); path !== undefined; path = left.pop()) {
    if (found.has(path)) continue;
    const text = readFileSync(path, 'utf8');
    found.set(path, text);
    for (const [, now, later, thread] of text.matchAll(importPattern)) {
      const to = join(dirname(path), (now ?? later ?? thread ?? '').replace(/\.js$/, '.ts'));
      if (to.endsWith('.ts') && existsSync(to)) left.push(to);
    }
  }
  return found;
}

/** Throws when a call is not in schemas/aws-rights.ts. */
export function policyOf(role: Role, places: PolicyPlaces = documented): Policy {
  const rights = callsOf(role).flatMap((call): readonly AwsRight[] => {
    if (!Object.hasOwn(awsRights, call))
      throw new Error(`schemas/aws-rights.ts does not say what the call ${call} needs`);
    return awsRights[call as AwsCall];
  });
  const actions = (on: AwsRight['on']): readonly string[] =>
    [...new Set(rights.filter((right) => right.on === on).map(({ action }) => action))].sort();
  const { bucket, prefix, region, account, stream, deliveryStream, key, cluster, topic } = places;
  const arn = (service: string, resource: string): string =>
    `arn:aws:${service}:${region}:${account}:${resource}`;
  const below = `${prefix}${belowOf[role]}*`;
  const streams = [arn('kinesis', `stream/${stream}`), arn('kinesis', 'stream/sluice-ledger')];
  const statements: (readonly [string, readonly string[], readonly string[]])[] = [
    ['Streams', actions('stream'), streams],
    ['ConsumersOfFanOut', actions('consumer'), streams.map((resource) => `${resource}/consumer/*`)],
    ['Bucket', actions('bucket'), [`arn:aws:s3:::${bucket}`]],
    ['Objects', actions('objects'), [`arn:aws:s3:::${bucket}/${below}`]],
    ['Claims', claims[role], [`arn:aws:s3:::${bucket}/${prefix}claims/*`]],
    [
      'DeliveryStreams',
      actions('delivery-stream'),
      [arn('firehose', `deliverystream/${deliveryStream}`)],
    ],
    ['KeyWhereYoursEncrypts', actions('key'), [arn('kms', `key/${key}`)]],
    ['Cluster', kafka[role].cluster, [arn('kafka', `cluster/${cluster}`)]],
    [
      'Topics',
      kafka[role].topic,
      [arn('kafka', `topic/${topic}`), arn('kafka', `topic/${dirname(topic)}/sluice-ledger`)],
    ],
  ];
  if (role === 'flink')
    statements.push([
      'Groups',
      ['kafka-cluster:AlterGroup', 'kafka-cluster:DescribeGroup'],
      [arn('kafka', `group/${dirname(topic)}/sluice-TOPOLOGY`)],
    ]);
  const Statement = statements
    .filter(([, action]) => action.length > 0)
    .map(([Sid, Action, Resource]): Statement => ({ Sid, Effect: 'Allow', Action, Resource }));
  return { Version: '2012-10-17', Statement };
}

/** Below the prefix. Flink keeps the state of its jobs elsewhere. */
const belowOf: Readonly<Record<Role, string>> = {
  ingest: 'claims/',
  enrich: '',
  topics: '',
  flink: 'lake/',
};
/** Where claims are not below that. */
const claims: Readonly<Record<Role, readonly string[]>> = {
  ingest: [],
  enrich: [],
  topics: [],
  flink: ['s3:GetObject'],
};

/** https://docs.aws.amazon.com/msk/latest/developerguide/iam-access-control.html#kafka-actions */
const kafka: Readonly<
  Record<Role, { readonly cluster: readonly string[]; readonly topic: readonly string[] }>
> = {
  ingest: {
    cluster: ['kafka-cluster:Connect', 'kafka-cluster:WriteDataIdempotently'],
    topic: [
      'kafka-cluster:DescribeTopic',
      'kafka-cluster:DescribeTopicDynamicConfiguration',
      'kafka-cluster:WriteData',
    ],
  },
  enrich: {
    cluster: ['kafka-cluster:Connect'],
    topic: ['kafka-cluster:DescribeTopic', 'kafka-cluster:ReadData'],
  },
  flink: {
    cluster: ['kafka-cluster:Connect'],
    topic: ['kafka-cluster:DescribeTopic', 'kafka-cluster:ReadData'],
  },
  topics: {
    cluster: ['kafka-cluster:Connect'],
    topic: [
      'kafka-cluster:AlterTopic',
      'kafka-cluster:AlterTopicDynamicConfiguration',
      'kafka-cluster:CreateTopic',
      'kafka-cluster:DescribeTopic',
      'kafka-cluster:DescribeTopicDynamicConfiguration',
    ],
  },
};

export const policyFile = (role: Role): string =>
  join(root, `docs/operating/policies/${role}.json`);
export const policyText = (role: Role): string => `${JSON.stringify(policyOf(role), null, 2)}\n`;

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const role of roles) {
    writeFileSync(policyFile(role), policyText(role));
    console.log(`${relative(process.cwd(), policyFile(role))}: ${callsOf(role).join(', ')}`);
  }
}
