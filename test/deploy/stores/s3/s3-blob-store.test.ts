/**
 * Blobs in S3 against moto, through a proxy that is slow, resets connections, loses answers and
 * asks for fewer requests.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkBucket, s3BlobStore } from '../../../../deploy/stores/s3/s3-blob-store.ts';
import { s3SinglePutMaxBytes } from '../../../../deploy/stores/s3/s3-objects.ts';
import { s3PartBytes } from '../../../../deploy/stores/s3/s3-upload.ts';
import { systemClock } from '../../../../schemas/kernel/clock.ts';
import { seededRandom, systemRandom } from '../../../../schemas/kernel/random.ts';
import { limits } from '../../../../schemas/limits.ts';
import type { BlobStore } from '../../../../schemas/ports/blob-store.ts';
import type { Manifest } from '../../../../topology/checkpoint/manifest.ts';
import { encodeManifest, manifestVersion } from '../../../../topology/checkpoint/manifest.ts';
import type { CheckpointStore } from '../../../../topology/checkpoint/store.ts';
import { checkpointStore } from '../../../../topology/checkpoint/store.ts';
import { blobStoreContract } from '../../../contract/blob-store.ts';
import { saying } from '../../../said.ts';
import { pythonMissing } from '../../../servers/cache.ts';
import type { Asked, Fault } from '../../../servers/fault-proxy.ts';
import { pass, slowDown } from '../../../servers/fault-proxy.ts';
import { motoRig } from './support.ts';

const lost: Fault = { kind: 'lost-reply' };
const reset: Fault = { kind: 'reset' };
const isWrite = ({ method }: Asked): boolean =>
  method === 'PUT' || method === 'POST' || method === 'DELETE';
const text = (bytes: Uint8Array | undefined): string | undefined =>
  bytes === undefined ? undefined : Buffer.from(bytes).toString();

describe.skipIf(pythonMissing() !== undefined)('blobs in S3', { timeout: 120_000 }, () => {
  const rig = motoRig('blobs');
  let stores = 0;
  const make = (): BlobStore =>
    s3BlobStore({
      ...rig().place,
      prefix: `store/${stores++}`,
      clock: systemClock,
      random: systemRandom,
    });

  describe('as it is', () => {
    blobStoreContract(make);
  });

  describe('slow and failing', () => {
    blobStoreContract(() => {
      const random = seededRandom(stores + 1);
      const faults: readonly Fault[] = [
        slowDown,
        reset,
        lost,
        { kind: 'half-reply' },
        { kind: 'late', ms: 40 },
      ];
      rig().proxy.decide = () =>
        random.next() < 0.7 ? pass : (faults[Math.floor(random.next() * faults.length)] ?? pass);
      return make();
    });
  });

  it('says true for its own bytes when every answer of the first writes was lost, and once only', async () => {
    const store = make();
    let losses = 2;
    rig().proxy.decide = (asked) => (isWrite(asked) && losses-- > 0 ? lost : pass);
    expect(await store.createIfAbsent('a', Buffer.from('own'))).toBe(true);
    expect(await store.createIfAbsent('a', Buffer.from('own'))).toBe(false);
    expect(text(await store.get('a'))).toBe('own');
  });

  it('says false for the same bytes of another, also when its own write was not answered', async () => {
    const store = make();
    await store.createIfAbsent('a', Buffer.from('same'));
    for (const first of [lost, reset, slowDown]) {
      let faults = 1;
      rig().proxy.decide = (asked) => (isWrite(asked) && faults-- > 0 ? first : pass);
      expect(await store.createIfAbsent('a', Buffer.from('same')), first.kind).toBe(false);
    }
  });

  it('does not say yes when it could not look, and leaves what to do to its caller', async () => {
    const store = make();
    let losses = 1;
    rig().proxy.decide = (asked) => {
      if (asked.method === 'HEAD') return { kind: 'answer', status: 403, body: '' };
      return isWrite(asked) && losses-- > 0 ? lost : pass;
    };
    await expect(store.createIfAbsent('a', Buffer.from('1'))).rejects.toMatchObject({
      code: 's3-refused',
    });
  });

  it('gives up after a bounded number of tries, and says neither bucket nor account', async () => {
    const store = make();
    rig().proxy.decide = () => slowDown;
    const fault = (await store
      .createIfAbsent('a', Buffer.from('1'))
      .catch((thrown: unknown) => thrown)) as Error;
    expect(fault).toMatchObject({
      code: 's3-failed',
      retryable: true,
      message: saying({ names: ['a'] }),
      details: { operation: 'PutObject', failure: 'SlowDown' },
    });
    expect(rig().proxy.asked).toHaveLength(limits.s3AttemptsMax);
  });

  it('lists more than one page in the order of code units', async () => {
    const store = make();
    const keys = Array.from({ length: 1_050 }, (_, n) => `p/${n % 2 === 0 ? 'Z' : 'a'}-${n}`);
    for (let start = 0; start < keys.length; start += 50) {
      await Promise.all(
        keys.slice(start, start + 50).map((key) => store.createIfAbsent(key, Buffer.from(key))),
      );
    }
    expect(await store.list('p/')).toEqual([...keys].sort());
    expect(rig().proxy.asked.filter(({ path }) => path.includes('list-type=2'))).toHaveLength(2);
  });

  it('stores what is larger than one put in parts, once, also when the completion is not answered', async () => {
    const store = make();
    const large = new Uint8Array(s3SinglePutMaxBytes + 1);
    seededRandom(7).fill(large.subarray(0, 65_536));
    let losses = 1;
    rig().proxy.decide = ({ method, path }) =>
      method === 'POST' && path.includes('uploadId') && losses-- > 0 ? lost : pass;
    expect(await store.createIfAbsent('large', large)).toBe(true);
    expect(await store.createIfAbsent('large', large)).toBe(false);
    expect(Buffer.compare((await store.get('large')) ?? new Uint8Array(), large)).toBe(0);
    expect(losses).toBeLessThan(0);
    const parts = rig().proxy.asked.filter(
      ({ method, path }) => method === 'PUT' && path.includes('partNumber='),
    );
    for (const { body } of parts) expect(body.length).toBeLessThanOrEqual(s3PartBytes + 1_024);
  });

  it('has one winner of many that create a key under faults', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom<Fault>(pass, pass, lost, reset, slowDown), {
          minLength: 10,
          maxLength: 10,
        }),
        async (faults) => {
          const store = make();
          rig().proxy.decide = (asked, nth) => (isWrite(asked) ? (faults[nth] ?? pass) : pass);
          rig().proxy.asked.length = 0;
          const won = await Promise.all(
            [0, 1, 2].map((n) => store.createIfAbsent('k', Buffer.from(`caller ${n}`))),
          );
          expect(won.filter(Boolean)).toHaveLength(1);
          expect(text(await store.get('k'))).toBe(`caller ${won.indexOf(true)}`);
        },
      ),
      { numRuns: 15 },
    );
  });

  it('keeps checkpoints: a newer attempt fences an older one, with answers lost', async () => {
    const random = seededRandom(3);
    rig().proxy.decide = (asked) => (isWrite(asked) && random.next() < 0.3 ? lost : pass);
    const blobs = make();
    const manifest = (attempt: number, checkpoint: number): Manifest => ({
      manifestVersion,
      topology: 't',
      version: 1,
      checkpoint,
      attempt,
      createdAtMs: 0,
      stateful: [],
      positions: {},
      operators: {},
      sinks: {},
      retiring: [],
      keyExamples: {},
      counts: {},
    });
    const create = (store: CheckpointStore, of: Manifest): Promise<void> =>
      store.create(of, encodeManifest(of));
    const older = checkpointStore(blobs, 't');
    const newer = checkpointStore(blobs, 't');
    expect(await older.takeOver(seededRandom(1), manifest)).toMatchObject({
      attempt: 1,
      checkpoint: 1,
    });
    await create(older, manifest(1, 2));
    expect(await newer.takeOver(seededRandom(1), manifest)).toMatchObject({
      attempt: 2,
      checkpoint: 3,
    });
    await expect(create(older, manifest(1, 3))).rejects.toMatchObject({ code: 'fenced' });
    for (let checkpoint = 4; checkpoint < 10; checkpoint++)
      await create(newer, manifest(2, checkpoint));
    await newer.prune(2);
    expect(await newer.latest()).toMatchObject({ attempt: 2, checkpoint: 9 });
    expect(await blobs.list('checkpoints/t/')).toHaveLength(2);
  });

  it('is checked before it is used: which bucket or right is missing', async () => {
    const options = { ...rig().place, prefix: 'checked', clock: systemClock, random: systemRandom };
    await checkBucket(options);
    expect(await make().list('probe/')).toEqual([]);
    await expect(checkBucket({ ...options, bucket: 'none' })).rejects.toMatchObject({
      code: 'bucket-missing',
      fix: expect.stringContaining("'none'") as string,
    });
    const denied: Fault = {
      kind: 'answer',
      status: 403,
      body: '<Error><Code>AccessDenied</Code><Message>User: arn:aws:iam::123456789012:user/x is not authorized</Message></Error>',
    };
    for (const [method, right] of [
      ['PUT', 's3:PutObject'] as const,
      ['DELETE', 's3:DeleteObject'] as const,
      ['GET', 's3:ListBucket'] as const,
    ]) {
      rig().proxy.decide = (asked) => (asked.method === method ? denied : pass);
      const fault = (await checkBucket(options).catch((thrown: unknown) => thrown)) as Error;
      expect(fault).toMatchObject({
        code: 's3-refused',
        fix: expect.stringContaining(right) as string,
      });
      expect(fault.message).not.toContain('123456789012');
    }
  });
});
