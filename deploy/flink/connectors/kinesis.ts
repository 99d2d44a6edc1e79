/**
 * Kinesis streams as sources. Shards are splits; records that hold several events are taken apart.
 * Credentials are those of the AWS SDK's default chain, and never in the settings.
 */
import type { FlinkConnector } from './connector.ts';
import { streamFields } from './stream-fields.ts';

/** GetRecords gives no more (a quota of Kinesis), and what a reader may be told to hold. */
const readMaxRecords = 10_000;
const bufferMaxMb = 1_024;

export const kinesis: FlinkConnector = {
  name: 'kinesis',
  example: '{"connector": "kinesis", "stream": "shop-clicks-prod"}',
  roles: {
    source: {
      stream: { type: 'text', isRequired: true, meaning: 'the name of the Kinesis stream' },
      region: {
        type: 'text',
        meaning: 'a region such as "eu-central-1"; default: that of the environment',
      },
      endpoint: { type: 'text', meaning: "a URL; default: the region's endpoint" },
      ...streamFields('shard'),
      readMaxRecords: {
        type: 'whole',
        most: readMaxRecords,
        meaning: 'records of one call; default 10000',
      },
      bufferMaxMb: {
        type: 'whole',
        most: bufferMaxMb,
        meaning: 'what each reader has fetched ahead, in MiB; default 32',
      },
      readEveryMs: {
        type: 'whole',
        least: 200,
        meaning: 'between two calls of a shard; default 250',
      },
      idleReadEveryMs: {
        type: 'whole',
        least: 200,
        meaning: 'between two calls of a shard whose end was found; default 1000',
      },
      discoveryMs: {
        type: 'whole',
        least: 1_000,
        meaning: 'between two lists of the shards; default 30000',
      },
    },
  },
};
