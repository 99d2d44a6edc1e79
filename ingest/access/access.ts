/**
 * Who sends, and what they may: API keys, tokens, origins.
 *
 * Invariants:
 * 1. Without a valid key the answer is the same for every stream. With one, what it does not cover
 *    looks the same whether it exists or not.
 * 2. A page's request is taken only under a key that names its origin: a key for servers is of no
 *    use to a page.
 * 3. A reload is whole or not at all: everything new is built before anything old goes, and what
 *    cannot be built leaves all as it was.
 * 4. Without keys nothing is taken under a name that is not this machine's, or from a page of
 *    elsewhere: whoever runs a first trial on their machine has a browser open.
 */
import type { AccessConfig } from '../../schemas/config.ts';
import type { Refusal } from '../event/refusal.ts';
import { isRefusal } from '../event/refusal.ts';
import type { Credentials } from './credentials.ts';
import { presented } from './credentials.ts';
import type { Grant } from './grant.ts';
import { allowedBy } from './grant.ts';
import type { KeyRing } from './key-ring.ts';
import { createKeyRing } from './key-ring.ts';
import type { KeySetPorts } from './key-set.ts';
import { looksLikeToken, Tokens } from './tokens.ts';

export interface Access {
  /** There are neither keys nor issuers. */
  readonly isOpen: boolean;
  /** Who it is; a promise only for a token that was not met before. */
  identify(credentials: Credentials): Grant | Refusal | Promise<Grant | Refusal>;
  /** Who it still is: for what stays. `origin` is that of the request which began it. */
  again(grant: Grant, origin: string): Grant | Refusal;
  /**
   * What Access-Control-Allow-Origin says to `origin`, by this grant, or by any (a preflight has no
   * key). Undefined: nothing.
   */
  allowedOrigin(origin: string, grant?: Grant): string | undefined;
  /** Throws `SluiceError` `jwks-file-invalid`; then everything is as before. */
  reload(config: AccessConfig): void;
}

const keyMissing: Refusal = {
  status: 401,
  code: 'key-missing',
  message: 'the request has no key',
  expected: 'Authorization: Bearer KEY, X-Api-Key: KEY or ?key=KEY',
};

/** Throws `SluiceError` `jwks-file-invalid`. */
export function createAccess(initial: AccessConfig, ports: KeySetPorts): Access {
  const { clock } = ports;
  let ring: KeyRing = createKeyRing(initial, undefined, () => ring);
  const tokens = new Tokens(initial.jwt, ports);

  return {
    get isOpen() {
      return ring.open !== undefined;
    },
    identify(credentials) {
      const { origin } = credentials;
      if (ring.open !== undefined) return withOrigin(ring.open, origin);
      const key = presented(credentials);
      if (key === undefined) return keyMissing;
      if (tokens.hasIssuers && looksLikeToken(key)) {
        const found = tokens.verify(key);
        return found instanceof Promise
          ? found.then((grant) => withOrigin(grant, origin))
          : withOrigin(found, origin);
      }
      return withOrigin(ring.find(key), origin);
    },
    again(grant, origin) {
      const renewed = grant.renewed(clock.now());
      return renewed === grant ? grant : withOrigin(renewed, origin);
    },
    allowedOrigin(origin, grant) {
      if (grant !== undefined) return allowedBy(grant.origins, origin);
      for (const origins of [...ring.origins, ...tokens.origins()]) {
        const allowed = allowedBy(origins, origin);
        if (allowed !== undefined) return allowed;
      }
      return undefined;
    },
    reload(config) {
      const nextRing = createKeyRing(config, ring, () => ring);
      const takeOver = tokens.prepare(config.jwt);
      ring = nextRing;
      takeOver();
    },
  };
}

function withOrigin(grant: Grant | Refusal, origin: string): Grant | Refusal {
  if (origin === '' || isRefusal(grant) || allowedBy(grant.origins, origin) !== undefined)
    return grant;
  if (grant.origins === 'local') {
    const message = `without keys only pages of this machine may send, not those of '${origin}'`;
    return {
      status: 403,
      code: 'origin-not-allowed',
      message,
      expected: 'a page of localhost, ingress.origins in the configuration, or keys',
    };
  }
  const message = `pages of '${origin}' may not send under this key`;
  return {
    status: 403,
    code: 'origin-not-allowed',
    message,
    expected: "one of the key's origins in the configuration",
  };
}

/** Why this grant may not use that stream. Pure. */
export function refuseStream(grant: Grant, stream: string): Refusal | undefined {
  if (grant.allows(stream)) return undefined;
  const message = `this key is not for the stream '${stream.slice(0, 130)}'`;
  return {
    status: 403,
    code: 'stream-not-allowed',
    message,
    expected: "one of the key's streams in the configuration",
  };
}
