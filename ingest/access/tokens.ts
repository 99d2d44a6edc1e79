/**
 * Tokens (JWT, RFC 7519) of configured issuers, verified by jose against the issuer's key set.
 *
 * Invariants:
 * 1. Only asymmetric signatures count (`algorithms`): a token that is signed with what everybody can read is none.
 * 2. Issuer and audience must be the configured ones, and a token must end (`exp`). Its answers never repeat it.
 * 3. An issuer that cannot be reached is 503, never 401: the token may be good.
 * 4. What was verified is remembered by the token's digest until it expires; bounded.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { JWTPayload, JWTVerifyGetKey } from 'jose';
import { createLocalJWKSet, createRemoteJWKSet, decodeJwt, errors, jwtVerify } from 'jose';
import type { JwtConfig } from '../../schemas/config-access.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';
import { limits } from '../../schemas/limits.ts';
import type { Refusal } from '../protocol/refusal.ts';
import type { Grant } from './grant.ts';
import { covers } from './grant.ts';

export interface Tokens {
  readonly origins: readonly (readonly string[])[];
  verify(token: string): Grant | Refusal | Promise<Grant | Refusal>;
  revoke(): void;
}

const algorithms = ['RS256', 'PS256', 'ES256', 'EdDSA'];
const skewSeconds = 30;

/** A compact JWS has three parts, the first of which is a JSON object in base64url. */
export function looksLikeToken(text: string): boolean {
  return text.startsWith('eyJ') && text.split('.', 4).length === 3;
}

/** Undefined when no issuer is configured. Throws `SluiceError` `jwks-file-invalid`. */
export function createTokens(issuers: readonly JwtConfig[], clock: Clock): Tokens | undefined {
  if (issuers.length === 0) return undefined;
  const known = new Map(issuers.map((issuer) => [issuer.issuer, { config: issuer, keys: keysOf(issuer) }]));
  const verified = new Map<string, { readonly grant: Grant; readonly untilMs: number }>();
  let revoked = false;

  const remember = (digest: string, grant: Grant, expires: number): void => {
    verified.set(digest, { grant, untilMs: expires * 1_000 });
    if (verified.size <= limits.tokensRememberedMax) return;
    for (const oldest of verified.keys()) {
      verified.delete(oldest);
      break;
    }
  };

  const verify = async (token: string, digest: string): Promise<Grant | Refusal> => {
    let issuer: string | undefined;
    try {
      issuer = decodeJwt(token).iss;
    } catch {
      return invalid('it is no JWT');
    }
    const found = issuer === undefined ? undefined : known.get(issuer);
    if (found === undefined) return invalid('its issuer is not configured');
    const { config, keys } = found;
    try {
      const { payload } = await jwtVerify(token, keys, {
        algorithms,
        issuer: config.issuer,
        audience: config.audience,
        requiredClaims: ['exp'],
        clockTolerance: skewSeconds,
        currentDate: new Date(clock.now()),
      });
      const grant = grantOf(payload, config, () => revoked);
      remember(digest, grant, payload.exp ?? 0);
      return grant;
    } catch (thrown) {
      return refusalOf(thrown);
    }
  };

  return {
    origins: issuers.map(({ origins }) => origins),
    verify(token) {
      if (token.length > limits.tokenMaxChars) return invalid(`it has more than ${limits.tokenMaxChars} characters`);
      const digest = createHash('sha256').update(token).digest('base64');
      const before = verified.get(digest);
      if (before !== undefined && clock.now() < before.untilMs) return before.grant;
      return verify(token, digest);
    },
    revoke() {
      revoked = true;
    },
  };
}

function keysOf({ jwks, issuer }: JwtConfig): JWTVerifyGetKey {
  if ('url' in jwks)
    return createRemoteJWKSet(new URL(jwks.url), { timeoutDuration: limits.jwksTimeoutMs, cooldownDuration: limits.jwksCooldownMs });
  try {
    return createLocalJWKSet(JSON.parse(readFileSync(jwks.file, 'utf8')) as Parameters<typeof createLocalJWKSet>[0]);
  } catch (cause) {
    throw new SluiceError('jwks-file-invalid', `the keys of ${issuer} cannot be read from ${jwks.file}: ${messageOf(cause)}`, {
      cause,
      fix: 'jwt[].jwks_file names a JSON Web Key Set (RFC 7517)',
    });
  }
}

function grantOf(payload: JWTPayload, { issuer, origins, quota, streamsClaim }: JwtConfig, isRevoked: () => boolean): Grant {
  const claim = payload[streamsClaim];
  const patterns = Array.isArray(claim)
    ? claim.filter((one) => typeof one === 'string')
    : typeof claim === 'string'
      ? claim.split(/\s+/)
      : [];
  const concrete = patterns.filter((pattern) => !pattern.includes('*'));
  return {
    name: `${new URL(issuer, 'https://issuer').hostname}:${String(payload.sub ?? '').slice(0, 64)}`,
    origins,
    quota,
    segmentStream: concrete.length === 1 ? concrete[0] : undefined,
    get revoked() {
      return isRevoked();
    },
    allows: (stream) => covers(patterns, stream),
  };
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
  if (thrown instanceof errors.JWTExpired) return invalid('it has expired');
  if (thrown instanceof errors.JWTClaimValidationFailed) return invalid(`its '${thrown.claim}' does not fit`);
  if (thrown instanceof errors.JWSSignatureVerificationFailed) return invalid('its signature is wrong');
  if (thrown instanceof errors.JWKSNoMatchingKey) return invalid('no key of its issuer fits');
  if (thrown instanceof errors.JOSEAlgNotAllowed) return invalid('its algorithm is not accepted');
  if (
    thrown instanceof errors.JWKSTimeout ||
    thrown instanceof errors.JWKSInvalid ||
    !(thrown instanceof errors.JOSEError) ||
    thrown.code === 'ERR_JOSE_GENERIC'
  ) {
    return {
      status: 503,
      code: 'issuer-unreachable',
      message: "the issuer's keys cannot be had now",
      expected: 'send it again after Retry-After',
      retryAfterSeconds: 5,
    };
  }
  return invalid('its form is wrong');
}
