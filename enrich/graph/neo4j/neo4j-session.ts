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
import { auth, bookmarkManager, driver as createDriver } from 'neo4j-driver';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import type { GraphModel } from '../../../topology/index.ts';
import type { CypherSession, RunStatement } from '../graph-database.ts';
import { serial } from '../serial.ts';
import type { SchemaRule } from './neo4j-constraints.ts';
import {
  decideConstraints,
  repeatsStatement,
  showConstraints,
  showIndexes,
} from './neo4j-constraints.ts';
import { constraintStatement, neo4jDialect } from './neo4j-dialect.ts';
import { codeOf, faultOf, isOfBookmark } from './neo4j-fault.ts';

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
    await this.#managed((transaction) => transaction.run(statement)).catch((thrown: unknown) => {
      // Another writer was first.
      if (schemaCodeOf(thrown) !== 'EquivalentSchemaRuleAlreadyExists') throw thrown;
    });
  }

  async constrain(model: GraphModel): Promise<void> {
    if (!(await this.#make(model))) await this.#make(model);
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
      throw faultOf(thrown, this.#url);
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
        throw faultOf(thrown, this.#url);
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

  /**
   * Makes the constraints that are missing; says whether one could not be made as something has its
   * place by now.
   */
  async #make(model: GraphModel): Promise<boolean> {
    const decision = decideConstraints(model, await this.#rules());
    if (decision.kind === 'blocked')
      throw this.#blocked(
        `${decision.problems.join('; ')}`,
        `run ${decision.statements.join('; ')}`,
        { blocked: decision.blocked, statements: decision.statements },
      );
    for (const { label, key } of decision.missing) {
      try {
        await this.define(constraintStatement(label, key));
      } catch (thrown) {
        const code = schemaCodeOf(thrown);
        if (code.endsWith('AlreadyExists')) return false;
        if (code !== 'ConstraintCreationFailed') throw thrown;
        const problem = `'${label}' needs a unique constraint on '${key}', which nodes that are there do not fit: ${(thrown as Error).message}`;
        const question = repeatsStatement({ label, key });
        const fix = `correct or delete these nodes; ${question} finds those that have the same key`;
        throw this.#blocked(problem, fix, { label, key, question }, thrown);
      }
    }
    return true;
  }

  #blocked(
    problem: string,
    fix: string,
    details: Readonly<Record<string, unknown>>,
    cause?: unknown,
  ): SluiceError {
    const message = `Neo4j at ${this.#url}: ${problem}`;
    return new SluiceError('graph-constraint-blocked', message, { fix, details, cause });
  }
}

/** The name of a code about the schema; empty for any other. */
function schemaCodeOf(thrown: unknown): string {
  return /^Neo\.\w+\.Schema\.(\w+)$/.exec(codeOf((thrown as SluiceError).cause))?.[1] ?? '';
}
