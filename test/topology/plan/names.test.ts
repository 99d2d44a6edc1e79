/**
 * Names that meet are told when a topology is built, with the node: none of two things of one name
 * is lost without a word.
 */
import { expect, it } from 'vitest';
import type { Stream, Topology, TopologyBuilder } from '../../../topology/index.ts';
import {
  collect,
  connector,
  count,
  fileTable,
  graph,
  graphModel,
  oneOf,
  rejected,
  schemaOf,
  stream,
  table,
  topology,
  tumbling,
  validateTopology,
  value,
} from '../../../topology/index.ts';
import { isLateOutput } from '../../../topology/plan/plan.ts';
import { createDriver, event } from '../../../topology/testing.ts';
import { saying } from '../../said.ts';

interface Row {
  readonly k: string;
  readonly at: number;
}

const row = schemaOf<Row>({
  $id: 'row',
  type: 'object',
  properties: { k: { type: 'string' }, at: { type: 'number' } },
});

function built(build: (rows: Stream<Row>, t: TopologyBuilder) => void, name = 'names'): Topology {
  return topology(name, { version: 1, owner: 'a/b' }, (t) => {
    const rows = t
      .source('in', stream('a/b'))
      .validate('valid', row)
      .map((e) => e.data)
      .eventTime('time', (r) => r.at, { outOfOrderness: 0 });
    build(rows, t);
  });
}

const problemsOf = (of: Topology): readonly string[] =>
  validateTopology(of).map(({ node, message }) => `${node}: ${message}`);

/** Branches by names that the types may refuse. */
function branchBy(conditions: Readonly<Record<string, (value: Row) => boolean>>): Topology {
  return built((rows) => {
    const parts: Readonly<Record<string, Stream<Row>>> = rows.branch(
      conditions as Readonly<Record<'a', (value: Row) => boolean>>,
    );
    for (const [port, part] of Object.entries(parts))
      part.sinkTo(`sink-${port.replace(/[^a-z]/g, '')}`, collect());
  });
}

const yes = (): boolean => true;

it.each([
  [
    'rest',
    "a branch cannot have a condition named 'rest': that output gets the elements that match no condition",
  ],
  ['constructor', "not a member of every object; not 'constructor'"],
  ['toString', "not a member of every object; not 'toString'"],
  ['a.b', "the name of a branch's condition must be 1 to 63 of A-Z a-z 0-9 _ -"],
  ['a/map', "the name of a branch's condition must be 1 to 63 of A-Z a-z 0-9 _ -"],
  ['', "the name of a branch's condition must be 1 to 63 of A-Z a-z 0-9 _ -"],
  // JavaScript gives whole numbers before other names, and conditions are asked in order.
  ['7', "the name of a branch's condition must be 1 to 63 of A-Z a-z 0-9 _ -"],
])('a branch by a condition named %j is refused', (name, message) => {
  const problems = problemsOf(branchBy({ high: yes, [name]: yes }));
  expect(
    problems.some((problem) => problem.startsWith('time/branch: ') && problem.includes(message)),
  ).toBe(true);
});

it('a branch by conditions that are not seen is refused', () => {
  const inherited = Object.create(
    { low: yes },
    { high: { value: yes, enumerable: true } },
  ) as Record<string, () => boolean>;
  expect(problemsOf(branchBy(inherited))).toEqual([
    'time/branch: its conditions must be a plain object: inherited members and __proto__ are ignored',
  ]);
  // oxlint-disable-next-line no-proto
  expect(problemsOf(branchBy({ high: yes, __proto__: { low: yes } } as never))[0]).toMatch(
    /its conditions must be a plain object/,
  );
});

it('conditions named as other outputs are, out and late, are themselves', async () => {
  const of = built((rows) => {
    const parts = rows.branch({ out: (r) => r.at > 9, late: (r) => r.at > 4 });
    parts.out.map((r) => r.at).sinkTo('high', collect());
    parts.late.sinkTo('sorted-out', rejected());
    parts.rest.map((r) => r.at).sinkTo('low', collect());
    const once = rows.deduplicate('once', { by: (r) => r.k, within: 10, late: 'side' });
    once.out.sinkTo('first', collect());
    once.late.sinkTo('too-late', rejected());
  });
  expect(problemsOf(of)).toEqual([]);
  const driver = await createDriver(of, { now: 100 });
  await driver.push('in', [
    event({ k: 'a', at: 10 }),
    event({ k: 'b', at: 5 }),
    event({ k: 'c', at: 1 }),
  ]);
  expect(driver.read('high').map((one) => one.value)).toEqual([10]);
  expect(driver.read('low').map((one) => one.value)).toEqual([1]);
  // What a branch sorts out did not come too late.
  const lateOnes = of.plan.nodes.filter(
    ({ kind, inputs: [from] }) =>
      kind === 'sink' && from !== undefined && isLateOutput(of.plan, from),
  );
  expect(lateOnes.map(({ id }) => id)).toEqual(['too-late']);
});

