/**
 * Tokens of MSK IAM: signed ahead of their end, kept meanwhile, of one principal or told of; and of
 * a role, by STS (moto).
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  clientTokens,
  principalChanged,
} from '../../../../deploy/streams/kafka/kafka-connection.ts';
import { kafkaTokenRefreshBeforeMs, mskIamAuth } from '../../../../deploy/streams/kafka/msk-iam.ts';
import { manualClock, systemClock } from '../../../../schemas/kernel/clock.ts';
import { seededRandom, systemRandom } from '../../../../schemas/kernel/random.ts';
import { pythonMissing } from '../../../servers/cache.ts';
import type { Moto } from '../../../servers/moto.ts';
import { startMoto, useTestCredentials } from '../../../servers/moto.ts';

const startMs = 1_000_000;
const tokenOf = (key: string, n: number): string =>
  Buffer.from(
    `https://kafka.eu-central-1.amazonaws.com/?X-Amz-Credential=${key}%2F20260101&n=${n}`,
  ).toString('base64url');

function rigOf(lifeMs: number) {
  const clock = manualClock(startMs);
  const told: string[] = [];
  const state = { signed: 0, key: 'AKID', fails: false };
  const auth = mskIamAuth({
    region: 'eu-central-1',
    clock,
    random: seededRandom(1),
    tell: (news) => told.push(news),
    sign: () => {
      if (state.fails) return Promise.reject(new Error('the provider is asked too often'));
      state.signed++;
      return Promise.resolve({
        token: tokenOf(state.key, state.signed),
        expiryTime: clock.now() + lifeMs,
      });
    },
  });
  return { clock, told, state, auth };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a token', () => {
  it('is kept, and signed anew ahead of its end, while the one before goes on', async () => {
    const { clock, auth, state } = rigOf(900_000);
    const [first, same] = await Promise.all([auth.token(), auth.token()]);
    expect([first, state.signed]).toEqual([same, 1]);
    clock.advance(900_000 - 2 * kafkaTokenRefreshBeforeMs - 1);
    await auth.token();
    await settled();
    expect(state.signed).toBe(1);
    clock.advance(kafkaTokenRefreshBeforeMs);
    expect(await auth.token()).toBe(first);
    await settled();
    expect(state.signed).toBe(2);
    expect((await auth.token()).value).not.toBe(first.value);
  });

  it('of credentials that end soon is signed anew in the last part of its life', async () => {
    const { clock, auth, state } = rigOf(10_000);
    await auth.token();
    clock.advance(5_000);
    await auth.token();
    await settled();
    expect(state.signed).toBe(1);
    clock.advance(3_500);
    await auth.token();
    await settled();
    expect(state.signed).toBe(2);
  });

  it('goes on while none can be signed, as long as it lives; then it says why', async () => {
    const { clock, auth, state, told } = rigOf(10_000);
    const first = await auth.token();
    state.fails = true;
    clock.advance(9_999);
    expect(await auth.token()).toBe(first);
    await settled();
    clock.advance(1);
    await expect(auth.token()).rejects.toMatchObject({
      code: 'kafka-denied',
      retryable: true,
      message: /the provider is asked too often/,
    });
    state.fails = false;
    expect((await auth.token()).principal).toBe('AKID');
    expect(told).toEqual(['token-signed', 'token-failed', 'token-failed', 'token-signed']);
  });

  it('of another principal is told of, and given to no client of the first', async () => {
    const { clock, auth, state, told } = rigOf(10_000);
    const tokens = clientTokens(auth);
    await tokens();
    state.key = 'AKID-OTHER';
    clock.advance(10_000);
    await expect(tokens()).rejects.toMatchObject({
      code: 'kafka-principal-changed',
      message: principalChanged,
    });
    expect(told).toContain('principal-changed');
    expect((await clientTokens(auth)()).value).toBe(tokenOf('AKID-OTHER', 2));
  });
});

describe.skipIf(pythonMissing() !== undefined)('a token of a role', () => {
  let moto: Moto;
  beforeAll(async () => {
    useTestCredentials();
    moto = await startMoto();
    process.env['AWS_ENDPOINT_URL_STS'] = moto.endpoint;
  }, 300_000);
  afterAll(async () => {
    delete process.env['AWS_ENDPOINT_URL_STS'];
    await moto.stop();
  });

  it('is signed with credentials that STS gives for it, and its principal is the role', async () => {
    const roleArn = 'arn:aws:iam::123456789012:role/kafka';
    const auth = mskIamAuth({
      region: 'us-east-1',
      roleArn,
      clock: systemClock,
      random: systemRandom,
    });
    const { value, principal } = await auth.token();
    expect(principal).toBe(roleArn);
    const { searchParams } = new URL(Buffer.from(value, 'base64url').toString('utf8'));
    expect(searchParams.get('X-Amz-Credential')).toMatch(/^ASIA/);
    expect(searchParams.get('X-Amz-Security-Token')).toBeTruthy();
    expect(searchParams.get('Action')).toBe('kafka-cluster:Connect');
  });
});
