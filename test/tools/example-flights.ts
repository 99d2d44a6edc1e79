/**
 * `npm run example:flights`: sends the flights through HTTP into a running instance, waits until
 * they have landed, and compares what the lake holds with an independent reading of the files.
 *
 *   --real      as two services on Kinesis, Kafka with IAM, S3, Firehose and Neo4j; starts their
 *               servers
 *   --kill N    kills the instance (each service in turn) with SIGKILL at N random points, and
 *               starts it again on the same directory
 *   --twice     sends every file twice
 *   --data DIR  another folder of the same form
 *   --order at-once|one-by-one   the three files at the same time (default) or one after the other
 *   --batch N    events a request
 *   --seed S    the seed of the random points
 *
 * Prints a line a check, then `N passed, N failed`.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { seededRandom } from '../../schemas/kernel/random.ts';
import type { Line } from './flights-checks.ts';
import { checks, compareEnriched, compareGraph, readLines, rowsOf } from './flights-checks.ts';
import { realFlights } from './flights-real.ts';
import type { FlightsSubject } from './flights-subject.ts';
import { localFlights } from './flights-subject.ts';
import { runSluice } from './service-process.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const example = join(root, 'topology/examples/flights');
const files = ['departures', 'weather', 'schedules'] as const;
type File = (typeof files)[number];

const { values: options } = parseArgs({
  options: {
    real: { type: 'boolean', default: false },
    kill: { type: 'string', default: '0' },
    twice: { type: 'boolean', default: false },
    data: { type: 'string', default: join(example, 'data') },
    order: { type: 'string', default: 'at-once' },
    seed: { type: 'string', default: String(process.pid) },
    batch: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
});
const kills = Number(options.kill);
const times = options.twice ? 2 : 1;
const random = seededRandom(Number(options.seed));

/**
 * Small where something is killed: there must be time for it in the middle, and a service takes
 * seconds to start again.
 */
function batchOf(): string {
  if (kills === 0) return '500';
  return options.real ? '10' : '50';
}

async function send(subject: FlightsSubject, file: File): Promise<void> {
  const path = join(options.data, `${file}.ndjson.gz`);
  const args = [
    '--dir',
    subject.dir,
    'send',
    path,
    '--stream',
    `nyc/${file}`,
    '--url',
    subject.url,
    '--batch',
    options.batch ?? batchOf(),
    '--no-resume',
  ];
  const { code, said } = await runSluice(args);
  if (code !== 0) throw new Error(`send ${file} ended with ${code}: ${said}`);
}

async function sendAll(subject: FlightsSubject): Promise<void> {
  for (let time = 0; time < times; time++) {
    if (options.order === 'one-by-one') for (const file of files) await send(subject, file);
    else await Promise.all(files.map((file) => send(subject, file)));
  }
}

/**
 * Kills at points of progress, counted in events of the three files, drawn over the whole way from
 * the first event to the last landed one.
 */
async function killer(
  subject: FlightsSubject,
  total: number,
  done: { sent: boolean },
): Promise<number> {
  const points = Array.from({ length: kills }, () => Math.floor(random.next() * total * 0.9)).sort(
    (a, b) => a - b,
  );
  let base = 0;
  let killed = 0;
  let seen = 0;
  for (const point of points) {
    while (!done.sent) {
      seen = Math.max(seen, base + (await subject.received()));
      if (seen >= point) break;
      await sleep(5);
    }
    await sleep(Math.floor(random.next() * 300));
    base = seen;
    const what = await subject.killOne(killed);
    killed++;
    console.log(
      `      ${what} killed after about ${seen} events${done.sent ? ' (all were sent)' : ''}, started again`,
    );
  }
  return killed;
}

const { check, result } = checks();

/** Each event once, as the topology keeps it: the first of an id. */
const once = (lines: readonly Line[]): readonly Line[] =>
  [...new Map([...lines].reverse().map((line) => [line.id, line])).values()].reverse();

