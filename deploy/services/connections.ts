/**
 * From configuration to how Kinesis, Kafka, S3 and Neo4j are reached. What a service needs and the
 * configuration does not have is said by name: `SluiceError` `config-incomplete`.
 */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Neo4jOptions } from '../../enrich/graph/neo4j-session.ts';
import type { AwsPlace, KafkaConfig, Neo4jConfig, S3Config } from '../../schemas/config.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import type { S3Place } from '../stores/s3/s3-objects.ts';
import type { KafkaConnection } from '../streams/kafka/kafka-connection.ts';
import { mskIamAuth } from '../streams/kafka/msk-iam.ts';
import type { Happenings } from './happenings.ts';

export interface ConnectionContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly happenings: Happenings;
}

/** The options of every client of AWS; what is not configured is the SDK's to find. */
export function awsOptions({ region, endpoint }: AwsPlace): {
  readonly region?: string;
  readonly endpoint?: string;
} {
  return {
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
  };
}

export function kafkaConnection(
  { brokers, tls, auth, region, roleArn }: KafkaConfig,
  { clock, random, happenings }: ConnectionContext,
): KafkaConnection {
  if (brokers.length === 0)
    throw incomplete(
      'kafka.brokers',
      'the bootstrap brokers of the cluster, such as b-1.example:9098',
    );
  const common = { brokers, tls, clientId: `sluice-${hostname()}` };
  if (auth === 'none') return common;
  if (region === undefined)
    throw incomplete('kafka.region', 'the region of the cluster, for which its tokens are signed');
  return {
    ...common,
    auth: mskIamAuth({
      region,
      ...(roleArn === undefined ? {} : { roleArn }),
      clock,
      random,
      tell: (news) => happenings.count(`kafka-${news}`),
    }),
  };
}

/** `folder` is below the bucket's prefix, or empty. */
export function s3Place(s3: S3Config, folder: string): S3Place {
  if (s3.bucket === undefined)
    throw incomplete('s3.bucket', 'the bucket of the lake, the checkpoints and the claims');
  return {
    ...awsOptions(s3),
    bucket: s3.bucket,
    prefix: `${s3.prefix}${folder}`.replace(/\/$/, ''),
  };
}

export function neo4jAccess({ url, user, password, database }: Neo4jConfig): Neo4jOptions {
  if (url === undefined)
    throw incomplete('neo4j.url', 'where the graph is, such as neo4j+s://graph.example');
  return {
    url,
    user,
    password: passwordOf(password),
    ...(database === undefined ? {} : { database }),
  };
}

function passwordOf(password: Neo4jConfig['password']): string {
  if (password === undefined)
    throw incomplete(
      'neo4j.password_file',
      'a file that has the password, or neo4j.password from the environment',
    );
  if ('text' in password) return password.text;
  try {
    return readFileSync(password.file, 'utf8').trimEnd();
  } catch (thrown) {
    throw new SluiceError(
      'config-incomplete',
      `neo4j.password_file cannot be read: ${messageOf(thrown)}`,
    );
  }
}

function incomplete(path: string, expected: string): SluiceError {
  return new SluiceError(
    'config-incomplete',
    `the configuration has no ${path}, which this service needs`,
    {
      fix: `expected: ${expected}`,
    },
  );
}
