/** Tables that Firehose delivers: rows as the lines of the engine here, many to a record. */
import type { FlinkConnector } from './connector.ts';

export const firehose: FlinkConnector = {
  name: 'firehose',
  example:
    '{"connector": "firehose", "deliveryStream": "clicks-prod", "fallback": {"connector": "parquet", "path": "s3://bucket/prefix"}}',
  roles: {
    table: {
      deliveryStream: { type: 'text', isRequired: true, meaning: 'the name of a delivery stream' },
      fallback: {
        type: 'place',
        isRequired: true,
        meaning: 'a connector for rows that no record takes',
      },
      format: {
        type: 'text',
        choices: ['parquet', 'iceberg'],
        meaning: 'what the stream writes; to Iceberg each row is a record of its own',
      },
      region: { type: 'text', meaning: "a region; default: the task's own" },
      endpoint: { type: 'text', meaning: "an endpoint; default: the region's" },
    },
  },
};
