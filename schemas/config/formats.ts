/**
 * What a text of the configuration must be where a pattern cannot say it: each with the words that
 * tell what was expected. Pure.
 */
import { parsePointer } from '../json-scan.ts';

export interface TextFormat {
  readonly expected: string;
  readonly fits: (text: string) => boolean;
}

/** Headers that belong to the connection, which fetch refuses or sets itself. */
const connectionHeaders =
  /^(connection|content-length|expect|host|keep-alive|te|trailer|transfer-encoding|upgrade)$/i;
const broker = /^[A-Za-z0-9.-]+:\d{1,5}$/;
const isLoopback = (hostname: string): boolean =>
  /^(?:127\.[\d.]+|localhost|\[::1\])$/.test(hostname);

/** The parts of a list with commas. */
export const partsOf = (text: string): readonly string[] =>
  text.split(',').map((part) => part.trim());

export const textFormats = {
  file: { expected: 'a file', fits: () => true },
  'json-pointer-into-data': {
    expected: 'a JSON pointer such as /orderId (RFC 6901)',
    fits: (text) => parsePointer(text) !== undefined,
  },
  origin: {
    expected: 'an origin such as https://shop.example, or *',
    fits: (text) => text === '*' || (URL.canParse(text) && new URL(text).origin === text),
  },
  'jwks-url': {
    expected: 'an https address (http only on loopback)',
    fits: (text) => {
      if (!URL.canParse(text)) return false;
      const { protocol, hostname } = new URL(text);
      return protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname));
    },
  },
  'lookup-url': {
    expected:
      'an http or https address with {key} in its path or query, and no user or password (headers carry those)',
    fits: isLookupUrl,
  },
  'header-name': {
    expected: 'the name of a header that is not one of the connection (RFC 9110)',
    fits: (text) => /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(text) && !connectionHeaders.test(text),
  },
  endpoint: {
    expected: 'an http or https address without user and password',
    fits: (text) => isAddress(text, ['http:', 'https:']),
  },
  'graph-url': {
    expected:
      'an address such as neo4j+s://graph.example (bolt, bolt+s, neo4j, neo4j+s), without user and password',
    fits: (text) => isAddress(text, ['bolt:', 'bolt+s:', 'neo4j:', 'neo4j+s:']),
  },
  brokers: {
    expected: 'host:port, with commas between several, such as b-1.example:9098,b-2.example:9098',
    fits: (text) => partsOf(text).every((part) => broker.test(part)),
  },
} as const satisfies Readonly<Record<string, TextFormat>>;

/** The two words of a setting that has the format. */
export const inFormat = <F extends keyof typeof textFormats>(format: F) =>
  ({ format, expected: textFormats[format].expected }) as const;

function isAddress(text: string, protocols: readonly string[]): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  return protocols.includes(protocol) && username === '' && password === '';
}

/** The key must change the path or the query, and nothing else. */
function isLookupUrl(template: string): boolean {
  const texts = ['a', 'b'].map((key) => template.replaceAll('{key}', key));
  if (!texts.every((text) => isAddress(text, ['http:', 'https:']))) return false;
  const [one, other] = texts.map((text) => new URL(text)) as [URL, URL];
  return one.origin === other.origin && one.pathname + one.search !== other.pathname + other.search;
}
