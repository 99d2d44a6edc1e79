/**
 * The public keys of an issuer (JWK Set, RFC 7517), from a file or fetched from its address.
 *
 * Invariants:
 * 1. One fetch of a set is in flight, however many requests wait for it. After one that failed the
 *    next waits, longer each time, with jitter.
 * 2. While fetching fails the last good set counts, until it is `jwksMaxAgeMs` old. Without one the
 *    answer is 503, at once.
 * 3. A token that names a key which is not there causes one fetch in `jwksCooldownMs` at most,
 *    whoever sends it.
 * 4. What is fetched is bounded in bytes and time; redirects are not followed; no log line shows
 *    the user information of an address.
 */
import { createHash, createPublicKey, KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { JSONWebKeySet, JWTVerifyGetKey } from 'jose';
import { createLocalJWKSet } from 'jose';
import { assert } from '../../schemas/kernel/assert.ts';
import { backoffMs } from '../../schemas/kernel/backoff.ts';
import { kibi } from '../../schemas/kernel/bytes.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { messageOf, SluiceError, systemCodeOf } from '../../schemas/kernel/errors.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import type { Refusal } from '../event/refusal.ts';
import type { Log } from '../telemetry/log.ts';

/**
 * An issuer's key set: its size, how long fetching it may take, and how long it is left alone
 * after a key was not found in it.
 */
export const jwksMaxBytes = 256 * kibi;
export const jwksTimeoutMs = 5_000;
export const jwksCooldownMs = 30_000;
/**
 * An issuer's key set is fetched again when it is this old, and used while that fails until it is
 * that old.
 */
export const jwksFreshMs = 600_000;
export const jwksMaxAgeMs = 6 * 3_600_000;
/** Pause before a failed fetch is tried again: the shortest, and the longest. */
export const jwksRetryBaseMs = 1_000;
export const jwksRetryMaxMs = 60_000;
assert(jwksFreshMs < jwksMaxAgeMs, 'a key set is fetched again before it ends');
assert(
  jwksCooldownMs <= jwksFreshMs,
  'a key that is not found is looked for before the set is fetched anyway',
);

export interface KeySetPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface LoadedKeys {
  readonly resolve: JWTVerifyGetKey;
  /** Fingerprints of all keys (`printOf`). */
  readonly prints: ReadonlySet<string>;
  readonly text: string;
}

export interface KeySet {
  /** The keys to verify by; undefined: none can be had now. */
  current(): LoadedKeys | undefined | Promise<LoadedKeys | undefined>;
  /**
   * Whether there may be more keys than in `set`, which lacked one: `changed` says that `current`
   * gives others now.
   */
  lookAgain(set: LoadedKeys): Promise<'changed' | 'known' | 'unreachable'>;
  /** Why a token that this key has signed does not count any more. */
  refuses(print: string): Refusal | undefined;
  close(): void;
}

export const issuerUnreachable: Refusal = {
  status: 503,
  code: 'issuer-unreachable',
  message: "the issuer's keys cannot be fetched now",
  expected: 'send it again after Retry-After',
  retryAfterSeconds: 5,
};

const withdrawn: Refusal = {
  status: 401,
  code: 'token-invalid',
  message: 'the token is not valid: its issuer has withdrawn the key that signed it',
  expected: 'a signed, current JWT of a configured issuer',
};

/** What a public key is told by, whatever form it came in. */
export function printOf(key: KeyObject): string {
  return createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('base64');
}

/** Throws an `Error` that says what the text is not, and repeats nothing of it. */
function loadKeys(text: string): LoadedKeys {
  let set: JSONWebKeySet;
  try {
    set = JSON.parse(text) as JSONWebKeySet;
  } catch {
    throw new Error('it is not JSON');
  }
  const resolve = createLocalJWKSet(set);
  const prints = new Set<string>();
  for (const key of set.keys) {
    try {
      prints.add(printOf(createPublicKey({ key: { ...key }, format: 'jwk' })));
    } catch {
      // A kind of key that Node does not know, or a symmetric one: no token is verified by it.
    }
  }
  if (prints.size === 0) throw new Error('it has no public key');
  return { resolve, prints, text };
}

/** Throws `SluiceError` `jwks-file-invalid`. */
export function fileKeySet(file: string, issuer: string): KeySet {
  let set: LoadedKeys;
  try {
    set = loadKeys(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new SluiceError(
      'jwks-file-invalid',
      `the keys of ${issuer} cannot be read from ${file}: ${messageOf(cause)}`,
      {
        cause,
        fix: 'jwt[].jwks_file names a JSON Web Key Set (RFC 7517)',
      },
    );
  }
  return {
    current: () => set,
    lookAgain: () => Promise.resolve('known'),
    refuses: (print) => (set.prints.has(print) ? undefined : withdrawn),
    close: () => undefined,
  };
}

/** Nothing is fetched before the first token comes. */
export function remoteKeySet(url: string, issuer: string, ports: KeySetPorts): KeySet {
  return new RemoteKeySet(url, issuer, ports);
}

class RemoteKeySet implements KeySet {
  readonly #url: string;
  readonly #issuer: string;
  readonly #ports: KeySetPorts;
  readonly #closed = new AbortController();
  #set: LoadedKeys | undefined;
  /** Monotonic ms. */
  #fetchedMs = 0;
  #retryMs = 0;
  #failures = 0;
  #inFlight: Promise<void> | undefined;

  constructor(url: string, issuer: string, ports: KeySetPorts) {
    this.#url = url;
    this.#issuer = issuer;
    this.#ports = ports;
  }

  current(): LoadedKeys | undefined | Promise<LoadedKeys | undefined> {
    const isFirst = this.#inFlight === undefined;
    const inFlight = this.#ageMs() < jwksFreshMs ? undefined : this.#fetch();
    const usable = this.#usable();
    if (usable !== undefined || inFlight === undefined) return usable;
    // While it is known to fail only the one that tries waits; the others are reported at once.
    return isFirst || this.#failures === 0 ? inFlight.then(() => this.#usable()) : undefined;
  }

  async lookAgain(set: LoadedKeys): Promise<'changed' | 'known' | 'unreachable'> {
    if (this.#set === set && (this.#failures > 0 || this.#ageMs() >= jwksCooldownMs))
      await this.#fetch();
    if (this.#set !== set) return 'changed';
    return this.#failures > 0 ? 'unreachable' : 'known';
  }

  refuses(print: string): Refusal | undefined {
    // Connections ask as long as they are open: with nobody else sending, theirs is what keeps the
    // set fresh.
    if (this.#ageMs() >= jwksFreshMs) void this.#fetch();
    const usable = this.#usable();
    if (usable === undefined) return issuerUnreachable;
    return usable.prints.has(print) ? undefined : withdrawn;
  }

  close(): void {
    this.#closed.abort();
  }

  #ageMs(): number {
    return this.#set === undefined
      ? Number.POSITIVE_INFINITY
      : this.#ports.clock.monotonic() - this.#fetchedMs;
  }

  #usable(): LoadedKeys | undefined {
    return this.#ageMs() < jwksMaxAgeMs ? this.#set : undefined;
  }

  /**
   * The fetch in flight, begun now where none is; undefined while none may begin. Never rejects.
   */
  #fetch(): Promise<void> | undefined {
    const { clock } = this.#ports;
    if (
      this.#inFlight === undefined &&
      (this.#failures === 0 || clock.monotonic() >= this.#retryMs)
    ) {
      this.#inFlight = this.#take().finally(() => {
        this.#inFlight = undefined;
      });
    }
    return this.#inFlight;
  }

  async #take(): Promise<void> {
    const { clock, random, log } = this.#ports;
    try {
      const text = await fetchText(this.#url, clock, this.#closed.signal);
      if (this.#set?.text !== text) this.#set = loadKeys(text);
      this.#fetchedMs = clock.monotonic();
      if (this.#failures > 0)
        log.info({ issuer: this.#issuer }, "the issuer's keys can be fetched again");
      this.#failures = 0;
    } catch (thrown) {
      if (this.#closed.signal.aborted) return;
      const pauseMs = backoffMs(
        this.#failures++,
        { baseMs: jwksRetryBaseMs, maxMs: jwksRetryMaxMs },
        random,
      );
      const retryInMs = Math.max(jwksRetryBaseMs, pauseMs);
      this.#retryMs = clock.monotonic() + retryInMs;
      const facts = {
        issuer: this.#issuer,
        failures: this.#failures,
        retryInMs,
        why: reasonOf(thrown),
        hasKeys: this.#usable() !== undefined,
      };
      log.warn(facts, "the issuer's keys cannot be fetched");
    }
  }
}

/**
 * fetch refuses an address with user information: it goes into the header that it stands for (RFC
 * 7617).
 */
async function fetchText(url: string, clock: Clock, closed: AbortSignal): Promise<string> {
  const address = new URL(url);
  const { username, password } = address;
  [address.username, address.password] = ['', ''];
  const user = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const headers = {
    accept: 'application/json',
    ...(user === ':' ? {} : { authorization: `Basic ${Buffer.from(user).toString('base64')}` }),
  };
  const late = new AbortController();
  const timer = clock.setTimer(jwksTimeoutMs, () =>
    late.abort(new SluiceError('jwks-late', `no answer in ${jwksTimeoutMs} ms`)),
  );
  try {
    const response = await fetch(address, {
      headers,
      redirect: 'manual',
      signal: AbortSignal.any([late.signal, closed]),
    });
    if (response.status !== 200) {
      await response.body?.cancel();
      throw new SluiceError('jwks-refused', `the server answered ${response.status}`);
    }
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of response.body ?? []) {
      bytes += chunk.byteLength;
      if (bytes > jwksMaxBytes)
        throw new SluiceError('jwks-too-large', `the answer has more than ${jwksMaxBytes} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
  } finally {
    timer.cancel();
  }
}

/** Never a message of fetch's own, which may repeat the address. */
function reasonOf(thrown: unknown): string {
  const cause = thrown instanceof Error ? thrown.cause : undefined;
  const code =
    systemCodeOf(cause) ?? (thrown instanceof SluiceError ? undefined : systemCodeOf(thrown));
  if (code !== undefined) return code;
  return thrown instanceof TypeError ? thrown.name : messageOf(thrown);
}
