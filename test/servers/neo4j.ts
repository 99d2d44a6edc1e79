/**
 * Neo4j Community 5.26 on loopback, with a password, started from its jars.
 */
import { cpSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Driver } from 'neo4j-driver';
import { auth, driver as createDriver } from 'neo4j-driver';
import type { ChildServer } from './child-server.ts';
import { childServer } from './child-server.ts';
import type { JavaStart } from './class-archive.ts';
import { classArchive } from './class-archive.ts';
import { freePort } from './free-port.ts';
import { classPath } from './jars.ts';

export interface Neo4jServer {
  readonly url: string;
  readonly user: string;
  readonly password: string;
  /** Rows of values, by a connection of its own. */
  ask(statement: string): Promise<readonly (readonly unknown[])[]>;
  /** Nodes, edges and constraints go. */
  empty(): Promise<void>;
  /**
   * Writes to all nodes of a label, from the last key to the first, again and again for `forMs`;
   * how often that met a deadlock.
   */
  disturb(label: string, key: string, forMs: number): Promise<number>;
  /**
   * Runs a statement in a transaction and keeps what it locked; the function that is given ends
   * that.
   */
  lock(statement: string): Promise<() => Promise<void>>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** It lives, and answers nothing until it is resumed. */
  pause(): void;
  resume(): void;
  /** On the same port and data. */
  restart(): Promise<void>;
  /**
   * Another database on the same port: an empty one, or, when the function is called that `copy`
   * gave, what was there then.
   */
  renew(): Promise<void>;
  copy(): () => Promise<void>;
  stop(): Promise<void>;
}

export interface Neo4jServerOptions {
  /**
   * Its speed is measured: it compiles as in production, which costs half of its start. Default
   * false.
   */
  readonly isMeasured?: boolean;
}

const password = 'only-for-tests';
/** As `neo4j-admin dbms set-initial-password` writes it for that password. */
const passwordFile =
  'neo4j:SHA-256,eb04b23135cc40f5168721c3351972a4ad44d0741c8a0742fa16311f6c5a9be6,d3cc11ccdbee7493ebc59215047f8e41b9812e678da2de9df08e7804f7e08757,1024:';
const locksMax = 100;
/** The kinds of statements that sinks and tests have. */
const asked = [
  'CREATE CONSTRAINT first FOR (n:First) REQUIRE n.key IS UNIQUE',
  'UNWIND [1, 2] AS key MERGE (n:First {key: key}) SET n += {name: "a"} MERGE (n)-[:IS]->(n)',
  'MATCH (n:First)-[r]->() RETURN n.key, r, count(*) ORDER BY n.key',
  'MATCH (n) DETACH DELETE n',
  'SHOW CONSTRAINTS YIELD name RETURN name',
  'DROP CONSTRAINT first',
];

