/**
 * `npm run example:flights`: sends the flights through HTTP into a running instance, waits until they have landed, and compares what the lake
 * holds with an independent reading of the files.
 *
 *   --kill N    kills the instance with SIGKILL at N random points and starts it again on the same directory
 *   --twice     sends every file twice
 *   --data DIR  another folder of the same form
 *   --order at-once|one-by-one   the three files at the same time (default) or one after the other
 *   --batch N    events a request
 *   --seed S    the seed of the random points
 *
 * Prints a line a check, then `N passed, N failed`.
 */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { LocalStatus } from '../../deploy/local/start.ts';
import { seededRandom } from '../../schemas/kernel/random.ts';
import type { Line } from './flights-checks.ts';
import { checks, compareEnriched, compareGraph, readLines, rowsOf } from './flights-checks.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const main = join(root, 'dist/deploy/cli/main.js');
const example = join(root, 'topology/examples/flights');
const files = ['departures', 'weather', 'schedules'] as const;
type File = (typeof files)[number];

const { values: options } = parseArgs({
  options: {
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

class Instance {
  readonly dir = mkdtempSync(join(tmpdir(), 'sluice-flights-'));
  readonly #port: number;
  #child: ChildProcess | undefined;
  #log = '';

  constructor(port: number) {
    this.#port = port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async start(): Promise<void> {
    const args = ['--dir', this.dir, '--config', join(example, 'sluice.yaml'), 'start', '--port', String(this.#port)];
    // What is sent twice is meant to arrive twice: the ingress would answer the second as a repeat of the first.
    const env = options.twice ? { ...process.env, REPEAT_WINDOW_S: '0' } : process.env;
    const child = spawn(process.execPath, [main, ...args], { env });
    child.stdout.on('data', (chunk: Buffer) => this.#keep(chunk));
    child.stderr.on('data', (chunk: Buffer) => this.#keep(chunk));
    this.#child = child;
    for (let tries = 0; tries < 300; tries++) {
      if (child.exitCode !== null) throw new Error(`the instance ended with ${child.exitCode}:\n${this.#log}`);
      const ready = await fetch(`${this.url}/readyz`).then(
        (answer) => answer.ok,
        () => false,
      );
      if (ready) return;
      await sleep(50);
    }
    throw new Error(`the instance did not become ready:\n${this.#log}`);
  }

  #keep(chunk: Buffer): void {
    this.#log = (this.#log + chunk.toString()).slice(-20_000);
  }

  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null) return child?.exitCode ?? null;
    const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
    child.kill(signal);
    return ended;
  }

  async status(): Promise<LocalStatus | undefined> {
    return fetch(`${this.url}/_sluice/status`).then(
      (answer) => answer.json() as Promise<LocalStatus>,
      () => undefined,
    );
  }

  get log(): string {
    return this.#log;
  }
}

function send(instance: Instance, file: File): Promise<void> {
  const path = join(options.data, `${file}.ndjson.gz`);
  // Small batches: there must be time for a kill in the middle.
  const args = [
    '--dir',
    instance.dir,
    'send',
    path,
    '--stream',
    `nyc/${file}`,
    '--url',
    instance.url,
    '--batch',
    options.batch ?? (kills > 0 ? '50' : '500'),
    '--no-resume',
  ];
  return runCommand(args).then(({ code, said }) => {
    if (code !== 0) throw new Error(`send ${file} ended with ${code}: ${said}`);
  });
}

function runCommand(args: readonly string[]): Promise<{ readonly code: number | null; readonly said: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        said = (said + chunk.toString()).slice(-20_000);
      });
    }
    child.once('exit', (code) => resolve({ code, said }));
  });
}

async function sendAll(instance: Instance): Promise<void> {
  for (let time = 0; time < times; time++) {
    if (options.order === 'one-by-one') for (const file of files) await send(instance, file);
    else await Promise.all(files.map((file) => send(instance, file)));
  }
}

/** Kills at points of progress, counted in events of the three files, drawn over the whole way from the first event to the last landed one. */
async function killer(instance: Instance, total: number, done: { sent: boolean }): Promise<number> {
  const points = Array.from({ length: kills }, () => Math.floor(random.next() * total * 0.9)).sort((a, b) => a - b);
  let base = 0;
  let killed = 0;
  let seen = 0;
  for (const point of points) {
    while (!done.sent) {
      const status = await instance.status();
      seen = Math.max(seen, base + (status?.ingress.received ?? 0));
      if (seen >= point) break;
      await sleep(5);
    }
    await sleep(Math.floor(random.next() * 300));
    base = seen;
    await instance.end('SIGKILL');
    killed++;
    console.log(`      killed after about ${seen} events${done.sent ? ' (all were sent)' : ''}, started again`);
    await instance.start();
  }
  return killed;
}

