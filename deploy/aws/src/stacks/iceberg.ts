/**
 * A table of the lake as an Iceberg table that Firehose writes, where `firehose.format` says so.
 *
 * - Its identity is `row_id`: Firehose replaces the row that has it, so that a row that is delivered
 *   again is there once.
 * - Times are texts, as the rows have them: Firehose reads a number of microseconds into a time.
 * - It has no partitions, which CloudFormation cannot give an Iceberg table. What a folder would be
 *   named by is a column of the row.
 *
 * https://docs.aws.amazon.com/firehose/latest/dev/apache-iceberg-destination.html
 */
import * as glue from 'aws-cdk-lib/aws-glue';
import type * as iam from 'aws-cdk-lib/aws-iam';
import * as firehose from 'aws-cdk-lib/aws-kinesisfirehose';
import type * as kms from 'aws-cdk-lib/aws-kms';
import type * as logs from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import type { Right } from '../roles.ts';
import { rowIdColumn } from '../sluice.ts';
import type { LakeTable } from '../tables.ts';

/** Format 1 is refused by Firehose. */
const formatVersion = '2';
/** As files of Parquet: whichever comes first. */
const buffer = { intervalInSeconds: 300, sizeInMBs: 128 } as const;
const retrySeconds = 300;

/** Of the table that holds what Firehose could not take. */
export const besideOf = (table: string): string => `${table}_beside`;

export interface IcebergTable {
  readonly table: LakeTable;
  readonly catalogId: string;
  readonly database: string;
  /** `s3://bucket/prefix/`, of this table alone. */
  readonly location: string;
}

export function icebergTable(
  scope: Construct,
  { table, catalogId, database, location }: IcebergTable,
): glue.CfnTable {
  const columns = [
    ...table.columns.map(({ name, type, comment }) => ({
      name,
      type: type === 'timestamp' ? 'string' : type,
      comment,
    })),
    ...table.partitions.map(({ name }) => ({ name, type: 'string' })),
  ];
  const made = new glue.CfnTable(scope, `Iceberg-${table.name}`, {
    catalogId,
    databaseName: database,
    openTableFormatInput: {
      icebergInput: { metadataOperation: 'CREATE', version: formatVersion },
    },
    tableInput: {
      name: table.name,
      tableType: 'EXTERNAL_TABLE',
      storageDescriptor: { location, columns },
    },
  });
  return made;
}

export interface IcebergDelivery {
  readonly name: string;
  readonly table: glue.CfnTable;
  readonly tableName: string;
  readonly database: string;
  readonly catalogArn: string;
  readonly bucketArn: string;
  readonly errorPrefix: string;
  readonly role: iam.IRole;
  readonly key: kms.IKey;
  readonly log: logs.LogGroup;
  readonly logStream: logs.LogStream;
}

export function icebergDelivery(
  scope: Construct,
  delivery: IcebergDelivery,
): firehose.CfnDeliveryStream {
  const { name, tableName, database, role, key, errorPrefix } = delivery;
  const cloudWatchLoggingOptions = {
    enabled: true,
    logGroupName: delivery.log.logGroupName,
    logStreamName: delivery.logStream.logStreamName,
  };
  const stream = new firehose.CfnDeliveryStream(scope, `Delivery-${tableName}`, {
    deliveryStreamName: name,
    deliveryStreamType: 'DirectPut',
    deliveryStreamEncryptionConfigurationInput: {
      keyType: 'CUSTOMER_MANAGED_CMK',
      keyArn: key.keyArn,
    },
    icebergDestinationConfiguration: {
      roleArn: role.roleArn,
      catalogConfiguration: { catalogArn: delivery.catalogArn },
      bufferingHints: buffer,
      retryOptions: { durationInSeconds: retrySeconds },
      cloudWatchLoggingOptions,
      s3BackupMode: 'FailedDataOnly',
      s3Configuration: {
        roleArn: role.roleArn,
        bucketArn: delivery.bucketArn,
        errorOutputPrefix: errorPrefix,
        bufferingHints: buffer,
        encryptionConfiguration: { kmsEncryptionConfig: { awskmsKeyArn: key.keyArn } },
        cloudWatchLoggingOptions,
      },
      destinationTableConfigurationList: [
        {
          destinationDatabaseName: database,
          destinationTableName: tableName,
          uniqueKeys: [rowIdColumn],
          s3ErrorOutputPrefix: errorPrefix,
        },
      ],
      processingConfiguration: { enabled: true, processors: [replaces(database, tableName)] },
    },
  });
  // Firehose looks for the table and its keys when the delivery stream is made.
  stream.addResourceDependency(delivery.table);
  return stream;
}

/** Every row is an update of the one with its identity, which may not be there yet. */
function replaces(database: string, table: string): firehose.CfnDeliveryStream.ProcessorProperty {
  const query = `{destinationDatabaseName:"${database}",destinationTableName:"${table}",operation:"update"}`;
  return {
    type: 'MetadataExtraction',
    parameters: [
      { parameterName: 'MetadataExtractionQuery', parameterValue: query },
      { parameterName: 'JsonParsingEngine', parameterValue: 'JQ-1.6' },
    ],
  };
}

/**
 * What Firehose may do with the table, beside its files: each of its commits is an update of it.
 * https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-iceberg
 */
export const icebergRights = (arns: readonly string[]): Right => ({
  sid: 'Commits',
  actions: ['glue:GetDatabase', 'glue:GetTable', 'glue:UpdateTable'],
  on: arns,
});
