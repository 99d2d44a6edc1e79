/**
 * Tokens (JWT, RFC 7519) of configured issuers, verified by jose against the issuer's key set
 * (key-set.ts).
 *
 * Invariants:
 * 1. Only asymmetric signatures count (`algorithms`): a token that is signed with what everybody
 *    can read is none.
 * 2. Issuer and audience must be the configured ones, a token must end (`exp`), and it must say
 *    whom it speaks for. Its answers never repeat it.
 * 3. An issuer that cannot be reached is 503, never 401: the token may be good.
 * 4. What was verified is remembered by the token's digest; bounded. It holds while the token has
 *    not expired, its issuer is configured and publishes the key that signed it: a key that the
 *    issuer withdraws takes its tokens with it.
 */
import { createHash, KeyObject } from 'node:crypto';
import type { JWTPayload } from 'jose';
import { decodeJwt, errors, jwtVerify } from 'jose';
import type { JwtConfig } from '../../schemas/config.ts';
import { assert } from '../../schemas/kernel/assert.ts';
import { kibi } from '../../schemas/kernel/bytes.ts';
import { limits } from '../../schemas/limits.ts';
import type { Refusal } from '../event/refusal.ts';
import { isRefusal } from '../event/refusal.ts';
import type { Grant, Origins } from './grant.ts';
import { covers } from './grant.ts';
import { tokenName } from './identity.ts';
import type { KeySet, KeySetPorts } from './key-set.ts';
import { fileKeySet, issuerUnreachable, printOf, remoteKeySet } from './key-set.ts';

/**
 * Tokens whose verification is remembered, a token's length, and how far its issuer's clock may
 * be from this one.
 */
export const tokensRememberedMax = 10_000;
const tokenMaxChars = 8_192;
export const tokenSkewSeconds = 30;
assert(tokenMaxChars + 4 * kibi <= limits.httpHeadMaxBytes, 'a head can carry the longest token');

interface Issuer {
  readonly config: JwtConfig;
  readonly keys: KeySet;
}

/** A token that was verified: what it says, and the fingerprint of the key that signed it. */
interface Verified {
  readonly payload: JWTPayload;
  readonly print: string;
}

const algorithms = ['RS256', 'PS256', 'ES256', 'EdDSA'];

/** A compact JWS has three parts, the first of which is a JSON object in base64url. */
export function looksLikeToken(text: string): boolean {
  return text.startsWith('eyJ') && text.split('.', 4).length === 3;
}

export class Tokens {
  readonly #ports: KeySetPorts;
  #issuers: ReadonlyMap<string, Issuer> = new Map();
  /** By digest, the oldest first. */
  readonly #verified = new Map<string, Grant>();

  /** Throws `SluiceError` `jwks-file-invalid`. */
  constructor(issuers: readonly JwtConfig[], ports: KeySetPorts) {
    this.#ports = ports;
    this.prepare(issuers)();
  }

  get hasIssuers(): boolean {
    return this.#issuers.size > 0;
  }

