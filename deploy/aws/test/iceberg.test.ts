/**
 * A table that Firehose writes as an Iceberg table: its columns from the same schema as the sink's,
 * its identity, and no more rights than its own files and its own table.
 */
import { Match } from 'aws-cdk-lib/assertions';
import { beforeAll, expect, it } from 'vitest';
import type { Resource, Synthesized } from './support.ts';
import { flightsConfig, synthesize } from './support.ts';

const config = flightsConfig.replace('firehose: {tables:', 'firehose: {format: iceberg, tables:');

interface Table {
  readonly OpenTableFormatInput?: object;
  readonly TableInput: {
    readonly Name: string;
    readonly PartitionKeys?: readonly object[];
    readonly StorageDescriptor: {
      readonly Location: unknown;
      readonly Columns: readonly { readonly Name: string; readonly Type: string }[];
    };
  };
}

let made: Synthesized;
let tables: readonly Table[];
beforeAll(async () => {
  made = await synthesize({ config });
  tables = made
    .resources('AWS::Glue::Table')
    .map(({ Properties }) => Properties as unknown as Table);
});
const tableOf = (name: string): Table | undefined =>
  tables.find(({ TableInput }) => TableInput.Name === name);

it('passes the checks', () => {
  expect(made.findings).toEqual([]);
});

it('is an Iceberg table of format 2 with every column that its rows have', () => {
  const weather = tableOf('weather');
  expect(weather?.OpenTableFormatInput).toEqual({
    IcebergInput: { MetadataOperation: 'CREATE', Version: '2' },
  });
  expect(weather?.TableInput.PartitionKeys).toBeUndefined();
  const columns = weather?.TableInput.StorageDescriptor.Columns ?? [];
  const names = columns.map(({ Name }) => Name);
  expect(names).toEqual(expect.arrayContaining(['row_id', 'date', 'hour', 'team', 'app', 'visib']));
  expect(columns.filter(({ Type }) => Type === 'timestamp')).toEqual([]);
  expect(new Set(names).size).toBe(names.length);
  // What Firehose cannot take is in Parquet, with the same columns and its folders.
  const beside = tableOf('weather_beside');
  expect(beside?.OpenTableFormatInput).toBeUndefined();
  const besideNames = beside?.TableInput.StorageDescriptor.Columns.map(({ Name }) => Name) ?? [];
  expect([...besideNames, 'date', 'hour', 'team', 'app']).toEqual(names);
  const places = [weather, beside].map((table) =>
    JSON.stringify(table?.TableInput.StorageDescriptor.Location),
  );
  expect(places[0]).toContain('/iceberg/weather/');
  expect(places[1]).toContain('/lake/weather/');
  expect(tables.filter(({ OpenTableFormatInput }) => OpenTableFormatInput)).toHaveLength(1);
});

it('stays when the stack is deleted: it alone knows which files are the table', () => {
  const kept = made
    .resources('AWS::Glue::Table')
    .filter(({ DeletionPolicy }: Resource) => DeletionPolicy === 'Retain')
    .map(({ Properties }) => (Properties as unknown as Table).TableInput.Name);
  expect(kept).toEqual(['weather']);
});

it('is written by Firehose, which replaces the row of the same identity', () => {
  const lake = made.template('lake');
  lake.resourceCountIs('AWS::KinesisFirehose::DeliveryStream', 1);
  lake.hasResourceProperties('AWS::KinesisFirehose::DeliveryStream', {
    DeliveryStreamName: 'nyc-weather',
    DeliveryStreamEncryptionConfigurationInput: { KeyType: 'CUSTOMER_MANAGED_CMK' },
    ExtendedS3DestinationConfiguration: Match.absent(),
    IcebergDestinationConfiguration: {
      AppendOnly: Match.absent(),
      DestinationTableConfigurationList: [
        {
          DestinationDatabaseName: 'sluice_test',
          DestinationTableName: 'weather',
          UniqueKeys: ['row_id'],
        },
      ],
      ProcessingConfiguration: {
        Enabled: true,
        Processors: [
          {
            Type: 'MetadataExtraction',
            Parameters: Match.arrayWith([
              {
                ParameterName: 'MetadataExtractionQuery',
                ParameterValue:
                  '{destinationDatabaseName:"sluice_test",destinationTableName:"weather",operation:"update"}',
              },
            ]),
          },
        ],
      },
      S3Configuration: { ErrorOutputPrefix: Match.stringLikeRegexp('^errors/weather/') },
    },
  });
  // It looks for the table when it is made.
  const [stream] = Object.values(lake.findResources('AWS::KinesisFirehose::DeliveryStream')) as {
    readonly DependsOn?: readonly string[];
  }[];
  expect(stream?.DependsOn).toEqual(
    expect.arrayContaining([expect.stringContaining('Icebergweather')]),
  );
});

it('gives Firehose the rights on that table and its files alone', () => {
  const roles = made.resources('AWS::IAM::Role').map((role) => JSON.stringify(role));
  const own = roles.filter((text) => text.includes('glue:UpdateTable'));
  expect(own).toHaveLength(1);
  const { Properties } = JSON.parse(own[0] ?? '') as {
    readonly Properties: {
      readonly Policies: readonly {
        readonly PolicyDocument: {
          readonly Statement: readonly { readonly Sid: string; readonly Action: unknown }[];
        };
      }[];
    };
  };
  const statements = Properties.Policies.flatMap(({ PolicyDocument }) => PolicyDocument.Statement);
  const actions = Object.fromEntries(statements.map(({ Sid, Action }) => [Sid, Action]));
  expect(actions).toEqual({
    Bucket: ['s3:GetBucketLocation', 's3:ListBucket', 's3:ListBucketMultipartUploads'],
    Objects: ['s3:AbortMultipartUpload', 's3:GetObject', 's3:PutObject'],
    Key: ['kms:Decrypt', 'kms:GenerateDataKey'],
    Log: 'logs:PutLogEvents',
    Commits: ['glue:GetDatabase', 'glue:GetTable', 'glue:UpdateTable'],
    Replaced: 's3:DeleteObject',
  });
  const on = JSON.stringify(statements);
  expect(on).toContain('/iceberg/weather/*');
  expect(on).toContain('table/sluice_test/weather"');
  expect(on).not.toContain('/lake/weather');
});

it('is watched by the metrics that Firehose has of Iceberg tables', () => {
  const metrics = JSON.stringify(made.resources('AWS::CloudWatch::Alarm'));
  expect(metrics).toContain('DeliveryToIceberg.DataFreshness');
  expect(metrics).toContain('DeliveryToIceberg.FailedRowCount');
  expect(metrics).not.toContain('PartitionCountExceeded');
});
