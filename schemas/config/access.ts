/**
 * The sections `keys` and `jwt`: who may send. They can be changed while the ingress runs.
 */
import { inFormat } from './formats.ts';
import type { EntryRule, Finding, SectionRules } from './rule.ts';
import { twice } from './rule.ts';
import type { ValueOf } from './setting.ts';
import { group, list, text } from './setting.ts';
import type { QuotaConfig } from './streams.ts';
import { name, quotaOf, quotaSettings } from './streams.ts';

const part = '[A-Za-z0-9][A-Za-z0-9._-]{0,63}';

/** What a key may write to. */
export const streamPattern = text({
  description: 'Stream, all streams of a team, or all.',
  pattern: `^(?!sluice/)(?:\\*/\\*|${part}/(?:\\*|${part}))$`,
  expected: 'team/app, team/* or */*; team sluice is reserved',
  examples: ['shop/clicks', 'shop/*', '*/*'],
});
export const origin = text({
  ...inFormat('origin'),
  description: 'Origin of web pages that may send; * means any.',
  examples: ['https://shop.example'],
});
const origins = list({
  description: 'Origins of web pages that may use it.',
  default: [],
  items: origin,
});
const segmentStream = text({
  description: 'Stream to which the Segment API sends the events.',
  pattern: `^(?!sluice/)${part}/${part}$`,
  expected: 'team/app',
  examples: ['shop/clicks'],
});

export const keys = list({
  description: 'API keys. Without keys and issuers, everybody on this machine may send.',
  default: [],
  items: group({
    description: 'One key. `sluice key new` makes one and prints its entry.',
    required: ['name', 'sha256', 'streams'],
    properties: {
      name: text({
        description: 'Name of the key in logs, metrics and warnings.',
        pattern: name.pattern,
        expected: '1 to 64 of A-Z a-z 0-9 . _ -',
        examples: ['web-shop'],
      }),
      sha256: text({
        description: 'SHA-256 of the key. The key itself is never stored.',
        pattern: '^[0-9a-f]{64}$',
        expected: '64 hexadecimal digits in lower case, as `sluice key new` prints them',
      }),
      segment_stream: segmentStream,
      ...quotaSettings,
      streams: list({
        description: 'Streams that the key may write to.',
        expected: 'at least one of team/app, team/* or */*',
        minItems: 1,
        items: streamPattern,
      }),
      origins,
    },
  }),
});

export const jwt = list({
  description: 'Issuers whose tokens (JWT) are accepted.',
  default: [],
  items: group({
    description: 'One issuer.',
    required: ['issuer', 'audience'],
    properties: {
      issuer: text({
        description: 'Issuer of the tokens: their claim `iss`.',
        examples: ['https://login.example/'],
      }),
      audience: text({ description: 'Expected claim `aud`.', examples: ['sluice'] }),
      jwks_url: text({
        ...inFormat('jwks-url'),
        description: "Address of the issuer's keys.",
        examples: ['https://login.example/.well-known/jwks.json'],
      }),
      jwks_file: text({ description: "File with the issuer's keys.", format: 'file' }),
      streams_claim: text({
        description: 'Claim that lists what the token may write to.',
        default: 'sluice_streams',
      }),
      identity_claim: text({
        description:
          'Claim with the sender of the token; together with the issuer it is the identity.',
        default: 'sub',
      }),
      segment_stream: segmentStream,
      ...quotaSettings,
      origins,
    },
  }),
});

type KeyValues = ValueOf<typeof keys>[number];
type IssuerValues = ValueOf<typeof jwt>[number];

export interface KeyConfig extends Omit<KeyValues, keyof QuotaConfig> {
  readonly quota: QuotaConfig | undefined;
}

/** Tokens of one issuer (RFC 7519). */
export interface JwtConfig
  extends Omit<IssuerValues, keyof QuotaConfig | 'jwksUrl' | 'jwksFile' | 'segmentStream'> {
  /** An address or a file. */
  readonly jwks: { readonly url: string } | { readonly file: string };
  /** Unset: a token's only stream. */
  readonly segmentStream?: string;
  readonly quota: QuotaConfig | undefined;
}

export interface AccessConfig {
  /** With neither keys nor issuers everybody on this machine may write to every stream. */
  readonly keys: readonly KeyConfig[];
  readonly jwt: readonly JwtConfig[];
  /**
   * Sections that the file has, if only empty ones: a running server does not take an empty one for
   * one that is gone (deploy/host/reload.ts).
   */
  readonly sections: Readonly<Record<'keys' | 'jwt', boolean>>;
  /** Without keys: origins whose pages may send. Undefined: those of this machine. */
  readonly openOrigins: readonly string[] | undefined;
  /** Without keys: where the Segment API puts events. */
  readonly openSegmentStream: string | undefined;
}

export function keyOf({ eventsPerSecond, burst, ...values }: KeyValues): KeyConfig {
  return { ...values, quota: quotaOf({ eventsPerSecond, burst }) };
}

export function issuerOf({ eventsPerSecond, burst, ...values }: IssuerValues): JwtConfig {
  const { jwksUrl, jwksFile, segmentStream: stream, ...settings } = values;
  return {
    ...settings,
    jwks: jwksUrl === undefined ? { file: jwksFile as string } : { url: jwksUrl },
    ...(stream === undefined ? {} : { segmentStream: stream }),
    quota: quotaOf({ eventsPerSecond, burst }),
  };
}

const onePlaceOfJwks: EntryRule = ({ jwks_url: url, jwks_file: file }) =>
  (url === undefined) === (file === undefined)
    ? {
        path: [],
        message: 'the keys must come from one place',
        expected: 'either jwks_url or jwks_file',
      }
    : undefined;

interface Access {
  readonly access: AccessConfig;
}

function* sendersApart({ access }: Access): Iterable<Finding> {
  const found =
    (section: string, field: string) =>
    (index: number, before: number, value: string): Finding => ({
      path: [section, index, field],
      at: [section, index],
      message: `'${value}' is already that of ${section}[${before}]`,
      expected: 'one of its own',
    });
  yield* twice(access.keys, ({ name }) => name, found('keys', 'name'));
  yield* twice(access.keys, ({ sha256 }) => sha256, found('keys', 'sha256'));
  yield* twice(access.jwt, ({ issuer }) => issuer, found('jwt', 'issuer'));
}

export const accessRules: SectionRules<Access> = {
  entries: [[['jwt', '*'], [onePlaceOfJwks]]],
  whole: [sendersApart],
};
