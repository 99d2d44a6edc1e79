/**
 * What the flights example must come to, computed from the files by other means than the project's
 * own, and from expected.json where there is one.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { queryLake } from '../../enrich/lake/query.ts';

/** An event of a file: `data` is its last member. */
export interface Line {
  readonly id: string;
  readonly data: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export function readLines(dir: string, file: string): readonly Line[] {
  const text = gunzipSync(readFileSync(join(dir, `${file}.ndjson.gz`))).toString('utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const { id, data } = JSON.parse(line) as { id: string; data: Record<string, unknown> };
      return { id, data: line.slice(line.indexOf('"data":') + '"data":'.length, -1), fields: data };
    });
}

export type Check = (what: string, found: unknown, expected: unknown) => void;

/** Prints a line a check and counts them. */
export function checks(): {
  readonly check: Check;
  readonly result: { passed: number; failed: number };
} {
  const result = { passed: 0, failed: 0 };
  const check: Check = (what, found, expected) => {
    const [is, should] = [JSON.stringify(found), JSON.stringify(expected)];
    if (is === should) {
      result.passed++;
      console.log(`ok    ${what}: ${is.slice(0, 120)}`);
    } else {
      result.failed++;
      console.log(`FAIL  ${what}: found ${is.slice(0, 400)}, expected ${should.slice(0, 400)}`);
    }
  };
  return { check, result };
}

/** All of them: whole tables are compared. */
export async function rowsOf(lake: string, sql: string): Promise<readonly (readonly unknown[])[]> {
  const { rows, cut } = await queryLake(lake, sql, {
    maxRows: 10_000_000,
    maxBytes: 10_000_000_000,
  });
  if (cut !== false) throw new Error(`'${sql}' has more rows than can be compared`);
  return rows;
}

type Fields = Readonly<Record<string, unknown>>;

interface Flight {
  readonly origin: string;
  readonly dest: string;
  readonly carrier: string;
  readonly tailnum: string;
  readonly departedMs: number;
  readonly delayMin: number;
}

const hourMs = 3_600_000;
const gapMs = 6 * hourMs;

export interface EnrichedInput {
  readonly lake: string;
  /** The folder of the files, and the one whose registers the topology reads. */
  readonly data: string;
  readonly registers: string;
  /** Each event once, without the cancelled ones. */
  readonly flights: readonly Fields[];
  readonly weather: readonly Fields[];
  readonly check: Check;
}

export async function compareEnriched(input: EnrichedInput): Promise<void> {
  const { lake, check } = input;
  const flights = input.flights.map(
    (fields): Flight => ({
      origin: String(fields['origin']),
      dest: String(fields['dest']),
      carrier: String(fields['carrier']),
      tailnum: String(fields['tailnum']),
      departedMs: Date.parse(String(fields['departed'])),
      delayMin: Number(fields['depDelayMin']),
    }),
  );
  const hourly = hourlyOf(flights);
  const landedHours = await rowsOf(
    lake,
    'SELECT origin, window_start, departures, delay_min, window_end FROM departures_hourly ORDER BY window_start, origin',
  );
  check(
    'departures_hourly: airport, hour, flights and delay',
    different(
      landedHours.map((row) => [row[0], isoOf(row[1]), row[2], row[3]]),
      hourly,
    ),
    [hourly.length, 0],
  );
  check(
    'departures_hourly: windows of another length',
    landedHours.filter((row) => msOf(row[4]) - msOf(row[1]) !== hourMs).length,
    0,
  );

  const weather = weatherOf(flights, input.weather);
  const joined = await rowsOf(
    lake,
    'SELECT origin, count(weather_observed), count(*) - count(weather_observed), round(sum(visib), 2) FROM departures GROUP BY origin ORDER BY origin',
  );
  check('departures: matched, unmatched, summed visibility by airport', joined, weather);
  const outside = await rowsOf(
    lake,
    'SELECT count(*) FROM departures WHERE NOT (weather_observed > departed - INTERVAL 1 HOUR AND weather_observed <= departed)',
  );
  check('departures: weather outside of the hour before', outside[0]?.[0], 0);

  const registers = registersOf(input);
  const planes = await rowsOf(
    lake,
    'SELECT DISTINCT carrier, airline, tailnum, plane_manufacturer, plane_model, plane_seats, plane_year FROM departures ORDER BY carrier, tailnum',
  );
  const wrong = planes.filter(([carrier, airline, tailnum, manufacturer, model, seats, year]) => {
    const plane = registers.planes.get(String(tailnum));
    const known = [
      plane?.['manufacturer'] ?? null,
      plane?.['model'] ?? null,
      plane?.['seats'] ?? null,
      plane?.['year'] ?? null,
    ];
    const airlineKnown = registers.airlines.get(String(carrier)) ?? null;
    return (
      airline !== airlineKnown ||
      JSON.stringify([manufacturer, model, seats, year]) !== JSON.stringify(known)
    );
  });
  const pairs = new Set(flights.map(({ carrier, tailnum }) => `${carrier} ${tailnum}`)).size;
  check(
    'departures: airlines and planes, and those unlike the registers',
    [planes.length, wrong.length],
    [pairs, 0],
  );

  const sessions = sessionsOf(flights);
  const rotations = await rowsOf(
    lake,
    'SELECT tailnum, first_departed, departures FROM rotations ORDER BY tailnum, first_departed',
  );
  check(
    'rotations: plane, first departure and departures',
    different(
      rotations.map(([tailnum, first, departures]) => [tailnum, isoOf(first), departures]),
      sessions,
    ),
    [sessions.length, 0],
  );

  const expectedFile = join(input.data, 'expected.json');
  if (!existsSync(expectedFile)) return;
  const expected = JSON.parse(readFileSync(expectedFile, 'utf8')) as Readonly<
    Record<string, unknown>
  >;
  const key = (begin: string): unknown =>
    expected[Object.keys(expected).find((name) => name.startsWith(begin)) ?? ''];
  const byTime = (rows: readonly (readonly unknown[])[]): readonly (readonly unknown[])[] =>
    [...rows].sort((a, b) =>
      compareText(`${String(a[1])} ${String(a[0])}`, `${String(b[1])} ${String(b[0])}`),
    );
  check(
    'expected.json: hourly',
    different(
      landedHours.map((row) => [row[0], isoOf(row[1]), row[2], row[3]]),
      byTime(expected['hourly'] as unknown[][]),
    ),
    [key('tumbling 1h by origin'), 0],
  );
  const expectedWeather = key('weather in') as Readonly<Record<string, readonly number[]>>;
  check(
    'expected.json: weather',
    joined,
    Object.entries(expectedWeather)
      .map(([origin, counts]) => [origin, ...counts])
      .sort((a, b) => compareText(String(a[0]), String(b[0]))),
  );
  check(
    'expected.json: sessions, and the longest',
    { count: rotations.length, longest: Math.max(...rotations.map((row) => Number(row[2]))) },
    key('sessions by tailnum'),
  );
}

