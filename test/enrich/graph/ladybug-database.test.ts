/**
 * The embedded graph database: the contract of all graph databases, then what is its own: opening,
 * asking, failing.
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Answer } from '../../../enrich/answer.ts';
import { askLadybug, graphQueryMaxRows } from '../../../enrich/graph/ladybug/ask-ladybug.ts';
import type { LadybugDatabase } from '../../../enrich/graph/ladybug/ladybug-database.ts';
import {
  graphCheckpointTransactions,
  openLadybug,
} from '../../../enrich/graph/ladybug/ladybug-database.ts';
import { graphDatabaseContract } from '../../contract/graph-database.ts';
import { saying } from '../../said.ts';
import { temporaryFolders } from '../support.ts';
import { ladybugRig } from './support.ts';

const newFolder = temporaryFolders('ladybug');

function folder(): string {
  const path = newFolder();
  mkdirSync(path, { recursive: true });
  return path;
}

graphDatabaseContract('Ladybug', { open: () => ladybugRig(folder()), runs: 25 });

async function opened(path = join(folder(), 'graph')): Promise<LadybugDatabase> {
  const database = await openLadybug(path);
  onTestFinished(() => database.close().catch(() => undefined));
  return database;
}

/** A question to a copy of it. */
async function asked(database: LadybugDatabase, statement: string): Promise<Answer> {
  const copy = join(folder(), 'copy');
  await database.copyTo(copy);
  return askLadybug(copy, statement);
}

async function filled(rows: number): Promise<LadybugDatabase> {
  const database = await opened();
  await database.session.define('CREATE NODE TABLE T(k INT64, s STRING, PRIMARY KEY(k))');
  await database.session.transaction(async (run) => {
    await run(
      'UNWIND $rows AS row CREATE (:T {k: row.k, s: row.s})',
      Array.from({ length: rows }, (_, k) => ({ k, s: 'x'.repeat(20) })),
    );
  });
  return database;
}

describe('a question to Ladybug', () => {
  it('is answered with columns, types and JSON-safe rows', async () => {
    const graph = await filled(2);
    expect(
      await asked(
        graph,
        'MATCH (t:T) RETURN t.k AS k, t, date("2013-01-01") AS d ORDER BY k LIMIT 1',
      ),
    ).toEqual({
      columns: [
        { name: 'k', type: 'INT64' },
        { name: 't', type: 'NODE' },
        { name: 'd', type: 'DATE' },
      ],
      rows: [[0, { _label: 'T', k: 0, s: 'x'.repeat(20) }, '2013-01-01T00:00:00.000Z']],
      cut: false,
    });
  });

  it('is cut at the bound of rows and says so', async () => {
    const graph = await filled(graphQueryMaxRows + 1);
    const all = await asked(graph, 'MATCH (t:T) RETURN t.k AS k ORDER BY k');
    expect([all.rows.length, all.cut, all.rows.at(-1)]).toEqual([
      graphQueryMaxRows,
      'rows',
      [graphQueryMaxRows - 1],
    ]);
    expect(await asked(graph, `MATCH (t:T) RETURN t.k LIMIT ${graphQueryMaxRows}`)).toMatchObject({
      cut: false,
    });
  });

  it('is cut at the bound of bytes', async () => {
    const graph = await filled(100);
    const large = await asked(graph, "MATCH (t:T) RETURN t.k AS k, repeat('y', 1000000) AS s");
    expect(large.cut).toBe('bytes');
    expect(large.rows.length).toBeLessThan(10);
  });

  it.each([
    ['MATCH (n:Nope) RETURN n', /Table Nope does not exist/],
    ['MATCH (n:T', /Parser exception/],
    ['MATCH (t:T) RETURN 1; MATCH (t:T) RETURN 2', /allowed; another begins at 1:21/],
    ['MATCH (t:T) SET t.s = "changed"', /only statements that read are allowed/],
    ['MATCH (t:T) DETACH DELETE t', /only statements that read are allowed/],
    ['CREATE (:T {k: 5})', /begins with MATCH/],
    ["COPY (MATCH (t:T) RETURN t.k) TO 'x.csv'", /begins with MATCH/],
    ['MATCH (t:T) RETURN t.k AS a, t.s AS a', /two columns are called 'a'/],
    ['MATCH (t:T) RETURN CAST("x" AS INT64)', /Conversion exception/],
  ])('%s fails with a sentence, and changes nothing', async (statement, message) => {
    const graph = await filled(3);
    await expect(asked(graph, statement)).rejects.toMatchObject({
      code: 'query-failed',
      message: expect.stringMatching(message) as string,
    });
    expect((await asked(graph, 'MATCH (t:T) RETURN t.k AS k, t.s AS s ORDER BY k')).rows).toEqual(
      [0, 1, 2].map((k) => [k, 'x'.repeat(20)]),
    );
  });

  it('sees what was committed when its copy was made, and nothing of a transaction under way', async () => {
    const graph = await filled(3);
    const copy = join(folder(), 'copy');
    let copied: Promise<void> | undefined;
    await graph.session.transaction(async (run) => {
      await run('UNWIND $rows AS row CREATE (:T {k: row.k})', [{ k: 5_000 }]);
      copied = graph.copyTo(copy);
    });
    await graph.session.transaction((run) =>
      run('UNWIND $rows AS row CREATE (:T {k: row.k})', [{ k: 6_000 }]),
    );
    await copied;
    expect((await askLadybug(copy, 'MATCH (t:T) WHERE t.k >= 5000 RETURN t.k')).rows).toEqual([
      [5_000],
    ]);
    expect(
      (await asked(graph, 'MATCH (t:T) WHERE t.k >= 5000 RETURN t.k AS k ORDER BY k')).rows,
    ).toEqual([[5_000], [6_000]]);
  });
});

