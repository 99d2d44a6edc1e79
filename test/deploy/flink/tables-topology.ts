/** A topology with tables of all types of columns, and elements of each kind of rejection. */
import { count, rejected, schemaOf, stream, table, topology, tumbling } from 'sluice';

export interface Reading {
  readonly n: number;
  readonly at: string;
  readonly team: string;
  readonly note: string;
}

const readingSchema = schemaOf<Reading>({
  $id: 'reading',
  type: 'object',
  required: ['n', 'at', 'team', 'note'],
  properties: {
    n: { type: 'number' },
    at: { type: 'string', format: 'date-time' },
    team: { type: 'string' },
    note: { type: 'string', maxLength: 30 },
  },
});

interface Typed {
  readonly id: string;
  readonly n: number;
  readonly at: string;
  readonly ratio: number | null;
  readonly good: boolean;
  readonly note?: string;
  readonly nested: object;
  readonly any: unknown;
  readonly team: string;
}

const typedSchema = schemaOf<Typed>({
  $id: 'typed',
  type: 'object',
  additionalProperties: false,
  required: ['id', 'n', 'at', 'ratio', 'good', 'nested', 'team'],
  properties: {
    id: { type: 'string', description: 'Which one' },
    n: { type: 'integer' },
    at: { type: 'string', format: 'date-time' },
    ratio: { type: ['number', 'null'] },
    good: { type: 'boolean' },
    note: { type: 'string' },
    nested: { type: 'object' },
    any: { type: ['string', 'integer', 'null'] },
    team: { type: 'string' },
  },
});

interface PerTeam {
  readonly team: string;
  readonly start: string;
  readonly n: number;
}

const perTeamSchema = schemaOf<PerTeam>({
  $id: 'per-team',
  type: 'object',
  required: ['team', 'start', 'n'],
  properties: {
    team: { type: 'string' },
    start: { type: 'string', format: 'date-time' },
    n: { type: 'integer' },
  },
});

/** A reading of this number has no place in it: the function throws. */
const unlucky = 13;

export default topology('readings', { version: 3, owner: 'lab/own' }, (t) => {
  const readings = t
    .source('readings', stream('lab/readings'))
    // Lines that only keep a reader awake.
    .filter(({ data }) => data !== null)
    .validate('readings-valid', readingSchema)
    .eventTime('time', ({ data }) => Date.parse(data.at), {
      outOfOrderness: '1h',
      future: { max: 0 },
    });
  readings
    .map(({ id, data: { n, at, team, note } }) => {
      if (n === unlucky) throw new Error('not that one');
      const more = n % 3 === 0 ? {} : { note };
      return {
        ...{ id, n, at, ratio: n % 5 === 0 ? null : n / 7, good: n % 2 === 0, team },
        ...{ nested: { note, list: [n, null, { team }] }, any: n % 4 === 0 ? note : n },
        ...more,
      };
    })
    .sinkTo('typed', table('typed', typedSchema, { rowId: true }));
  readings.filter(({ data }) => data.n < 0).sinkTo('below-zero', rejected());
  readings
    .keyBy(({ data }) => data.team)
    .window('per-team', tumbling('30m'), { allowedLateness: '1h' })
    .aggregate({ n: count() })
    .out.map(({ key, windowStart, n }) => ({
      team: key,
      start: new Date(windowStart).toISOString(),
      n,
    }))
    .sinkTo(
      'latest',
      table('per_team', perTeamSchema, { partitionBy: ['date'], upsert: ['team', 'start'] }),
    );
});
