/**
 * Neo4j over Bolt, as the graph sink uses it: managed transactions of one writer. The driver's types end here.
 *
 * Invariants:
 * 1. What may pass, such as a deadlock, a lost connection or another leader, is tried again by the driver for `neo4jRetryMaxMs`, also when a commit
 *    got no answer: the work looks first what is there.
 * 2. One transaction at a time: writers of one process never wait for each other's locks.
 * 3. No error tells the password.
 */
import type { Driver, ManagedTransaction } from 'neo4j-driver';
import { auth, driver as createDriver, isRetryableError } from 'neo4j-driver';
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';
import { limits } from '../../schemas/limits.ts';
import type { CypherSession } from './graph-database.ts';
import { serial } from './serial.ts';

export interface Neo4jOptions {
  /** `bolt`, `bolt+s`, `neo4j` or `neo4j+s`. */
  readonly url: string;
  readonly user: string;
  readonly password: string;
  /** Default: the user's home database. */
  readonly database?: string;
}

export interface Neo4jSession extends CypherSession {
  /** Which server answers, such as `Neo4j/5.26.30`. Throws `SluiceError` `graph-denied`, `graph-missing`, `graph-unreachable`. */
  check(): Promise<string>;
  close(): Promise<void>;
}

/** Its calls reject with `SluiceError` `graph-denied`, `graph-missing`, `graph-unreachable`, `graph-write-failed`, all of which may pass. */
export function createNeo4jSession({ url, user, password, database }: Neo4jOptions): Neo4jSession {
  const driver: Driver = createDriver(url, auth.basic(user, password), {
    maxConnectionPoolSize: limits.neo4jConnectionsMax,
    connectionTimeout: limits.neo4jConnectMs,
    connectionAcquisitionTimeout: limits.neo4jConnectMs,
    maxTransactionRetryTime: limits.neo4jRetryMaxMs,
    // Integers of the model are within 2^53.
    disableLosslessIntegers: true,
    userAgent: 'sluice',
  });
  const writes = serial();

  const managed = <T>(work: (transaction: ManagedTransaction) => Promise<T>): Promise<T> =>
    writes(async () => {
      const session = driver.session(database === undefined ? {} : { database });
      try {
        return await session.executeWrite(work, { timeout: limits.neo4jTransactionMaxMs });
      } catch (thrown) {
        throw faultOf(thrown, url);
      } finally {
        await session.close().catch(() => undefined);
      }
    });

  return {
    dialect: 'neo4j',
    async define(statement) {
      await managed((transaction) => transaction.run(statement)).catch((thrown: unknown) => {
        // Another writer was first.
        if (codeOf((thrown as SluiceError).cause) !== 'Neo.ClientError.Schema.EquivalentSchemaRuleAlreadyExists') throw thrown;
      });
    },
    transaction: (work) =>
      managed((transaction) =>
        work(async (text, rows) => (await transaction.run(text, { rows })).records.map((record) => record.toObject())),
      ),
    async check() {
      try {
        const { summary } = await driver.executeQuery('RETURN 1', {}, database === undefined ? {} : { database });
        return summary.server.agent ?? 'Neo4j';
      } catch (thrown) {
        throw faultOf(thrown, url);
      }
    },
    close: () => writes(() => driver.close()),
  };
}

function codeOf(thrown: unknown): string {
  const code = (thrown as { readonly code?: unknown } | undefined | null)?.code;
  return typeof code === 'string' ? code : '';
}

/** https://neo4j.com/docs/status-codes/current/errors/all-errors/ */
function faultOf(thrown: unknown, url: string): SluiceError {
  if (thrown instanceof SluiceError) return thrown;
  const code = codeOf(thrown);
  if (code.startsWith('Neo.ClientError.Security.')) {
    return new SluiceError('graph-denied', `Neo4j at ${url} does not let this user in, or not do this: ${messageOf(thrown)}`, {
      cause: thrown,
      retryable: true,
      fix: 'correct neo4j.user and neo4j.password_file; the user needs to write nodes, edges, properties and names, and to make constraints',
    });
  }
  if (code === 'Neo.ClientError.Database.DatabaseNotFound') {
    return new SluiceError('graph-missing', `Neo4j at ${url}: ${messageOf(thrown)}`, {
      cause: thrown,
      retryable: true,
      fix: 'create it, or correct neo4j.database',
    });
  }
  const unreachable = code === 'ServiceUnavailable' || code === 'SessionExpired' || code === 'N/A';
  if (unreachable || (thrown instanceof Error && isRetryableError(thrown))) {
    return new SluiceError('graph-unreachable', `Neo4j at ${url} does not answer as it should: ${messageOf(thrown)}`, {
      cause: thrown,
      retryable: true,
    });
  }
  return new SluiceError('graph-write-failed', `Neo4j at ${url} fails: ${messageOf(thrown)}`, { cause: thrown, retryable: true });
}
