/**
 * The AWS SDK's S3 client as Sluice uses it. The SDK keeps what it is good for: credentials,
 * region, endpoint, signing, checksums (CRC32 of what is sent and of what is read). The SDK's types
 * end here.
 *
 * Invariants:
 * 1. One call is one try: the SDK never repeats it, as what a lost answer means is for the caller
 *    to decide.
 * 2. An object appears whole, with its mark, or not at all; in parts only its completion makes it
 *    appear, under the same condition.
 * 3. Every call ends: from its credentials to the last byte of its answer it has a time, which
 *    grows with the bytes. A socket is never silent for long where an answer comes drop by drop, as
 *    S3 sends white space until an upload is complete
 *    (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html).
 */
import type { Readable } from 'node:stream';
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
import { assert } from '../../../schemas/kernel/assert.ts';
import { kibi, mebi } from '../../../schemas/kernel/bytes.ts';
import type { Clock } from '../../../schemas/kernel/clock.ts';
import { within } from '../../../schemas/kernel/within.ts';
import { limits } from '../../../schemas/limits.ts';

/** S3: connections of one client, connecting, silence of one request, an idle connection. */
const s3SocketsMax = 32;
const s3ConnectMs = 5_000;
const s3RequestMaxMs = 30_000;
const s3IdleMs = 15_000;
/**
 * S3: all of one call, to the last byte of its answer, and the slowest rate that is waited for
 * beside.
 */
const s3CallMaxMs = 60_000;
const s3BytesPerSecondMin = 256 * kibi;
/** An object that is read into memory. */
const s3ObjectMaxBytes = 512 * mebi;
assert(
  limits.s3PatienceMs + s3CallMaxMs < limits.checkpointSinksMaxMs,
  'a sink says why it failed before it is given up',
);
assert(limits.bodyDecodedMaxBytes <= s3ObjectMaxBytes, 'what is kept elsewhere can be read again');

export interface S3ClientOptions {
  readonly bucket: string;
  /** Default: the region's. With one, the bucket is in the path. */
  readonly endpoint?: string;
  /** Default: the environment's, or that of the shared configuration. */
  readonly region?: string;
  readonly clock: Clock;
}

/**
 * When a put takes effect: always, while there is no object, or while the object is the one
 * with this tag.
 */
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

/** A part that S3 has, as the completion of its upload names it. */
export interface UploadedPart {
  readonly PartNumber: number;
  readonly ETag: string | undefined;
  readonly ChecksumCRC32?: string;
}

/** Everything rejects with the SDK's error, or a `TimeoutError` (s3-failure.ts). */
export interface S3Api {
  put(key: string, bytes: Uint8Array, options: PutOptions): Promise<void>;
  /** An object in parts (s3-upload.ts): the id of a new upload. */
  beginUpload(key: string, mark: string): Promise<string>;
  putPart(key: string, upload: string, number: number, bytes: Uint8Array): Promise<UploadedPart>;
  completeUpload(
    key: string,
    upload: string,
    parts: readonly UploadedPart[],
    condition: PutCondition,
  ): Promise<void>;
  abortUpload(key: string, upload: string): Promise<void>;
  head(key: string): Promise<S3Head>;
  get(key: string): Promise<Uint8Array>;
  /** With `whole` false keys end at the first `/` after the prefix, each once. */
  list(prefix: string, whole: boolean, after: string | undefined): Promise<S3Page>;
  delete(key: string): Promise<void>;
  headBucket(): Promise<void>;
  close(): void;
}

const markName = 'sluice-mark';

export function createS3Client(options: S3ClientOptions): S3Api {
  return new SdkS3(options);
}

class SdkS3 implements S3Api {
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #clock: Clock;

