/**
 * What is remembered of tokens that were verified: so many, the oldest goes first, and one that is
 * forgotten is verified again.
 */
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { Tokens, tokensRememberedMax } from '../../../ingest/access/tokens.ts';
import { isRefusal } from '../../../ingest/event/refusal.ts';
import { silentLog } from '../../../ingest/telemetry/log.ts';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import { issuerConfig } from '../support.ts';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
function token(serial: number): string {
  const claims = {
    iss: 'https://login.example',
    aud: 'sluice',
    sub: 'u',
    exp: 4_000_000_000,
    jti: String(serial),
    streams: ['a/*'],
  };
  const signed = `${part({ alg: 'EdDSA', kid: 'one' })}.${part(claims)}`;
  return `${signed}.${sign(null, Buffer.from(signed), privateKey).toString('base64url')}`;
}

it(`no more than ${tokensRememberedMax} are remembered, and the oldest is forgotten`, {
  timeout: 120_000,
}, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-tokens-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, 'jwks.json');
  writeFileSync(
    file,
    JSON.stringify({
      keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'EdDSA' }],
    }),
  );
  const tokens = new Tokens([issuerConfig({ file })], {
    clock: manualClock(0),
    random: seededRandom(1),
    log: silentLog,
  });
  const isRemembered = (serial: number): boolean =>
    !(tokens.verify(token(serial)) instanceof Promise);
  for (let serial = 0; serial < tokensRememberedMax; serial++)
    expect(isRefusal(await tokens.verify(token(serial)))).toBe(false);
  expect([isRemembered(0), isRemembered(tokensRememberedMax - 1)]).toEqual([true, true]);
  await tokens.verify(token(tokensRememberedMax));
  expect([isRemembered(0), isRemembered(1), isRemembered(tokensRememberedMax)]).toEqual([
    false,
    true,
    true,
  ]);
});
