/**
 * Which requests a server without keys answers: those of this machine's programs and pages, under a
 * name of this machine.
 */
import { describe, expect, it } from 'vitest';
import { createAccess } from '../../../ingest/access/access.ts';
import { isRefusal } from '../../../ingest/event/refusal.ts';
import type { IncomingRequest } from '../../../ingest/http/request.ts';
import { refuseForeign, refuseForeignHost } from '../../../ingest/http/trial.ts';
import { silentLog } from '../../../ingest/telemetry/log.ts';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import { openAccess } from '../support.ts';

const accessFor = (openOrigins: readonly string[] | undefined) =>
  createAccess(
    { ...openAccess, openOrigins },
    { clock: manualClock(0), random: seededRandom(1), log: silentLog },
  );
const own = accessFor(undefined);
const request = (more: Partial<IncomingRequest>): IncomingRequest =>
  ({ host: 'localhost:8080', origin: '', fetchSite: '', ...more }) as IncomingRequest;

describe('without keys', () => {
  it.each(['localhost', 'LOCALHOST:8080', '127.0.0.1', '127.1.2.3:80', '[::1]', '[::1]:8080'])(
    '%s is a name of this machine',
    (host) => {
      expect(refuseForeignHost(host)).toBeUndefined();
    },
  );

  it.each([
    '',
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '192.0.2.1:8080',
    '[::2]',
    'localhost:80@evil.example',
  ])('%j is not, after one that is either', (host) => {
    expect(refuseForeignHost('127.0.0.1')).toBeUndefined();
    expect(refuseForeignHost(host)).toMatchObject({ status: 421, code: 'host-unknown' });
    expect(refuseForeignHost(host)).toMatchObject({ status: 421 });
  });

  it('what another site embeds is refused though it has no Origin, unless any page may send', () => {
    expect(refuseForeign(request({ fetchSite: 'cross-site' }), own)).toMatchObject({
      status: 403,
      code: 'origin-not-allowed',
    });
    expect(refuseForeign(request({ fetchSite: 'cross-site' }), accessFor(['*']))).toBeUndefined();
    for (const fetchSite of ['', 'none', 'same-origin', 'same-site'])
      expect(refuseForeign(request({ fetchSite }), own)).toBeUndefined();
    expect(refuseForeign(request({ host: 'evil.example' }), own)).toMatchObject({ status: 421 });
  });

  it('an Origin is let in when it is of this machine, or in the list that takes its place', () => {
    const status = (access: typeof own, origin: string): unknown => {
      const found = access.identify({ authorization: '', apiKey: '', queryKey: '', origin });
      return found instanceof Promise ? found : isRefusal(found) ? found.status : 200;
    };
    const pages = [
      '',
      'http://localhost:3000',
      'https://[::1]',
      'https://shop.example',
      'null',
      'http://localhost.evil.example',
    ];
    expect(pages.map((origin) => status(own, origin))).toEqual([200, 200, 200, 403, 403, 403]);
    expect(pages.map((origin) => status(accessFor(['https://shop.example']), origin))).toEqual([
      200, 403, 403, 200, 403, 403,
    ]);
  });
});
