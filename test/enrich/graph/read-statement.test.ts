/**
 * What `sluice graph` lets through to the database: questions of every form, and no statement that
 * reaches files, extensions, settings or writes, however it is disguised. What passes is run in the
 * database itself, beside files that it must neither read nor write.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { askLadybug } from '../../../enrich/graph/ladybug/ask-ladybug.ts';
import { readCypher } from '../../../enrich/graph/ladybug/cypher-tokens.ts';
import { openLadybug } from '../../../enrich/graph/ladybug/ladybug-database.ts';
import { callable, readStatement } from '../../../enrich/graph/ladybug/read-statement.ts';
import { temporaryFolders } from '../support.ts';

const newFolder = temporaryFolders('questions');
const secret = 'secret-of-the-host';

interface Place {
  readonly folder: string;
  readonly graph: string;
}

async function place(): Promise<Place> {
  const folder = newFolder();
  mkdirSync(folder, { recursive: true });
  const graph = join(folder, 'graph');
  const database = await openLadybug(graph);
  await database.session.define('CREATE NODE TABLE T(k INT64, s STRING, PRIMARY KEY(k))');
  await database.session.transaction((run) =>
    run('UNWIND $rows AS row CREATE (:T {k: row.k, s: row.s})', [{ k: 1, s: 'one' }]),
  );
  await database.close();
  writeFileSync(join(folder, 'x.csv'), `a,b\n1,${secret}\n`);
  return { folder, graph };
}

/** `@` is the folder. */
const attacks = [
  "LOAD FROM '@/x.csv' RETURN *",
  "LOAD WITH HEADERS (a STRING, b STRING) FROM '@/x.csv' RETURN *",
  "LOAD FROM ['@/x.csv'] RETURN *",
  "LOAD FROM glob('@/*') RETURN *",
  "MATCH (t:T) LOAD FROM '@/x.csv' RETURN *",
  "UNWIND [1] AS x LOAD FROM '@/x.csv' RETURN *",
  "WITH 1 AS a WHERE a < 1e5LOAD FROM '@/x.csv' RETURN *",
  "WITH 1 AS a WHERE a < 'b'LOAD FROM '@/x.csv' RETURN *",
  "WITH 1 AS a WHERE a < $1LOAD FROM '@/x.csv' RETURN *",
  "MATCH (t:T) RETURN t.k AS a UNION LOAD FROM '@/x.csv' RETURN a",
  "MATCH (t:T) WHERE EXISTS { LOAD FROM '@/x.csv' RETURN * } RETURN t",
  "MATCH (t:T) CALL { LOAD FROM '@/x.csv' RETURN * } RETURN t",
  "RETURN 1; LOAD FROM '@/x.csv' RETURN *",
  "EXPLAIN LOAD FROM '@/x.csv' RETURN *",
  "EXPLAIN LOGICAL LOAD FROM '@/x.csv' RETURN *",
  "PROFILE LOAD FROM '@/x.csv' RETURN *",
  'LOAD EXTENSION httpfs',
  "LOAD '@/x.lbug_extension'",
  "LOAD EXTENSION '@/x.lbug_extension'",
  'INSTALL httpfs',
  "INSTALL httpfs FROM 'http://127.0.0.1:1/'",
  'FORCE INSTALL httpfs',
  'UNINSTALL httpfs',
  'UPDATE httpfs',
  "COPY (MATCH (t:T) RETURN t.k) TO '@/out.csv'",
  "COPY (MATCH (t:T) RETURN t.k) TO '@/out.parquet'",
  "PROFILE COPY (MATCH (t:T) RETURN t.k) TO '@/out.csv'",
  "EXPLAIN COPY (MATCH (t:T) RETURN t.k) TO '@/out.csv'",
  "COPY T FROM '@/x.csv'",
  "COPY T FROM (LOAD FROM '@/x.csv' RETURN *)",
  "EXPORT DATABASE '@/out'",
  "EXPORT DATABASE '@/out' (format = 'csv')",
  "IMPORT DATABASE '@/out'",
  "ATTACH '@/x.csv' AS x (dbtype duckdb)",
  "ATTACH '@/graph' AS x (dbtype lbug)",
  'DETACH x',
  'USE x',
  'USE GRAPH x',
  'CREATE GRAPH x',
  'CALL threads = 8',
  'CALL timeout = 0',
  "CALL home_directory = '@'",
  "CALL file_search_path = '@'",
  "CALL READ_CSV_SERIAL('@/x.csv') RETURN *",
  "CALL READ_CSV_PARALLEL('@/x.csv') RETURN *",
  "CALL READ_PARQUET('@/x.csv') RETURN *",
  "CALL READ_NPY('@/x.csv') RETURN *",
  "CALL CURRENT_SETTING('home_directory') RETURN *",
  "CALL PROJECT_GRAPH('g', ['T'], [])",
  "CALL PROJECT_GRAPH_CYPHER('g', 'LOAD FROM \"@/x.csv\" RETURN *')",
  'CALL CLEAR_WARNINGS()',
  "CALL _CACHE_ARRAY_COLUMN_LOCALLY('T', 's')",
  'MATCH (t:T) CALL READ_PARQUET(t.s) RETURN *',
  'CREATE NODE TABLE U(k INT64, PRIMARY KEY(k))',
  'CREATE (:T {k: 5})',
  'MATCH (t:T) CREATE (:T {k: 6})',
  "CREATE MACRO f() AS 'x'",
  'CREATE SEQUENCE q',
  'CREATE TYPE y AS INT64',
  'MERGE (:T {k: 7})',
  "MATCH (t:T) SET t.s = 'x'",
  'MATCH (t:T) DELETE t',
  'MATCH (t:T) DETACH DELETE t',
  'DROP TABLE T',
  'ALTER TABLE T ADD x INT64',
  "COMMENT ON TABLE T IS 'x'",
  'BEGIN TRANSACTION',
  'COMMIT',
  'ROLLBACK',
  'CHECKPOINT',
  'ANALYZE',
];