/** Asks the graph: rows as objects. */
export type AskGraph = (cypher: string) => Promise<readonly Readonly<Record<string, unknown>>[]>;

/** Routes with their absolute counts, and where each plane went. */
export async function compareGraph(
  input: Pick<EnrichedInput, 'data' | 'flights' | 'check'>,
  ask: AskGraph,
): Promise<void> {
  const { flights, check } = input;
  const counted = (keyOf: (fields: Fields) => string): Readonly<Record<string, number>> => {
    const counts: Record<string, number> = {};
    for (const fields of flights) counts[keyOf(fields)] = (counts[keyOf(fields)] ?? 0) + 1;
    return Object.fromEntries(Object.entries(counts).sort(([a], [b]) => compareText(a, b)));
  };
  const text = (fields: Fields, ...names: string[]): string =>
    names.map((name) => String(fields[name] as string)).join(' ');
  const routes = await ask(
    'MATCH (a:Airport)-[r:ROUTE]->(b:Airport) RETURN a.code AS origin, b.code AS dest, r.carrier AS carrier, r.flights AS flights ORDER BY origin, dest, carrier',
  );
  const expectedRoutes = counted((fields) => text(fields, 'origin', 'dest', 'carrier'));
  const unlike = routes.filter(
    (route) =>
      expectedRoutes[text(route, 'origin', 'dest', 'carrier')] !== Number(route['flights']),
  );
  check(
    'graph: routes by airline, and those with another count',
    [routes.length, unlike.length],
    [Object.keys(expectedRoutes).length, 0],
  );

  const flown = await ask(
    'MATCH (p:Plane)-[f:FLEW]->(a:Airport) RETURN a.code AS dest, count(f) AS flights, count(DISTINCT p.tailnum) AS planes ORDER BY dest',
  );
  const distinct = [
    ...new Map(
      flights.map((fields) => [text(fields, 'tailnum', 'dest', 'departed'), fields]),
    ).values(),
  ];
  const byDest = new Map<string, { flights: number; readonly planes: Set<unknown> }>();
  for (const fields of distinct) {
    const dest = text(fields, 'dest');
    const seen = byDest.get(dest) ?? { flights: 0, planes: new Set() };
    seen.flights++;
    seen.planes.add(fields['tailnum']);
    byDest.set(dest, seen);
  }
  check(
    'graph: flights and planes that flew to each airport',
    different(
      flown.map((row) => [row['dest'], Number(row['flights']), Number(row['planes'])]),
      [...byDest.entries()]
        .sort(([a], [b]) => compareText(a, b))
        .map(([dest, seen]) => [dest, seen.flights, seen.planes.size]),
    ),
    [byDest.size, 0],
  );

  const expectedFile = join(input.data, 'expected.json');
  if (!existsSync(expectedFile)) return;
  const { routes: expected } = JSON.parse(readFileSync(expectedFile, 'utf8')) as {
    readonly routes: Readonly<Record<string, number>>;
  };
  const summed = await ask(
    "MATCH (a:Airport)-[r:ROUTE]->(b:Airport) RETURN a.code + '-' + b.code AS route, sum(r.flights) AS flights ORDER BY route",
  );
  check(
    'expected.json: routes',
    different(
      summed.map((row) => [row['route'], Number(row['flights'])]),
      Object.entries(expected).sort(([a], [b]) => compareText(a, b)),
    ),
    [Object.keys(expected).length, 0],
  );
}

