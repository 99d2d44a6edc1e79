/**
 * What cannot work although each of the two files is right by itself. Pure, but for a look whether
 * a jar is there.
 */
import { existsSync } from 'node:fs';
import type { Deployment } from './deployment.ts';
import { applicationOf, archivedStreams, archiveOf, flinkOf } from './deployment.ts';

/** One line a problem: where, what, and what was expected. */
export function problemsOf(deployment: Deployment): readonly string[] {
  return [
    ...bucketProblems(deployment),
    ...archiveProblems(deployment),
    ...tableProblems(deployment),
    ...kafkaProblems(deployment),
    ...edgeProblems(deployment),
    ...keptLong(deployment),
    ...budgetProblems(deployment),
    ...flinkProblems(deployment),
  ];
}

/** https://docs.aws.amazon.com/firehose/latest/APIReference/API_CreateDeliveryStream.html */
const deliveryNameMaxChars = 64;

function* archiveProblems(deployment: Deployment): Iterable<string> {
  for (const stream of archivedStreams(deployment)) {
    const name = archiveOf(deployment, stream);
    if (name.length > deliveryNameMaxChars)
      yield `lake.archive: the delivery stream of ${stream.name} would be called '${name}'; expected at most ${deliveryNameMaxChars} characters: use a shorter stage or kinesis_stream`;
  }
}

function* bucketProblems({ config, stage }: Deployment): Iterable<string> {
  if (config.s3.bucket === undefined)
    yield `${config.file}: s3.bucket: is missing; expected the name of the bucket that is made`;
  for (const name of stage.lake.archive)
    if (!config.streams.some((stream) => stream.name === name))
      yield `lake.archive: there is no stream '${name}'; expected one of ${namesOf(config.streams)}`;
}

function* tableProblems({ config, tables }: Deployment): Iterable<string> {
  for (const name of Object.keys(config.sinks.firehose.tables))
    if (!tables.some((table) => table.name === name && table.deliveryStream !== undefined))
      yield `${config.file}: firehose.tables.${name}: no topology writes it; expected one of ${namesOf(tables)}`;
}

/**
 * Pod Identity gives pods another session name at each refresh, and MSK ends a connection whose name
 * changes: the services assume a role of their own for Kafka, under a name that stays.
 */
function* kafkaProblems({ config }: Deployment): Iterable<string> {
  const { auth, tls, roleArn } = config.kafka;
  if (auth !== 'msk_iam') yield `${config.file}: kafka.auth: is '${auth}'; expected msk_iam`;
  if (!tls) yield `${config.file}: kafka.tls: is false; expected true`;
  if (roleArn === undefined)
    yield `${config.file}: kafka.role_arn: is missing; expected \${KAFKA_ROLE_ARN}, which each service has of its own`;
}

/** A port that is open to everybody has to be meant so. */
function* edgeProblems({ stage, config }: Deployment): Iterable<string> {
  const { certificateArn, clientCidrs, apiGateway } = stage.edge;
  const { keys, jwt } = config.access;
  if (apiGateway && keys.length + jwt.length === 0)
    yield `${config.file}: keys: there are none, and API Gateway would refuse everybody; expected keys or jwt`;
  if (certificateArn !== undefined && clientCidrs.length === 0)
    yield 'edge.client_cidrs: is missing; expected who may send, such as 203.0.113.0/24, or 0.0.0.0/0 for everybody';
}

const dayMs = 86_400_000;

/** A record whose claim is gone cannot be read any more. */
function* keptLong({ stage, streams }: Deployment): Iterable<string> {
  for (const { name, kinesis, kafka } of streams) {
    const days = Math.max(kinesis.retentionMs ?? 0, kafka.retentionMs ?? 0) / dayMs;
    if (days >= stage.lake.claimsDays)
      yield `lake.claims_days: ${name} keeps records ${days} days; expected more than that`;
  }
}

function* budgetProblems({ stage }: Deployment): Iterable<string> {
  const { alarmEmail, budgetUsd } = stage.observability;
  if (budgetUsd !== undefined && alarmEmail === undefined)
    yield 'observability.alarm_email: is missing; expected who is warned of the budget';
}

/** Of IAM: the role of an application has a name longer by `-flink`. */
const roleNameMaxChars = 64;

function* flinkProblems(deployment: Deployment): Iterable<string> {
  for (const [topology, { jar, jarS3 }] of flinkOf(deployment)) {
    const at = `flink.applications.${topology}`;
    if (!deployment.topologies.includes(topology))
      yield `${at}: the configuration has no such topology; expected one of ${deployment.topologies.join(', ')}`;
    const role = `${applicationOf(deployment, topology)}-flink`;
    if (role.length > roleNameMaxChars)
      yield `${at}: its role would be called '${role}'; expected at most ${roleNameMaxChars} characters: use a shorter stage or name`;
    if ((jar === undefined) === (jarS3 === undefined))
      yield `${at}: has ${jar === undefined ? 'neither jar nor jar_s3' : 'both jar and jar_s3'}; expected one of them`;
    if (jar !== undefined && !existsSync(jar))
      yield `${at}.jar: there is no file ${jar}; expected what \`sluice flink build --into\` wrote`;
  }
}

const namesOf = (all: readonly { readonly name: string }[]): string =>
  all.map(({ name }) => name).join(', ');
