/**
 * Objects of one bucket below one prefix, with tries that are bounded and spread, and with certain
 * outcomes: a write whose answer was lost is resolved by looking.
 *
 * Invariants:
 * 1. `create` says true exactly when the object that is there was made by this call. Each call has
 *    a random mark of its own; after an answer that says nothing (a reset, a time-out, 5xx) the put
 *    is made again under the same mark, and where the key exists the mark tells whose it is.
 * 2. `put` and `delete` may take effect more than once, with the same result; `replace` takes
 *    effect on the object it was decided for or not at all.
 * 3. Tries are bounded and spread (s3-tries.ts).
 */
import { mebi } from '../../../schemas/kernel/bytes.ts';
import type { Clock } from '../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import type { Random } from '../../../schemas/kernel/random.ts';
import type { PutCondition, PutOptions, S3Api, S3ClientOptions, S3Head } from './s3-client.ts';
import { createS3Client } from './s3-client.ts';
import { S3Tries } from './s3-tries.ts';
import { uploadInParts } from './s3-upload.ts';

/** An object beyond this is written in parts. */
export const s3SinglePutMaxBytes = 16 * mebi;
/** Pages of one listing (1,000 keys each). */
const s3ListPagesMax = 1_000;

/** A place in a bucket. Structured-clonable. */
export interface S3Place {
  readonly bucket: string;
  /** Before every key, '' or `/`-separated without a last slash. */
  readonly prefix: string;
  readonly endpoint?: string;
  readonly region?: string;
}

export interface S3ObjectsOptions extends S3ClientOptions {
  /** Before every key, '' or `/`-separated without a last slash. */
  readonly prefix: string;
  readonly random: Random;
  /**
   * How long an operation is tried at least where its failure may pass. Default 0: somebody waits
   * for it, and `s3AttemptsMax` tries have to do.
   */
  readonly patienceMs?: number;
}

/**
 * Keys are below the prefix. Everything rejects with `s3-failed` (retryable), `s3-refused` or
 * `bucket-missing`.
 */
export interface S3Objects {
  /** Whether this call made the object. */
  create(key: string, bytes: Uint8Array): Promise<boolean>;
  put(key: string, bytes: Uint8Array): Promise<void>;
  /**
   * Puts when the object is still the one of `head` (none when undefined). 'unclear': another put
   * came between, or this one did and its answer was lost.
   */
  replace(
    key: string,
    bytes: Uint8Array,
    mark: string,
    head: S3Head | undefined,
  ): Promise<'done' | 'unclear'>;
  head(key: string): Promise<S3Head | undefined>;
  get(key: string): Promise<Uint8Array | undefined>;
  /** Sorted by code unit. */
  list(prefix: string): Promise<readonly string[]>;
  /** What lies right below: keys, each cut at the first `/` after the prefix and named once. */
  names(prefix: string): Promise<readonly string[]>;
  delete(key: string): Promise<void>;
  close(): void;
}

const markBytes = 16;

export function s3Objects(options: S3ObjectsOptions): S3Objects {
  return new PrefixedObjects(options);
}

class PrefixedObjects implements S3Objects {
  readonly #api: S3Api;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #tries: S3Tries;
  /** Before every key. */
  readonly #root: string;

  constructor({ prefix, random, patienceMs = 0, ...client }: S3ObjectsOptions) {
    this.#api = createS3Client(client);
    this.#clock = client.clock;
    this.#random = random;
    const { bucket, clock } = client;
    this.#tries = new S3Tries({ bucket, clock, random, patienceMs });
    this.#root = prefix === '' ? '' : `${prefix}/`;
  }

  create(key: string, bytes: Uint8Array): Promise<boolean> {
    const mark = this.#newMark();
    return this.#tries.ofCall(
      'PutObject',
      key,
      async () => {
        await this.#putWhole(key, bytes, { mark, condition: 'absent' });
        return true;
      },
      async ({ kind }, unclear) => {
        if (kind !== 'condition') return undefined;
        if (!unclear) return false;
        // Gone again in between: the next try makes it again.
        const found = await this.head(key);
        return found === undefined ? undefined : found.mark === mark;
      },
    );
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    const mark = this.#newMark();
    await this.#tries.ofCall('PutObject', key, () =>
      this.#putWhole(key, bytes, { mark, condition: 'always' }),
    );
  }

  async replace(
    key: string,
    bytes: Uint8Array,
    mark: string,
    before: S3Head | undefined,
  ): Promise<'done' | 'unclear'> {
    const condition: PutCondition = before === undefined ? 'absent' : { etag: before.etag };
    return this.#tries.ofCall<'done' | 'unclear'>(
      'PutObject',
      key,
      async () => {
        await this.#putWhole(key, bytes, { mark, condition });
        return 'done';
      },
      ({ kind }) => (kind === 'condition' || kind === 'absent' ? 'unclear' : undefined),
    );
  }

  async head(key: string): Promise<S3Head | undefined> {
    const { found } = await this.#tries.ofCall<{ readonly found: S3Head | undefined }>(
      'HeadObject',
      key,
      async () => ({ found: await this.#api.head(this.#root + key) }),
      ({ kind }) => (kind === 'absent' ? { found: undefined } : undefined),
    );
    return found;
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    const { bytes } = await this.#tries.ofCall<{ readonly bytes: Uint8Array | undefined }>(
      'GetObject',
      key,
      async () => ({ bytes: await this.#api.get(this.#root + key) }),
      ({ kind }) => (kind === 'absent' ? { bytes: undefined } : undefined),
    );
    return bytes;
  }

  list(below: string): Promise<readonly string[]> {
    return this.#listed(below, true);
  }

  names(below: string): Promise<readonly string[]> {
    return this.#listed(below, false);
  }

  async delete(key: string): Promise<void> {
    await this.#tries.ofCall<true>(
      'DeleteObject',
      key,
      async () => {
        await this.#api.delete(this.#root + key);
        return true;
      },
      ({ kind }) => (kind === 'absent' ? true : undefined),
    );
  }

  close(): void {
    this.#api.close();
  }

  #newMark(): string {
    const bytes = new Uint8Array(markBytes);
    this.#random.fill(bytes);
    return Buffer.from(bytes).toString('base64url');
  }

  #putWhole(key: string, bytes: Uint8Array, options: PutOptions): Promise<void> {
    if (bytes.length <= s3SinglePutMaxBytes) return this.#api.put(this.#root + key, bytes, options);
    const begunMs = this.#clock.monotonic();
    return uploadInParts(this.#api, this.#root + key, bytes, {
      ...options,
      trying: (call) => this.#tries.ofPart(begunMs, call),
    });
  }

  async #listed(below: string, whole: boolean): Promise<readonly string[]> {
    const keys: string[] = [];
    let after: string | undefined;
    for (let page = 0; page < s3ListPagesMax; page++) {
      const found = await this.#tries.ofCall('ListObjectsV2', below, () =>
        this.#api.list(this.#root + below, whole, after),
      );
      for (const key of found.keys) keys.push(key.slice(this.#root.length));
      after = found.next;
      if (after === undefined) return keys.sort();
    }
    throw new SluiceError(
      's3-failed',
      `the list of objects below '${below}' has more than ${s3ListPagesMax} pages`,
    );
  }
}
