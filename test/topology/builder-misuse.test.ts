/**
 * What an author leaves out, or gives for something else, where no types were checked: each is a
 * problem that says what to write, and none is a TypeError.
 */
import { describe, expect, it } from 'vitest';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import {
  count,
  fileTable,
  schemaOf,
  session,
  sliding,
  stream,
  table,
  topology,
  tumbling,
} from '../../topology/index.ts';
import { allKinds } from '../../topology/operators/kinds.ts';
import { createDriver } from '../../topology/testing.ts';

/** The language without its types, as a file of JavaScript has it. */
type Loose = { readonly [name: string]: Loose } & ((...given: unknown[]) => Loose);
const loosely = (value: unknown): Loose => value as Loose;

const schema = schemaOf<{ k: string; at: number }>({
  $id: 'https://sluice.example/misuse',
  type: 'object',
  properties: { k: { type: 'string' } },
});
const row = schemaOf<{ k: string }>({
  $id: 'https://sluice.example/misuse-row',
  type: 'object',
  properties: { k: { type: 'string' } },
});
const byKey = ({ k }: { k: string }): string => k;

async function refusal(write: () => unknown): Promise<unknown> {
  try {
    await createDriver(write() as ReturnType<typeof topology>, { now: 0 });
    return 'taken';
  } catch (thrown) {
    return thrown instanceof SluiceError ? thrown.code : thrown;
  }
}

/** The rows of a topology in which they are used as `use` says. */
const written = (use: (rows: Loose) => unknown) => (): unknown =>
  topology('misuse', { version: 1, owner: 'a/b' }, (t) => {
    const rows = t
      .source('src', stream('a/b'))
      .validate('valid', schema)
      .eventTime('time', (e) => e.data.at, { outOfOrderness: '1s' });
    const used = loosely(use(loosely(rows.map((e) => e.data))));
    used['map']?.(() => ({ k: '1' }))['sinkTo']?.('out', table('rows', row));
  });

/** What stands in place of what a method takes. */
const givens: readonly (readonly unknown[])[] = [
  [],
  ['x'],
  ['x', undefined],
  ['x', null],
  ['x', 5],
  ['x', 'text'],
  ['x', {}],
  ['x', [], []],
  [undefined, {}],
  [5],
  [{}],
];

/** Every method of every kind, with what is no right call of any of them. */
const calls = allKinds.flatMap(({ name, oldName, methods, build, buildKeyed }) =>
  [
    ...(build === undefined ? [] : (methods ?? [name, oldName])),
    ...(buildKeyed === undefined ? [] : [`keyed ${name}`]),
  ].flatMap((method) => (method === undefined ? [] : [method])),
);

const window = (rows: Loose, ...given: readonly unknown[]): Loose =>
  rows['keyBy']?.(byKey)['window']?.('w', ...given) as Loose;
const shaped = (given: unknown) => (rows: Loose) =>
  window(rows, given)['aggregate']?.({ n: count() })['out'];
const aggregated = (given: unknown) => (rows: Loose) =>
  window(rows, tumbling('1m'))['aggregate']?.(given)['out'];
const processed = (options: unknown) => (rows: Loose) =>
  rows['keyBy']?.(byKey)['process']?.('p', options);
const joined = (rows: Loose, ...given: readonly unknown[]): unknown =>
  rows['keyBy']?.(byKey)['intervalJoin']?.('j', ...given)['out'];

/** What is right but for a part of it. */
const onRows: Readonly<Record<string, (rows: Loose) => unknown>> = {
  'process without state': processed({ onElement: () => [] }),
  'process with state that is none': processed({ state: { n: 5 }, onElement: () => [] }),
  'process without onElement': processed({ state: {} }),
  'process without id': (rows) =>
    rows['keyBy']?.(byKey)['process']?.(undefined, { state: {}, onElement: () => [] }),
  'window without a definition': shaped(undefined),
  'window that is a text': shaped('1m'),
  'window that is none': shaped({}),
  'window without a size': shaped(loosely(tumbling)()),
  'window without a slide': shaped(loosely(sliding)('5m')),
  'window without a gap': shaped(loosely(session)()),
  'aggregate without aggregates': aggregated(undefined),
  'aggregate that is a number': aggregated({ n: 5 }),
  'aggregate that is none': aggregated({ n: {} }),
  'keyBy without a key': (rows) =>
    rows['keyBy']?.()['process']?.('p', { state: {}, onElement: () => [] }),
  'branch with a condition that is none': (rows) => rows['branch']?.({ a: 5 })['a'],
  'deduplicate without within': (rows) => rows['deduplicate']?.('d', { by: byKey }),
  'join without bounds': (rows) => joined(rows, rows['keyBy']?.(byKey)),
  'join with an unkeyed stream': (rows) => joined(rows, rows, { lower: 0, upper: 0 }, byKey),
  'look-up in a number': (rows) => rows['lookup']?.('l', 5, { by: byKey }, byKey),
  'look-up in an object': (rows) => rows['lookup']?.('l', {}, { by: byKey }, byKey),
  'look-up without options': (rows) =>
    rows['lookup']?.('l', fileTable('t.json', row, { key: 'k' })),
  'eventTime without options': (rows) => rows['eventTime']?.('again', () => 1),
};

describe('a topology that is not checked by types', () => {
  it.each(Object.entries(onRows))('%s is a problem of its node', async (_, use) => {
    expect(await refusal(written(use))).toBe('topology-invalid');
  });

  it.each(calls)('%s with anything else than it takes is a problem of its node', async (call) => {
    const [method = '', isKeyed] = call.split(' ').toReversed();
    for (const given of givens) {
      const refused = await refusal(
        written((rows) => {
          const made = (isKeyed === undefined ? rows : rows['keyBy']?.(byKey))?.[method]?.(
            ...given,
          );
          return [made, made?.['out'], rows].find((each) => each?.['map'] !== undefined);
        }),
      );
      // A union of one stream is that stream.
      const isRight = call === 'union' && given.length === 1 && given[0] === 'x';
      expect([given, refused]).toEqual([given, isRight ? 'taken' : 'topology-invalid']);
    }
  });

  it.each<readonly [string, string, () => unknown]>([
    ['a table without a schema', 'schema-invalid', () => loosely(table)('q')],
    ['a table with an object for a schema', 'schema-invalid', () => loosely(table)('q', {})],
    ['a file of rows without a key', 'table-invalid', () => loosely(fileTable)('t.json', row)],
    ['a schema of nothing', 'schema-invalid', () => loosely(schemaOf)()],
    ['a topology without options', 'topology-invalid', () => loosely(topology)('x')],
    [
      'a topology without a function',
      'topology-invalid',
      () => loosely(topology)('x', { version: 1, owner: 'a/b' }),
    ],
    [
      'a topology without an owner',
      'topology-invalid',
      () => loosely(topology)('x', {}, () => undefined),
    ],
    [
      'a source of nothing',
      'topology-invalid',
      () => topology('x', { version: 1, owner: 'a/b' }, (t) => void loosely(t.source)('s')),
    ],
  ])('%s is refused as %s', async (_, code, write) => {
    expect(await refusal(write)).toBe(code);
  });
});
