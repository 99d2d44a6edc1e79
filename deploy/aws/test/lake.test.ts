/**
 * The lake: a bucket that is private and stays, tables as the sinks write them, and Firehose with
 * the folders of the sinks.
 */
import { Match } from 'aws-cdk-lib/assertions';
import { beforeAll, expect, it } from 'vitest';
import type { Plan } from '../src/sluice.ts';
import { tablesOf } from '../src/tables.ts';
import type { Synthesized } from './support.ts';
import { flightsConfig, minimalStage, synthesize } from './support.ts';

interface TableInput {
  readonly Name: string;
  readonly StorageDescriptor: {
    readonly Columns: readonly { readonly Name: string; readonly Type: string }[];
  };
}

let made: Synthesized;
beforeAll(async () => {
  const stage = `${minimalStage}lake: {archive: [nyc/weather], scan_limit_gib: 5, first_date: '2013-01-01'}\n`;
  made = await synthesize({ stage, config: flightsConfig });
});

it('passes the checks', () => {
  expect(made.findings).toEqual([]);
});

it('is reached by an endpoint of Firehose, and one of Glue, where a table goes by Firehose', () => {
  expect(made.endpoints).toEqual(expect.arrayContaining(['glue', 'kinesis-firehose']));
  expect(made.endpoints).toHaveLength(10);
});

it('has buckets that are private, encrypted, asked by TLS alone, and stay', () => {
  const buckets = made.resources('AWS::S3::Bucket');
  expect(buckets).toHaveLength(3);
  for (const { Properties, DeletionPolicy } of buckets) {
    expect(DeletionPolicy).toBe('Retain');
    expect(Properties).toMatchObject({
      PublicAccessBlockConfiguration: {
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      },
      BucketEncryption: expect.anything() as unknown,
    });
  }
  const refusals = JSON.stringify(made.resources('AWS::S3::BucketPolicy'));
  expect(refusals.split('"aws:SecureTransport":"false"')).toHaveLength(1 + buckets.length);
  made.template('lake').hasResourceProperties('AWS::S3::Bucket', { BucketName: 'flights-test' });
});

it('has each table of the topologies, and the rejected one, with the columns of its schema', () => {
  const tables = made.resources('AWS::Glue::Table').map(({ Properties }) => Properties);
  const inputs = tables.map(({ TableInput }) => TableInput as TableInput);
  expect(new Set(inputs.map(({ Name }) => Name))).toEqual(
    new Set(['departures', 'departures_hourly', 'rejected', 'rotations', 'schedules', 'weather']),
  );
  const hourly = inputs.find(({ Name }) => Name === 'departures_hourly');
  const columns = (hourly?.StorageDescriptor.Columns ?? []).map(({ Name, Type }) => [Name, Type]);
  expect(columns).toEqual([
    ['origin', 'string'],
    ['window_start', 'timestamp'],
    ['window_end', 'timestamp'],
    ['departures', 'bigint'],
    ['delay_min', 'bigint'],
  ]);
  expect(hourly).toMatchObject({
    PartitionKeys: ['date', 'hour', 'team', 'app'].map((Name) => ({ Name, Type: 'string' })),
    Parameters: {
      'projection.date.range': '2013-01-01,NOW+2DAYS',
      'projection.team.values': 'nyc',
      'projection.app.values': 'flights',
    },
  });
});

it('has a table by Firehose with its identity, and Firehose with the folders of the sinks', () => {
  const lake = made.template('lake');
  lake.hasResourceProperties('AWS::Glue::Table', {
    TableInput: {
      Name: 'weather',
      StorageDescriptor: {
        Columns: Match.arrayWith([Match.objectLike({ Name: 'row_id', Type: 'string' })]),
      },
    },
  });
  lake.hasResourceProperties('AWS::KinesisFirehose::DeliveryStream', {
    DeliveryStreamName: 'nyc-weather',
    ExtendedS3DestinationConfiguration: {
      Prefix:
        'lake/weather/date=!{partitionKeyFromQuery:date}/hour=!{partitionKeyFromQuery:hour}/team=!{partitionKeyFromQuery:team}/app=!{partitionKeyFromQuery:app}/',
      ErrorOutputPrefix: Match.stringLikeRegexp('^errors/weather/'),
      BufferingHints: { IntervalInSeconds: 300, SizeInMBs: 128 },
      DynamicPartitioningConfiguration: { Enabled: true },
      DataFormatConversionConfiguration: { Enabled: true },
    },
  });
});

it('archives the streams that the stage names, as they are', () => {
  const lake = made.template('lake');
  lake.resourceCountIs('AWS::KinesisFirehose::DeliveryStream', 2);
  lake.hasResourceProperties('AWS::KinesisFirehose::DeliveryStream', {
    DeliveryStreamType: 'KinesisStreamAsSource',
    ExtendedS3DestinationConfiguration: {
      CompressionFormat: 'GZIP',
      Prefix: Match.stringLikeRegexp('^archive/nyc-weather/date='),
      DataFormatConversionConfiguration: Match.absent(),
    },
  });
});

it('bounds what one query may read', () => {
  made.template('lake').hasResourceProperties('AWS::Athena::WorkGroup', {
    WorkGroupConfiguration: {
      EnforceWorkGroupConfiguration: true,
      BytesScannedCutoffPerQuery: 5 * 2 ** 30,
    },
  });
});

it('asks a query for a value that no list can name, so that it never misses rows', () => {
  const planOf = (team: object): Plan =>
    ({
      owner: { team: 'shop', app: 'a' },
      nodes: [
        {
          kind: 'sink',
          sink: {
            kind: 'table',
            table: 't',
            schema: { $id: 't', type: 'object', properties: { team, n: { type: 'integer' } } },
            partitionBy: ['team', 'app'],
          },
        },
      ],
    }) as unknown as Plan;
  const valuesOf = (team: object): unknown =>
    tablesOf([planOf(team)], [], {})[0]?.partitions.map(({ values }) => values);
  expect(valuesOf({ type: 'string' })).toEqual(['any', ['a']]);
  expect(valuesOf({ enum: ['x', null] })).toEqual([['x', 'shop'], ['a']]);
  expect(valuesOf({ const: 'a b' })).toEqual(['any', ['a']]);
});
