/**
 * An issuer's key set cannot be fetched, and then only slowly, while tokens of many kinds come at a
 * high rate: with keys that are not in the set, of two realms with the same subject, without one.
 * What is counted is how often the issuer is asked, and what the other tenant notices.
 */
import type { ServerResponse } from 'node:http';
import { Agent, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { post } from '../../clients.ts';
import type { Attack, Door } from '../rig.ts';
import { openDoor, otherTenant } from '../rig.ts';

const realms = ['east', 'west'] as const;
type Realm = (typeof realms)[number];

async function issuers() {
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  const set = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'one' }] });
  const asked: Record<string, number> = { east: 0, west: 0 };
  let answer: (response: ServerResponse) => void = (response) => void response.writeHead(500).end();
  const server = createServer(({ url = '' }, response) => {
    asked[url.slice(1)] = (asked[url.slice(1)] ?? 0) + 1;
    answer(response);
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  let serial = 0;
  return {
    port,
    asked,
    recover: () => {
      answer = (response) => void response.end(set);
    },
    close: () => {
      server.closeAllConnections();
      server.close();
    },
    token: (realm: Realm, claims: object = { sub: 'somebody' }, kid = 'one'): Promise<string> =>
      new SignJWT({
        iss: `https://login.example/${realm}`,
        aud: 'sluice',
        jti: String(serial++),
        streams: ['attacker/*'],
        ...claims,
      })
        .setExpirationTime('1h')
        .setProtectedHeader({ alg: 'ES256', kid })
        .sign(privateKey),
  };
}

async function statusesOf(
  door: Door,
  tokens: readonly string[],
): Promise<Readonly<Record<number, number>>> {
  const agent = new Agent({ keepAlive: true, maxSockets: 50 });
  const statuses: Record<number, number> = {};
  const send = async (token: string): Promise<void> => {
    const { status } = await post(
      `${door.url}/v1/attacker/events`,
      '{"a":1}',
      { authorization: `Bearer ${token}` },
      agent,
    );
    statuses[status] = (statuses[status] ?? 0) + 1;
  };
  for (let at = 0; at < tokens.length; at += 50)
    await Promise.all(tokens.slice(at, at + 50).map(send));
  agent.destroy();
  return statuses;
}

export const failingIssuer: Attack = {
  name: 'failing-issuer',
  what: 'tokens flood in while the keys of their issuer cannot be fetched, and with keys that it does not have',
  async run(scale) {
    const issuer = await issuers();
    const one = (realm: Realm): string =>
      `  - {issuer: 'https://login.example/${realm}', audience: sluice, jwks_url: 'http://127.0.0.1:${issuer.port}/${realm}', streams_claim: streams, events_per_second: 1, burst: 3}`;
    const door = await openDoor({ more: `jwt:\n${realms.map(one).join('\n')}` });
    try {
      const other = otherTenant(door);
      const count = Math.max(200, Math.round(5_000 * scale));
      const many = (make: () => Promise<string>, most = count): Promise<readonly string[]> =>
        Promise.all(Array.from({ length: most }, make));
      const failing = await statusesOf(door, await many(() => issuer.token('east')));
      const askedWhileFailing = issuer.asked['east'] ?? 0;
      issuer.recover();
      await wait(2_000);
      // The first comes after the pause; each realm has a bucket of three.
      const burst = async (realm: Realm) =>
        statusesOf(door, await many(() => issuer.token(realm), 3));
      const [, west] = [await burst('east'), await burst('west')];
      const unknown = await statusesOf(
        door,
        await many(() => issuer.token('west', { sub: 'u' }, 'none')),
      );
      const nobody = await statusesOf(door, [
        await issuer.token('west', {}),
        await issuer.token('west', { sub: '' }),
      ]);
      const { errors, p99Ms } = await other.stop();
      return {
        tally: {
          tokens: count,
          askedWhileFailing,
          askedOfTheOther: issuer.asked['west'] ?? 0,
          otherErrors: errors,
          otherP99Ms: p99Ms,
        },
        checks: [
          ['while the keys could not be fetched every token got 503', failing[503] === count],
          [
            'and the issuer was asked a few times, not by each request',
            askedWhileFailing >= 1 && askedWhileFailing < 10 + count / 100,
          ],
          [
            'two realms of one host are two senders: the quota of one is not that of the other',
            west[200] === 3,
          ],
          [
            'tokens with a key that the issuer does not have got 401, and made it be asked at most once more',
            unknown[401] === count,
          ],
          ['which was once for the first token', (issuer.asked['west'] ?? 0) <= 2],
          ['tokens that speak for nobody got 401', nobody[401] === 2],
          ['every request of the other tenant was answered with 200', errors === 0],
        ],
      };
    } finally {
      await door.close();
      issuer.close();
    }
  },
};
