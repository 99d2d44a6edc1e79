/**
 * Who may send: the part of the configuration that can be changed while it runs.
 */
import type { Field } from './config-fields.ts';

export interface QuotaConfig {
  readonly eventsPerSecond: number;
  /** Events at once; the bucket's size. */
  readonly burst: number;
}

interface GrantConfig {
  /** `team/app`, `team/*` or `*\/*`; team `sluice` is in none of them. */
  readonly streams: readonly string[];
  /** Origins of pages that may use it; `*` any. Empty: no page may. */
  readonly origins: readonly string[];
  readonly quota: QuotaConfig | undefined;
}

export interface KeyConfig extends GrantConfig {
  /** Shown in logs, metrics and warnings. */
  readonly name: string;
  /** SHA-256 of the key, hexadecimal. */
  readonly sha256: string;
  /** `team/app`: where the Segment API puts its events. */
  readonly segmentStream: string | undefined;
}

/** Tokens of one issuer (RFC 7519). */
export interface JwtConfig extends Omit<GrantConfig, 'streams'> {
  readonly issuer: string;
  readonly audience: string;
  /** An address or a file. */
  readonly jwks: { readonly url: string } | { readonly file: string };
  /** The claim that lists what the token may write to, as patterns like those of a key. */
  readonly streamsClaim: string;
  /** The claim that says whom it speaks for; with the issuer it is the sender's identity. */
  readonly identityClaim: string;
  /**
   * `team/app`: where the Segment API puts the events of tokens that may write there; else a
   * token's only stream.
   */
  readonly segmentStream?: string;
}

export interface AccessConfig {
  /** With neither keys nor issuers everybody on this machine may write to every stream. */
  readonly keys: readonly KeyConfig[];
  readonly jwt: readonly JwtConfig[];
  /**
   * Sections that the file has, if only empty ones: a running server takes none for gone
   * (deploy/host/reload.ts).
   */
  readonly sections: Readonly<Record<'keys' | 'jwt', boolean>>;
  /** Without keys: origins whose pages may send. Undefined: those of this machine. */
  readonly openOrigins: readonly string[] | undefined;
  /** Without keys: where the Segment API puts events. */
  readonly openSegmentStream: string | undefined;
}

const patternExpected = 'team/app, team/* or */*';
const pattern = (value: string): string | undefined =>
  /^(?:\*\/\*|[A-Za-z0-9][A-Za-z0-9._-]{0,63}\/(?:\*|[A-Za-z0-9][A-Za-z0-9._-]{0,63}))$/.test(
    value,
  ) && !value.startsWith('sluice/')
    ? undefined
    : `${patternExpected}; team sluice is reserved`;
const origin = (value: string): string | undefined =>
  value === '*' || (URL.canParse(value) && new URL(value).origin === value)
    ? undefined
    : 'an origin such as https://shop.example, or *';
const isLoopback = (hostname: string): boolean =>
  /^(?:127\.[\d.]+|localhost|\[::1\])$/.test(hostname);
const jwksAddress = (value: string): string | undefined => {
  const expected = 'an https address (http only on loopback)';
  if (!URL.canParse(value)) return expected;
  const { protocol, hostname } = new URL(value);
  return protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname))
    ? undefined
    : expected;
};

export const patternField: Field = { type: 'string', check: pattern };
export const originField: Field = { type: 'string', check: origin };

export const quotaFields: Readonly<Record<string, Field>> = {
  events_per_second: { type: 'integer', default: 0, min: 0, max: 10_000_000 },
  burst: { type: 'integer', default: 0, min: 0, max: 100_000_000 },
};

const segmentStreamField: Field = {
  type: 'string',
  default: '',
  check: (value) => (value.includes('*') ? 'team/app' : pattern(value)),
};

export const keyFields: Readonly<Record<string, Field>> = {
  name: {
    type: 'string',
    check: (value) =>
      /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(value) ? undefined : '1 to 64 of A-Z a-z 0-9 . _ -',
  },
  sha256: {
    type: 'string',
    check: (value) =>
      /^[0-9a-f]{64}$/.test(value)
        ? undefined
        : '64 hexadecimal digits in lower case, as `sluice key new` prints them',
  },
  segment_stream: segmentStreamField,
  ...quotaFields,
};

export const jwtFields: Readonly<Record<string, Field>> = {
  issuer: { type: 'string' },
  audience: { type: 'string' },
  jwks_url: { type: 'string', default: '', check: jwksAddress },
  jwks_file: { type: 'string', default: '' },
  streams_claim: { type: 'string', default: 'sluice_streams' },
  identity_claim: { type: 'string', default: 'sub' },
  segment_stream: segmentStreamField,
  ...quotaFields,
};

/** A bucket of two seconds unless said otherwise; none where no rate is. */
export function quotaOf(values: Readonly<Record<string, unknown>>): QuotaConfig | undefined {
  const eventsPerSecond = Number(values['events_per_second']);
  if (eventsPerSecond === 0) return undefined;
  return { eventsPerSecond, burst: Number(values['burst']) || 2 * eventsPerSecond };
}
