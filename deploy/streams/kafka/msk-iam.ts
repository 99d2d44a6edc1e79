/**
 * Tokens of MSK IAM: SASL/OAUTHBEARER tokens that aws-msk-iam-sasl-signer-js signs with the
 * credentials of AWS' default chain, or of a role. It stands in deploy because both sides are
 * handed one.
 *
 * Invariants:
 * 1. A token is signed again when `kafkaTokenRefreshBeforeMs`, or a fifth of its life if that
 *    is less, is left of it, and some more by chance, so that a fleet does not ask together. Its
 *    life is that of the credentials where these end earlier.
 * 2. While one is signed, and when that fails, the one before continues as long as it lives.
 */
import { createRequire } from 'node:module';
import type { Clock } from '../../../schemas/kernel/clock.ts';
import { messageOf, SluiceError } from '../../../schemas/kernel/errors.ts';
import type { Random } from '../../../schemas/kernel/random.ts';
import type { KafkaAuth, KafkaToken } from './kafka-connection.ts';

/** A token is signed again when that much of its life is left. */
export const kafkaTokenRefreshBeforeMs = 180_000;

export type TokenNews = 'token-signed' | 'token-failed' | 'principal-changed';

export interface MskIamOptions {
  /** The cluster's. */
  readonly region: string;
  /**
   * A role to take on, under a session name that stays the same: the principal of a service whose
   * own credentials change their name.
   */
  readonly roleArn?: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly tell?: (news: TokenNews) => void;
  /** Signs one token; expiry in epoch ms. Default: the signer. */
  readonly sign?: () => Promise<{ readonly token: string; readonly expiryTime: number }>;
}

interface Signed extends KafkaToken {
  readonly expiresAtMs: number;
  readonly refreshAtMs: number;
}

const sessionName = 'sluice';

export function mskIamAuth({
  region,
  roleArn,
  clock,
  random,
  tell,
  sign = signerOf(region, roleArn),
}: MskIamOptions): KafkaAuth {
  let current: Signed | undefined;
  let signing: Promise<Signed> | undefined;

  const renew = async (): Promise<Signed> => {
    try {
      const { token, expiryTime } = await sign();
      const leftMs = expiryTime - clock.now();
      const beforeMs = Math.min(kafkaTokenRefreshBeforeMs, leftMs / 5) * (1 + random.next());
      const principal = roleArn ?? accessKeyOf(token);
      if (current !== undefined && current.principal !== principal) tell?.('principal-changed');
      current = {
        value: token,
        principal,
        expiresAtMs: expiryTime,
        refreshAtMs: expiryTime - beforeMs,
      };
      tell?.('token-signed');
      return current;
    } catch (thrown) {
      tell?.('token-failed');
      throw new SluiceError(
        'kafka-denied',
        `no token for Kafka can be signed: ${messageOf(thrown)}`,
        {
          cause: thrown,
          retryable: true,
          fix: 'provide AWS credentials in the environment, a profile, a web identity or an instance role',
        },
      );
    }
  };

  return {
    async token() {
      const now = clock.now();
      const alive = current !== undefined && current.expiresAtMs > now ? current : undefined;
      if (alive !== undefined && alive.refreshAtMs > now) return alive;
      signing ??= renew().finally(() => {
        signing = undefined;
      });
      if (alive === undefined) return signing;
      signing.catch(() => undefined);
      return alive;
    },
  };
}

/** The access key that a token is signed with: it names the principal as long as no role does. */
function accessKeyOf(token: string): string {
  const url = Buffer.from(token, 'base64url').toString('utf8');
  return (
    (URL.canParse(url)
      ? new URL(url).searchParams.get('X-Amz-Credential')?.split('/')[0]
      : undefined) ?? ''
  );
}

function signerOf(region: string, roleArn: string | undefined): NonNullable<MskIamOptions['sign']> {
  // CommonJS, and only loaded where there is a cluster that wants it.
  const signer = createRequire(import.meta.url)(
    'aws-msk-iam-sasl-signer-js',
  ) as typeof import('aws-msk-iam-sasl-signer-js');
  return roleArn === undefined
    ? () => signer.generateAuthToken({ region })
    : () =>
        signer.generateAuthTokenFromRole({
          region,
          awsRoleArn: roleArn,
          awsRoleSessionName: sessionName,
        });
}
