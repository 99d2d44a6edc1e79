/**
 * Blobs in S3: checkpoints, and the data of claims.
 *
 * Invariants: those of schemas/ports/blob-store.ts; S3 decides conditional writes atomically and is
 * consistent after them
 * (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html), a lost answer is
 * resolved by looking. One thing it cannot promise: a put still in flight when its caller times out
 * (`s3-failed`) may arrive later.
 */
import type { BlobStore } from '../../../schemas/ports/blob-store.ts';
import { checkBlobKey, folderOfPrefix } from '../blob-key.ts';
import { createS3Client } from './s3-client.ts';
import { deriveS3Failure, s3Fault } from './s3-failure.ts';
import type { S3ObjectsOptions } from './s3-objects.ts';
import { s3Objects } from './s3-objects.ts';

/**
 * Throws `SluiceError` `blob-key-invalid`, `s3-failed` (retryable), `s3-refused`, `bucket-missing`;
 * no message names the bucket, because clients may see it; its `fix` does.
 * @example
 * const region = 'eu-central-1';
 * s3BlobStore({ bucket: 'sluice-dev', prefix: 'claims', region, clock, random });
 */
export function s3BlobStore(options: S3ObjectsOptions): BlobStore & { close(): void } {
  const objects = s3Objects(options);
  return {
    async createIfAbsent(key, bytes) {
      checkBlobKey(key);
      return objects.create(key, bytes);
    },
    async get(key) {
      checkBlobKey(key);
      return objects.get(key);
    },
    async list(prefix) {
      folderOfPrefix(prefix);
      return objects.list(prefix);
    },
    async delete(key) {
      checkBlobKey(key);
      await objects.delete(key);
    },
    close: () => objects.close(),
  };
}

/**
 * Resolves when the bucket is there and may be listed, read, written and deleted from, below
 * `prefix`; else rejects saying which right or bucket is missing.
 */
export async function checkBucket(options: S3ObjectsOptions): Promise<void> {
  const { bucket } = options;
  const api = createS3Client(options);
  try {
    // HeadBucket has no body to say why: 404 is the bucket.
    await api.headBucket().catch((thrown: unknown) => {
      const failure = deriveS3Failure(thrown);
      const kind = failure.kind === 'absent' ? 'no-bucket' : failure.kind;
      throw s3Fault('HeadBucket', bucket, 'the bucket', { ...failure, kind }, thrown);
    });
  } finally {
    api.close();
  }
  const objects = s3Objects(options);
  try {
    const probe = 'probe/started';
    const written = async (): Promise<void> => {
      await objects.put(probe, Buffer.from('{}'));
      await objects.get(probe);
      await objects.delete(probe);
    };
    await Promise.all([objects.list('probe/'), written()]);
  } finally {
    objects.close();
  }
}
