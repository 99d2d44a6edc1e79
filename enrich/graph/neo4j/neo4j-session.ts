/**
 * Neo4j over Bolt, as the graph sink uses it: managed transactions of one writer. The driver's
 * types end here.
 *
 * Invariants:
 * 1. What may pass, such as a deadlock, a lost connection or another leader, is tried again by the
 *    driver for `neo4jRetryMaxMs`, also when a commit got no answer: the work looks first what is
 *    there.
 * 2. One transaction at a time. Each sink has a session of its own, so that none waits while
 *    another one's transaction waits for a lock.
 * 3. Each transaction sees what the ones before it committed, whichever server it reaches:
 *    bookmarks chain them. Those of a database that is gone are forgotten, and the work finds out
 *    what is there.
 * 4. No error tells the password.
 */
import type { BookmarkManager, Driver, ManagedTransaction, Session } from 'neo4j-driver';
import { auth, bookmarkManager, driver as createDriver, isRetryableError } from 'neo4j-driver';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import type { GraphModel } from '../../../topology/index.ts';
import type { CypherSession, RunStatement } from '../graph-database.ts';
import { serial } from '../serial.ts';
import { defineOnce, makeConstraints } from './make-constraints.ts';
import type { SchemaRule } from './neo4j-constraints.ts';
import { showConstraints, showIndexes } from './neo4j-constraints.ts';
import { neo4jDialect } from './neo4j-dialect.ts';
import { faultOf, isOfBookmark } from './neo4j-fault.ts';

/**
 * Neo4j: connections of one graph sink, making one, how long what may pass is tried again, and
 * one transaction.
 */
const neo4jConnectionsMax = 4;
const neo4jConnectMs = 5_000;
const neo4jRetryMaxMs = 30_000;
const neo4jTransactionMaxMs = 60_000;

export interface Neo4jOptions {
  /** `bolt`, `bolt+s`, `neo4j` or `neo4j+s`. */
  readonly url: string;
  readonly user: string;
  readonly password: string;
  /** Default: the user's home database. */
  readonly database?: string;
  /** How long what may pass is tried again, before a last wait. Default: 30 s. */
  readonly retryMaxMs?: number;
}

export interface Neo4jSession extends CypherSession {
  readonly constrain: (model: GraphModel) => Promise<void>;
  /**
   * Which server answers, such as `Neo4j/5.26.30`. Throws `SluiceError` `graph-denied`,
   * `graph-missing`, `graph-unreachable`.
   */
  check(): Promise<string>;
  /**
   * At once: a transaction that runs is ended, and leaves nothing unless it was committed by then.
   */
  close(): Promise<void>;
}

/**
 * Its calls reject with `SluiceError` `graph-denied`, `graph-missing`, `graph-unreachable`,
 * `graph-busy`, `graph-write-failed`, all of which may pass, and `graph-constraint-blocked`.
 */
export function createNeo4jSession(options: Neo4jOptions): Neo4jSession {
  return new BoltSession(options);
}

class BoltSession implements Neo4jSession {
  readonly dialect = neo4jDialect;
  readonly #url: string;
  readonly #driver: Driver;
  readonly #inDatabase: { readonly database?: string };
  readonly #writes = serial();
  #bookmarks: BookmarkManager = bookmarkManager();
  #running: Session | undefined;
  #closed = false;

  constructor({ url, user, password, database, retryMaxMs = neo4jRetryMaxMs }: Neo4jOptions) {
    this.#url = url;
    this.#inDatabase = database === undefined ? {} : { database };
    this.#driver = createDriver(url, auth.basic(user, password), {
      maxConnectionPoolSize: neo4jConnectionsMax,
      connectionTimeout: neo4jConnectMs,
      connectionAcquisitionTimeout: neo4jConnectMs,
      maxTransactionRetryTime: retryMaxMs,
      // Integers of the model are within 2^53.
      disableLosslessIntegers: true,
      userAgent: 'sluice',
    });
  }

  async define(statement: string): Promise<void> {
    await defineOnce(() => this.#managed((transaction) => transaction.run(statement)));
  }

  constrain(model: GraphModel): Promise<void> {
    return makeConstraints(model, {
      url: this.#url,
      rules: () => this.#rules(),
      define: (statement) => this.define(statement),
    });
  }

  transaction<T>(work: (run: RunStatement) => Promise<T>): Promise<T> {
    return this.#managed((transaction) =>
      work(async (text, rows) =>
        (await transaction.run(text, { rows })).records.map((record) => record.toObject()),
      ),
    );
  }

  async check(): Promise<string> {
    try {
      const { summary } = await this.#driver.executeQuery('RETURN 1', {}, this.#inDatabase);
      return summary.server.agent ?? 'Neo4j';
    } catch (thrown) {
      throw faultOf(thrown, this.#url, isRetryableError);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    // Before the driver, which would leave what runs without an answer.
    await this.#running?.close().catch(() => undefined);
    await this.#driver.close();
  }

  #managed<T>(work: (transaction: ManagedTransaction) => Promise<T>): Promise<T> {
    return this.#writes(async () => {
      if (this.#closed)
        throw new SluiceError('graph-closed', 'the connection to Neo4j was closed', {
          retryable: true,
        });
      const session = this.#driver.session({
        ...this.#inDatabase,
        bookmarkManager: this.#bookmarks,
      });
      this.#running = session;
      try {
        return await session.executeWrite(work, { timeout: neo4jTransactionMaxMs });
      } catch (thrown) {
        if (isOfBookmark(thrown)) this.#bookmarks = bookmarkManager();
        throw faultOf(thrown, this.#url, isRetryableError);
      } finally {
        this.#running = undefined;
        await session.close().catch(() => undefined);
      }
    });
  }

  #rules(): Promise<readonly SchemaRule[]> {
    return this.#managed(async (transaction) => {
      const found: SchemaRule[] = [];
      for (const show of [showConstraints, showIndexes])
        for (const record of (await transaction.run(show)).records)
          found.push(record.toObject() as unknown as SchemaRule);
      return found;
    });
  }
}
