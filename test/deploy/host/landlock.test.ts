/**
 * The sandbox of the kernel around a question: what its process could do if a statement that
 * reaches beyond were let through. Here each one is.
 */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readableFiles } from '../../../deploy/host/question-files.ts';
import { openLadybug } from '../../../enrich/graph/ladybug/ladybug-database.ts';

const sandbox = fileURLToPath(new URL('../../../deploy/host/question-sandbox.js', import.meta.url));
const landlock = new URL('../../../deploy/host/landlock.js', import.meta.url).href;
const root = mkdtempSync(join(tmpdir(), 'sluice-landlock-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const [graphs, host] = [join(root, 'graphs'), join(root, 'host')];
const graph = join(graphs, 'graph');

beforeAll(async () => {
  for (const folder of [graphs, host]) mkdirSync(folder);
  writeFileSync(join(host, 'secret.csv'), 'a,b\n1,secret\n');
  writeFileSync(join(graphs, 'other'), 'secret');
  const database = await openLadybug(graph);
  await database.session.define('CREATE NODE TABLE T(k INT64, PRIMARY KEY(k))');
  await database.session.transaction((run) =>
    run('UNWIND $rows AS row CREATE (:T {k: row.k})', [{ k: 1 }]),
  );
  await database.close();
});

/** The kernel's version of it, 0 where there is none. */
function versionHere(): number {
  const script = `const { confine } = await import(${JSON.stringify(landlock)}); console.log((await confine(['/'])).version)`;
  return Number(
    spawnSync(process.execPath, ['--input-type=module', '-e', script]).stdout.toString(),
  );
}

/** What a module says that runs like a question to the graph. */
function confined(code: string): unknown {
  const module = join(graphs, `${readdirSync(graphs).length}.mjs`);
  writeFileSync(module, code);
  const paths = [...readableFiles({ kind: 'graph', file: graph, statement: '' }), module];
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [sandbox, JSON.stringify(paths), process.execPath, module],
    {
      env: { OPENSSL_CONF: '/dev/null' },
      cwd: host,
    },
  );
  const said = stdout.toString();
  expect(said, stderr.toString()).not.toBe('');
  return JSON.parse(said);
}

const attempts = (calls: Readonly<Record<string, string>>): string => `
  import * as fs from 'node:fs';
  import { connect } from 'node:net';
  const dial = (port) => new Promise((resolve) => connect(port, '127.0.0.1').on('error', (thrown) => resolve(thrown.code)).on('connect', () => resolve('done')));
  const said = {};
  for (const [name, call] of Object.entries({ ${Object.entries(calls)
    .map(([name, call]) => `${JSON.stringify(name)}: async () => { ${call} }`)
    .join(', ')} })) {
    said[name] = await call().then((value) => value ?? 'done', (thrown) => thrown.code);
  }
  console.log(JSON.stringify(said));`;

describe.skipIf(versionHere() === 0)('the process of a question', () => {
  it('reads its graph and the program, and no other file; writes, makes and removes none', () => {
    const at = (name: string): string => JSON.stringify(join(host, name));
    expect(
      confined(
        attempts({
          'its graph': `fs.readFileSync(${JSON.stringify(graph)})`,
          'a file beside its graph': `fs.readFileSync(${JSON.stringify(join(graphs, 'other'))})`,
          'the folder of its graph': `fs.readdirSync(${JSON.stringify(graphs)})`,
          'a file of the host': `fs.readFileSync(${at('secret.csv')})`,
          passwords: "fs.readFileSync('/etc/passwd')",
          'the environment of another process': `fs.readFileSync('/proc/${process.pid}/environ')`,
          'a new file': `fs.writeFileSync(${at('new')}, 'x')`,
          'a file that is there': `fs.openSync(${at('secret.csv')}, 'w')`,
          'its graph, written': `fs.openSync(${JSON.stringify(graph)}, 'r+')`,
          'a removed file': `fs.rmSync(${at('secret.csv')})`,
          'a new folder': `fs.mkdirSync(${at('folder')})`,
          'a link': `fs.symlinkSync('/etc/passwd', ${at('link')})`,
        }),
      ),
    ).toEqual({
      'its graph': 'done',
      'a file beside its graph': 'EACCES',
      'the folder of its graph': 'EACCES',
      'a file of the host': 'EACCES',
      passwords: 'EACCES',
      'the environment of another process': 'EACCES',
      'a new file': 'EACCES',
      'a file that is there': 'EACCES',
      'its graph, written': 'EACCES',
      'a removed file': 'EACCES',
      'a new folder': 'EACCES',
      'a link': 'EACCES',
    });
    expect(readdirSync(host)).toEqual(['secret.csv']);
  });

  it.skipIf(versionHere() < 4)('reaches no network', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    expect(confined(attempts({ dial: `return dial(${port})` }))).toEqual({ dial: 'EACCES' });
    server.close();
  });

  it('lets the database do no harm, whatever it is asked', () => {
    const statements = [
      'MATCH (t:T) RETURN t.k',
      `LOAD FROM '${host}/secret.csv' RETURN *`,
      `COPY (MATCH (t:T) RETURN t.k) TO '${host}/secret.csv'`,
      `COPY (MATCH (t:T) RETURN t.k) TO '${host}/out.csv'`,
      `EXPORT DATABASE '${host}/out'`,
      "LOAD FROM '/etc/passwd' (delim = ':') RETURN *",
      'INSTALL httpfs',
    ];
    const ladybug = JSON.stringify(
      new URL('../../../../node_modules/@ladybugdb/core/index.mjs', import.meta.url).href,
    );
    const said = confined(`
      const { Database, Connection } = (await import(${ladybug})).default;
      const connection = new Connection(new Database(${JSON.stringify(graph)}, 64 << 20, true, true, 1 << 30), 1);
      const said = [];
      for (const statement of ${JSON.stringify(statements)}) {
        said.push(await connection.query(statement).then((result) => result.getAll()).then((rows) => 'answered ' + JSON.stringify(rows, (_, value) => typeof value === 'bigint' ? Number(value) : value), () => 'failed'));
      }
      console.log(JSON.stringify(said));
      process.kill(process.pid, 'SIGKILL');`);
    expect(said).toEqual(['answered [{"t.k":1}]', ...statements.slice(1).map(() => 'failed')]);
    expect(readdirSync(host)).toEqual(['secret.csv']);
    expect(readFileSync(join(host, 'secret.csv'), 'utf8')).toBe('a,b\n1,secret\n');
    expect(existsSync(join(host, 'out'))).toBe(false);
  });
});
