/**
 * Where a request may carry its key or token (RFC 9110, section 11.4; RFC 6750, section 2.1; RFC
 * 7617). Pure.
 */

/** What a request says about its sender; empty text where it says nothing. */
export interface Credentials {
  readonly authorization: string;
  /** X-Api-Key */
  readonly apiKey: string;
  /** `?key=` */
  readonly queryKey: string;
  readonly origin: string;
}

const bearer = 'Bearer ';
const blanks = /^[ \t]+|[ \t]+$/g;

/**
 * The key or token; undefined where there is none. `Basic` carries it as the user's name, as
 * Segment's clients do.
 */
export function presented({ authorization, apiKey, queryKey }: Credentials): string | undefined {
  const found = authorization === '' ? '' : ofHeader(authorization);
  const key = found !== '' ? found : apiKey !== '' ? apiKey : queryKey;
  return key === '' ? undefined : key;
}

function ofHeader(authorization: string): string {
  if (authorization.startsWith(bearer) && authorization.lastIndexOf(' ') === bearer.length - 1)
    return authorization.slice(bearer.length);
  const end = authorization.indexOf(' ');
  if (end < 0) return '';
  const scheme = authorization.slice(0, end).toLowerCase();
  const value = authorization.slice(end).replaceAll(blanks, '');
  if (scheme === 'bearer') return value;
  return scheme === 'basic'
    ? (Buffer.from(value, 'base64').toString('utf8').split(':', 1)[0] ?? '')
    : '';
}