/** What the database takes for a blank, or other readers do. */
const blanks = [
  ...[
    0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x1c, 0x1d, 0x1e, 0x1f, 0x20, 0x85, 0xa0, 0x1680, 0x180e, 0x2028,
    0x2029, 0x202f, 0x205f, 0x3000, 0xfeff,
  ],
  ...Array.from({ length: 12 }, (_, n) => 0x2000 + n),
].map((code) => String.fromCodePoint(code));
const comments = [
  '/**/',
  '/* MATCH */',
  "/*'*/",
  '/*/**/',
  '//\n',
  '// RETURN 1 \n',
  "//'\r\n",
  '/*\u2028*/',
];

const odd = (text: string): string =>
  [...text]
    .map((letter, index) => (index % 2 === 0 ? letter.toLowerCase() : letter.toUpperCase()))
    .join('');

/** Words outside of strings, as they might be written instead. */
function disguised(attack: string, rewrite: (words: string) => string): string {
  return attack
    .split(/('[^']*'|"[^"]*")/)
    .map((part, index) => (index % 2 === 1 ? part : rewrite(part)))
    .join('');
}

describe('a statement that does more than ask', () => {
  it.each(attacks)('is refused: %s', (attack) => {
    expect(readStatement(attack.replaceAll('@', '/tmp'))).toMatchObject({ kind: 'refused' });
  });

  it('is refused with every blank and every comment between its words, in any case, after and before anything', () => {
    const forms: readonly ((attack: string) => string)[] = [
      ...[...blanks, ...comments].map(
        (gap) => (attack: string) => disguised(attack, (words) => words.replaceAll(' ', gap)),
      ),
      ...[...blanks, ...comments].map(
        (gap) => (attack: string) =>
          disguised(attack, (words) => words.replaceAll(' ', ` ${gap} `)),
      ),
      ...[...blanks, ...comments].map((gap) => (attack: string) => gap + attack + gap),
      odd,
      (attack) => `${attack};`,
      (attack) => `;${attack}`,
      (attack) => `RETURN 1;${attack}`,
      (attack) => `/* */${attack}// x`,
      (attack) => `EXPLAIN ${attack}`,
      (attack) => `PROFILE/**/${attack}`,
      (attack) =>
        disguised(attack, (words) => words.replace('L', '\\u004c').replace('C', '\\u0043')),
      (attack) =>
        disguised(attack, (words) =>
          words.replaceAll('O', '\u00ba').replaceAll('S', '\u017f').replaceAll('K', '\u212a'),
        ),
    ];
    const passed = attacks.flatMap((attack) =>
      forms.map((form) => form(attack)).filter((text) => readStatement(text).kind === 'asks'),
    );
    expect(passed).toEqual([]);
  });

  it.each([
    ['', /not with ''/],
    ["COPY (MATCH (n) RETURN n) TO 'x.csv'", /begins with MATCH, .*not with 'COPY'/],
    ["MATCH (n) LOAD FROM 'x.csv' RETURN *", /LOAD at 1:11 reads something other than the graph/],
    ["EXPLAIN COPY (MATCH (n) RETURN n) TO 'x.csv'", /can be explained, not 'COPY'/],
    ["CALL READ_PARQUET('x') RETURN *", /CALL of 'READ_PARQUET' at 1:1 is not allowed/],
    ['CALL `show_tables`() RETURN *', /CALL of '`show_tables`' at 1:1 is not allowed/],
    ['MATCH (n) SET n.a = 1', /SET at 1:11: only statements that read are allowed;/],
    ['MATCH (n)\n  RETURN\u2003n', /U\+2003 at 2:9 is not allowed/],
    ['MATCH (n) RETURN n.größe', /U\+00F6 at 1:22 is not allowed/],
    ['MATCH (n) RETURN n;\nRETURN 1', /another begins at 1:19/],
    ["RETURN 'a", /the string at 1:8 has no end/],
    ["RETURN 'a\\q'", /the string at 1:8 has no end, or an escape that is not Cypher's/],
    ['RETURN `a', /the name at 1:8 is empty or has no closing backquote/],
    ['RETURN 1 /* x', /the comment at 1:10 has no end/],
    ['RETURN 1LOAD', /the number at 1:8 runs into 'L'/],
    ["RETURN 'a\0'", /the string at 1:8/],
    ['RETURN \\u0031', /U\+005C at 1:8 is not allowed/],
    ["RETURN '\ud800'", /half of a surrogate pair/],
  ])('is told what is wrong and where: %j', (statement, why) => {
    const read = readStatement(statement);
    expect(read.kind === 'refused' ? read.reason : 'passed').toMatch(why);
  });
});

describe('a statement that reads', () => {
  it.each([
    'MATCH (n) RETURN count(*)',
    '  // why é\n match (n:T {s: "LOAD FROM \'x\'"}) RETURN n.`load from` // COPY',
    'OPTIONAL MATCH (n:T) RETURN n',
    'UNWIND [1] AS x RETURN x',
    'CALL SHOW_TABLES() RETURN *',
    "call/**/table_info('T') return *",
    'EXPLAIN MATCH (n:T) RETURN n',
    'PROFILE MATCH (n:T) RETURN n',
    'EXPLAIN LOGICAL MATCH (n:T) RETURN n',
    "MATCH (n:T) WHERE n.k > 1.5e3 AND n.s <> 'größe' RETURN n.s AS `größe`, n.k AS k;",
    'MATCH (t:T) RETURN t.k UNION ALL MATCH (t:T) RETURN t.k + 1 AS `load`',
    'MATCH (t:T) WHERE EXISTS { MATCH (u:T) WHERE u.k = t.k } RETURN t.k, [1, 2][1..2], {`set`: 1}.set, 1 <= 2',
    "RETURN 'a\\n\\'\\u0041\\x41' AS s, 1 AS from, 2 AS to",
  ])('passes: %s', (statement) => {
    expect(readStatement(statement)).toMatchObject({ kind: 'asks' });
  });

  it('keeps its places when comments go, so that what the database says of it fits', () => {
    const read = readCypher('RETURN /* a\nb */ 1 // c');
    expect(read).toMatchObject({ text: 'RETURN     \n     1     ' });
  });
});

it('what passes reads no file and writes none, whatever words, quotes, blanks and comments it is made of', async () => {
  const { folder, graph } = await place();
  const words = [
    ...[
      'MATCH (t:T)',
      'RETURN *',
      'RETURN t.k AS a',
      'WITH 1 AS a',
      'WITH *',
      'UNWIND [1] AS a',
      'WHERE 1 < 2',
      'WHERE 1 <',
    ],
    ...[
      'LOAD',
      'FROM',
      'COPY',
      'TO',
      '(',
      ')',
      '.',
      '..',
      ',',
      ';',
      '`',
      "'",
      '"',
      '$',
      '1e5',
      '{',
      '}',
      'CALL',
      'UNION',
      'EXPLAIN',
      'PROFILE',
    ],
    ...[
      `'${folder}/x.csv'`,
      `"${folder}/x.csv"`,
      `'${folder}/out.csv'`,
      'EXPORT DATABASE',
      'ATTACH',
      '(dbtype lbug)',
      'AS x',
      'SHOW_TABLES()',
    ],
    ...[`READ_CSV_SERIAL('${folder}/x.csv')`, 'threads = 2', '/*', '*/', '//', '\n', '\\'],
  ];
  const before = readdirSync(folder).sort();
  let answered = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.tuple(
          fc.constantFrom(...words),
          fc.constantFrom(' ', ' ', ' ', '', ...blanks, ...comments),
        ),
        {
          minLength: 1,
          maxLength: 9,
        },
      ),
      async (parts) => {
        const statement = parts.map(([word, gap]) => word + gap).join('');
        if (readStatement(statement).kind === 'refused') return;
        const answer = await askLadybug(graph, statement).catch(() => undefined);
        if (answer !== undefined) answered++;
        expect(JSON.stringify(answer ?? null)).not.toContain(secret);
        expect(readdirSync(folder).sort()).toEqual(before);
      },
    ),
    {
      numRuns: 3_000,
      examples: [
        [
          [
            ['MATCH (t:T)', ' '],
            ['RETURN *', ''],
          ],
        ],
        ...attacksAsParts(folder),
      ],
    },
  );
  expect(answered).toBeGreaterThan(0);
  expect(readFileSync(join(folder, 'x.csv'), 'utf8')).toContain(secret);
});