  origins(): readonly Origins[] {
    return [...this.#issuers.values()].map(({ config }) => config.origins);
  }

  /**
   * Builds what `issuers` needs; the call of what it returns puts that in force. Throws
   * `SluiceError` `jwks-file-invalid`, nothing changed.
   */
  prepare(issuers: readonly JwtConfig[]): () => void {
    const next = new Map(
      issuers.map((config) => [
        config.issuer,
        issuerOf(config, this.#issuers.get(config.issuer), this.#ports),
      ]),
    );
    return () => {
      const before = this.#issuers;
      this.#issuers = next;
      for (const { keys } of before.values())
        if (![...next.values()].some((issuer) => issuer.keys === keys)) keys.close();
    };
  }

  verify(token: string): Grant | Refusal | Promise<Grant | Refusal> {
    if (token.length > tokenMaxChars)
      return invalid(`it has more than ${tokenMaxChars} characters`);
    const digest = createHash('sha256').update(token).digest('base64');
    const before = this.#verified.get(digest);
    if (before !== undefined) {
      const renewed = before.renewed(this.#ports.clock.now());
      if (!isRefusal(renewed)) {
        if (renewed !== before) this.#remember(digest, renewed);
        return renewed;
      }
      this.#verified.delete(digest);
    }
    return this.#verify(token, digest);
  }

  async #verify(token: string, digest: string): Promise<Grant | Refusal> {
    let claimed: string | undefined;
    try {
      claimed = decodeJwt(token).iss;
    } catch {
      return invalid('it is not a JWT');
    }
    const issuer = claimed === undefined ? undefined : this.#issuers.get(claimed);
    if (issuer === undefined) return invalid('its issuer is not configured');
    const found = await verifyBy(issuer, token, this.#ports.clock.now());
    if (isRefusal(found)) return found;
    const grant = this.#grantOf(found, issuer.config);
    if (!isRefusal(grant)) this.#remember(digest, grant);
    return grant;
  }

  #grantOf(token: Verified, config: JwtConfig): Grant | Refusal {
    const { issuer, origins, quota, streamsClaim, identityClaim, segmentStream } = config;
    const subject = token.payload[identityClaim];
    if (typeof subject !== 'string' || subject === '')
      return invalid(`its '${identityClaim}' must be a text that is not empty`);
    const patterns = patternsOf(token.payload[streamsClaim]);
    const concrete = patterns.filter((pattern) => !pattern.includes('*'));
    const grant: Grant = {
      name: tokenName(issuer, subject),
      origins,
      quota,
      segmentStream: segmentStream ?? (concrete.length === 1 ? concrete[0] : undefined),
      renewed: (nowMs) => this.#renew(token, grant, config, nowMs),
      allows: (stream) => covers(patterns, stream),
    };
    return grant;
  }

  #renew(token: Verified, grant: Grant, madeBy: JwtConfig, nowMs: number): Grant | Refusal {
    const issuer = this.#issuers.get(String(token.payload.iss));
    if (issuer === undefined) return invalid('its issuer is no longer configured');
    if (nowMs >= (Number(token.payload.exp) + tokenSkewSeconds) * 1_000)
      return invalid('it has expired');
    const withdrawn = issuer.keys.refuses(token.print);
    if (withdrawn !== undefined) return withdrawn;
    if (issuer.config === madeBy) return grant;
    const { aud } = token.payload;
    if (![aud].flat().includes(issuer.config.audience)) return invalid("its 'aud' does not fit");
    return this.#grantOf(token, issuer.config);
  }

  #remember(digest: string, grant: Grant): void {
    this.#verified.set(digest, grant);
    if (this.#verified.size <= tokensRememberedMax) return;
    for (const oldest of this.#verified.keys()) {
      this.#verified.delete(oldest);
      break;
    }
  }
}

/**
 * What did not change is kept: an address with the keys that were fetched from it, a configuration
 * with the grants made by it.
 */
function issuerOf(config: JwtConfig, before: Issuer | undefined, ports: KeySetPorts): Issuer {
  const { jwks } = config;
  const same =
    before !== undefined && JSON.stringify(before.config) === JSON.stringify(config)
      ? before.config
      : config;
  if ('file' in jwks) return { config: same, keys: fileKeySet(jwks.file, config.issuer) };
  const isSameAddress =
    before !== undefined && 'url' in before.config.jwks && before.config.jwks.url === jwks.url;
  return {
    config: same,
    keys: isSameAddress ? before.keys : remoteKeySet(jwks.url, config.issuer, ports),
  };
}

async function verifyBy(
  { config, keys }: Issuer,
  token: string,
  nowMs: number,
): Promise<Verified | Refusal> {
  const options = {
    algorithms,
    issuer: config.issuer,
    audience: config.audience,
    requiredClaims: ['exp'],
    clockTolerance: tokenSkewSeconds,
    currentDate: new Date(nowMs),
  };
  // A second time when the issuer may have a key that it did not have before.
  for (let isAgain = false; ; isAgain = true) {
    const set = await keys.current();
    if (set === undefined) return issuerUnreachable;
    try {
      const { payload, key } = await jwtVerify(token, set.resolve, options);
      return {
        payload,
        print: printOf(KeyObject.from(key as Parameters<typeof KeyObject.from>[0])),
      };
    } catch (thrown) {
      if (!(thrown instanceof errors.JWKSNoMatchingKey)) return refusalOf(thrown);
      const looked = isAgain ? 'known' : await keys.lookAgain(set);
      if (looked === 'unreachable') return issuerUnreachable;
      if (looked === 'known') return refusalOf(thrown);
    }
  }
}

function patternsOf(claim: unknown): readonly string[] {
  if (Array.isArray(claim)) return claim.filter((one) => typeof one === 'string');
  return typeof claim === 'string' ? claim.split(/\s+/) : [];
}

function invalid(why: string): Refusal {
  return {
    status: 401,
    code: 'token-invalid',
    message: `the token is not valid: ${why}`,
    expected: 'a signed, current JWT of a configured issuer',
  };
}

/** What jose says is about the token's form and claims, never its content. */
function refusalOf(thrown: unknown): Refusal {
  // A key of the set that cannot be used is the issuer's fault.
  if (!(thrown instanceof errors.JOSEError)) return issuerUnreachable;
  if (thrown instanceof errors.JWTExpired) return invalid('it has expired');
  if (thrown instanceof errors.JWTClaimValidationFailed)
    return invalid(`its '${thrown.claim}' does not fit`);
  if (thrown instanceof errors.JWSSignatureVerificationFailed)
    return invalid('its signature is wrong');
  if (thrown instanceof errors.JWKSNoMatchingKey) return invalid('no key of its issuer fits');
  if (thrown instanceof errors.JWKSMultipleMatchingKeys)
    return invalid('more than one key of its issuer fits: it must name one (kid)');
  if (thrown instanceof errors.JOSEAlgNotAllowed) return invalid('its algorithm is not accepted');
  return invalid('its form is wrong');
}
