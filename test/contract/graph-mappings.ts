/**
 * What the ready graph mappings must be on every graph database: events in any order, through a
 * topology's window and mapping into the graph, and each documented question answered as an
 * independent calculation over the events says.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PendingWrites } from '../../enrich/graph/pending-writes.ts';
import type { GraphQuestion } from '../../enrich/index.ts';
import { influence, influenceQuestions, journey, journeyQuestions } from '../../enrich/index.ts';
import type { GraphWrite, Topology } from '../../topology/index.ts';
import { graph, session, stream, topology } from '../../topology/index.ts';
import { createDriver } from '../../topology/testing.ts';
import { allCounts, runOf } from '../runs.ts';
import type { GraphDatabaseContract, GraphDatabaseRig } from './graph-database.ts';
import type { Step } from './graph-mapping-answers.ts';
import { gapMs, influenceAnswers, journeyAnswers } from './graph-mapping-answers.ts';

const visits = journey<Step>({
  id: ({ id }) => id,
  time: ({ at }) => at,
  user: ({ user }) => user,
  page: ({ page }) => page,
  event: ({ kind }) => kind,
});

const influences = influence<Step>({
  id: ({ id }) => id,
  time: ({ at }) => at,
  user: ({ user }) => user,
  promo: ({ promo }) => promo ?? undefined,
  referrer: ({ referrer }) => referrer ?? undefined,
  conversion: ({ order, price }) =>
    order === null ? undefined : { id: order, value: price ?? undefined },
});

const sessions = topology('sessions', { version: 1, owner: 'a/b' }, (t) => {
  const steps = t
    .source('steps', stream('a/b'))
    .map((event) => event as unknown as Step)
    .eventTime('time', ({ at }) => at, { outOfOrderness: 0, future: { max: 0 } })
    .keyBy(({ user }) => user);
  const journeys = steps.window('journeys', session(gapMs)).aggregate({ path: visits.path });
  journeys.out.sinkTo('journey', graph(visits.model, visits.writes));
  const attributions = steps
    .window('attributions', session(gapMs))
    .aggregate({ path: influences.path });
  attributions.out.sinkTo('influence', graph(influences.model, influences.writes));
});

/** What the topology's sink was given after the steps came in this order. */
async function writesOf(
  of: Topology,
  sink: string,
  steps: readonly Step[],
): Promise<readonly GraphWrite[]> {
  const driver = await createDriver(of);
  await driver.push('steps', steps);
  await driver.advanceWatermark('max');
  expect(driver.rejected()).toEqual([]);
  return driver.read(sink).flatMap(({ value }) => value as readonly GraphWrite[]);
}

const few = (prefix: string, most: number): fc.Arbitrary<string> =>
  fc.integer({ min: 1, max: most }).map((n) => `${prefix}${n}`);
const maybe = <T>(values: fc.Arbitrary<T>): fc.Arbitrary<T | null> =>
  fc.option(values, { freq: 3 });

/** Steps of a few users, many at one time; some come twice. */
const arrivals: fc.Arbitrary<readonly Omit<Step, 'id'>[]> = fc.array(
  fc.record({
    at: fc.oneof(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 15 * gapMs })),
    user: few('u', 4),
    page: few('/p', 6),
    kind: fc.constantFrom('view', 'click'),
    promo: maybe(few('promo', 6)),
    referrer: maybe(few('host', 3)),
    order: maybe(fc.constant('order')),
    price: fc.option(fc.integer({ min: -4, max: 400 }).map((n) => n / 4)),
  }),
  { minLength: 1, maxLength: 80, size: 'max' },
);

