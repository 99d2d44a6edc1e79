/**
 * Who sends, and what they may: API keys, tokens, origins.
 *
 * Invariants:
 * 1. A key is kept as its SHA-256 only. It is 190 random bits, so a slow hash would protect nothing more.
 * 2. What is compared are digests, in constant time (`timingSafeEqual`); how long that takes says nothing about how close a guess was.
 * 3. Without a valid key the answer is the same for every stream. With one, what it does not cover looks the same whether it exists or not.
 * 4. A page's request is taken only under a key that names its origin: a key for servers is of no use to a page.
 */
import { hash, timingSafeEqual } from 'node:crypto';
import type { AccessConfig, KeyConfig } from '../../schemas/config-access.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import type { Refusal } from '../protocol/refusal.ts';
import { isRefusal } from '../protocol/refusal.ts';
import type { Grant } from './grant.ts';
import { covers } from './grant.ts';
import { createTokens, looksLikeToken } from './tokens.ts';

/** What a request says about its sender; empty text where it says nothing. */
export interface Credentials {
  readonly authorization: string;
  /** X-Api-Key */
  readonly apiKey: string;
  /** `?key=` */
  readonly queryKey: string;
  readonly origin: string;
}

export interface Access {
  /** Who it is; a promise only for a token that was not met before. */
  identify(credentials: Credentials): Grant | Refusal | Promise<Grant | Refusal>;
  /** What Access-Control-Allow-Origin says to `origin`, by this grant, or by any (a preflight has no key). Undefined: nothing. */
  allowedOrigin(origin: string, grant?: Grant): string | undefined;
  reload(config: AccessConfig): void;
}

const openName = 'open';

export function createAccess(initial: AccessConfig, clock: Clock): Access {
  let ring = keyRing(initial);
  let tokens = createTokens(initial.jwt, clock);

  const withOrigin = (grant: Grant | Refusal, origin: string): Grant | Refusal => {
    if (isRefusal(grant) || origin === '' || originOf(grant.origins, origin) !== undefined) return grant;
    const message = `pages of '${origin}' may not send under this key`;
    return { status: 403, code: 'origin-not-allowed', message, expected: "one of the key's origins in the configuration" };
  };

  return {
    identify(credentials) {
      const { origin } = credentials;
      if (ring.open !== undefined) return withOrigin(ring.open, origin);
      const key = presented(credentials);
      if (key === undefined) {
        const expected = 'Authorization: Bearer KEY, X-Api-Key: KEY or ?key=KEY';
        return { status: 401, code: 'key-missing', message: 'the request has no key', expected };
      }
      if (tokens !== undefined && looksLikeToken(key)) {
        const found = tokens.verify(key);
        return found instanceof Promise ? found.then((grant) => withOrigin(grant, origin)) : withOrigin(found, origin);
      }
      return withOrigin(ring.find(key), origin);
    },
    allowedOrigin(origin, grant) {
      if (grant !== undefined) return originOf(grant.origins, origin);
      for (const origins of [...ring.origins, ...(tokens?.origins ?? [])]) {
        const allowed = originOf(origins, origin);
        if (allowed !== undefined) return allowed;
      }
      return undefined;
    },
    reload(config) {
      ring.revoke();
      tokens?.revoke();
      ring = keyRing(config);
      tokens = createTokens(config.jwt, clock);
    },
  };
}

/** Whether this grant may use that stream. Pure. */
export function decideAccess(grant: Grant, stream: string, exists: boolean): Refusal | undefined {
  if (!grant.allows(stream)) {
    const message = `this key is not for the stream '${stream.slice(0, 130)}'`;
    return { status: 403, code: 'stream-not-allowed', message, expected: "one of the key's streams in the configuration" };
  }
  if (exists) return undefined;
  const message = `there is no stream '${stream.slice(0, 130)}'`;
  return { status: 404, code: 'stream-unknown', message, expected: 'a team and app of the configuration' };
}

function originOf(origins: readonly string[], origin: string): string | undefined {
  if (origins.includes(origin)) return origin;
  return origins.includes('*') ? '*' : undefined;
}

/** The key or token of a request; `Basic` carries it as the user's name, as Segment's clients do. */
function presented({ authorization, apiKey, queryKey }: Credentials): string | undefined {
  if (authorization !== '') {
    const [scheme = '', value = ''] = authorization.split(' ', 2);
    if (/^bearer$/i.test(scheme)) return value;
    if (/^basic$/i.test(scheme)) return Buffer.from(value, 'base64').toString('utf8').split(':')[0];
  }
  if (apiKey !== '') return apiKey;
  return queryKey === '' ? undefined : queryKey;
}

interface KeyRing {
  /** The grant of everybody, where there are neither keys nor issuers. */
  readonly open: Grant | undefined;
  readonly origins: readonly (readonly string[])[];
  find(key: string): Grant | Refusal;
  revoke(): void;
}

function keyRing(config: AccessConfig): KeyRing {
  let revoked = false;
  const grantOf = (name: string, { streams, origins, quota, segmentStream }: Omit<KeyConfig, 'name' | 'sha256'>): Grant => ({
    name,
    origins,
    quota,
    segmentStream,
    get revoked() {
      return revoked;
    },
    allows: (stream) => covers(streams, stream),
  });
  // Keys by the beginning of their digest: a guess learns at most whether some digest begins like its own.
  const byPrefix = new Map<number, { readonly digest: Buffer; readonly grant: Grant }[]>();
  for (const key of config.keys) {
    const digest = Buffer.from(key.sha256, 'hex');
    const prefix = digest.readUInt32LE(0);
    const concrete = key.streams.filter((stream) => !stream.includes('*'));
    const segmentStream = key.segmentStream ?? (concrete.length === 1 ? concrete[0] : undefined);
    byPrefix.set(prefix, [...(byPrefix.get(prefix) ?? []), { digest, grant: grantOf(key.name, { ...key, segmentStream }) }]);
  }
  const everybody = { streams: ['*/*'], origins: config.openOrigins, quota: undefined, segmentStream: config.openSegmentStream };
  const open = config.keys.length === 0 && config.jwt.length === 0 ? grantOf(openName, everybody) : undefined;
  const digest = Buffer.alloc(32);
  return {
    open,
    origins: open === undefined ? config.keys.map(({ origins }) => origins) : [config.openOrigins],
    find(key) {
      // As text, into a buffer that is there: a hash object a request, or a buffer, costs seven times as much.
      digest.write(hash('sha256', key), 'hex');
      for (const candidate of byPrefix.get(digest.readUInt32LE(0)) ?? []) {
        if (timingSafeEqual(candidate.digest, digest)) return candidate.grant;
      }
      return {
        status: 401,
        code: 'key-unknown',
        message: 'the key is none of this instance',
        expected: 'a key that `sluice key new` made',
      };
    },
    revoke() {
      revoked = true;
    },
  };
}