it('ids and names that every object has are refused', () => {
  const of = built((rows) => {
    rows.deduplicate('toString', { by: (r) => r.k, within: 1 }).sinkTo('valueOf', collect());
    rows
      .lookup('ask', connector<number>('constructor'), { by: (r) => r.k }, (r) => r)
      .sinkTo('asked', collect());
    rows
      .lookup(
        'look',
        fileTable('t.json', row, { key: 'constructor' as 'k' }),
        { by: (r) => r.k },
        (r) => r,
      )
      .sinkTo('looked', collect());
  }, 'constructor');
  expect(problemsOf(of)).toEqual([
    "look: the key 'constructor' of t.json is not a property of its schema",
    "constructor: the name of a topology cannot be 'constructor': every object of JavaScript has a member of that name",
    "toString: an id cannot be 'toString': every object of JavaScript has a member of that name",
    "valueOf: an id cannot be 'valueOf': every object of JavaScript has a member of that name",
    "ask: the name of a connector must be 1 to 64 of A-Z a-z 0-9 . _ -, starting with a letter or digit, and not a member of every object; not 'constructor'",
  ]);
});

it('an id that is the place of another node is refused', () => {
  const of = built((rows) => {
    rows.map((r) => r).sinkTo('mapped', collect());
    rows.deduplicate('time/map', { by: (r) => r.k, within: 1 }).sinkTo('out', collect());
  });
  expect(problemsOf(of)).toContain(
    'time/map: the id is used twice; ids identify state in checkpoints and must be unique',
  );
});

it('columns that differ in case only are refused, from each other and from the folders', () => {
  const columns = (...names: readonly string[]) =>
    schemaOf<unknown>({
      $id: 'columns',
      type: 'object',
      properties: Object.fromEntries(names.map((name) => [name, { type: 'string' }])),
    });
  const of = built((rows) => {
    rows.sinkTo('alike', table('alike', columns('userId', 'userid', 'other')));
    rows.sinkTo('folder', table('folder', columns('Team')));
    rows.sinkTo('fine', table('fine', columns('team', 'userId')));
    rows.sinkTo('fine-too', table('fine_too', columns('Team'), { partitionBy: ['date'] }));
  });
  expect(problemsOf(of)).toEqual([
    "alike: the columns 'userId' and 'userid' differ in case only, which SQL ignores",
    "folder: the column 'Team' and the partition column 'team' differ in case only, which SQL ignores",
  ]);
});

it('two schemas of one id, and labels of two graphs that differ in case only, are refused', () => {
  const of = built((rows, t) => {
    const [one, other] = [
      schemaOf<Row>({ $id: 'same' }),
      schemaOf<Row>({ $id: 'same', type: 'object' }),
    ];
    t.source('more', stream('a/c'))
      .validate('either', oneOf(one, other))
      .sinkTo('either-out', collect());
    const people = graphModel({ nodes: { User: { key: 'k', props: { k: 'string' } } } });
    const others = graphModel({ nodes: { USER: { key: 'k', props: { k: 'string' } } } });
    rows.sinkTo(
      'people',
      graph(people, (r) => [people.User({ k: r.k })]),
    );
    rows.sinkTo(
      'others',
      graph(others, (r) => [others.USER({ k: r.k })]),
    );
  });
  expect(problemsOf(of)).toEqual([
    "others: its graph model defines 'USER' differently from the sink 'people'",
    "either: it has two schemas named 'same'",
  ]);
});

it('aggregates and states that are not seen are refused', () => {
  const of = built((rows) => {
    const keyed = rows.keyBy((r) => r.k);
    const inherited = Object.create(
      { hidden: count() },
      { n: { value: count(), enumerable: true } },
    ) as { n: ReturnType<typeof count> };
    keyed.window('w', tumbling(10)).aggregate(inherited).out.sinkTo('w-out', collect());
    const state = Object.create({ hidden: value<number>() }) as Record<never, never>;
    keyed.process('p', { state, onElement: (r) => [r] }).sinkTo('p-out', collect());
  });
  expect(problemsOf(of)).toEqual([
    'w: its aggregates must be a plain object: inherited members and __proto__ are ignored',
    'p: its state must be a plain object: inherited members and __proto__ are ignored',
  ]);
});

it('what a driver is given by name is its own', async () => {
  const of = built((rows) => {
    rows
      .lookup('look', fileTable('valueOf', row, { key: 'k' }), { by: (r) => r.k }, (r) => r)
      .sinkTo('out', collect());
  });
  await expect(createDriver(of, { tables: {} })).rejects.toMatchObject({
    code: 'lookup-table-missing',
    message: saying({ names: ['valueOf'] }),
  });
});