export function graphMappingsContract(name: string, { open, runs }: GraphDatabaseContract): void {
  interface Mapping {
    readonly sink: 'journey' | 'influence';
    readonly definition: Parameters<GraphDatabaseRig['database']['openSink']>[0]['model'];
    readonly questions: Readonly<Record<string, GraphQuestion>>;
    readonly answers: (
      steps: readonly Step[],
    ) => Readonly<Record<string, readonly (readonly unknown[])[]>>;
  }
  const mappings: readonly Mapping[] = [
    {
      sink: 'journey',
      definition: visits.model.definition,
      questions: journeyQuestions,
      answers: journeyAnswers,
    },
    {
      sink: 'influence',
      definition: influences.model.definition,
      questions: influenceQuestions,
      answers: influenceAnswers,
    },
  ];

  describe(`${name}, under the ready mappings`, () => {
    it.each(mappings)(
      'answers all questions of $sink as the events say',
      async ({ sink, definition, questions, answers }) => {
        const { database, ask } = await open();
        // Each run goes on in the same graph, with users and events of its own.
        const all: Step[] = [];
        const answered = new Set<string>();
        let run = 0;
        await fc.assert(
          fc.asyncProperty(arrivals, fc.infiniteStream(fc.nat()), async (arrived, picks) => {
            run++;
            const steps = arrived.map((step, index): Step => {
              const order = step.order === null ? null : `${step.order}${run}-${index}`;
              // Of a promo of many runs sooner or later all precede a conversion.
              const promo = step.promo === 'promo6' ? `rare${run}-${index}` : step.promo;
              return { ...step, id: `e${run}-${index}`, user: `${step.user}-${run}`, promo, order };
            });
            const shuffled = [...steps, ...steps.filter((_, index) => index % 5 === 0)]
              .map((step) => [picks.next().value as number, step] as const)
              .sort(([a], [b]) => a - b)
              .map(([, step]) => step);
            all.push(...steps);
            await applied(
              database,
              `t/${sink}-${run}`,
              definition,
              await writesOf(sessions, sink, shuffled),
            );
            const expected = answers(all);
            expect(Object.keys(expected).sort()).toEqual(Object.keys(questions).sort());
            for (const [question, { cypher }] of Object.entries(questions)) {
              const rows = plain(await ask(cypher));
              expect(rows, question).toEqual(plain(expected[question] ?? []));
              if (rows.length > 1) answered.add(question);
            }
          }),
          // The same at every run: whether all questions were asked to the point must not be for
          // chance to say.
          { numRuns: runs, seed: 1 },
        );
        expect([...answered].sort(), 'questions that had several rows').toEqual(
          Object.keys(questions).sort(),
        );
      },
    );

    it('holds both mappings in one graph: their users are the same nodes', async () => {
      const { database, ask } = await open();
      const step = {
        user: 'u1',
        page: '/p1',
        kind: 'view',
        promo: 'promo1',
        referrer: null,
        order: null,
        price: null,
      };
      const steps: readonly Step[] = [
        { ...step, id: 'e1', at: 0 },
        { ...step, id: 'e2', at: 5, order: 'o1' },
      ];
      for (const { sink, definition } of mappings)
        await applied(database, `t/${sink}`, definition, await writesOf(sessions, sink, steps));
      const both =
        'MATCH (s:Session)<-[:HAD]-(u:User)-[:CONVERTED]->(c:Conversion) RETURN u.id, s.id, c.id';
      expect(await ask(both)).toEqual([['u1', 'u1@0', 'o1']]);
      expect(plain(await ask('MATCH (u:User) RETURN count(*)'))).toEqual([[1]]);
    });
  });
}

async function applied(
  database: GraphDatabaseRig['database'],
  sink: string,
  model: Parameters<GraphDatabaseRig['database']['openSink']>[0]['model'],
  writes: readonly GraphWrite[],
): Promise<void> {
  await database.openSink({ sink, run: runOf(1), model, restored: allCounts });
  const pending = new PendingWrites(model);
  for (const write of writes) pending.add(write, 0);
  for (const [index, chunk] of pending.takeChunks().entries())
    await database.applyChunk(
      { sink, run: runOf(1), checkpoint: 1, chunk: index + 1 },
      JSON.parse(chunk) as GraphWrite[],
    );
}

/**
 * Whole numbers of any kind as numbers; fractions to twelve digits, as databases sum means in
 * orders of their own.
 */
function plain(rows: readonly (readonly unknown[])[]): readonly (readonly unknown[])[] {
  return rows.map((row) =>
    row.map((value) =>
      typeof value === 'bigint' || typeof value === 'number'
        ? Number(Number(value).toPrecision(12))
        : value,
    ),
  );
}