const attacksAsParts = (folder: string): [[string, string][]][] =>
  attacks.map((attack) => [[[attack.replaceAll('@', folder), '']] as [string, string][]]);

it('every procedure of the installed database has been judged', async () => {
  const { graph } = await place();
  const refused = [
    ...[
      'BM_INFO',
      'CATALOG_VERSION',
      'CURRENT_SETTING',
      'DISK_INFO',
      'DISK_SIZE_INFO',
      'FILE_INFO',
      'FSM_INFO',
      'PROJECTED_GRAPH_INFO',
    ],
    ...[
      'READ_CSV_PARALLEL',
      'READ_CSV_SERIAL',
      'READ_NPY',
      'READ_PARQUET',
      'SHOW_ATTACHED_DATABASES',
      'SHOW_GRAPHS',
      'SHOW_LOADED_EXTENSIONS',
    ],
    ...['SHOW_OFFICIAL_EXTENSIONS', 'SHOW_PROJECTED_GRAPHS', 'SHOW_WARNINGS', 'STORAGE_VERSION'],
    ...[
      'CLEAR_WARNINGS',
      'DROP_PROJECTED_GRAPH',
      'PROJECT_GRAPH',
      'PROJECT_GRAPH_CYPHER',
      '_CACHE_ARRAY_COLUMN_LOCALLY',
    ],
  ];
  const { rows } = await askLadybug(
    graph,
    "CALL SHOW_FUNCTIONS() WHERE type CONTAINS 'TABLE' RETURN DISTINCT name",
  );
  const names = rows.map(([name]) => String(name)).sort();
  expect(names).toEqual([...refused, ...[...callable].map((name) => name.toUpperCase())].sort());
});
