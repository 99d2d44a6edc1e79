/**
 * What every graph database must do for a sink (enrich/graph/graph-database.ts has the invariants):
 * chunks once and in order, attempts fenced, absolute values, models that grow. The statements that
 * look are of the Cypher that all dialects share.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ChunkId, GraphDatabase } from '../../enrich/graph/graph-database.ts';
import { PendingWrites } from '../../enrich/graph/pending-writes.ts';
import type { EdgeModel, GraphWrite, NodeModel } from '../../topology/index.ts';
import { graphModel } from '../../topology/index.ts';
import { allCounts, runOf } from '../runs.ts';
import { GraphOracle, sortedRows } from './graph-oracle.ts';

export interface GraphDatabaseRig {
  readonly database: GraphDatabase;
  /** Rows of values; takes any number of them. */
  readonly ask: (statement: string) => Promise<readonly (readonly unknown[])[]>;
  close(): Promise<void>;
}

export interface GraphDatabaseContract {
  /** An empty database. */
  readonly open: () => Promise<GraphDatabaseRig>;
  readonly runs: number;
}

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
    Plane: { key: 'id', props: { id: 'integer', seats: 'integer' } },
  },
  edges: {
    ROUTE: {
      from: 'Airport',
      to: 'Airport',
      key: ['carrier'],
      props: { carrier: 'string', flights: 'integer' },
    },
    SEEN: { from: 'Plane', to: 'Airport', props: { times: 'integer' } },
    FOLLOWS: { from: 'Plane', to: 'Plane', key: ['day'], props: { day: 'integer', gap: 'number' } },
  },
});
const { definition: model } = routes;

const airports =
  'MATCH (n:Airport) RETURN n.code, n.name, n.gates, n.height, n.open ORDER BY n.code';
const edges =
  'MATCH (a:Airport)-[e:ROUTE]->(b:Airport) RETURN a.code, b.code, e.carrier, e.flights ORDER BY a.code, b.code, e.carrier';
const seen =
  'MATCH (a:Plane)-[e:SEEN]->(b:Airport) RETURN a.id, b.code, e.times ORDER BY a.id, b.code';

const at = (checkpoint: number, chunk: number, attempt = 1, sink = 't/sink'): ChunkId => ({
  sink,
  run: runOf(attempt),
  checkpoint,
  chunk,
});

