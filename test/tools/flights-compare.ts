/**
 * Compares what the flights came to with an independent reading of their files: tables, rejected
 * rows, counts of the operators, the graph; and with expected.json, where there is one.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Check, Line } from './flights-checks.ts';
import { compareEnriched, compareGraph, readLines, rowsOf } from './flights-checks.ts';
import type { FlightsSubject } from './flights-subject.ts';

export const flightsFiles = ['departures', 'weather', 'schedules'] as const;

export interface FlightsInput {
  /** The folder of the files that were sent, and the one whose registers the topology reads. */
  readonly data: string;
  readonly registers: string;
  /** How often each file was sent. */
  readonly times: number;
  /**
   * Whether a process ended while events were sent to it: a batch whose answer that swallowed is
   * sent again.
   */
  readonly killed: boolean;
  readonly check: Check;
}

interface Sent {
  readonly departures: readonly Line[];
  readonly weather: readonly Line[];
  readonly schedules: readonly Line[];
  /** Departures, each once, that left; and those that were cancelled, by id. */
  readonly left: readonly Line[];
  readonly cancelled: ReadonlyMap<string, Line>;
}

/** Reads a subject that is drained. */
export async function compareFlights(subject: FlightsSubject, input: FlightsInput): Promise<void> {
  const { data, registers, check } = input;
  const lake = await subject.lake();
  const sent = readSent(data);
  await compareTables(lake, sent, check);
  await compareRows(lake, sent, check);
  await compareRejected(lake, sent, input);
  await compareStatus(subject, check);
  const flights = sent.left.map((line) => line.fields);
  const weather = once(sent.weather).map((line) => line.fields);
  await compareEnriched({ lake, data, registers, flights, weather, check });
  await compareGraph({ data, flights, check }, (cypher) => subject.graph(cypher));
  await compareExpected(lake, input);
}

/** Each event once, as the topology keeps it: the first of an id. */
const once = (lines: readonly Line[]): readonly Line[] =>
  [...new Map([...lines].reverse().map((line) => [line.id, line])).values()].reverse();

function readSent(data: string): Sent {
  const [departures, weather, schedules] = flightsFiles.map((file) => readLines(data, file));
  const cancelled = (departures ?? []).filter((line) => line.fields['departed'] === null);
  return {
    departures: departures ?? [],
    weather: weather ?? [],
    schedules: schedules ?? [],
    left: once(departures ?? []).filter((line) => line.fields['departed'] !== null),
    cancelled: new Map(cancelled.map((line) => [line.id, line])),
  };
}

async function compareTables(lake: string, sent: Sent, check: Check): Promise<void> {
  const distinct = (some: readonly Line[]): number => new Set(some.map((line) => line.id)).size;
  for (const [table, expected] of [
    ['departures', sent.left],
    ['weather', sent.weather],
    ['schedules', sent.schedules],
  ] as const) {
    const [row] = await rowsOf(lake, `SELECT count(*), count(DISTINCT id) FROM ${table}`);
    check(`${table}: rows, and distinct ids`, row, [distinct(expected), distinct(expected)]);
  }
}

/** Columns of the table, and members of the events, in the same order. */
const columns =
  'carrier, flight, tailnum, origin, dest, scheduled, departed, dep_delay_min, arr_delay_min, air_time_min, distance_miles';
const members = [
  'carrier',
  'flight',
  'tailnum',
  'origin',
  'dest',
  'scheduled',
  'departed',
  'depDelayMin',
  'arrDelayMin',
  'airTimeMin',
  'distanceMiles',
];

