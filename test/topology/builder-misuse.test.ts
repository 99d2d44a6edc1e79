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

const onRows: Readonly<Record<string, (rows: Loose) => unknown>> = {
  'process without options': (rows) => rows['keyBy']?.(byKey)['process']?.('p'),
  'process without state': (rows) =>
    rows['keyBy']?.(byKey)['process']?.('p', { onElement: () => [] }),
  'process with state that is none': (rows) =>
    rows['keyBy']?.(byKey)['process']?.('p', { state: { n: 5 }, onElement: () => [] }),
  'process without onElement': (rows) => rows['keyBy']?.(byKey)['process']?.('p', { state: {} }),
  'process without id': (rows) =>
    rows['keyBy']?.(byKey)['process']?.(undefined, { state: {}, onElement: () => [] }),
  'window without a definition': (rows) =>
    rows['keyBy']?.(byKey)['window']?.('w')['aggregate']?.({ n: count() })['out'],
  'window that is a text': (rows) =>
    rows['keyBy']?.(byKey)['window']?.('w', '1m')['aggregate']?.({ n: count() })['out'],
  'window that is none': (rows) =>
    rows['keyBy']?.(byKey)['window']?.('w', {})['aggregate']?.({ n: count() })['out'],
  'window without a size': (rows) =>
    rows['keyBy']?.(byKey)['window']?.('w', loosely(tumbling)())['aggregate']?.({ n: count() })[
      'out'
    ],
  'window without a slide': (rows) =>
    rows['keyBy']?.(byKey)['window']?.('w', loosely(sliding)('5m'))['aggregate']?.({ n: count() })[
      'out'
    ],
  'window without a gap': (rows) =>
    rows['keyBy']?.(byKey)['window']?.('w', loosely(session)())['aggregate']?.({ n: count() })[
      'out'
    ],
  'aggregate without aggregates': (rows) =>
    rows['keyBy']?.(byKey)['window']?.('w', tumbling('1m'))['aggregate']?.()['out'],
  'aggregate that is a number': (rows) =>
    rows['keyBy']?.(byKey)['window']?.('w', tumbling('1m'))['aggregate']?.({ n: 5 })['out'],
  'aggregate that is none': (rows) =>
    rows['keyBy']?.(byKey)['window']?.('w', tumbling('1m'))['aggregate']?.({ n: {} })['out'],
  'keyBy without a key': (rows) =>
    rows['keyBy']?.()['process']?.('p', { state: {}, onElement: () => [] }),
  'map without a function': (rows) => rows['map']?.(),
  'branch without conditions': (rows) => rows['branch']?.()['rest'],
  'branch with a condition that is none': (rows) => rows['branch']?.({ a: 5 })['a'],
  'deduplicate without options': (rows) => rows['deduplicate']?.('d'),
  'deduplicate without within': (rows) => rows['deduplicate']?.('d', { by: byKey }),
  'union with what is no stream': (rows) => rows['union']?.('u', 5),
  'join without its other side': (rows) => rows['keyBy']?.(byKey)['intervalJoin']?.('j')['out'],
  'join without bounds': (rows) =>
    rows['keyBy']?.(byKey)['intervalJoin']?.('j', rows['keyBy']?.(byKey))['out'],
  'join with an unkeyed stream': (rows) =>
    rows['keyBy']?.(byKey)['intervalJoin']?.('j', rows, { lower: 0, upper: 0 }, byKey)['out'],
  'look-up without anything': (rows) => rows['lookup']?.('l'),
  'look-up in a number': (rows) => rows['lookup']?.('l', 5, { by: byKey }, byKey),
  'look-up in an object': (rows) => rows['lookup']?.('l', {}, { by: byKey }, byKey),
  'look-up without options': (rows) =>
    rows['lookup']?.('l', fileTable('t.json', row, { key: 'k' })),
  'eventTime without options': (rows) => rows['eventTime']?.('again', () => 1),
  'validate without a schema': (rows) => rows['validate']?.('again'),
  'validate with an object': (rows) => rows['validate']?.('again', {}),
  'sinkTo nothing': (rows) => rows['sinkTo']?.('extra') ?? rows,
  'sinkTo a number': (rows) => rows['sinkTo']?.('extra', 5) ?? rows,
  'sinkTo an object': (rows) => rows['sinkTo']?.('extra', {}) ?? rows,
};

describe('a topology that is not checked by types', () => {
  it.each(Object.entries(onRows))('%s is a problem of its node', async (_, use) => {
    const refused = await refusal(() =>
      topology('misuse', { version: 1, owner: 'a/b' }, (t) => {
        const rows = t
          .source('src', stream('a/b'))
          .validate('valid', schema)
          .eventTime('time', (e) => e.data.at, { outOfOrderness: '1s' });
        const used = loosely(use(loosely(rows.map((e) => e.data))));
        used['map']?.(() => ({ k: '1' }))['sinkTo']?.('out', table('rows', row));
      }),
    );
    expect(refused).toBe('topology-invalid');
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
