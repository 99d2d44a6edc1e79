/**
 * Quotas: a bucket of events for each key and each stream, one of requests for each client address.
 *
 * Invariants:
 * 1. Key and stream are charged together: when one refuses, neither pays.
 * 2. Bounded: past `limits.addressBucketsMax` the address that was quiet longest is forgotten, which can only be to its advantage.
 *
 * Headers: https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/ (RateLimit and RateLimit-Policy as structured fields).
 */
import type { SluiceConfig } from '../../schemas/config.ts';
import type { QuotaConfig } from '../../schemas/config-access.ts';
import { limits } from '../../schemas/limits.ts';
import type { Refusal } from '../protocol/refusal.ts';
import type { Grant } from './grant.ts';
import type { TokenBucket } from './token-bucket.ts';
import { createTokenBucket } from './token-bucket.ts';

export interface QuotaAnswer {
  readonly refused?: Refusal;
  /** Header values, where a quota applies. */
  readonly rateLimit?: string;
  readonly rateLimitPolicy?: string;
}

export type QuotaSettings = Pick<SluiceConfig, 'streams' | 'ingress'>;

export interface Quotas {
  /** Before the body: one request of this address. */
  admitAddress(address: string, nowMs: number): QuotaAnswer;
  admitEvents(grant: Grant, stream: string, events: number, nowMs: number): QuotaAnswer;
  /** Buckets whose quota is as before keep what they have. */
  reload(settings: QuotaSettings): void;
}

type Kind = 'key' | 'stream' | 'address';

interface Bucket {
  readonly kind: Kind;
  readonly quota: QuotaConfig;
  readonly bucket: TokenBucket;
}

const free: QuotaAnswer = {};

export function createQuotas(settings: QuotaSettings): Quotas {
  let streamQuotas = quotasOf(settings);
  let addressQuota = settings.ingress.addressQuota;
  const streams = new Map<string, Bucket>();
  const keys = new Map<string, Bucket>();
  const addresses = new Map<string, Bucket>();

  const bucketOf = (kind: Kind, within: Map<string, Bucket>, name: string, quota: QuotaConfig, nowMs: number): Bucket => {
    const found = within.get(name);
    if (found !== undefined && found.quota.eventsPerSecond === quota.eventsPerSecond && found.quota.burst === quota.burst) return found;
    const made = { kind, quota, bucket: createTokenBucket(quota.eventsPerSecond, quota.burst, nowMs) };
    within.set(name, made);
    return made;
  };

  return {
    admitAddress(address, nowMs) {
      if (addressQuota === undefined) return free;
      const bucket = bucketOf('address', addresses, address, addressQuota, nowMs);
      // Maps keep the order of insertion: the address that was quiet longest is the first.
      addresses.delete(address);
      addresses.set(address, bucket);
      if (addresses.size > limits.addressBucketsMax) {
        for (const oldest of addresses.keys()) {
          addresses.delete(oldest);
          break;
        }
      }
      return decide([bucket], 1, nowMs);
    },
    admitEvents(grant, stream, events, nowMs) {
      const streamQuota = streamQuotas.get(stream);
      if (streamQuota === undefined && grant.quota === undefined) return free;
      const buckets: Bucket[] = [];
      if (grant.quota !== undefined) buckets.push(bucketOf('key', keys, grant.name, grant.quota, nowMs));
      if (streamQuota !== undefined) buckets.push(bucketOf('stream', streams, stream, streamQuota, nowMs));
      return decide(buckets, events, nowMs);
    },
    reload(next) {
      streamQuotas = quotasOf(next);
      addressQuota = next.ingress.addressQuota;
    },
  };
}

function quotasOf({ streams }: QuotaSettings): ReadonlyMap<string, QuotaConfig> {
  return new Map(streams.flatMap(({ name, quota }) => (quota === undefined ? [] : [[name, quota] as const])));
}

function decide(buckets: readonly Bucket[], tokens: number, nowMs: number): QuotaAnswer {
  const empty = buckets.find(({ bucket }) => !bucket.hasToken(nowMs));
  if (empty === undefined) for (const { bucket } of buckets) bucket.take(tokens, nowMs);
  const rateLimitPolicy = buckets
    .map(({ kind, quota }) => `"${kind}";q=${quota.burst};w=${Math.ceil(quota.burst / quota.eventsPerSecond)}`)
    .join(', ');
  const rateLimit = buckets.map(({ kind, bucket }) => `"${kind}";r=${bucket.left(nowMs)};t=${bucket.secondsToFull(nowMs)}`).join(', ');
  if (empty === undefined) return { rateLimit, rateLimitPolicy };
  return { rateLimit, rateLimitPolicy, refused: refusalOf(empty, nowMs) };
}

const what: Readonly<Record<Kind, string>> = {
  key: 'events of this key',
  stream: 'events of this stream',
  address: 'requests of this address',
};

function refusalOf({ kind, quota, bucket }: Bucket, nowMs: number): Refusal {
  return {
    status: 429,
    code: `quota-${kind}`,
    message: `the quota of ${quota.eventsPerSecond} ${what[kind]} a second is used up`,
    expected: 'send it again after Retry-After',
    retryAfterSeconds: Math.max(1, bucket.secondsToToken(nowMs)),
  };
}
