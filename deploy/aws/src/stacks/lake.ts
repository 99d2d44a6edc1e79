/**
 * Stateful: the bucket of tables, checkpoints and claims, its catalog, the analysts' workgroup, and
 * the delivery streams of Firehose: one for each table that it writes, one for each stream that is
 * archived as it is.
 *
 * Invariants:
 * 1. The bucket stays when the stack is deleted.
 * 2. A delivery stream has a folder of the table for each value, as the Parquet sink has: rows that
 *    Firehose cannot take are in files of the sink beside its own.
 */
import type { StackProps } from 'aws-cdk-lib';
import { CfnOutput, Duration, RemovalPolicy, Size, Stack, Validations } from 'aws-cdk-lib';
import * as athena from 'aws-cdk-lib/aws-athena';
import * as glue from 'aws-cdk-lib/aws-glue';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as kinesis from 'aws-cdk-lib/aws-kinesis';
import * as firehose from 'aws-cdk-lib/aws-kinesisfirehose';
import type * as kms from 'aws-cdk-lib/aws-kms';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as s3 from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import type { Deployment } from '../deployment.ts';
import { archivedStreams, archiveOf, nameOf } from '../deployment.ts';
import type { Right } from '../roles.ts';
import { roleOf } from '../roles.ts';
import type { StreamConfig } from '../sluice.ts';
import type { LakePartition, LakeTable } from '../tables.ts';
import { besideOf, icebergDelivery, icebergRights, icebergTable } from './iceberg.ts';

/** The largest files within five minutes: Firehose writes when either is reached. */
const deliver = {
  bufferingSize: Size.mebibytes(128),
  bufferingInterval: Duration.minutes(5),
} as const;
const [errorsKeptDays, resultsKeptDays, accessLogsKeptDays] = [30, 7, 90];

export interface LakeProps extends StackProps {
  readonly key: kms.IKey;
}

export class LakeStack extends Stack {
  readonly bucket: s3.Bucket;
  readonly accessLogs: s3.Bucket;
  /** Of tables and of archives, by their names at Firehose. */
  readonly deliveryStreams = new Map<string, firehose.DeliveryStream>();
  readonly #key: kms.IKey;
  readonly #deployment: Deployment;
  readonly #database: string;

