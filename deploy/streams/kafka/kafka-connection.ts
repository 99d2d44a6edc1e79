/**
 * How a Kafka cluster is reached, and who says that it may be: what the writer and the reader have
 * in common, without a client of theirs.
 */
import type { Socket } from 'node:net';
import { assert } from '../../../schemas/kernel/assert.ts';
import { systemClock } from '../../../schemas/kernel/clock.ts';
import type { ConnectPace } from '../../../schemas/kernel/connect-pace.ts';
import { createConnectPace } from '../../../schemas/kernel/connect-pace.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import { systemRandom } from '../../../schemas/kernel/random.ts';
import { limits } from '../../../schemas/limits.ts';
import type { KafkaSocketRequest } from './kafka-sockets.ts';
import { pacedSockets } from './kafka-sockets.ts';

/** Making a connection, one request, and how long before its end a session is renewed. */
const kafkaConnectMs = 3_000;
const kafkaRequestMaxMs = 15_000;
const kafkaReauthenticateBeforeMs = 2_000;
/**
 * Until a broker that did not answer, or a cluster that refused, is tried again: after the first
 * time, and at most.
 */
const kafkaReconnectBaseMs = 250;
const kafkaReconnectMaxMs = 6_000;
assert(kafkaRequestMaxMs < limits.readMaxMs, 'a read of Kafka fails by its own bound first');

/** A token of SASL/OAUTHBEARER. Belongs into no log and no error. */
export interface KafkaToken {
  readonly value: string;
  /**
   * Who it speaks for. A broker ends a session that another principal renews (KIP-368): a change
   * wants new connections.
   */
  readonly principal: string;
}

export interface KafkaAuth {
  /**
   * A token that lives for a while yet. Throws `SluiceError` `kafka-denied` (retryable) when there
   * are no credentials.
   */
  token(): Promise<KafkaToken>;
}

export interface KafkaConnection {
  /** `host:port` */
  readonly brokers: readonly string[];
  readonly tls: boolean;
  /** Shown in the brokers' logs and quotas. */
  readonly clientId: string;
  /** Without, nothing is said. */
  readonly auth?: KafkaAuth;
}

const paces = new WeakMap<KafkaConnection, ConnectPace>();

/**
 * One for all that is reached by `connection`: brokers by address, and what else is tried again by
 * a name of its own.
 */
export function paceOf(connection: KafkaConnection): ConnectPace {
  const pace =
    paces.get(connection) ??
    createConnectPace(
      { baseMs: kafkaReconnectBaseMs, maxMs: kafkaReconnectMaxMs },
      systemClock,
      systemRandom,
    );
  paces.set(connection, pace);
  return pace;
}

/** What kafkajs is told about a connection, except what it retries. */
export function kafkaClientOptions(connection: KafkaConnection): {
  readonly brokers: string[];
  readonly ssl: boolean;
  readonly clientId: string;
  readonly connectionTimeout: number;
  readonly requestTimeout: number;
  readonly reauthenticationThreshold: number;
  readonly socketFactory: (request: KafkaSocketRequest) => Socket;
  readonly sasl?: {
    readonly mechanism: 'oauthbearer';
    readonly oauthBearerProvider: () => Promise<{ readonly value: string }>;
  };
} {
  const { brokers, tls, clientId, auth } = connection;
  return {
    brokers: [...brokers],
    ssl: tls,
    clientId,
    connectionTimeout: kafkaConnectMs,
    requestTimeout: kafkaRequestMaxMs,
    reauthenticationThreshold: kafkaReauthenticateBeforeMs,
    socketFactory: pacedSockets(paceOf(connection)),
    ...(auth === undefined
      ? {}
      : { sasl: { mechanism: 'oauthbearer', oauthBearerProvider: clientTokens(auth) } }),
  };
}

/**
 * What clients say whose connections are to be made again; they hand on the text, and not the
 * error.
 */
export const principalChanged = 'the credentials of Kafka now belong to another principal';

/**
 * Tokens for one client, all of one principal: that of its first. One of another principal is
 * thrown as `principalChanged`, before anything is sent with it.
 */
export function clientTokens(auth: KafkaAuth): () => Promise<{ readonly value: string }> {
  let principal: string | undefined;
  return async () => {
    const token = await auth.token();
    principal ??= token.principal;
    if (token.principal !== principal) {
      throw new SluiceError('kafka-principal-changed', principalChanged, { retryable: true });
    }
    return { value: token.value };
  };
}
