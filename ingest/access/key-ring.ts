/**
 * The keys of the configuration, by their digests; or, where there are neither keys nor issuers,
 * the grant of everybody.
 *
 * Invariants:
 * 1. A key is kept as its SHA-256 only. It is 190 random bits, so a slow hash would protect nothing
 *    more.
 * 2. What is compared are digests, in constant time (`timingSafeEqual`); how long that takes says
 *    nothing about how close a guess was.
 * 3. A key that a reload leaves as it was keeps its grant: its connections do not notice.
 */
import { hash, timingSafeEqual } from 'node:crypto';
import type { AccessConfig, KeyConfig } from '../../schemas/config.ts';
import type { Refusal } from '../event/refusal.ts';
import type { Grant, Origins } from './grant.ts';
import { covers } from './grant.ts';

export interface KeyRing {
  /** The grant of everybody, where there are neither keys nor issuers. */
  readonly open: Grant | undefined;
  readonly origins: readonly Origins[];
  find(key: string): Grant | Refusal;
  /** By SHA-256, hexadecimal. */
  readonly entries: ReadonlyMap<string, Entry>;
}

interface Entry {
  readonly grant: Grant;
  /** What it was made of. */
  readonly made: string;
}

/** No key has such a name, nor has a token. */
const openName = '(everybody)';
const unknown: Refusal = {
  status: 401,
  code: 'key-unknown',
  message: 'this instance does not know the key',
  expected: 'a key made with `sluice key new`',
};
const takenOut: Refusal = {
  status: 401,
  code: 'key-revoked',
  message: 'the key is no longer valid',
  expected: 'a key of the configuration as it is now',
};

/**
 * `current` gives the ring in force: grants are renewed by it. `before`: the one that this one may
 * replace.
 */
export function createKeyRing(
  config: AccessConfig,
  before: KeyRing | undefined,
  current: () => KeyRing,
): KeyRing {
  const entries = new Map<string, Entry>();
  // Keys by the beginning of their digest: a guess learns at most whether some digest begins like
  // its own.
  const byPrefix = new Map<number, { readonly digest: Buffer; readonly grant: Grant }[]>();
  for (const key of config.keys) {
    const made = JSON.stringify(key);
    const kept = before?.entries.get(key.sha256);
    const grant =
      kept?.made === made
        ? kept.grant
        : keyGrant(key, () => current().entries.get(key.sha256)?.grant ?? takenOut);
    entries.set(key.sha256, { grant, made });
    const digest = Buffer.from(key.sha256, 'hex');
    const prefix = digest.readUInt32LE(0);
    byPrefix.set(prefix, [...(byPrefix.get(prefix) ?? []), { digest, grant }]);
  }
  const isOpen = config.keys.length === 0 && config.jwt.length === 0;
  const digest = Buffer.alloc(32);
  return {
    open: isOpen ? openGrant(config, () => current().open ?? takenOut) : undefined,
    origins: isOpen ? [config.openOrigins ?? 'local'] : config.keys.map(({ origins }) => origins),
    entries,
    find(key) {
      // As text, into a buffer that is there: a hash object a request, or a buffer, costs seven
      // times as much.
      digest.write(hash('sha256', key), 'hex');
      for (const candidate of byPrefix.get(digest.readUInt32LE(0)) ?? []) {
        if (timingSafeEqual(candidate.digest, digest)) return candidate.grant;
      }
      return unknown;
    },
  };
}

function keyGrant(
  { name, streams, origins, quota, segmentStream }: KeyConfig,
  renewed: Grant['renewed'],
): Grant {
  const concrete = streams.filter((stream) => !stream.includes('*'));
  return {
    name,
    origins,
    quota,
    segmentStream: segmentStream ?? (concrete.length === 1 ? concrete[0] : undefined),
    renewed,
    allows: (stream) => covers(streams, stream),
  };
}

function openGrant(
  { openOrigins, openSegmentStream }: AccessConfig,
  renewed: Grant['renewed'],
): Grant {
  return {
    name: openName,
    origins: openOrigins ?? 'local',
    quota: undefined,
    segmentStream: openSegmentStream,
    renewed,
    allows: (stream) => covers(['*/*'], stream),
  };
}