export function graphDatabaseContract(name: string, { open, runs }: GraphDatabaseContract): void {
  const opened = async (): Promise<GraphDatabaseRig> => {
    const rig = await open();
    expect(
      await rig.database.openSink({ sink: 't/sink', run: runOf(1), model, restored: allCounts }),
    ).toEqual({ checkpoint: 0, chunk: 0 });
    return rig;
  };

  describe(`${name}, as a graph database`, () => {
    it('keeps every value exactly as it was given', async () => {
      const { database, ask } = await opened();
      const extremes = [
        routes.Airport({
          code: 'a',
          name: '',
          gates: Number.MAX_SAFE_INTEGER,
          height: 0.1 + 0.2,
          open: true,
        }),
        routes.Airport({
          code: 'b\'"`\\$x',
          name: 'line\nbreak 東京 😀',
          gates: -1,
          height: 5e-324,
          open: false,
        }),
        routes.Airport({ code: 'c', name: null, gates: null, height: null, open: null }),
        routes.Airport({ code: 'd', height: 3 }),
        routes.Airport({ code: 'e', height: -1.7976931348623157e308, gates: 0 }),
        routes.Airport({ code: '', name: 'null' }),
      ];
      await database.applyChunk(at(1, 1), extremes);
      expect(await ask(airports)).toEqual([
        ['', 'null', null, null, null],
        ['a', '', Number.MAX_SAFE_INTEGER, 0.1 + 0.2, true],
        ['b\'"`\\$x', 'line\nbreak 東京 😀', -1, 5e-324, false],
        ['c', null, null, null, null],
        ['d', null, null, 3, null],
        ['e', null, 0, -1.7976931348623157e308, null],
      ]);
    });

    it('makes end nodes with their edges, and tells edges apart by ends and key', async () => {
      const { database, ask } = await opened();
      await database.applyChunk(at(1, 1), [
        routes.Airport({ code: 'JFK', name: 'Kennedy' }),
        routes.ROUTE({ from: 'JFK', to: 'JFK', carrier: 'UA', flights: 4 }),
        routes.ROUTE({ from: 'JFK', to: 'LAX', carrier: 'AA', flights: 1 }),
        routes.ROUTE({ from: 'JFK', to: 'LAX', carrier: 'UA', flights: 2 }),
        routes.ROUTE({ from: 'LAX', to: 'JFK', carrier: 'UA' }),
        routes.SEEN({ from: 7, to: 'JFK', times: 1 }),
        routes.SEEN({ from: 7, to: 'LAX' }),
      ]);
      await database.applyChunk(at(1, 2), [
        routes.ROUTE({ from: 'JFK', to: 'LAX', carrier: 'UA', flights: 20 }),
        routes.SEEN({ from: 7, to: 'LAX', times: 3 }),
        routes.SEEN({ from: 8, to: 'SFO', times: 1 }),
      ]);
      expect(await ask('MATCH (n:Airport) RETURN n.code, n.name ORDER BY n.code')).toEqual([
        ['JFK', 'Kennedy'],
        ['LAX', null],
        ['SFO', null],
      ]);
      expect(await ask(edges)).toEqual([
        ['JFK', 'JFK', 'UA', 4],
        ['JFK', 'LAX', 'AA', 1],
        ['JFK', 'LAX', 'UA', 20],
        ['LAX', 'JFK', 'UA', null],
      ]);
      expect(await ask(seen)).toEqual([
        [7, 'JFK', 1],
        [7, 'LAX', 3],
        [8, 'SFO', 1],
      ]);
    });

    it('clears what is null and leaves alone what is not named', async () => {
      const { database, ask } = await opened();
      await database.applyChunk(at(1, 1), [
        routes.Airport({ code: 'JFK', name: 'Kennedy', gates: 128 }),
        routes.ROUTE({ from: 'JFK', to: 'JFK', carrier: 'UA', flights: 4 }),
      ]);
      await database.applyChunk(at(2, 1), [
        routes.Airport({ code: 'JFK', name: null }),
        routes.ROUTE({ from: 'JFK', to: 'JFK', carrier: 'UA' }),
      ]);
      expect(await ask(airports)).toEqual([['JFK', null, 128, null, null]]);
      expect(await ask(edges)).toEqual([['JFK', 'JFK', 'UA', 4]]);
      await database.applyChunk(at(3, 1), [
        routes.ROUTE({ from: 'JFK', to: 'JFK', carrier: 'UA', flights: null }),
      ]);
      expect(await ask(edges)).toEqual([['JFK', 'JFK', 'UA', null]]);
    });

    it('applies a chunk once, in order, and says how far it is', async () => {
      const { database, ask } = await opened();
      const name = (text: string): readonly GraphWrite[] => [
        routes.Airport({ code: 'JFK', name: text }),
      ];
      expect(await database.applyChunk(at(3, 1), name('one'))).toBe('applied');
      expect(await database.applyChunk(at(3, 2), name('two'))).toBe('applied');
      expect(await database.applyChunk(at(3, 1), name('again'))).toBe('skipped');
      expect(await database.applyChunk(at(3, 2), name('again'))).toBe('skipped');
      expect(await database.applyChunk(at(2, 9), name('old'))).toBe('skipped');
      expect(await ask(airports)).toMatchObject([['JFK', 'two', null, null, null]]);
      expect(
        await database.openSink({ sink: 't/sink', run: runOf(2), model, restored: allCounts }),
      ).toEqual({ checkpoint: 3, chunk: 2 });
      await expect(database.applyChunk(at(3, 4, 2), name('gap'))).rejects.toMatchObject({
        code: 'graph-behind',
      });
      await expect(database.applyChunk(at(5, 2, 2), name('gap'))).rejects.toMatchObject({
        code: 'graph-behind',
      });
      await expect(database.applyChunk(at(1, 1, 1, 't/unknown'), name('x'))).rejects.toMatchObject({
        code: 'graph-behind',
      });
      expect(await ask(airports)).toMatchObject([['JFK', 'two', null, null, null]]);
    });

    it('begins again for a run of another lineage that has no checkpoint, and ends the one before', async () => {
      const { database, ask } = await opened();
      const name = (text: string): readonly GraphWrite[] => [
        routes.Airport({ code: 'JFK', name: text }),
      ];
      const none = { from: { checkpoint: 0, chunk: 0 }, to: { checkpoint: 0, chunk: 0 } };
      await database.openSink({ sink: 't/sink', run: runOf(9), model, restored: allCounts });
      await database.applyChunk(at(5, 1, 9), name('before'));
      const again = { sink: 't/sink', run: runOf(1, '1234567890') };
      expect(await database.openSink({ ...again, model, restored: none })).toEqual({
        checkpoint: 0,
        chunk: 0,
      });
      await expect(database.applyChunk(at(6, 1, 9), name('late'))).rejects.toMatchObject({
        code: 'fenced',
      });
      expect(await database.applyChunk({ ...again, checkpoint: 1, chunk: 1 }, name('again'))).toBe(
        'applied',
      );
      expect(await ask(airports)).toMatchObject([['JFK', 'again', null, null, null]]);
    });

    it('goes on from an older copy of the checkpoints, whose writes it has, and applies what comes after them again', async () => {
      const { database, ask } = await opened();
      const name = (text: string): readonly GraphWrite[] => [
        routes.Airport({ code: 'JFK', name: text }),
      ];
      await database.applyChunk(at(5, 1), name('five'));
      await database.applyChunk(at(9, 1), name('nine'));
      const restored = { from: { checkpoint: 5, chunk: 0 }, to: { checkpoint: 5, chunk: 1 } };
      const copy = { sink: 't/sink', run: runOf(2), model, restored };
      expect(await database.openSink(copy)).toEqual({ checkpoint: 5, chunk: 1 });
      expect(await database.applyChunk(at(6, 1, 2), name('six'))).toBe('applied');
      expect(await ask(airports)).toMatchObject([['JFK', 'six', null, null, null]]);
    });

    it('refuses an attempt that another one has taken over from, and lets other sinks be', async () => {
      const { database, ask } = await opened();
      await database.openSink({ sink: 't/sink', run: runOf(2), model, restored: allCounts });
      await database.openSink({ sink: 't/other', run: runOf(1), model, restored: allCounts });
      await expect(
        database.applyChunk(at(1, 1), [routes.Airport({ code: 'stale' })]),
      ).rejects.toMatchObject({ code: 'fenced' });
      await expect(
        database.openSink({ sink: 't/sink', run: runOf(1), model, restored: allCounts }),
      ).rejects.toMatchObject({
        code: 'fenced',
      });
      await database.applyChunk(at(1, 1, 2), [routes.Airport({ code: 'new' })]);
      await database.applyChunk(at(1, 1, 1, 't/other'), [routes.Airport({ code: 'other' })]);
      expect((await ask(airports)).map(([code]) => code)).toEqual(['new', 'other']);
    });

    it('takes new labels, edge types and properties as a model grows, and refuses one that means something else', async () => {
      const { database, ask } = await opened();
      await database.applyChunk(at(1, 1), [routes.Airport({ code: 'JFK', name: 'Kennedy' })]);
      const more = graphModel({
        nodes: {
          Airport: { key: 'code', props: { code: 'string', city: 'string' } },
          City: { key: 'name', props: { name: 'string' } },
        },
        edges: {
          ROUTE: {
            from: 'Airport',
            to: 'Airport',
            key: ['carrier'],
            props: { carrier: 'string', miles: 'number' },
          },
          LIES_IN: { from: 'Airport', to: 'City' },
        },
      });
      await database.openSink({
        sink: 'u/sink',
        run: runOf(1),
        model: more.definition,
        restored: allCounts,
      });
      await database.applyChunk(at(1, 1, 1, 'u/sink'), [
        more.Airport({ code: 'JFK', city: 'New York' }),
        more.ROUTE({ from: 'JFK', to: 'LAX', carrier: 'UA', miles: 2475.5 }),
        more.LIES_IN({ from: 'JFK', to: 'New York' }),
      ]);
      // What was staged under the first model still applies.
      await database.applyChunk(at(1, 2), [routes.Airport({ code: 'JFK', gates: 128 })]);
      expect(
        await ask('MATCH (a:Airport)-[:LIES_IN]->(c:City) RETURN a.name, a.city, a.gates, c.name'),
      ).toEqual([['Kennedy', 'New York', 128, 'New York']]);
      expect(await ask('MATCH ()-[e:ROUTE]->() RETURN e.miles')).toEqual([[2475.5]]);
      const wrong: readonly (readonly [RegExp, { readonly definition: typeof model }])[] = [
        [
          /'code' of label 'Airport' is a string in the graph, a integer here/,
          graphModel({ nodes: { Airport: { key: 'code', props: { code: 'integer' } } } }),
        ],
        [
          /label 'Airport' is keyed by 'code' in the graph, keyed by 'city' here/,
          graphModel({ nodes: { Airport: { key: 'city', props: { city: 'string' } } } }),
        ],
        [/clashes/, graphModel({ nodes: { AIRPORT: { key: 'code', props: { code: 'string' } } } })],
        [/clashes/, graphModel({ nodes: { ROUTE: { key: 'code', props: { code: 'string' } } } })],
      ];
      for (const [message, { definition }] of wrong) {
        await expect(
          database.openSink({
            sink: 'v/sink',
            run: runOf(1),
            model: definition,
            restored: allCounts,
          }),
        ).rejects.toMatchObject({
          code: 'graph-model-mismatch',
          message: expect.stringMatching(message) as string,
        });
      }
    });

    it('holds in the end what the writes say one after the other, however they are merged and cut into chunks', async () => {
      const code = fc.constantFrom('JFK', 'LAX', 'SFO', 'BOS', 'SEA');
      const id = fc.nat({ max: 3 });
      const optional = <T>(values: fc.Arbitrary<T>): fc.Arbitrary<T | null | undefined> =>
        fc.option(fc.option(values), { nil: undefined });
      const text = fc.string({ unit: 'grapheme', maxLength: 5 });
      const real = fc.double({ noNaN: true, noDefaultInfinity: true });
      const write: fc.Arbitrary<GraphWrite> = fc.oneof(
        fc
          .record({
            code,
            name: optional(text),
            gates: optional(fc.maxSafeInteger()),
            height: optional(real),
            open: optional(fc.boolean()),
          })
          .map(routes.Airport),
        fc.record({ id, seats: optional(fc.integer()) }).map(routes.Plane),
        fc
          .record({
            from: code,
            to: code,
            carrier: fc.constantFrom('UA', 'AA'),
            flights: optional(fc.integer()),
          })
          .map(routes.ROUTE),
        fc.record({ from: id, to: code, times: optional(fc.integer()) }).map(routes.SEEN),
        fc
          .record({ from: id, to: id, day: fc.integer({ min: -1, max: 1 }), gap: optional(real) })
          .map(routes.FOLLOWS),
      );
      const checkpoints = fc.array(fc.array(write, { minLength: 1, maxLength: 40 }), {
        minLength: 1,
        maxLength: 4,
      });
      const { database, ask } = await opened();
      // Each run has a sink of its own and goes on in the same graph, so the oracle does as well.
      const oracle = new GraphOracle(model);
      let sinks = 0;
      await fc.assert(
        fc.asyncProperty(checkpoints, fc.integer({ min: 1, max: 50 }), async (all, size) => {
          const sink = `t/run-${sinks++}`;
          await database.openSink({ sink, run: runOf(1), model, restored: allCounts });
          for (const [index, writes] of all.entries()) {
            const pending = new PendingWrites(model);
            for (const one of writes) {
              oracle.apply(one);
              pending.add(one, 0);
            }
            const merged = pending
              .takeChunks()
              .flatMap((chunk) => JSON.parse(chunk) as GraphWrite[]);
            for (let chunk = 1, begin = 0; begin < merged.length; chunk++, begin += size) {
              await database.applyChunk(
                at(index + 1, chunk, 1, sink),
                merged.slice(begin, begin + size),
              );
            }
          }
          await expectEqual(ask, oracle);
        }),
        { numRuns: runs },
      );
    });

    it('keeps rows apart in chunks as large as they come', async () => {
      const { database, ask } = await opened();
      const oracle = new GraphOracle(model);
      for (let round = 0; round < 2; round++) {
        const pending = new PendingWrites(model);
        const add = (write: GraphWrite): void => {
          oracle.apply(write);
          pending.add(write, 0);
        };
        for (let n = round * 700; n < 3_000 + round * 700; n++) {
          const from = `${n}`;
          add(
            routes.Airport({
              code: from,
              name: `name ${n} ${round}`,
              gates: n * (round + 1),
              height: n / 7,
              open: n % 2 === 0,
            }),
          );
          add(
            routes.ROUTE({
              from,
              to: `${(n * 7919) % 4_000}`,
              carrier: n % 3 === 0 ? 'UA' : 'AA',
              flights: n + round,
            }),
          );
          add(routes.SEEN({ from: n, to: `${(n * 31) % 500}`, times: n - round }));
          add(routes.FOLLOWS({ from: n % 40, to: n % 37, day: n % 90, gap: n / 3 }));
        }
        for (const [index, chunk] of pending.takeChunks().entries()) {
          await database.applyChunk(at(round + 1, index + 1), JSON.parse(chunk) as GraphWrite[]);
        }
        await expectEqual(ask, oracle);
      }
    });
  });
}

