/**
 * Without keys the server is for the person at this machine, who also has a browser open. A page of
 * elsewhere reaches it by a name of its own that resolves to this machine (DNS rebinding), or sends
 * what needs no Origin, such as an image. Both are told by what the browser says.
 *
 * Fetch Metadata: https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header
 */
import type { Access } from '../access/access.ts';
import type { Refusal } from '../event/refusal.ts';
import type { IncomingRequest } from './request.ts';

const localHost = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i;

const foreignHost: Refusal = {
  status: 421,
  code: 'host-unknown',
  message: 'without keys this server answers only to a name of this machine',
  expected: 'Host: localhost, 127.0.0.1 or [::1], with a port; or keys in the configuration',
};
const foreignPage: Refusal = {
  status: 403,
  code: 'origin-not-allowed',
  message: 'without keys pages of other sites may not send',
  expected: 'a page under the same host name, or keys in the configuration',
};

/** The last one that was right: it is nearly always the next one, too. */
let lastHost = 'localhost';

/** Why a server without keys does not answer under this name. */
export function refuseForeignHost(host: string): Refusal | undefined {
  if (host === lastHost) return undefined;
  if (!localHost.test(host)) return foreignHost;
  lastHost = host;
  return undefined;
}

/**
 * Why this request does not come from this machine's own programs and pages. An Origin is judged
 * where the sender is (access.ts).
 */
export function refuseForeign(
  { host, origin, fetchSite }: IncomingRequest,
  access: Access,
): Refusal | undefined {
  const misdirected = refuseForeignHost(host);
  if (misdirected !== undefined || fetchSite !== 'cross-site' || origin !== '') return misdirected;
  // Where any page may send, it need not say which it is.
  return access.allowedOrigin('null') === undefined ? foreignPage : undefined;
}