export async function startNeo4j({
  isMeasured = false,
}: Neo4jServerOptions = {}): Promise<Neo4jServer> {
  const classes = await classPath('neo4j');
  const home = mkdtempSync(join(tmpdir(), 'sluice-neo4j-'));
  const port = await freePort();
  const url = `bolt://127.0.0.1:${port}`;
  const settings = {
    'server.default_listen_address': '127.0.0.1',
    'server.bolt.listen_address': `127.0.0.1:${port}`,
    'server.http.enabled': false,
    'server.https.enabled': false,
    'server.memory.heap.max_size': '512m',
    'server.memory.pagecache.size': '128m',
    'db.tx_log.rotation.retention_policy': '2 files',
    // 256 MiB a database otherwise.
    'db.tx_log.preallocate': false,
    'dbms.usage_report.enabled': false,
    // How long a transaction waits for what its bookmark says was committed; 30 s otherwise.
    'db.transaction.bookmark_ready_timeout': '2s',
  };
  const [conf, data] = [join(home, 'conf'), join(home, 'data')];
  mkdirSync(conf);
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(join(conf, 'neo4j.conf'), lines.join(''));
  const setPassword = (): void => {
    mkdirSync(join(data, 'dbms'), { recursive: true });
    writeFileSync(join(data, 'dbms', 'auth.ini'), passwordFile);
  };
  setPassword();
  const opened = ['java.nio', 'java.io', 'sun.nio.ch', 'java.util.concurrent'].map(
    (name) => `--add-opens=java.base/${name}=ALL-UNNAMED`,
  );
  const driver: Driver = createDriver(url, auth.basic('neo4j', password), {
    disableLosslessIntegers: true,
    connectionTimeout: 2_000,
  });
  const startWith = ({ options, ...more }: JavaStart): Promise<ChildServer> =>
    childServer({
      name: 'Neo4j',
      command: 'java',
      args: [
        ...options,
        '-Xms256m',
        '-Xmx512m',
        '-XX:+UseSerialGC',
        ...(isMeasured ? [] : ['-XX:TieredStopAtLevel=1']),
        ...opened,
        '-Dio.netty.tryReflectionSetAccessible=true',
        '-cp',
        classes,
        'org.neo4j.server.CommunityEntryPoint',
        `--home-dir=${home}`,
        `--config-dir=${conf}`,
        '--console-mode',
      ],
      isReady: () =>
        driver.executeQuery('RETURN 1').then(
          () => true,
          () => false,
        ),
      ...more,
    });
  const ask: Neo4jServer['ask'] = async (statement) => {
    // Without bookmarks, which another database would not know.
    const { records } = await driver.executeQuery(statement, {}, { bookmarkManager: null });
    return records.map((record) => [...record.values()]);
  };
  const archive = await classArchive('neo4j', classes, async (first) => {
    const started = await startWith(first);
    for (const statement of asked) await ask(statement);
    return started;
  });
  const start = (): Promise<ChildServer> => startWith(archive);
  let server = await start();
  const lock: Neo4jServer['lock'] = async (statement) => {
    const session = driver.session();
    const transaction = await session.beginTransaction();
    await transaction.run(statement);
    return async () => {
      await transaction.rollback();
      await session.close();
    };
  };
  return {
    url,
    user: 'neo4j',
    password,
    ask,
    async empty() {
      await ask('MATCH (n) DETACH DELETE n');
      for (const [name] of await ask('SHOW CONSTRAINTS YIELD name RETURN name'))
        await ask(`DROP CONSTRAINT \`${String(name)}\``);
    },
    async disturb(label, key, forMs) {
      let [tries, rounds] = [0, 0];
      const session = driver.session();
      for (const endMs = performance.now() + forMs; performance.now() < endMs; rounds++) {
        await session.executeWrite(async (transaction) => {
          tries++;
          const keys = await transaction.run(
            `MATCH (n:${label}) RETURN n.${key} AS key ORDER BY key DESC`,
          );
          for (const record of keys.records.slice(0, locksMax)) {
            await transaction.run(`MATCH (n:${label} {${key}: $key}) SET n.disturbed = true`, {
              key: record.get('key') as unknown,
            });
          }
        });
      }
      await session.close();
      return tries - rounds;
    },
    lock,
    kill: () => server.kill(),
    pause: () => server.pause(),
    resume: () => server.resume(),
    async restart() {
      server = await start();
    },
    async renew() {
      await server.kill();
      rmSync(data, { recursive: true });
      setPassword();
      server = await start();
    },
    copy() {
      // What is in its files while it stands still is what a kill would leave.
      server.pause();
      cpSync(data, join(home, 'copy'), { recursive: true });
      server.resume();
      return async () => {
        await server.kill();
        rmSync(data, { recursive: true });
        renameSync(join(home, 'copy'), data);
        server = await start();
      };
    },
    async stop() {
      await driver.close();
      await server.kill();
      rmSync(home, { recursive: true, force: true });
    },
  };
}
