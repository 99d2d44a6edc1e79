/**
 * Topics of Kafka as sources, as the large route of the ingress writes them. Partitions are splits.
 * The keys are those of the configuration's section `kafka` where it has them
 * (schemas/config/services.ts). Credentials are those of the AWS SDK's default chain.
 */
import type { FlinkConnector } from './connector.ts';
import { streamFields } from './stream-fields.ts';

export const kafka: FlinkConnector = {
  name: 'kafka',
  example: '{"connector": "kafka", "brokers": "b-1.example:9098"}',
  roles: {
    source: {
      brokers: {
        type: 'text',
        isRequired: true,
        meaning: 'brokers to connect to first, such as "b-1.example:9098,b-2.example:9098"',
      },
      topic: { type: 'text', meaning: 'the topic; default: the stream as "team-app"' },
      tls: { type: 'flag', meaning: 'whether to connect with TLS; default false' },
      auth: {
        type: 'text',
        choices: ['none', 'msk_iam'],
        meaning: 'how to log in; default "none"',
      },
      region: { type: 'text', meaning: 'region of the cluster, for msk_iam' },
      roleArn: { type: 'text', meaning: 'role to assume first, for msk_iam' },
      ...streamFields('partition'),
      group: {
        type: 'text',
        meaning: 'the group whose offsets are committed; default "sluice-" and the topology',
      },
      discoveryMs: {
        type: 'whole',
        least: 100,
        meaning: 'between two lists of the partitions; default 10000',
      },
    },
  },
};
