/**
 * One object in parts: what is larger than one put takes. Each part is tried by itself, so that one
 * that fails costs its own bytes again and not those before it: with a fault in every tenth call an
 * upload of fifty parts that began again each time would never end.
 *
 * Invariants:
 * 1. At most `s3PartsMax` parts are in flight; the completion goes when all of them are there.
 * 2. It resolves when the object is there with this mark. After a completion whose answer was lost,
 *    "no such upload" or a condition that does not hold is looked into: the mark says whose object
 *    it is.
 * 3. An upload that is not completed is aborted; what a crash leaves, or an abort that failed, is
 *    for the bucket's lifecycle rule.
 */
import { assert } from '../../../schemas/kernel/assert.ts';
import { boundedEach } from '../../../schemas/kernel/bounded-each.ts';
import { mebi } from '../../../schemas/kernel/bytes.ts';
import type { PutOptions, S3Api, UploadedPart } from './s3-client.ts';
import { deriveS3Failure } from './s3-failure.ts';

/**
 * One part; each but the last has at least 5 MiB,
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
 */
export const s3PartBytes = 8 * mebi;
/** S3: parts of one object in flight. */
export const s3PartsMax = 4;
assert(s3PartBytes >= 5 * mebi, 'S3 takes a part of that size');

export interface UploadOptions extends PutOptions {
  /**
   * Tries a call whose failure may pass, a bounded number of times. `unclear`: an earlier try may
   * have taken effect.
   */
  readonly trying: (call: (unclear: boolean) => Promise<void>) => Promise<void>;
}

/** Rejects with the SDK's error. */
export async function uploadInParts(
  api: S3Api,
  key: string,
  bytes: Uint8Array,
  { mark, condition, trying }: UploadOptions,
): Promise<void> {
  const upload = await api.beginUpload(key, mark);
  try {
    const parts: UploadedPart[] = [];
    const numbers = Array.from(
      { length: Math.ceil(bytes.length / s3PartBytes) },
      (_, index) => index + 1,
    );
    await boundedEach(numbers, s3PartsMax, (number) => {
      const part = bytes.subarray((number - 1) * s3PartBytes, number * s3PartBytes);
      return trying(async () => {
        parts[number - 1] = await api.putPart(key, upload, number, part);
      });
    });
    await trying(async (unclear) => {
      try {
        await api.completeUpload(key, upload, parts, condition);
      } catch (thrown) {
        if (!(unclear && mayBeDone(thrown) && (await isThere(api, key, mark)))) throw thrown;
      }
    });
  } catch (thrown) {
    // The fault is the answer. Not waited for: a server that does not answer would keep it back.
    void api.abortUpload(key, upload).catch(() => undefined);
    throw thrown;
  }
}

function mayBeDone(thrown: unknown): boolean {
  const { kind, code } = deriveS3Failure(thrown);
  return kind === 'condition' || kind === 'absent' || code === 'NoSuchUpload';
}

async function isThere(api: S3Api, key: string, mark: string): Promise<boolean> {
  return api.head(key).then(
    (found) => found.mark === mark,
    (thrown: unknown) => {
      if (deriveS3Failure(thrown).kind === 'absent') return false;
      throw thrown;
    },
  );
}
