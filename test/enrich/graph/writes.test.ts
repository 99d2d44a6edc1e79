/**
 * What a sink does with writes before any database: whether they fit, how they merge and are cut,
 * whether a statement only asks, when a chunk's turn has come. All pure.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decideChunk } from '../../../enrich/graph/graph-database.ts';
import { jsonValue } from '../../../enrich/graph/ladybug/graph-value.ts';
import { graphChunkMaxWrites, PendingWrites } from '../../../enrich/graph/pending-writes.ts';
import { limits } from '../../../schemas/limits.ts';
import { fitWrite } from '../../../topology/graph/fit-write.ts';
import type { GraphWrite } from '../../../topology/index.ts';
import { graphModel } from '../../../topology/index.ts';
import { runOf } from '../../runs.ts';

const routes = graphModel({
  nodes: {
    Airport: {
      key: 'code',
      props: {
        code: 'string',
        name: 'string',
        gates: 'integer',
        height: 'number',
        open: 'boolean',
      },
    },
    Plane: { key: 'id', props: { id: 'integer' } },
  },
  edges: {
    SEEN: {
      from: 'Plane',
      to: 'Airport',
      key: ['day'],
      props: { day: 'string', times: 'integer' },
    },
  },
});
const { definition: model } = routes;

describe('a write fits', () => {
  it('when every value has its type; what is not a key may be null or missing', () => {
    expect(
      fitWrite(
        model,
        routes.Airport({ code: 'JFK', name: null, gates: 1, height: 1.5, open: false }),
      ),
    ).toBeGreaterThan(0);
    expect(
      fitWrite(model, routes.SEEN({ from: 7, to: 'JFK', day: '', times: null })),
    ).toBeGreaterThan(0);
  });

  const airport = (props: object): unknown => ({
    kind: 'node',
    label: 'Airport',
    props: { code: 'JFK', ...props },
  });
  const seen = (changes: object): unknown => ({
    kind: 'edge',
    type: 'SEEN',
    from: 7,
    to: 'JFK',
    props: { day: 'd' },
    ...changes,
  });
  it.each([
    ['nothing', undefined, '', /must be made by the graph model, not undefined/],
    ['an array', [], '', /by the graph model, not an array/],
    [
      'another kind',
      { kind: 'hyperedge', props: {} },
      '/kind',
      /of a node or an edge, not of 'hyperedge'/,
    ],
    [
      'no properties',
      { kind: 'node', label: 'Airport' },
      '/props',
      /the properties of a write must be an object, not undefined/,
    ],
    [
      'another label',
      { kind: 'node', label: 'toString', props: {} },
      '/label',
      /'toString' is not a label/,
    ],
    [
      'another edge type',
      { kind: 'edge', type: 'ROUTE', props: {} },
      '/type',
      /'ROUTE' is not an edge type/,
    ],
    [
      'no key',
      { kind: 'node', label: 'Airport', props: {} },
      '/props/code',
      /the key 'code' is missing/,
    ],
    ['a key that is null', airport({ code: null }), '/props/code', /must be a string, not null/],
    ['an unknown property', airport({ 'a/b': 1 }), '/props/a~1b', /'a\/b' is not a property/],
    [
      'an inherited property',
      airport({ constructor: 1 }),
      '/props/constructor',
      /'constructor' is not a property/,
    ],
    [
      'text for an integer',
      airport({ gates: '4' }),
      '/props/gates',
      /must be an integer within 2\^53, not '4'/,
    ],
    ['a fraction for an integer', airport({ gates: 0.5 }), '/props/gates', /must be an integer/],
    [
      'an integer beyond 2^53',
      airport({ gates: 2 ** 53 }),
      '/props/gates',
      /must be an integer within 2\^53/,
    ],
    [
      'a number that is none',
      airport({ height: Number.NaN }),
      '/props/height',
      /must be a finite number, not NaN/,
    ],
    ['a number for a boolean', airport({ open: 1 }), '/props/open', /must be a boolean, not 1/],
    ['a lone surrogate', airport({ name: 'a\ud800' }), '/props/name', /half a surrogate pair/],
    [
      'a key that is too long',
      airport({ code: 'é'.repeat(limits.graphKeyMaxBytes / 2 + 1) }),
      '/props/code',
      /at most 4096 bytes, not 4098/,
    ],
    [
      'a text that is too long',
      airport({ name: 'x'.repeat(limits.graphWriteMaxBytes) }),
      '/props',
      /at most 1048576/,
    ],
    [
      'an end that is null',
      seen({ from: null }),
      '/from',
      /must be an integer within 2\^53, not null/,
    ],
    ['an end of another type', seen({ to: 7 }), '/to', /must be a string, not 7/],
    ['an edge without its key', seen({ props: {} }), '/props/day', /the key 'day' is missing/],
    [
      'an edge whose key is null',
      seen({ props: { day: null } }),
      '/props/day',
      /must be a string, not null/,
    ],
  ])('not when it is %s', (_, write, pointer, message) => {
    expect(fitWrite(model, write)).toEqual({
      pointer,
      message: expect.stringMatching(message) as string,
    });
  });
});

const taken = (writes: readonly GraphWrite[]): readonly (readonly GraphWrite[])[] => {
  const pending = new PendingWrites(model);
  for (const write of writes) pending.add(write, 1);
  return pending.takeChunks().map((chunk) => JSON.parse(chunk) as GraphWrite[]);
};

describe('pending writes', () => {
  it('merge per node and edge: of each property the last value stands, null too, and what a later one does not name stays', () => {
    expect(
      taken([
        routes.Airport({ code: 'JFK', name: 'one', gates: 1 }),
        routes.SEEN({ from: 7, to: 'JFK', day: 'a', times: 1 }),
        routes.Airport({ code: 'JFK', name: 'two' }),
        routes.SEEN({ from: 7, to: 'JFK', day: 'b', times: 5 }),
        routes.Airport({ code: 'JFK', gates: null }),
        routes.SEEN({ from: 7, to: 'JFK', day: 'a', times: 2 }),
      ]),
    ).toEqual([
      [
        routes.Airport({ code: 'JFK', name: 'two', gates: null }),
        routes.SEEN({ from: 7, to: 'JFK', day: 'a', times: 2 }),
        routes.SEEN({ from: 7, to: 'JFK', day: 'b', times: 5 }),
      ],
    ]);
  });

  it('come out by label and key, nodes first, numbers as numbers', () => {
    const [chunk = []] = taken([
      routes.SEEN({ from: 10, to: 'A', day: 'a' }),
      routes.SEEN({ from: 9, to: 'B', day: 'a' }),
      routes.Plane({ id: 10 }),
      routes.Plane({ id: 9 }),
      routes.Airport({ code: 'B' }),
      routes.Airport({ code: 'A' }),
      routes.SEEN({ from: 9, to: 'A', day: 'b' }),
      routes.SEEN({ from: 9, to: 'A', day: 'a' }),
    ]);
    expect(
      chunk.map((write) =>
        write.kind === 'node' ? write.props : [write.from, write.to, write.props['day']],
      ),
    ).toEqual([
      { code: 'A' },
      { code: 'B' },
      { id: 9 },
      { id: 10 },
      [9, 'A', 'a'],
      [9, 'A', 'b'],
      [9, 'B', 'a'],
      [10, 'A', 'a'],
    ]);
  });

  it('are cut at the bounds of a chunk, in writes and in bytes, and nothing is left', () => {
    const pending = new PendingWrites(model);
    const most = graphChunkMaxWrites;
    for (let id = 0; id < 2.5 * most; id++) pending.add(routes.Plane({ id }), 8);
    expect([pending.writes, pending.bytes]).toEqual([2.5 * most, 20 * most]);
    expect(pending.takeChunks().map((chunk) => (JSON.parse(chunk) as unknown[]).length)).toEqual([
      most,
      most,
      most / 2,
    ]);
    expect([pending.writes, pending.bytes, pending.takeChunks()]).toEqual([0, 0, []]);
    const large = taken(
      Array.from({ length: 9 }, (_, n) =>
        routes.Airport({ code: `${n}`, name: 'x'.repeat(1_000_000) }),
      ),
    );
    expect(large.map((chunk) => chunk.length)).toEqual([4, 4, 1]);
    // Every character takes six in JSON: a chunk of its own, whatever its size.
    const escaped = taken([
      routes.Airport({ code: 'a' }),
      routes.Airport({ code: 'b', name: '\u0001'.repeat(1_000_000) }),
      routes.Airport({ code: 'c' }),
    ]);
    expect(escaped.map((chunk) => chunk.length)).toEqual([1, 1, 1]);
  });

  it('give the same chunks for every order of writes to different nodes', () => {
    const writes = Array.from({ length: 30 }, (_, id) => routes.Plane({ id }));
    fc.assert(
      fc.property(fc.shuffledSubarray(writes, { minLength: 30 }), (shuffled) => {
        expect(taken(shuffled)).toEqual(taken(writes));
      }),
    );
  });
});

describe('a chunk', () => {
  const recorded = { run: runOf(2), checkpoint: 5, chunk: 3 };
  it.each([
    ['the next of its checkpoint is applied', 2, 5, 4, 'apply'],
    ['the first of a later checkpoint is applied', 2, 9, 1, 'apply'],
    ['a newer attempt is let in', 3, 5, 4, 'apply'],
    ['one that is there is skipped', 2, 5, 3, 'skip'],
    ['one of an older checkpoint is skipped', 2, 4, 99, 'skip'],
    ['one that skips another is refused', 2, 5, 5, 'behind'],
    ['a later checkpoint begins with its first', 2, 6, 2, 'behind'],
    ['an older attempt is fenced, whatever it brings', 1, 5, 3, 'fenced'],
  ] as const)('%s', (_, attempt, checkpoint, chunk, decision) => {
    expect(decideChunk(recorded, { sink: 's', run: runOf(attempt), checkpoint, chunk })).toBe(
      decision,
    );
  });

  it('of a sink that the database does not know is refused', () => {
    expect(decideChunk(undefined, { sink: 's', run: runOf(1), checkpoint: 1, chunk: 1 })).toBe(
      'behind',
    );
  });
});

it('values of an answer are JSON-safe, and say nothing of places inside the database', () => {
  expect(
    jsonValue([
      { _label: 'Airport', _id: { offset: 0, table: 1 }, code: 'JFK', since: new Date(0) },
      { _label: 'ROUTE', _src: {}, _dst: {}, _id: {}, flights: 2n },
      { _id: 'mine', nested: [Number.NaN, null, undefined] },
      2n ** 60n,
      Buffer.from('a'),
      new Map([['a', 1n]]),
    ]),
  ).toEqual([
    { _label: 'Airport', code: 'JFK', since: '1970-01-01T00:00:00.000Z' },
    { _label: 'ROUTE', flights: 2 },
    { _id: 'mine', nested: ['NaN', null, null] },
    '1152921504606846976',
    'YQ==',
    [['a', 1]],
  ]);
});