describe('a transaction of Ladybug', () => {
  it('that fails leaves nothing, and the next one works', async () => {
    const graph = await filled(1);
    const twice = graph.session.transaction(async (run) => {
      await run('UNWIND $rows AS row CREATE (:T {k: row.k})', [{ k: 7 }]);
      await run('UNWIND $rows AS row CREATE (:T {k: row.k})', [{ k: 7 }]);
    });
    await expect(twice).rejects.toMatchObject({
      code: 'graph-write-failed',
      retryable: true,
      message: expect.stringMatching(/\bprimary\b/) as string,
    });
    const thrown = graph.session.transaction(async (run) => {
      await run('UNWIND $rows AS row CREATE (:T {k: row.k})', [{ k: 8 }]);
      throw new Error('changed my mind');
    });
    await expect(thrown).rejects.toMatchObject({
      message: expect.stringContaining('changed my mind') as string,
    });
    expect((await asked(graph, 'MATCH (t:T) RETURN count(*)')).rows).toEqual([[1]]);
    await graph.session.transaction((run) =>
      run('UNWIND $rows AS row CREATE (:T {k: row.k})', [{ k: 9 }]),
    );
    expect((await asked(graph, 'MATCH (t:T) RETURN count(*)')).rows).toEqual([[2]]);
  });
});

it('many small transactions of Ladybug take no more and more memory', async () => {
  const graph = await filled(100);
  const used = async (): Promise<number> =>
    Number(
      (await graph.session.transaction((run) => run('CALL BM_INFO() RETURN *', [])))[0]?.[
        'mem_usage'
      ],
    );
  const update = 'UNWIND $rows AS row MATCH (t:T) WHERE t.k = row.k SET t.s = row.s';
  const before = await used();
  // Each leaves some 8 KiB until a checkpoint: without any these would end at 15 MB.
  for (let n = 0; n < 7 * graphCheckpointTransactions; n++)
    await graph.session.transaction((run) => run(update, [{ k: 7, s: `s${n}` }]));
  expect((await used()) - before).toBeLessThan(6e6);
});

describe('opening Ladybug', () => {
  it('to read what is not there fails, and makes no file', async () => {
    const path = join(folder(), 'graph');
    await expect(askLadybug(path, 'RETURN 1')).rejects.toMatchObject({ code: 'graph-open-failed' });
    expect(() => readFileSync(path)).toThrow(/ENOENT/);
  });

  it('a file that is no graph fails, and says where to go', async () => {
    const path = join(folder(), 'graph');
    writeFileSync(path, 'not a graph at all'.repeat(1_000));
    await expect(openLadybug(path)).rejects.toMatchObject({
      code: 'graph-open-failed',
      message: expect.stringContaining(path) as string,
      fix: saying({ code: ['sluice reset'] }),
    });
  });

  it('to read finds what was committed before, also what is only in its log, and writes nothing', async () => {
    const path = join(folder(), 'graph');
    const writer = await opened(path);
    await writer.session.define('CREATE NODE TABLE T(k INT64, PRIMARY KEY(k))');
    await writer.session.transaction((run) =>
      run('UNWIND $rows AS row CREATE (:T {k: row.k})', [{ k: 1 }]),
    );
    // As a process that was killed leaves it.
    const left = folder();
    for (const name of ['graph', 'graph.wal'])
      copyFileSync(join(path, '..', name), join(left, name));
    const before = readFileSync(join(left, 'graph'));
    expect((await askLadybug(join(left, 'graph'), 'MATCH (t:T) RETURN t.k AS k')).rows).toEqual([
      [1],
    ]);
    expect(readFileSync(join(left, 'graph')).equals(before)).toBe(true);
    await writer.close();
    expect((await askLadybug(path, 'MATCH (t:T) RETURN t.k AS k')).rows).toEqual([[1]]);
  });
});