async function compareRows(lake: string, sent: Sent, check: Check): Promise<void> {
  const landed = await rowsOf(lake, `SELECT id, ${columns} FROM departures ORDER BY id`);
  const wanted = sent.left
    .map((line) => [line.id, ...members.map((name) => line.fields[name])])
    .sort((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1));
  check(
    'departures: rows that differ from the file',
    wanted.filter((row, index) => JSON.stringify(row) !== JSON.stringify(landed[index])).length,
    0,
  );

  const partitions = await rowsOf(
    lake,
    "SELECT count(*) FROM departures WHERE strftime(departed, '%Y-%m-%d %H') <> strftime(date, '%Y-%m-%d') || ' ' || hour",
  );
  check('departures: rows in the folder of another hour', partitions[0]?.[0], 0);

  const visibility = await rowsOf(
    lake,
    'SELECT round(sum(visib), 2), count(wind_gust) FROM weather',
  );
  const observed = once(sent.weather);
  const sum = observed.reduce((total, line) => total + Number(line.fields['visib'] ?? 0), 0);
  check('weather: summed visibility, and gusts', visibility[0], [
    Math.round(sum * 100) / 100,
    observed.filter((line) => line.fields['wind_gust'] !== null).length,
  ]);

  const stored = new Map(
    (await rowsOf(lake, 'SELECT id, data FROM schedules')).map(([id, data]) => [id, data]),
  );
  check(
    'schedules: byte-identical',
    sent.schedules.filter((line) => stored.get(line.id) === line.data).length,
    sent.schedules.length,
  );
}

async function compareRejected(
  lake: string,
  { cancelled }: Sent,
  { times, killed, check }: FlightsInput,
): Promise<void> {
  const rejected = await rowsOf(
    lake,
    'SELECT id, code, pointer, schema, data, position, split, seen FROM rejected',
  );
  check('rejected: rows', rejected.length, cancelled.size);
  const right = rejected.filter(([id, code, pointer, schema, data, position, split]) => {
    const line = cancelled.get(String(id));
    const named =
      code === 'schema-violation' &&
      pointer === '/departed' &&
      String(schema).includes('departure');
    return (
      line !== undefined &&
      named &&
      data === line.data &&
      /^\d+(?::\d+)?$/.test(String(position)) &&
      String(split).startsWith('shardId-')
    );
  });
  check(
    'rejected: with code, pointer, schema, original bytes and position',
    right.length,
    cancelled.size,
  );
  const seen = rejected.map((row) => Number(row[7]));
  if (!killed)
    check(
      'rejected: seen',
      [Math.min(...seen), Math.max(...seen)],
      cancelled.size === 0 ? [null, null] : [times, times],
    );
  // What is sent again is truly seen once more, never once less.
  else
    check(
      'rejected: seen at least as often as sent',
      seen.filter((count) => count >= times).length,
      cancelled.size,
    );
}

async function compareStatus(subject: FlightsSubject, check: Check): Promise<void> {
  const status = await subject.status();
  const paths = new Set(
    status?.topologies.flatMap(
      (topology) =>
        topology.job?.splits
          .filter((split) => split.position !== null)
          .map((split) => split.path) ?? [],
    ),
  );
  check('both routes carried data', [...paths].sort(), ['kafka', 'kinesis']);
  const nodes = status?.topologies.flatMap((topology) => topology.job?.nodes ?? []) ?? [];
  const unbalanced = nodes.filter(
    (node) =>
      node.in !==
      node.passed +
        node.filtered +
        node.late +
        node.deduplicated +
        node.rejected +
        (node.waiting ?? 0),
  );
  check(
    'conservation: nodes where in is not passed + filtered + late + deduplicated + rejected',
    unbalanced.map((node) => node.id),
    [],
  );
}

async function compareExpected(lake: string, { data, check }: FlightsInput): Promise<void> {
  const expectedFile = join(data, 'expected.json');
  if (!existsSync(expectedFile)) return;
  const expected = JSON.parse(readFileSync(expectedFile, 'utf8')) as Record<string, unknown>;
  const cancelled = Number(expected['cancelled (no departure time)']);
  const counts = await rowsOf(
    lake,
    'SELECT (SELECT count(*) FROM departures), (SELECT count(*) FROM rejected), (SELECT count(*) FROM weather), (SELECT count(*) FROM schedules)',
  );
  const { count } = expected['schedules'] as { count: number };
  check('expected.json: departures, rejected, weather, schedules', counts[0], [
    Number(expected['events']) - cancelled,
    cancelled,
    expected['weather'],
    count,
  ]);
}