async function drain(instance: Instance): Promise<void> {
  const drained = await runCommand(['--dir', instance.dir, 'drain', 'flights']);
  if (drained.code !== 0) throw new Error(`drain ended with ${drained.code}: ${drained.said}\n${instance.log}`);
  console.log(`      ${drained.said.split('\n')[0]}`);
}

const { check, result } = checks();

/** Each event once, as the topology keeps it: the first of an id. */
const once = (lines: readonly Line[]): readonly Line[] =>
  [...new Map([...lines].reverse().map((line) => [line.id, line])).values()].reverse();

async function compare(instance: Instance): Promise<void> {
  const lake = join(instance.dir, 'lake');
  const lines = Object.fromEntries(files.map((file) => [file, readLines(options.data, file)])) as Record<File, readonly Line[]>;
  const left = once(lines.departures).filter((line) => line.fields['departed'] !== null);
  const observed = once(lines.weather);
  const cancelled = new Map(lines.departures.filter((line) => line.fields['departed'] === null).map((line) => [line.id, line]));
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

  const visibility = await rowsOf(lake, 'SELECT round(sum(visib), 2), count(wind_gust) FROM weather');
  const sum = observed.reduce((total, line) => total + Number(line.fields['visib'] ?? 0), 0);
  check('weather: summed visibility, and gusts', visibility[0], [
    Math.round(sum * 100) / 100,
    observed.filter((line) => line.fields['wind_gust'] !== null).length,
  ]);

  const stored = new Map((await rowsOf(lake, 'SELECT id, data FROM schedules')).map(([id, data]) => [id, data]));
  check('schedules: byte-identical', lines.schedules.filter((line) => stored.get(line.id) === line.data).length, lines.schedules.length);

  const rejected = await rowsOf(lake, 'SELECT id, code, pointer, schema, data, position, split, seen FROM rejected');
  check('rejected: rows', rejected.length, cancelled.size);
  const right = rejected.filter(([id, code, pointer, schema, data, position, split]) => {
    const line = cancelled.get(String(id));
    const named = code === 'schema-violation' && pointer === '/departed' && String(schema).includes('departure');
    return line !== undefined && named && data === line.data && /^\d+$/.test(String(position)) && String(split).startsWith('shardId-');
  });
  check('rejected: with code, pointer, schema, original bytes and position', right.length, cancelled.size);
  const seen = rejected.map((row) => Number(row[7]));
  if (kills === 0) check('rejected: seen', [Math.min(...seen), Math.max(...seen)], cancelled.size === 0 ? [null, null] : [times, times]);
  // A batch whose answer a kill swallowed is sent again: such an event is truly seen once more, never once less.
  else check('rejected: seen at least as often as sent', seen.filter((count) => count >= times).length, cancelled.size);

  const status = await instance.status();
  const paths = new Set(
    status?.topologies.flatMap(
      (topology) => topology.job?.splits.filter((split) => split.position !== null).map((split) => split.path) ?? [],
    ),
  );
  check('both paths carried data', [...paths].sort(), ['kafka', 'kinesis']);
  const nodes = status?.topologies.flatMap((topology) => topology.job?.nodes ?? []) ?? [];
  const unbalanced = nodes.filter(
    (node) => node.in !== node.passed + node.filtered + node.late + node.deduplicated + node.rejected + (node.waiting ?? 0),
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

  await compareGraph({ data: options.data, flights: departed, check }, async (cypher) => {
    const asked = await runCommand(['--json', '--dir', instance.dir, 'graph', cypher]);
    if (asked.code !== 0) throw new Error(`graph ended with ${asked.code}: ${asked.said}`);
    return JSON.parse(asked.said) as readonly Readonly<Record<string, unknown>>[];
  });

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

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

const instance = new Instance(await freePort());
try {
  const total = times * files.reduce((sum, file) => sum + readLines(options.data, file).length, 0);
  console.log(
    `flights: ${total} events${times > 1 ? ', every file twice' : ''}${kills > 0 ? `, ${kills} kills` : ''}, seed ${options.seed}`,
  );
  await instance.start();
  const done = { sent: false };
  const startedMs = performance.now();
  const killing = killer(instance, total, done);
  await sendAll(instance);
  done.sent = true;
  console.log(`      sent in ${((performance.now() - startedMs) / 1_000).toFixed(1)} s`);
  if (kills > 0) check('kills', await killing, kills);
  await drain(instance);
  console.log(`      drained after ${((performance.now() - startedMs) / 1_000).toFixed(1)} s`);
  await compare(instance);
  check('the instance stops cleanly on SIGTERM', await instance.end('SIGTERM'), 0);
} catch (thrown) {
  result.failed++;
  console.log(`FAIL  ${thrown instanceof Error ? thrown.message : String(thrown)}`);
} finally {
  await instance.end('SIGKILL');
  if (options.keep) console.log(`      kept ${instance.dir}`);
  else rmSync(instance.dir, { recursive: true, force: true });
}
console.log(`${result.passed} passed, ${result.failed} failed`);
process.exitCode = result.failed === 0 && result.passed > 0 ? 0 : 1;