  constructor(scope: Construct, id: string, deployment: Deployment, props: LakeProps) {
    super(scope, id, props);
    const { stage, tables } = deployment;
    this.#key = props.key;
    this.#deployment = deployment;
    this.accessLogs = this.#bucket('AccessLogs', {
      lifecycleRules: [{ expiration: Duration.days(accessLogsKeptDays) }],
    });
    const logged = (name: string): s3.BucketProps => ({
      serverAccessLogsBucket: this.accessLogs,
      serverAccessLogsPrefix: `${name}/`,
    });
    this.bucket = this.#lakeBucket(logged('lake'));
    const results = this.#bucket('QueryResults', {
      ...logged('results'),
      lifecycleRules: [{ expiration: Duration.days(resultsKeptDays) }],
    });
    this.#database = `sluice_${stage.stage.replaceAll('-', '_')}`;
    const database = new glue.CfnDatabase(this, 'Database', {
      catalogId: this.account,
      databaseInput: { name: this.#database, description: 'Tables of Sluice' },
    });
    for (const table of tables) {
      this.#table(table, database);
      if (this.#isIceberg(table)) this.#iceberg(table, table.deliveryStream as string, database);
    }
    for (const stream of archivedStreams(deployment)) this.#archive(stream);
    this.#workgroup(results);
    new CfnOutput(this, 'Bucket', { value: this.bucket.bucketName });
    new CfnOutput(this, 'DatabaseName', { value: this.#database });
  }

  #bucket(id: string, props: s3.BucketProps): s3.Bucket {
    return new s3.Bucket(this, id, {
      encryption: s3.BucketEncryption.S3_MANAGED,
      blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
      objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      removalPolicy: RemovalPolicy.RETAIN,
      ...props,
    });
  }

  /** Without versions: checkpoints and small files of tables are replaced all the time. */
  #lakeBucket(logged: s3.BucketProps): s3.Bucket {
    const { config, stage } = this.#deployment;
    const { bucket: bucketName, prefix } = config.s3;
    return this.#bucket('Lake', {
      ...logged,
      bucketName,
      encryption: s3.BucketEncryption.KMS,
      encryptionKey: this.#key,
      bucketKeyEnabled: true,
      lifecycleRules: [
        { abortIncompleteMultipartUploadAfter: Duration.days(2) },
        { prefix: `${prefix}claims/`, expiration: Duration.days(stage.lake.claimsDays) },
        { prefix: `${prefix}errors/`, expiration: Duration.days(errorsKeptDays) },
      ],
    });
  }

  #table(table: LakeTable, database: glue.CfnDatabase): void {
    const { s3: place } = this.#deployment.config;
    const location = `s3://${this.bucket.bucketName}/${place.prefix}lake/${table.name}/`;
    const format = 'org.apache.hadoop.hive.ql.io.parquet';
    const made = new glue.CfnTable(this, `Table-${table.name}`, {
      catalogId: this.account,
      databaseName: this.#database,
      tableInput: {
        name: this.#isIceberg(table) ? besideOf(table.name) : table.name,
        tableType: 'EXTERNAL_TABLE',
        partitionKeys: table.partitions.map(({ name }) => ({ name, type: 'string' })),
        parameters: {
          EXTERNAL: 'TRUE',
          classification: 'parquet',
          ...this.#projection(table.partitions),
        },
        storageDescriptor: {
          location,
          columns: table.columns.map((column) => ({ ...column })),
          inputFormat: `${format}.MapredParquetInputFormat`,
          outputFormat: `${format}.MapredParquetOutputFormat`,
          serdeInfo: { serializationLibrary: `${format}.serde.ParquetHiveSerDe` },
        },
      },
    });
    made.addResourceDependency(database);
    if (table.deliveryStream !== undefined && !this.#isIceberg(table))
      this.#delivery(table, table.deliveryStream, made);
  }

  #isIceberg({ deliveryStream }: LakeTable): boolean {
    const { format } = this.#deployment.config.sinks.firehose;
    return deliveryStream !== undefined && format === 'iceberg';
  }

  /**
   * Rows that the topology delivers, as an Iceberg table. What is larger than a record is in files of
   * the sink, which are a table of their own.
   */
  #iceberg(table: LakeTable, name: string, database: glue.CfnDatabase): void {
    const { prefix } = this.#deployment.config.s3;
    const folder = `iceberg/${table.name}`;
    const location = `s3://${this.bucket.bucketName}/${prefix}${folder}/`;
    const made = icebergTable(this, {
      ...{ table, location },
      ...{ catalogId: this.account, database: this.#database },
    });
    made.addResourceDependency(database);
    made.applyRemovalPolicy(RemovalPolicy.RETAIN);
    const log = this.#log(name);
    const role = this.#role(`Deliver-${table.name}`, [folder, `errors/${table.name}`], log, [
      icebergRights(this.#glueArns(table.name)),
      {
        sid: 'Replaced',
        actions: ['s3:DeleteObject'],
        on: [`${this.bucket.bucketArn}/${prefix}${folder}/*`],
      },
    ]);
    icebergDelivery(this, {
      ...{ name, role, log, table: made, tableName: table.name, database: this.#database },
      catalogArn: this.#glueArns(table.name)[0] as string,
      bucketArn: this.bucket.bucketArn,
      errorPrefix: errorsBelow(prefix, table.name),
      key: this.#key,
      logStream: new logs.LogStream(this, `LogStream-${name}`, {
        logGroup: log,
        removalPolicy: RemovalPolicy.DESTROY,
      }),
    });
  }

  /** The catalog, the database, the table. */
  #glueArns(table: string): readonly string[] {
    return ['catalog', `database/${this.#database}`, `table/${this.#database}/${table}`].map(
      (resource) => `arn:${this.partition}:glue:${this.region}:${this.account}:${resource}`,
    );
  }

  #projection(partitions: readonly LakePartition[]): Readonly<Record<string, string>> {
    const { firstDate } = this.#deployment.stage.lake;
    const settings = partitions.flatMap(({ name, values }): [string, string][] => {
      const key = `projection.${name}`;
      if (values === 'any') return [[`${key}.type`, 'injected']];
      if (values !== 'range')
        return [
          [`${key}.type`, 'enum'],
          [`${key}.values`, values.join(',')],
        ];
      return [
        [`${key}.type`, 'date'],
        [`${key}.format`, 'yyyy-MM-dd'],
        [`${key}.range`, `${firstDate},NOW+2DAYS`],
      ];
    });
    return settings.length === 0
      ? {}
      : { 'projection.enabled': 'true', ...Object.fromEntries(settings) };
  }

  /** Rows that the topology delivers, as Parquet. */
  #delivery(table: LakeTable, name: string, schema: glue.CfnTable): void {
    const { prefix } = this.#deployment.config.s3;
    const folders = table.partitions.map(({ name: column }) => column);
    const query = Object.fromEntries(folders.map((column) => [column, `.${column}`]));
    const path = folders.map((column) => `${column}=!{partitionKeyFromQuery:${column}}/`).join('');
    const log = this.#log(name);
    const role = this.#role(
      `Deliver-${table.name}`,
      [`lake/${table.name}`, `errors/${table.name}`],
      log,
      [
        {
          sid: 'Columns',
          actions: ['glue:GetTable', 'glue:GetTableVersion', 'glue:GetTableVersions'],
          on: this.#glueArns(table.name),
        },
      ],
    );
    const destination = new firehose.S3Bucket(this.bucket, {
      ...deliver,
      role,
      encryptionKey: this.#key,
      loggingConfig: new firehose.EnableLogging(log),
      dataOutputPrefix: `${prefix}lake/${table.name}/${path}`,
      errorOutputPrefix: errorsBelow(prefix, table.name),
      ...(folders.length === 0
        ? {}
        : {
            dynamicPartitioning: { enabled: true, retryDuration: Duration.minutes(5) },
            // Sluice packs rows into records, a line each.
            processors: [
              firehose.RecordDeAggregationProcessor.json(),
              firehose.MetadataExtractionProcessor.jq16(query),
            ],
          }),
      dataFormatConversion: {
        schemaConfiguration: firehose.SchemaConfiguration.fromCfnTable(schema),
        inputFormat: firehose.InputFormat.OPENX_JSON,
        outputFormat: firehose.OutputFormat.PARQUET,
      },
    });
    const encryption = firehose.StreamEncryption.customerManagedKey(this.#key);
    this.#stream(`Delivery-${table.name}`, {
      deliveryStreamName: name,
      role,
      destination,
      encryption,
    });
  }

  /** Records of Kinesis as they are, which Firehose reads itself. */
  #archive(archived: StreamConfig): void {
    const { kinesisStream } = archived;
    const { prefix } = this.#deployment.config.s3;
    const name = archiveOf(this.#deployment, archived);
    const source = kinesis.Stream.fromStreamAttributes(this, `Source-${kinesisStream}`, {
      streamArn: this.formatArn({
        service: 'kinesis',
        resource: 'stream',
        resourceName: kinesisStream,
      }),
      encryptionKey: this.#key,
    });
    const log = this.#log(name);
    const own = [`archive/${kinesisStream}`, `errors/archive-${kinesisStream}`];
    const role = this.#role(`Archive-role-${kinesisStream}`, own, log, [
      {
        sid: 'Stream',
        actions: [
          'kinesis:DescribeStream',
          'kinesis:GetRecords',
          'kinesis:GetShardIterator',
          'kinesis:ListShards',
        ],
        on: [source.streamArn],
      },
    ]);
    const folders = 'date=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/';
    const stream = this.#stream(`Archive-${kinesisStream}`, {
      deliveryStreamName: name,
      role,
      source: new firehose.KinesisStreamSource(source),
      destination: new firehose.S3Bucket(this.bucket, {
        ...deliver,
        role,
        encryptionKey: this.#key,
        loggingConfig: new firehose.EnableLogging(log),
        compression: firehose.Compression.GZIP,
        fileExtension: '.gz',
        dataOutputPrefix: `${prefix}archive/${kinesisStream}/${folders}`,
        errorOutputPrefix: errorsBelow(prefix, `archive-${kinesisStream}`),
      }),
    });
    Validations.of(stream).acknowledge({
      id: 'AwsSolutions::AwsSolutions-KDF1',
      reason:
        'Firehose refuses a key of its own where Kinesis is the source: the stream is encrypted.',
    });
  }

  #stream(id: string, props: firehose.DeliveryStreamProps): firehose.DeliveryStream {
    const stream = new firehose.DeliveryStream(this, id, props);
    this.deliveryStreams.set(props.deliveryStreamName ?? id, stream);
    return stream;
  }

  #log(name: string): logs.LogGroup {
    return new logs.LogGroup(this, `Log-${name}`, {
      retention: logs.RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    });
  }

  /**
   * What Firehose may, as it documents it; constructs add nothing:
   * https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-s3
   */
  #role(
    id: string,
    below: readonly string[],
    log: logs.LogGroup,
    more: readonly Right[],
  ): iam.IRole {
    const { prefix } = this.#deployment.config.s3;
    const bucket = this.bucket.bucketArn;
    return roleOf(this, id, {
      assumedBy: new iam.ServicePrincipal('firehose.amazonaws.com', {
        conditions: { StringEquals: { 'sts:ExternalId': this.account } },
      }),
      rights: [
        {
          sid: 'Bucket',
          actions: ['s3:GetBucketLocation', 's3:ListBucket', 's3:ListBucketMultipartUploads'],
          on: [bucket],
        },
        {
          sid: 'Objects',
          actions: ['s3:AbortMultipartUpload', 's3:GetObject', 's3:PutObject'],
          on: below.map((folder) => `${bucket}/${prefix}${folder}/*`),
        },
        {
          sid: 'Key',
          actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
          on: [this.#key.keyArn],
        },
        { sid: 'Log', actions: ['logs:PutLogEvents'], on: [log.logGroupArn] },
        ...more,
      ],
    }).withoutPolicyUpdates();
  }

  #workgroup(results: s3.Bucket): void {
    const { stage } = this.#deployment;
    new athena.CfnWorkGroup(this, 'Analysts', {
      name: nameOf(this.#deployment, 'analysts'),
      workGroupConfiguration: {
        enforceWorkGroupConfiguration: true,
        publishCloudWatchMetricsEnabled: true,
        bytesScannedCutoffPerQuery: stage.lake.scanLimitGib * 2 ** 30,
        engineVersion: { selectedEngineVersion: 'Athena engine version 3' },
        resultConfiguration: {
          outputLocation: `s3://${results.bucketName}/`,
          encryptionConfiguration: { encryptionOption: 'SSE_S3' },
        },
      },
    });
  }
}

const errorsBelow = (prefix: string, name: string): string =>
  `${prefix}errors/${name}/!{firehose:error-output-type}/!{timestamp:yyyy-MM-dd}/`;
