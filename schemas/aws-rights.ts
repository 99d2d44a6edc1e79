/**
 * The permissions that each call to AWS needs. Errors ask for them, and the documented policies
 * (docs/operating/policies/) are generated from them.
 *
 * Sources: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html,
 * list_amazonkinesis.html, list_amazonkinesisfirehose.html; keys:
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html,
 * https://docs.aws.amazon.com/streams/latest/dev/permissions-user-key-KMS.html.
 */
import { sinkRights } from './sinks/sinks.ts';

/**
 * What a right is on. `consumer`: of enhanced fan-out. `key`: of KMS, needed only where the bucket
 * or the stream is encrypted with a key of your own.
 */
type RightOn = 'bucket' | 'objects' | 'stream' | 'consumer' | 'delivery-stream' | 'key';

export interface AwsRight {
  readonly action: string;
  readonly on: RightOn;
}

const on = (where: RightOn, ...actions: readonly string[]): readonly AwsRight[] =>
  actions.map((action) => ({ action, on: where }));
/** Without the right to list, an object that is not there is "access denied". */
const look = [
  ...on('objects', 's3:GetObject'),
  ...on('bucket', 's3:ListBucket'),
  ...on('key', 'kms:Decrypt'),
];

/** By service and call, as the SDK names them. */
export const awsRights = {
  's3:HeadBucket': on('bucket', 's3:ListBucket'),
  's3:ListObjectsV2': on('bucket', 's3:ListBucket'),
  's3:HeadObject': look,
  's3:GetObject': look,
  // With If-Match it is a look, too.
  's3:PutObject': [
    ...on('objects', 's3:PutObject', 's3:GetObject'),
    ...on('key', 'kms:GenerateDataKey'),
  ],
  's3:CreateMultipartUpload': [
    ...on('objects', 's3:PutObject'),
    ...on('key', 'kms:GenerateDataKey', 'kms:Decrypt'),
  ],
  's3:UploadPart': [
    ...on('objects', 's3:PutObject'),
    ...on('key', 'kms:GenerateDataKey', 'kms:Decrypt'),
  ],
  's3:CompleteMultipartUpload': [
    ...on('objects', 's3:PutObject', 's3:GetObject'),
    ...on('key', 'kms:Decrypt'),
  ],
  's3:AbortMultipartUpload': on('objects', 's3:AbortMultipartUpload'),
  's3:DeleteObject': on('objects', 's3:DeleteObject'),
  'kinesis:DescribeStreamSummary': on('stream', 'kinesis:DescribeStreamSummary'),
  'kinesis:ListShards': on('stream', 'kinesis:ListShards'),
  'kinesis:PutRecords': [
    ...on('stream', 'kinesis:PutRecords'),
    ...on('key', 'kms:GenerateDataKey'),
  ],
  'kinesis:GetShardIterator': on('stream', 'kinesis:GetShardIterator'),
  'kinesis:GetRecords': [...on('stream', 'kinesis:GetRecords'), ...on('key', 'kms:Decrypt')],
  'kinesis:RegisterStreamConsumer': on('stream', 'kinesis:RegisterStreamConsumer'),
  'kinesis:DescribeStreamConsumer': on('consumer', 'kinesis:DescribeStreamConsumer'),
  'kinesis:SubscribeToShard': [
    ...on('consumer', 'kinesis:SubscribeToShard'),
    ...on('key', 'kms:Decrypt'),
  ],
  'kinesis:CreateStream': on('stream', 'kinesis:CreateStream'),
  'kinesis:UpdateShardCount': on('stream', 'kinesis:UpdateShardCount'),
  'kinesis:IncreaseStreamRetentionPeriod': on('stream', 'kinesis:IncreaseStreamRetentionPeriod'),
  'kinesis:UpdateStreamMode': on('stream', 'kinesis:UpdateStreamMode'),
  'kinesis:UpdateMaxRecordSize': on('stream', 'kinesis:UpdateMaxRecordSize'),
  ...sinkRights,
} as const satisfies Readonly<Record<string, readonly AwsRight[]>>;

export type AwsCall = keyof typeof awsRights;

/**
 * What `calls` need, in a sentence: `s3:PutObject and s3:GetObject on the bucket 'x', and, where it
 * is encrypted with a key of yours, kms:Decrypt`.
 */
export function rightsText(calls: readonly AwsCall[], where: string): string {
  const rights = calls.flatMap((call): readonly AwsRight[] => awsRights[call]);
  const named = (ofKey: boolean): string =>
    [
      ...new Set(
        rights.filter((right) => (right.on === 'key') === ofKey).map(({ action }) => action),
      ),
    ].join(', ');
  const [needed, key] = [named(false), named(true)];
  return `${needed} on ${where}${key === '' ? '' : ` (and to ${key} on your KMS key, if one encrypts it)`}`;
}
