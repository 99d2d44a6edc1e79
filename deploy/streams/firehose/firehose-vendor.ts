/**
 * Firehose as what sinks of a service write to: tables that the configuration names are delivered.
 */
import { describeStream } from '../../../enrich/firehose/deliver-call.ts';
import { firehoseSink } from '../../../enrich/firehose/firehose-sink.ts';
import type { SinkVendor } from '../../../enrich/sink-vendor.ts';
import { awsOptions } from '../../../schemas/config/aws-place.ts';
import { firehoseStream } from './firehose-stream.ts';

export const firehoseVendor: SinkVendor = {
  checks: ({ firehose }, { clock, random }) =>
    Object.entries(firehose.tables).map(([table, deliveryStream]) => ({
      what: `Firehose delivery stream ${deliveryStream} (table ${table})`,
      look: async () => {
        const stream = firehoseStream({ ...awsOptions(firehose), deliveryStream, clock });
        try {
          await describeStream({ stream, clock, random });
          return 'is there';
        } finally {
          stream.close();
        }
      },
    })),
  open: ({ firehose }, { clock, random, count }) => ({
    deliveryOf: (table) => {
      const { tables } = firehose;
      const deliveryStream = Object.hasOwn(tables, table) ? tables[table] : undefined;
      if (deliveryStream === undefined) return undefined;
      return (delivered) =>
        firehoseSink({
          ...delivered,
          connect: () => firehoseStream({ ...awsOptions(firehose), deliveryStream, clock }),
          clock,
          random,
          // An Iceberg table takes a record as one row:
          // https://docs.aws.amazon.com/firehose/latest/dev/apache-iceberg-format-input-record.html
          ...(firehose.format === 'iceberg' ? { rowsPerRecord: 1 } : {}),
          count: (what, rows) => count(`firehose-${what}`, rows),
        });
    },
  }),
};
