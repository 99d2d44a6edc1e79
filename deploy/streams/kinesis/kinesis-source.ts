/**
 * Kinesis as where a service reads streams from.
 */
import { awsOptions } from '../../../schemas/config/aws-place.ts';
import type { OpenSource } from '../stream-source.ts';
import { readable } from '../stream-source.ts';
import { consumerName } from './fan-out-client.ts';
import { createKinesisReader } from './kinesis-reader.ts';

export const kinesisSource: OpenSource = ({ kinesis }, { clock, random, count }) => ({
  check: ({ name, kinesisStream: streamName }) => ({
    what: `Kinesis stream ${streamName} (${name})`,
    look: () => {
      const options = { ...awsOptions(kinesis), streamName, clock, random };
      return readable(createKinesisReader(options), 'shards');
    },
  }),
  reader: ({ kinesisStream: streamName }, topology) =>
    createKinesisReader({
      ...awsOptions(kinesis),
      readEveryMs: kinesis.readEveryMs,
      idleReadEveryMs: kinesis.idleReadEveryMs,
      consumer: kinesis.fanOut ? consumerName(topology) : undefined,
      streamName,
      clock,
      random,
      tell: (news) => count(`kinesis-${news}`),
    }),
});
