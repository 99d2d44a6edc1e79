/**
 * What a table and its columns may be called, and of which type what names its folders has to be:
 * told when a topology is checked, before a row is written.
 */
import { expect, it } from 'vitest';
import type { PartitionColumn } from '../../../schemas/partition.ts';
import type { JsonSchema } from '../../../schemas/registry.ts';
import type { SinkOf } from '../../../topology/operators/sink/sink-kind.ts';
import type { TableDefinition } from '../../../topology/operators/sink/table-definition.ts';
import { tableProblems } from '../../../topology/operators/sink/table-problems.ts';
import { saying } from '../../said.ts';

const text = { type: 'string' };
const folders: readonly PartitionColumn[] = ['date', 'hour', 'team', 'app'];

function problemsOf(
  properties: Readonly<Record<string, JsonSchema>>,
  partitionBy = folders,
  table = 'rows',
  upsert?: readonly string[],
): readonly string[] {
  const schema = { $id: 'row', type: 'object', properties };
  const node: SinkOf<TableDefinition> = {
    id: 'sink',
    sink: {
      kind: 'table',
      table,
      schema,
      partitionBy,
      ...(upsert === undefined ? {} : { upsert }),
    },
  };
  return tableProblems([node]).map(({ message }) => message);
}

it.each([
  [
    'id',
    'userId',
    'user id',
    'a.b',
    'a-b',
    '1st',
    'größe',
    '日本',
    'select',
    'a"b',
    'a%2Fb',
    'n'.repeat(255),
    'constructor',
    'dates',
    'rowId',
  ],
])('a column may be called %j', (...names) => {
  for (const name of names) expect(problemsOf({ [name]: text })).toEqual([]);
});

it.each([
  ['', "not ''"],
  ['a\nb', "not 'a\\nb'"],
  ['a\0', "not 'a\\u0000'"],
  ['half \ud83d', 'not '],
  ['n'.repeat(256), `not '${'n'.repeat(61)}...'`],
  ['é'.repeat(128), 'not '],
])('a column is not called %j', (name, shown) => {
  const [message = '', ...more] = problemsOf({ [name]: text });
  expect(more).toEqual([]);
  expect(message).toContain('1 to 255 bytes of text without control characters');
  expect(message).toContain(shown);
});

it.each(['row_id', 'Row_ID', '__filename', '__fragment_index'])(
  'a column is not called %s, as readers or delivery have one of that name',
  (name) => {
    expect(problemsOf({ [name]: text })).toEqual([
      `the column name '${name}' is reserved: readers or delivery use it for columns of their own`,
    ]);
  },
);

it.each([
  ['Id', 'id'],
  ['straße', 'STRASSE'],
  ['É', 'é'],
  ['\u00e9', 'e\u0301'],
  ['k', '\u212a'],
  ['s', '\u017f'],
])('columns %j and %j are one to who does not see case', (a, b) => {
  expect(problemsOf({ [a]: text, [b]: text })).toEqual([
    `the columns '${a}' and '${b}' differ in case only, which SQL ignores`,
  ]);
});

it('a column is not called as a folder, in any case; team and app name their folders, and are text', () => {
  for (const name of ['Date', 'HOUR', 'Team', 'aPP'])
    expect(problemsOf({ id: text, [name]: text })[0]).toMatch(/differ in case only/);
  for (const name of ['date', 'hour'])
    expect(problemsOf({ id: text, [name]: text })[0]).toMatch(/is ambiguous/);
  for (const name of ['Date', 'HOUR', 'Team', 'aPP', 'date', 'hour', 'team'])
    expect(problemsOf({ id: text, [name]: text }, [])).toEqual([]);
  expect(problemsOf({ id: text, team: text, app: { type: ['string', 'null'] } })).toEqual([]);
  for (const type of [
    { type: 'integer' },
    {},
    { enum: ['a'] },
    { ...text, format: 'date-time' },
    { type: ['string', 'integer'] },
  ]) {
    expect(problemsOf({ id: text, team: type })).toEqual([
      "the column 'team' names the folders of the table, so it must be text: type 'string', or 'string' and 'null'",
    ]);
    expect(problemsOf({ id: text, team: type }, ['date'])).toEqual([]);
  }
});

it('a table has a column that is not in its path', () => {
  for (const upsert of [undefined, ['id']])
    expect(problemsOf({}, folders, 'rows', upsert)).toEqual([
      "the table 'rows' has no column: its schema has no properties",
    ]);
  expect(problemsOf({ team: text, app: text })).toEqual([
    "the table 'rows' has no columns except those in its path",
  ]);
  expect(problemsOf({ team: text, app: text }, ['date', 'team'])).toEqual([]);
});

it('a table by key names columns that are keys, and its view has its own name', () => {
  const columns = {
    id: text,
    n: { type: 'integer' },
    ratio: { type: 'number' },
    more: {},
    team: text,
  };
  const by = (upsert: readonly string[]): readonly string[] =>
    problemsOf(columns, folders, 'rows', upsert);
  expect(by(['id', 'n', 'team'])).toEqual([]);
  expect(by([])).toEqual(["upsert of the table 'rows' lists no column"]);
  expect(by(['id', 'id'])).toEqual(["upsert of the table 'rows' lists a column twice"]);
  expect(by(['Id', 'ratio', 'more'])).toEqual([
    "upsert lists 'Id', which is not a column of the table 'rows'",
    "upsert lists 'ratio', which cannot be a key: a key must be text, an integer, a boolean or a time",
    "upsert lists 'more', which cannot be a key: a key must be text, an integer, a boolean or a time",
  ]);
  const node = (table: string, upsert: object): SinkOf<TableDefinition> => ({
    id: table,
    sink: {
      kind: 'table',
      table,
      schema: { $id: 'row', type: 'object', properties: columns },
      partitionBy: folders,
      ...upsert,
    },
  });
  const nodes = [
    node('rows_latest', {}),
    node('rows', { upsert: ['id'] }),
    node('other_latest', {}),
    node('other', {}),
  ];
  expect(tableProblems(nodes)).toEqual([
    {
      node: 'rows_latest',
      message: saying({ names: ['rows_latest', 'rows'] }),
      fix: expect.any(String) as string,
    },
  ]);
});
