/**
 * Firehose, which can write tables instead of Parquet files.
 */
import { awsPlace } from '../config/aws-place.ts';
import { namesOnce } from '../config/rule.ts';
import type { ValueOf } from '../config/setting.ts';
import { choice, group, named, text } from '../config/setting.ts';
import type { SinkPart } from './sink-part.ts';

const section = group({
  description: 'Firehose, which can write tables instead of Parquet files.',
  properties: {
    ...awsPlace,
    format: choice({
      description:
        'What the delivery streams write. To Iceberg each row is a record of its own, and one that comes again replaces itself.',
      enum: ['parquet', 'iceberg'],
      default: 'parquet',
    }),
    tables: named({
      description: 'Delivery streams by table; all other tables are written as Parquet.',
      propertyNames: { pattern: '^[a-z][a-z0-9_]{0,62}$', expected: 'the name of a table' },
      examples: [{ ctr_per_minute: 'ctr-dev' }],
      additionalProperties: text({
        description: 'Delivery stream of the table.',
        pattern: '^[A-Za-z0-9._-]{1,64}$',
        expected: 'the name of a delivery stream: 1 to 64 of A-Z a-z 0-9 . _ -',
      }),
    }),
  },
});

export type FirehoseConfig = ValueOf<typeof section>;

export const firehose = {
  section,
  rules: { entries: [[['firehose', 'tables'], [namesOnce]]] },
  read: (values: FirehoseConfig): FirehoseConfig => values,
  rights: {
    'firehose:DescribeDeliveryStream': [
      { action: 'firehose:DescribeDeliveryStream', on: 'delivery-stream' },
    ],
    'firehose:PutRecordBatch': [{ action: 'firehose:PutRecordBatch', on: 'delivery-stream' }],
  },
  codes: {
    'delivery-stream-missing': {
      retryable: false,
      means: 'The Firehose delivery stream does not exist.',
      fix: 'Create it, or correct its name and the region.',
    },
    'firehose-failed': {
      retryable: true,
      means: 'Firehose failed to accept rows.',
      fix: 'Check the endpoint and the quotas of the delivery stream.',
    },
    'firehose-refused': {
      retryable: false,
      means: 'Firehose refuses the request.',
      fix: 'Check the credentials and their rights.',
    },
  },
} as const satisfies SinkPart;
