/**
 * What a look-up over HTTP may be configured with. Addresses and headers can carry secrets: a
 * header's value is never shown, and of an address only what the file itself says.
 */
import type { Field } from './config-fields.ts';

/** Headers that belong to the connection, which fetch refuses or sets itself. */
const connectionHeaders =
  /^(connection|content-length|expect|host|keep-alive|te|trailer|transfer-encoding|upgrade)$/i;

export const headerNameExpected =
  'the name of a header that is not one of the connection (RFC 9110)';

export function isHeaderName(text: string): boolean {
  return /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(text) && !connectionHeaders.test(text);
}

export const lookupFields: Readonly<Record<string, Field>> = {
  url: {
    type: 'string',
    shown: 'written',
    check: (value) =>
      isAddress(value)
        ? undefined
        : 'an http or https address with {key} in its path or query, and no user or password (headers carry those)',
  },
};

export const headerField: Field = {
  type: 'string',
  check: (value) => (/^[\t\x20-\x7e]+$/.test(value) ? undefined : 'text of printable ASCII'),
};

function isAddress(template: string): boolean {
  const [one, other] = ['a', 'b'].map((key) => parse(template.replaceAll('{key}', key)));
  if (one === undefined || other === undefined) return false;
  if (one.protocol !== 'http:' && one.protocol !== 'https:') return false;
  if (one.username !== '' || one.password !== '') return false;
  return one.origin === other.origin && one.pathname + one.search !== other.pathname + other.search;
}

function parse(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}
