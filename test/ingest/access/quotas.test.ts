/**
 * Quotas under a clock that is moved by hand: what passes over any time, who owes what, and what is
 * kept of it.
 *
 * Debt was once bounded by one bucket, so that a key of 10 events a second got 1,000 a second
 * through in large batches.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Grant } from '../../../ingest/access/grant.ts';
import { addressBucketsMax, createQuotas } from '../../../ingest/access/quotas.ts';
import { createTokenBucket } from '../../../ingest/access/token-bucket.ts';
import type { QuotaConfig } from '../../../schemas/config.ts';
import { settings, streamConfig } from '../support.ts';

const grantOf = (name: string, quota: QuotaConfig | undefined): Grant => {
  const grant: Grant = {
    name,
    quota,
    segmentStream: undefined,
    origins: [],
    renewed: () => grant,
    allows: () => true,
  };
  return grant;
};
const stream = 'a/x';

describe('a bucket', () => {
  it('lets no more through than its rate and size and one batch, whatever the batches', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 100 }),
        fc.array(
          fc.tuple(fc.integer({ min: -500, max: 20_000 }), fc.integer({ min: 1, max: 10_000 })),
          { maxLength: 60 },
        ),
        (rate, size, steps) => {
          const bucket = createTokenBucket(rate, size, 0);
          let nowMs = 0;
          let forwardMs = 0;
          let taken = 0;
          let last = 0;
          for (const [stepMs, batch] of steps) {
            nowMs += stepMs;
            forwardMs += Math.max(0, stepMs);
            if (!bucket.hasToken(nowMs)) continue;
            bucket.take(batch, nowMs);
            taken += batch;
            last = batch;
          }
          expect(taken - last).toBeLessThanOrEqual(size + (rate * forwardMs) / 1_000);
        },
      ),
    );
  });

  it('of 10 a second lets 10 a second through over an hour, also of a client that sends 10,000 at once whenever it may', () => {
    const bucket = createTokenBucket(10, 20, 0);
    let passed = 0;
    for (let second = 0; second < 36_000; second++) {
      if (!bucket.hasToken(second * 1_000)) continue;
      bucket.take(10_000, second * 1_000);
      passed += 10_000;
    }
    expect(passed / 36_000).toBeGreaterThan(9.9);
    expect(passed / 36_000).toBeLessThan(10.3);
  });

  it('says when it really has a token again: not a second earlier', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 100 }),
        fc.integer({ min: 1, max: 20_000 }),
        (rate, size, batch) => {
          const at = (nowMs: number): boolean => {
            const bucket = createTokenBucket(rate, size, 0);
            bucket.take(batch, 0);
            return bucket.hasToken(nowMs);
          };
          const bucket = createTokenBucket(rate, size, 0);
          bucket.take(batch, 0);
          const seconds = bucket.secondsToToken(0);
          expect(at(seconds * 1_000)).toBe(true);
          if (seconds > 0) expect(at((seconds - 1) * 1_000)).toBe(false);
        },
      ),
    );
  });
});

describe('a quota', () => {
  it('that is changed in the configuration does not forgive what is owed', () => {
    const quotas = createQuotas(settings([streamConfig('a', 'x')]));
    const at = (quota: QuotaConfig, nowMs: number) =>
      quotas.admitEvents(grantOf('k', quota), stream, 1, nowMs).refused?.retryAfterSeconds;
    quotas.admitEvents(grantOf('k', { eventsPerSecond: 1, burst: 5 }), stream, 100, 0);
    expect(at({ eventsPerSecond: 1, burst: 5 }, 0)).toBe(96);
    expect(at({ eventsPerSecond: 2, burst: 5 }, 0)).toBe(48);
    expect(at({ eventsPerSecond: 2, burst: 5 }, 48_000)).toBeUndefined();
  });

  it('of key and stream says how long both take', () => {
    const quotas = createQuotas(
      settings([streamConfig('a', 'x', { quota: { eventsPerSecond: 1, burst: 1 } })]),
    );
    const grant = grantOf('k', { eventsPerSecond: 10, burst: 10 });
    quotas.admitEvents(grant, stream, 31, 0);
    expect(quotas.admitEvents(grant, stream, 1, 0).refused).toMatchObject({
      code: 'quota-stream',
      retryAfterSeconds: 31,
    });
  });

  it('is asked before a body without being charged, and charged for work that was done in vain', () => {
    const quotas = createQuotas(settings([streamConfig('a', 'x')]));
    const grant = grantOf('k', { eventsPerSecond: 1, burst: 2 });
    for (let n = 0; n < 10; n++) expect(quotas.mayCome(grant, stream, 0).refused).toBeUndefined();
    quotas.spend(grant, stream, 3, 0);
    expect(quotas.mayCome(grant, stream, 0).refused).toMatchObject({
      status: 429,
      retryAfterSeconds: 2,
    });
    expect(quotas.mayCome(grantOf('free', undefined), stream, 0)).toEqual({});
  });
});

describe('buckets of identities and addresses', () => {
  const quota = { eventsPerSecond: 1, burst: 1 };

  it('are freed once they are full again', () => {
    const quotas = createQuotas(settings([], { addressQuota: quota }));
    for (let n = 0; n < 5_000; n++) quotas.admitAddress(`early ${n}`, 0);
    for (let n = 0; n < 5_000; n++) quotas.admitEvents(grantOf(`early ${n}`, quota), stream, 1, 0);
    expect(quotas.size).toBe(10_000);
    for (let n = 0; n < 1_000; n++) quotas.admitAddress(`late ${n}`, 10_000);
    for (let n = 0; n < 1_000; n++)
      quotas.admitEvents(grantOf(`late ${n}`, quota), stream, 1, 10_000);
    expect(quotas.size).toBeLessThanOrEqual(2_000);
  });

  it('are bounded, and who owes much does not get rid of it by coming from many other addresses', () => {
    const quotas = createQuotas(settings([], { addressQuota: { eventsPerSecond: 1, burst: 5 } }));
    for (let n = 0; n < 5; n++) expect(quotas.admitAddress('debtor', 0).refused).toBeUndefined();
    expect(quotas.admitAddress('debtor', 0).refused?.code).toBe('quota-address');
    for (let n = 0; n < 3 * addressBucketsMax; n++) quotas.admitAddress(`other ${n}`, 0);
    expect(quotas.size).toBeLessThanOrEqual(addressBucketsMax);
    expect(quotas.admitAddress('debtor', 0).refused?.code).toBe('quota-address');
  });
});
