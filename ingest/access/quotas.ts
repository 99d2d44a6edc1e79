/**
 * Quotas: a bucket of events for each key and each stream, one of requests for each client's
 * network.
 *
 * Invariants:
 * 1. Key and stream are charged together: when one refuses, neither pays.
 * 2. What costs work is paid for, also what is refused: elements, lines and whole bodies. Only what
 *    is refused for a quota is free.
 * 3. Bounded: buckets of identities and networks are freed once they are full again (buckets.ts).
 *
 * Headers: https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/ (RateLimit and
 * RateLimit-Policy as structured fields).
 */
import type { QuotaConfig, SluiceConfig } from '../../schemas/config.ts';
import type { Refusal } from '../event/refusal.ts';
import type { Bucket, BucketKind } from './buckets.ts';
import { Buckets } from './buckets.ts';
import type { Grant } from './grant.ts';

/**
 * Networks of clients whose requests are counted, and identities whose events are, as long as
 * their buckets are not full again.
 */
export const addressBucketsMax = 65_536;
const keyBucketsMax = 65_536;

export interface QuotaAnswer {
  readonly refused?: Refusal;
  /** Header values, where a quota applies. */
  readonly rateLimit?: string;
  readonly rateLimitPolicy?: string;
}

export type QuotaSettings = Pick<SluiceConfig, 'streams' | 'ingress'>;

export interface Quotas {
  /** Before the body: one request of this network (address.ts). */
  admitAddress(network: string, nowMs: number): QuotaAnswer;
  /** Before the body: whether anything may come at all. Charges nothing. */
  mayCome(grant: Grant, stream: string, nowMs: number): QuotaAnswer;
  /** So many events, good and bad: charged, unless they are refused. */
  admitEvents(grant: Grant, stream: string, events: number, nowMs: number): QuotaAnswer;
  /** Work that was done for nothing, charged whatever is left. */
  spend(grant: Grant, stream: string, events: number, nowMs: number): void;
  /** Also under a new quota a bucket owes what it owed. */
  reload(settings: QuotaSettings): void;
  /** Buckets that are kept now. */
  readonly size: number;
}

const free: QuotaAnswer = {};

export function createQuotas(settings: QuotaSettings): Quotas {
  let streamQuotas = quotasOf(settings);
  let addressQuota = settings.ingress.addressQuota;
  // As many as are configured: a reload adds few.
  const streams = new Buckets('stream', Number.POSITIVE_INFINITY);
  const keys = new Buckets('key', keyBucketsMax);
  const addresses = new Buckets('address', addressBucketsMax);

  /** Undefined where nothing bounds them: nearly everywhere, so it must cost nothing. */
  const bucketsOf = (
    grant: Grant,
    stream: string,
    nowMs: number,
  ): readonly Bucket[] | undefined => {
    const streamQuota = streamQuotas.get(stream);
    if (streamQuota === undefined && grant.quota === undefined) return undefined;
    const buckets: Bucket[] = [];
    if (grant.quota !== undefined) buckets.push(keys.of(grant.name, grant.quota, nowMs));
    if (streamQuota !== undefined) buckets.push(streams.of(stream, streamQuota, nowMs));
    return buckets;
  };

  return {
    admitAddress(network, nowMs) {
      return addressQuota === undefined
        ? free
        : decide([addresses.of(network, addressQuota, nowMs)], 1, nowMs);
    },
    mayCome(grant, stream, nowMs) {
      const buckets = bucketsOf(grant, stream, nowMs);
      if (buckets === undefined || buckets.every(({ tokens }) => tokens.hasToken(nowMs)))
        return free;
      return decide(buckets, 0, nowMs);
    },
    admitEvents(grant, stream, events, nowMs) {
      const buckets = bucketsOf(grant, stream, nowMs);
      return buckets === undefined ? free : decide(buckets, events, nowMs);
    },
    spend(grant, stream, events, nowMs) {
      for (const { tokens } of bucketsOf(grant, stream, nowMs) ?? []) tokens.take(events, nowMs);
    },
    reload(next) {
      streamQuotas = quotasOf(next);
      addressQuota = next.ingress.addressQuota;
    },
    get size() {
      return streams.size + keys.size + addresses.size;
    },
  };
}

function quotasOf({ streams }: QuotaSettings): ReadonlyMap<string, QuotaConfig> {
  return new Map(
    streams.flatMap(({ name, quota }) => (quota === undefined ? [] : [[name, quota] as const])),
  );
}

function decide(buckets: readonly Bucket[], events: number, nowMs: number): QuotaAnswer {
  let empty: Bucket | undefined;
  let waitSeconds = 0;
  for (const bucket of buckets) {
    if (bucket.tokens.hasToken(nowMs)) continue;
    const seconds = bucket.tokens.secondsToToken(nowMs);
    // Of two that are empty the one that takes longer: before that trying again cannot succeed.
    if (empty === undefined || seconds > waitSeconds) {
      empty = bucket;
      waitSeconds = seconds;
    }
  }
  if (empty === undefined) for (const { tokens } of buckets) tokens.take(events, nowMs);
  const rateLimitPolicy = buckets
    .map(
      ({ kind, quota }) =>
        `"${kind}";q=${quota.burst};w=${Math.ceil(quota.burst / quota.eventsPerSecond)}`,
    )
    .join(', ');
  const rateLimit = buckets
    .map(({ kind, tokens }) => `"${kind}";r=${tokens.left(nowMs)};t=${tokens.secondsToFull(nowMs)}`)
    .join(', ');
  if (empty === undefined) return { rateLimit, rateLimitPolicy };
  return { rateLimit, rateLimitPolicy, refused: refusalOf(empty, waitSeconds) };
}

const what: Readonly<Record<BucketKind, string>> = {
  key: 'events of this key',
  stream: 'events of this stream',
  address: 'requests of this address',
};

const codes = { key: 'quota-key', stream: 'quota-stream', address: 'quota-address' } as const;

function refusalOf({ kind, quota }: Bucket, waitSeconds: number): Refusal {
  return {
    status: 429,
    code: codes[kind],
    message: `the quota of ${quota.eventsPerSecond} ${what[kind]} a second is used up`,
    expected: 'send it again after Retry-After',
    retryAfterSeconds: Math.max(1, waitSeconds),
  };
}