async function compare(subject: FlightsSubject): Promise<void> {
  const lake = await subject.lake();
  const lines = Object.fromEntries(
    files.map((file) => [file, readLines(options.data, file)]),
  ) as Record<File, readonly Line[]>;
  const left = once(lines.departures).filter((line) => line.fields['departed'] !== null);
  const observed = once(lines.weather);
  const cancelled = new Map(
    lines.departures
      .filter((line) => line.fields['departed'] === null)
      .map((line) => [line.id, line]),
  );
  const distinct = (some: readonly Line[]): number => new Set(some.map((line) => line.id)).size;

  for (const [table, expected] of [
    ['departures', left],
    ['weather', lines.weather],
    ['schedules', lines.schedules],
  ] as const) {
    const [row] = await rowsOf(lake, `SELECT count(*), count(DISTINCT id) FROM ${table}`);
    check(`${table}: rows, and distinct ids`, row, [distinct(expected), distinct(expected)]);
  }

  const landed = await rowsOf(
    lake,
    'SELECT id, carrier, flight, tailnum, origin, dest, scheduled, departed, dep_delay_min, arr_delay_min, air_time_min, distance_miles FROM departures ORDER BY id',
  );
  const names = [
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
  const wanted = left
    .map((line) => [line.id, ...names.map((name) => line.fields[name])])
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
    lines.schedules.filter((line) => stored.get(line.id) === line.data).length,
    lines.schedules.length,
  );

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
  if (kills === 0)
    check(
      'rejected: seen',
      [Math.min(...seen), Math.max(...seen)],
      cancelled.size === 0 ? [null, null] : [times, times],
    );
  // A batch whose answer a kill swallowed is sent again: such an event is truly seen once more,
  // never once less.
  else
    check(
      'rejected: seen at least as often as sent',
      seen.filter((count) => count >= times).length,
      cancelled.size,
    );

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

  const departed = left.map((line) => line.fields);
  await compareEnriched({
    lake,
    data: options.data,
    registers: join(example, 'data'),
    flights: departed,
    weather: observed.map((line) => line.fields),
    check,
  });

  await compareGraph({ data: options.data, flights: departed, check }, (cypher) =>
    subject.graph(cypher),
  );

  const expectedFile = join(options.data, 'expected.json');
  if (!existsSync(expectedFile)) return;
  const expected = JSON.parse(readFileSync(expectedFile, 'utf8')) as Record<string, unknown>;
  const cancelledExpected = Number(expected['cancelled (no departure time)']);
  const counts = await rowsOf(
    lake,
    'SELECT (SELECT count(*) FROM departures), (SELECT count(*) FROM rejected), (SELECT count(*) FROM weather), (SELECT count(*) FROM schedules)',
  );
  const { count } = expected['schedules'] as { count: number };
  check('expected.json: departures, rejected, weather, schedules', counts[0], [
    Number(expected['events']) - cancelledExpected,
    cancelledExpected,
    expected['weather'],
    count,
  ]);
}

const startOptions = { example, twice: options.twice };
const subject = options.real ? await realFlights(startOptions) : await localFlights(startOptions);
try {
  const total = times * files.reduce((sum, file) => sum + readLines(options.data, file).length, 0);
  console.log(
    `flights: ${total} events${times > 1 ? ', every file twice' : ''}${kills > 0 ? `, ${kills} kills` : ''}, seed ${options.seed}`,
  );
  await subject.start();
  const done = { sent: false };
  const startedMs = performance.now();
  const killing = killer(subject, total, done);
  await sendAll(subject);
  done.sent = true;
  console.log(`      sent in ${((performance.now() - startedMs) / 1_000).toFixed(1)} s`);
  if (kills > 0) check('kills', await killing, kills);
  console.log(`      ${await subject.drain()}`);
  console.log(`      drained after ${((performance.now() - startedMs) / 1_000).toFixed(1)} s`);
  await compare(subject);
  check('everything stops cleanly on SIGTERM', await subject.stop(), 0);
} catch (thrown) {
  result.failed++;
  console.log(`FAIL  ${thrown instanceof Error ? thrown.message : String(thrown)}`);
} finally {
  await subject.remove(options.keep);
}
console.log(`${result.passed} passed, ${result.failed} failed`);
process.exitCode = result.failed === 0 && result.passed > 0 ? 0 : 1;
