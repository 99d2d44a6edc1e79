/**
 * What a service's rights are on, in this deployment. Streams, topics and the bucket are named, not
 * referred to, so that one can be removed without the stack that has the roles.
 */
import type { Stack } from 'aws-cdk-lib';
import { Fn } from 'aws-cdk-lib';
import type { Deployment } from './deployment.ts';
import { flinkOf } from './deployment.ts';
import type { Places, Policyholder } from './rights.ts';
import type { StreamsStack } from './stacks/streams.ts';

/** Below the prefix of the configuration; the state of jobs of Flink is kept by their service. */
const objectsOf: Readonly<Record<Policyholder, string>> = {
  ingest: 'claims/',
  enrich: '',
  topics: '',
  flink: 'lake/',
};

export function placesOf(
  stack: Stack,
  service: Policyholder,
  deployment: Deployment,
  streams: StreamsStack,
): Places {
  const { config } = deployment;
  const { bucket = '', prefix } = config.s3;
  const bucketArn = `arn:${stack.partition}:s3:::${bucket}`;
  const named = deployment.streams.map(({ kinesisStream }) =>
    stack.formatArn({ service: 'kinesis', resource: 'stream', resourceName: kinesisStream }),
  );
  // arn:..:cluster/NAME/ID is arn:..:topic/NAME/ID/TOPIC, and only CloudFormation knows the ID.
  const of = (what: 'topic' | 'group'): string =>
    Fn.join(`:${what}/`, Fn.split(':cluster/', streams.kafka.attrArn, 2));
  return {
    Streams: named,
    ConsumersOfFanOut: config.kinesis.fanOut ? named.map((arn) => `${arn}/consumer/*`) : [],
    Bucket: [bucketArn],
    Objects: [`${bucketArn}/${prefix}${objectsOf[service]}*`],
    Claims: [`${bucketArn}/${prefix}claims/*`],
    DeliveryStreams: Object.values(config.sinks.firehose.tables).map((name) =>
      stack.formatArn({ service: 'firehose', resource: 'deliverystream', resourceName: name }),
    ),
    KeyWhereYoursEncrypts: [streams.key.keyArn],
    Cluster: [streams.kafka.attrArn],
    Topics: deployment.streams.map(({ kafkaTopic }) => `${of('topic')}/${kafkaTopic}`),
    Groups: flinkOf(deployment).map(([topology]) => `${of('group')}/sluice-${topology}`),
  };
}