  constructor({ bucket, endpoint, region, clock }: S3ClientOptions) {
    this.#bucket = bucket;
    this.#clock = clock;
    const agent = { keepAlive: true, maxSockets: s3SocketsMax, timeout: s3IdleMs };
    this.#client = new S3Client({
      ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
      ...(region === undefined ? {} : { region }),
      maxAttempts: 1,
      requestHandler: new NodeHttpHandler({
        httpAgent: agent,
        httpsAgent: agent,
        connectionTimeout: s3ConnectMs,
        requestTimeout: s3RequestMaxMs,
        socketTimeout: s3RequestMaxMs,
        throwOnRequestTimeout: true,
      }),
    });
  }

  async put(Key: string, bytes: Uint8Array, { mark, condition }: PutOptions): Promise<void> {
    const put = new PutObjectCommand({
      Bucket: this.#bucket,
      Key,
      Body: bytes,
      Metadata: { [markName]: mark },
      ...conditionOf(condition),
    });
    await this.#timed(bytes.length, (abortSignal) => this.#client.send(put, { abortSignal }));
  }

  async beginUpload(Key: string, mark: string): Promise<string> {
    const begin = new CreateMultipartUploadCommand({
      Bucket: this.#bucket,
      Key,
      Metadata: { [markName]: mark },
      ChecksumAlgorithm: 'CRC32',
    });
    const { UploadId } = await this.#timed(0, (abortSignal) =>
      this.#client.send(begin, { abortSignal }),
    );
    assert(UploadId !== undefined, 'S3 names the upload that it began');
    return UploadId;
  }

  async putPart(
    Key: string,
    UploadId: string,
    PartNumber: number,
    Body: Uint8Array,
  ): Promise<UploadedPart> {
    const put = new UploadPartCommand({
      Bucket: this.#bucket,
      Key,
      UploadId,
      PartNumber,
      Body,
      ChecksumAlgorithm: 'CRC32',
    });
    const { ETag, ChecksumCRC32 } = await this.#timed(Body.length, (abortSignal) =>
      this.#client.send(put, { abortSignal }),
    );
    return { PartNumber, ETag, ...(ChecksumCRC32 === undefined ? {} : { ChecksumCRC32 }) };
  }

  async completeUpload(
    Key: string,
    UploadId: string,
    parts: readonly UploadedPart[],
    condition: PutCondition,
  ): Promise<void> {
    const complete = new CompleteMultipartUploadCommand({
      Bucket: this.#bucket,
      Key,
      UploadId,
      MultipartUpload: { Parts: [...parts] },
      ...conditionOf(condition),
    });
    await this.#timed(0, (abortSignal) => this.#client.send(complete, { abortSignal }));
  }

  async abortUpload(Key: string, UploadId: string): Promise<void> {
    const abort = new AbortMultipartUploadCommand({ Bucket: this.#bucket, Key, UploadId });
    await this.#timed(0, (abortSignal) => this.#client.send(abort, { abortSignal }));
  }

  async head(Key: string): Promise<S3Head> {
    const head = new HeadObjectCommand({ Bucket: this.#bucket, Key });
    const { Metadata, ETag = '' } = await this.#timed(0, (abortSignal) =>
      this.#client.send(head, { abortSignal }),
    );
    return { mark: Metadata?.[markName], etag: ETag };
  }

  async get(Key: string): Promise<Uint8Array> {
    const get = new GetObjectCommand({ Bucket: this.#bucket, Key });
    const { Body, ContentLength = 0 } = await this.#timed(0, (abortSignal) =>
      this.#client.send(get, { abortSignal }),
    );
    if (Body === undefined || ContentLength > s3ObjectMaxBytes) {
      throw new Error(`an object of ${ContentLength} bytes is not read into memory`);
    }
    const maxMs = callMaxMs(ContentLength);
    const bytes = await within(this.#clock, maxMs, Body.transformToByteArray(), () => {
      const late = timedOut(maxMs);
      // Here a body is a stream of Node's, which keeps its connection until it ends.
      (Body as Partial<Readable>).destroy?.(late);
      return late;
    });
    if (bytes.length !== ContentLength)
      throw new Error(`${bytes.length} of ${ContentLength} bytes came`);
    return bytes;
  }

  async list(Prefix: string, whole: boolean, after: string | undefined): Promise<S3Page> {
    const list = new ListObjectsV2Command({
      Bucket: this.#bucket,
      Prefix,
      ...(after === undefined ? {} : { ContinuationToken: after }),
      ...(whole ? {} : { Delimiter: '/' }),
    });
    const {
      Contents = [],
      CommonPrefixes = [],
      NextContinuationToken: next,
    } = await this.#timed(0, (abortSignal) => this.#client.send(list, { abortSignal }));
    const folders = CommonPrefixes.map(({ Prefix: folder }) => folder?.slice(0, -1));
    return {
      keys: [...Contents.map(({ Key }) => Key), ...folders].filter((key) => key !== undefined),
      next,
    };
  }

  async delete(Key: string): Promise<void> {
    const remove = new DeleteObjectCommand({ Bucket: this.#bucket, Key });
    await this.#timed(0, (abortSignal) => this.#client.send(remove, { abortSignal }));
  }

  async headBucket(): Promise<void> {
    const head = new HeadBucketCommand({ Bucket: this.#bucket });
    await this.#timed(0, (abortSignal) => this.#client.send(head, { abortSignal }));
  }

  close(): void {
    this.#client.destroy();
  }

  /** `bytes`: what goes or comes. */
  #timed<T>(bytes: number, make: (abortSignal: AbortSignal) => Promise<T>): Promise<T> {
    const ending = new AbortController();
    const maxMs = callMaxMs(bytes);
    return within(this.#clock, maxMs, make(ending.signal), () => {
      ending.abort();
      return timedOut(maxMs);
    });
  }
}

const callMaxMs = (bytes: number): number => s3CallMaxMs + (bytes / s3BytesPerSecondMin) * 1_000;

function timedOut(ms: number): Error {
  return Object.assign(new Error(`no complete answer within ${Math.round(ms)} ms`), {
    name: 'TimeoutError',
  });
}

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html */
function conditionOf(condition: PutCondition): {
  readonly IfNoneMatch?: string;
  readonly IfMatch?: string;
} {
  if (condition === 'always') return {};
  return condition === 'absent' ? { IfNoneMatch: '*' } : { IfMatch: condition.etag };
}
