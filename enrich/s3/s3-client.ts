/**
 * The AWS SDK's S3 client as Sluice uses it. The SDK keeps what it is good for: credentials, region, endpoint, signing, checksums (CRC32 of what
 * is sent and of what is read). The SDK's types end here.
 *
 * Invariants:
 * 1. One call is one try: the SDK never repeats it, as what a lost answer means is for the caller to decide.
 * 2. An object appears whole, with its mark, or not at all; in parts only its completion makes it appear, under the same condition.
 */
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { assert } from '../../schemas/kernel/assert.ts';
import { limits } from '../../schemas/limits.ts';

export interface S3ClientOptions {
  readonly bucket: string;
  /** Default: the region's. With one, the bucket is in the path. */
  readonly endpoint?: string;
  /** Default: the environment's, or that of the shared configuration. */
  readonly region?: string;
}

/** When a put takes effect: always, while there is no object, or while the object is the one with this tag. */
export type PutCondition = 'always' | 'absent' | { readonly etag: string };

export interface PutOptions {
  /** Kept beside the bytes and read back by `head`: it says whose bytes they are. */
  readonly mark: string;
  readonly condition: PutCondition;
}

export interface S3Head {
  readonly mark: string | undefined;
  readonly etag: string;
}

export interface S3Page {
  readonly keys: readonly string[];
  readonly next: string | undefined;
}

/** Everything rejects with the SDK's error (s3-failure.ts). */
export interface S3Api {
  put(key: string, bytes: Uint8Array, options: PutOptions): Promise<void>;
  head(key: string): Promise<S3Head>;
  get(key: string): Promise<Uint8Array>;
  /** With `whole` false keys end at the first `/` after the prefix, each once. */
  list(prefix: string, whole: boolean, after: string | undefined): Promise<S3Page>;
  delete(key: string): Promise<void>;
  headBucket(): Promise<void>;
  close(): void;
}

const markName = 'sluice-mark';

export function createS3Client({ bucket: Bucket, endpoint, region }: S3ClientOptions): S3Api {
  const agent = { keepAlive: true, maxSockets: limits.s3SocketsMax, timeout: limits.s3IdleMs };
  const client = new S3Client({
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    ...(region === undefined ? {} : { region }),
    maxAttempts: 1,
    requestHandler: new NodeHttpHandler({
      httpAgent: agent,
      httpsAgent: agent,
      connectionTimeout: limits.s3ConnectMs,
      requestTimeout: limits.s3RequestMaxMs,
      socketTimeout: limits.s3RequestMaxMs,
      throwOnRequestTimeout: true,
    }),
  });

  const putParts = async (Key: string, bytes: Uint8Array, { mark, condition }: PutOptions): Promise<void> => {
    const made = await client.send(
      new CreateMultipartUploadCommand({ Bucket, Key, Metadata: { [markName]: mark }, ChecksumAlgorithm: 'CRC32' }),
    );
    const { UploadId } = made;
    assert(UploadId !== undefined, 'S3 names the upload that it began');
    try {
      const Parts = [];
      for (let start = 0, PartNumber = 1; start < bytes.length; start += limits.s3PartBytes, PartNumber++) {
        const Body = bytes.subarray(start, start + limits.s3PartBytes);
        const part = await client.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body, ChecksumAlgorithm: 'CRC32' }));
        Parts.push({ PartNumber, ETag: part.ETag, ...(part.ChecksumCRC32 === undefined ? {} : { ChecksumCRC32: part.ChecksumCRC32 }) });
      }
      const whole = { Bucket, Key, UploadId, MultipartUpload: { Parts } };
      await client.send(new CompleteMultipartUploadCommand({ ...whole, ...conditionOf(condition) }));
    } catch (thrown) {
      // What cannot be aborted now is for the bucket's lifecycle rule; the fault is the answer.
      await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId })).catch(() => undefined);
      throw thrown;
    }
  };

  return {
    async put(Key, bytes, options) {
      if (bytes.length > limits.s3SinglePutMaxBytes) return putParts(Key, bytes, options);
      const Metadata = { [markName]: options.mark };
      await client.send(new PutObjectCommand({ Bucket, Key, Body: bytes, Metadata, ...conditionOf(options.condition) }));
      return undefined;
    },
    async head(Key) {
      const { Metadata, ETag = '' } = await client.send(new HeadObjectCommand({ Bucket, Key }));
      return { mark: Metadata?.[markName], etag: ETag };
    },
    async get(Key) {
      const { Body, ContentLength = 0 } = await client.send(new GetObjectCommand({ Bucket, Key }));
      if (Body === undefined || ContentLength > limits.s3ObjectMaxBytes) {
        throw new Error(`an object of ${ContentLength} bytes is not read into memory`);
      }
      const bytes = await Body.transformToByteArray();
      if (bytes.length !== ContentLength) throw new Error(`${bytes.length} of ${ContentLength} bytes came`);
      return bytes;
    },
    async list(Prefix, whole, after) {
      const more = { ...(after === undefined ? {} : { ContinuationToken: after }), ...(whole ? {} : { Delimiter: '/' }) };
      const {
        Contents = [],
        CommonPrefixes = [],
        NextContinuationToken: next,
      } = await client.send(new ListObjectsV2Command({ Bucket, Prefix, ...more }));
      const folders = CommonPrefixes.map(({ Prefix: folder }) => folder?.slice(0, -1));
      return { keys: [...Contents.map(({ Key }) => Key), ...folders].filter((key) => key !== undefined), next };
    },
    async delete(Key) {
      await client.send(new DeleteObjectCommand({ Bucket, Key }));
    },
    async headBucket() {
      await client.send(new HeadBucketCommand({ Bucket }));
    },
    close: () => client.destroy(),
  };
}

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html */
function conditionOf(condition: PutCondition): { readonly IfNoneMatch?: string; readonly IfMatch?: string } {
  if (condition === 'always') return {};
  return condition === 'absent' ? { IfNoneMatch: '*' } : { IfMatch: condition.etag };
}
