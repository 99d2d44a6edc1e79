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
 * 3. An operation has at most `s3AttemptsMax` tries within `s3OperationMaxMs`, with full jitter
 *    between them; more only while its patience lasts. A condition that does not hold says that
 *    others write: it is never waited for.
 * 4. With patience all calls share one pace: a bucket that asks to slow down is asked less often by
 *    each of them.
 */
import { backoffMs } from '../../../schemas/kernel/backoff.ts';
import { sleep } from '../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import { Pace } from '../../../schemas/kernel/pace.ts';
import type { Random } from '../../../schemas/kernel/random.ts';
import { limits } from '../../../schemas/limits.ts';
import type { PutCondition, PutOptions, S3ClientOptions, S3Head } from './s3-client.ts';
import { createS3Client } from './s3-client.ts';
import type { S3Failure, S3Operation } from './s3-failure.ts';
import { deriveS3Failure, s3Fault } from './s3-failure.ts';
import { uploadInParts } from './s3-upload.ts';

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
const backoff = { baseMs: limits.s3RetryBaseMs, maxMs: limits.s3RetryMaxMs };

export function s3Objects({
  prefix,
  random,
  patienceMs = 0,
  ...client
}: S3ObjectsOptions): S3Objects {
  const { clock } = client;
  const api = createS3Client(client);
  const pace = new Pace({ clock, baseMs: limits.s3PaceBaseMs, maxMs: limits.s3PaceMaxMs });
  const root = prefix === '' ? '' : `${prefix}/`;

  /**
   * `answer` may know what a failure means for its operation; it is told whether an earlier try may
   * have taken effect.
   */
  const trying = async <T>(
    operation: S3Operation,
    key: string,
    call: () => Promise<T>,
    answer: (failure: S3Failure, unclear: boolean) => Promise<T | undefined> | T | undefined = () =>
      undefined,
  ): Promise<T> => {
    const begunMs = clock.monotonic();
    for (let attempt = 0; ; attempt++) {
      if (patienceMs > 0) await pace.turn();
      try {
        const value = await call();
        pace.ease();
        return value;
      } catch (thrown) {
        const failure = deriveS3Failure(thrown);
        if (failure.kind === 'throttled') pace.slowDown();
        const known = await answer(failure, attempt > 0);
        if (known !== undefined) return known;
        const spentMs = clock.monotonic() - begunMs;
        const isLast = attempt + 1 >= limits.s3AttemptsMax || spentMs >= limits.s3OperationMaxMs;
        const passes = mayPass(failure) && !(isLast && spentMs >= patienceMs);
        const others = failure.kind === 'condition' && !isLast;
        if (!passes && !others)
          throw s3Fault(operation, client.bucket, `object '${key}'`, failure, thrown);
        await sleep(clock, backoffMs(attempt, backoff, random));
      }
    }
  };

  /**
   * A part of an operation that began at `begunMs` and tries it all again, if there is time, when
   * these tries are used up.
   */
  const tryingPart = async (
    begunMs: number,
    call: (unclear: boolean) => Promise<void>,
  ): Promise<void> => {
    for (let attempt = 0; ; attempt++) {
      if (patienceMs > 0) await pace.turn();
      try {
        return await call(attempt > 0);
      } catch (thrown) {
        const failure = deriveS3Failure(thrown);
        if (failure.kind === 'throttled') pace.slowDown();
        const isLast =
          attempt + 1 >= limits.s3AttemptsMax ||
          clock.monotonic() - begunMs >= Math.max(patienceMs, limits.s3OperationMaxMs);
        if (isLast || !mayPass(failure) || failure.code === 'NoSuchUpload') throw thrown;
        await sleep(clock, backoffMs(attempt, backoff, random));
      }
    }
  };

  const putWhole = (key: string, bytes: Uint8Array, options: PutOptions): Promise<void> => {
    if (bytes.length <= limits.s3SinglePutMaxBytes) return api.put(root + key, bytes, options);
    const begunMs = clock.monotonic();
    return uploadInParts(api, root + key, bytes, {
      ...options,
      trying: (call) => tryingPart(begunMs, call),
    });
  };

  const newMark = (): string => {
    const bytes = new Uint8Array(markBytes);
    random.fill(bytes);
    return Buffer.from(bytes).toString('base64url');
  };

  const head = (key: string): Promise<S3Head | undefined> =>
    trying<{ readonly found: S3Head | undefined }>(
      'HeadObject',
      key,
      async () => ({ found: await api.head(root + key) }),
      ({ kind }) => (kind === 'absent' ? { found: undefined } : undefined),
    ).then(({ found }) => found);

  const listed = async (below: string, whole: boolean): Promise<readonly string[]> => {
    const keys: string[] = [];
    let after: string | undefined;
    for (let page = 0; page < limits.s3ListPagesMax; page++) {
      const found = await trying('ListObjectsV2', below, () =>
        api.list(root + below, whole, after),
      );
      for (const key of found.keys) keys.push(key.slice(root.length));
      after = found.next;
      if (after === undefined) return keys.sort();
    }
    throw new SluiceError(
      's3-failed',
      `the list of objects below '${below}' has more than ${limits.s3ListPagesMax} pages`,
    );
  };

  return {
    head,
    create(key, bytes) {
      const mark = newMark();
      return trying(
        'PutObject',
        key,
        async () => {
          await putWhole(key, bytes, { mark, condition: 'absent' });
          return true;
        },
        async ({ kind }, unclear) => {
          if (kind !== 'condition') return undefined;
          if (!unclear) return false;
          // Gone again in between: the next try makes it anew.
          const found = await head(key);
          return found === undefined ? undefined : found.mark === mark;
        },
      );
    },
    async put(key, bytes) {
      const mark = newMark();
      await trying('PutObject', key, () => putWhole(key, bytes, { mark, condition: 'always' }));
    },
    async replace(key, bytes, mark, before) {
      const condition: PutCondition = before === undefined ? 'absent' : { etag: before.etag };
      return trying<'done' | 'unclear'>(
        'PutObject',
        key,
        async () => {
          await putWhole(key, bytes, { mark, condition });
          return 'done';
        },
        ({ kind }) => (kind === 'condition' || kind === 'absent' ? 'unclear' : undefined),
      );
    },
    get: (key) =>
      trying<{ readonly bytes: Uint8Array | undefined }>(
        'GetObject',
        key,
        async () => ({ bytes: await api.get(root + key) }),
        ({ kind }) => (kind === 'absent' ? { bytes: undefined } : undefined),
      ).then(({ bytes }) => bytes),
    list: (below) => listed(below, true),
    names: (below) => listed(below, false),
    async delete(key) {
      await trying<true>(
        'DeleteObject',
        key,
        async () => {
          await api.delete(root + key);
          return true;
        },
        ({ kind }) => (kind === 'absent' ? true : undefined),
      );
    },
    close: () => api.close(),
  };
}

function mayPass({ kind }: S3Failure): boolean {
  return kind === 'again' || kind === 'throttled';
}