const msOf = (value: unknown): number =>
  Date.parse(String(value).replace(' ', 'T').replace(/\+00$/, 'Z'));
const isoOf = (value: unknown): string => new Date(msOf(value)).toISOString();
const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** How many rows were found, and how many positions hold something else. */
function different(
  found: readonly (readonly unknown[])[],
  expected: readonly (readonly unknown[])[],
): readonly [number, number] {
  const rows = Math.max(found.length, expected.length);
  let unlike = 0;
  for (let i = 0; i < rows; i++)
    if (JSON.stringify(found[i]) !== JSON.stringify(expected[i])) unlike++;
  return [found.length, unlike];
}

function hourlyOf(flights: readonly Flight[]): readonly (readonly unknown[])[] {
  const hours = new Map<
    string,
    { readonly origin: string; readonly start: number; count: number; delay: number }
  >();
  for (const { origin, departedMs, delayMin } of flights) {
    const start = Math.floor(departedMs / hourMs) * hourMs;
    const key = `${new Date(start).toISOString()} ${origin}`;
    const hour = hours.get(key) ?? { origin, start, count: 0, delay: 0 };
    hour.count++;
    hour.delay += delayMin;
    hours.set(key, hour);
  }
  return [...hours.entries()]
    .sort(([a], [b]) => compareText(a, b))
    .map(([, { origin, start, count, delay }]) => [
      origin,
      new Date(start).toISOString(),
      count,
      delay,
    ]);
}

function weatherOf(
  flights: readonly Flight[],
  weather: readonly Fields[],
): readonly (readonly unknown[])[] {
  const observed = new Map<string, { readonly at: number; readonly visib: number }[]>();
  for (const fields of weather) {
    const origin = String(fields['origin']);
    const list = observed.get(origin) ?? [];
    list.push({ at: Date.parse(String(fields['observed'])), visib: Number(fields['visib'] ?? 0) });
    observed.set(origin, list);
  }
  const totals = new Map<string, { matched: number; unmatched: number; visib: number }>();
  for (const { origin, departedMs } of flights) {
    const total = totals.get(origin) ?? { matched: 0, unmatched: 0, visib: 0 };
    const found = (observed.get(origin) ?? []).filter(
      ({ at }) => at > departedMs - hourMs && at <= departedMs,
    );
    total.matched += found.length;
    if (found.length === 0) total.unmatched++;
    total.visib += found.reduce((sum, { visib }) => sum + visib, 0);
    totals.set(origin, total);
  }
  return [...totals.entries()]
    .sort(([a], [b]) => compareText(a, b))
    .map(([origin, { matched, unmatched, visib }]) => [
      origin,
      matched,
      unmatched,
      Math.round(visib * 100) / 100,
    ]);
}

function sessionsOf(flights: readonly Flight[]): readonly (readonly unknown[])[] {
  const byPlane = new Map<string, number[]>();
  for (const { tailnum, departedMs } of flights)
    byPlane.set(tailnum, [...(byPlane.get(tailnum) ?? []), departedMs]);
  const sessions: (readonly [tailnum: string, first: string, departures: number])[] = [];
  for (const [tailnum, times] of byPlane) {
    let first: number | undefined;
    let last = 0;
    let count = 0;
    for (const at of times.sort((a, b) => a - b)) {
      if (first !== undefined && at - last <= gapMs) count++;
      else {
        if (first !== undefined) sessions.push([tailnum, new Date(first).toISOString(), count]);
        first = at;
        count = 1;
      }
      last = at;
    }
    if (first !== undefined) sessions.push([tailnum, new Date(first).toISOString(), count]);
  }
  return sessions.sort((a, b) => compareText(`${a[0]} ${a[1]}`, `${b[0]} ${b[1]}`));
}

function registersOf({ registers }: EnrichedInput): {
  readonly airlines: ReadonlyMap<string, string>;
  readonly planes: ReadonlyMap<string, Fields>;
} {
  const read = (file: string): readonly Fields[] =>
    JSON.parse(readFileSync(join(registers, file), 'utf8')) as readonly Fields[];
  return {
    airlines: new Map(
      read('airlines.json').map((row) => [String(row['carrier']), String(row['name'])]),
    ),
    planes: new Map(read('planes.json').map((row) => [String(row['tailnum']), row])),
  };
}
