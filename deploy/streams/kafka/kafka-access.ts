/**
 * From configuration to how Kafka is reached.
 */
import { hostname } from 'node:os';
import { incomplete } from '../../../schemas/config/incomplete.ts';
import type { KafkaConfig } from '../../../schemas/config.ts';
import type { KafkaConnection } from './kafka-connection.ts';
import type { MskIamOptions } from './msk-iam.ts';
import { mskIamAuth } from './msk-iam.ts';

/** Throws `SluiceError` `config-incomplete`. */
export function kafkaConnection(
  { brokers, tls, auth, region, roleArn }: KafkaConfig,
  ports: Pick<MskIamOptions, 'clock' | 'random' | 'tell'>,
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
  const role = roleArn === undefined ? {} : { roleArn };
  return { ...common, auth: mskIamAuth({ region, ...role, ...ports }) };
}