async function expectEqual(ask: GraphDatabaseRig['ask'], oracle: GraphOracle): Promise<void> {
  const nodes = async (label: string, columns: readonly string[]): Promise<void> => {
    const found = await ask(
      `MATCH (n:${label}) RETURN ${columns.map((column) => `n.${column}`).join(', ')}`,
    );
    expectRows(found, oracle.rows(label, columns));
  };
  const links = async (type: string, columns: readonly string[]): Promise<void> => {
    const props = columns.map((column) => `, e.${column}`).join('');
    const { from, to } = model.edges[type] as EdgeModel;
    const [a, b] = [from, to].map((label) => (model.nodes[label] as NodeModel).key);
    const found = await ask(
      `MATCH (a:${from})-[e:${type}]->(b:${to}) RETURN a.${a} AS f, b.${b} AS t${props}`,
    );
    expectRows(found, oracle.rows(type, ['from', 'to', ...columns]));
  };
  await nodes('Airport', ['code', 'name', 'gates', 'height', 'open']);
  await nodes('Plane', ['id', 'seats']);
  await links('ROUTE', ['carrier', 'flights']);
  await links('SEEN', ['times']);
  await links('FOLLOWS', ['day', 'gap']);
}

/** A difference shows a few rows, not thousands. */
function expectRows(
  found: readonly (readonly unknown[])[],
  wanted: readonly (readonly unknown[])[],
): void {
  const lines = (rows: readonly (readonly unknown[])[]): readonly string[] =>
    sortedRows(rows).map((row) => JSON.stringify(row));
  const [is, should] = [lines(found), lines(wanted)];
  const [isAll, shouldAll] = [new Set(is), new Set(should)];
  expect(is.filter((line) => !shouldAll.has(line)).slice(0, 10), 'rows that should not be').toEqual(
    [],
  );
  expect(should.filter((line) => !isAll.has(line)).slice(0, 10), 'rows that are not there').toEqual(
    [],
  );
  expect(is.length).toBe(should.length);
}
