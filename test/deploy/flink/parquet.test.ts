/**
 * Tables and rejections of a job on Flink are those of the engine here: the same files for readers,
 * the same rows with the same ids, each once, also when the job fails between two checkpoints and
 * starts again. On a disk, and in a bucket by Flink's own file system of S3.
 */
import { execFile } from 'node:child_process';
import {
  createWriteStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { GetObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectorProblems } from '../../../deploy/flink/connectors/problems.ts';
import { builtJob } from '../../../deploy/flink/jar.ts';
import { queryLake } from '../../../enrich/lake/query.ts';
import { tableSink } from '../../../enrich/parquet/table-sink.ts';
import { rejectedSink } from '../../../enrich/rejected/rejected-sink.ts';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import type { Sink } from '../../../topology/index.ts';
import { createJob } from '../../../topology/index.ts';
import { filesOf, lakeAt, temporaryFolders } from '../../enrich/support.ts';
import { root } from '../../repo/support.ts';
import { pythonMissing, pythonPackages } from '../../servers/cache.ts';
import type { FlinkServer } from '../../servers/flink.ts';
import { flinkS3Plugin, startFlink } from '../../servers/flink.ts';
import { javaMissing } from '../../servers/jars.ts';
import { event, memoryBlobs, memoryStream, put, world } from '../../topology/support.ts';
import { motoRig } from '../stores/s3/support.ts';
import { flinkCommand } from './flink-command.ts';
import { isFull } from './full.ts';
import type { Reading } from './tables-topology.ts';
import topology from './tables-topology.ts';

const run = promisify(execFile);
const newFolder = temporaryFolders('flink-parquet');
const setUpMaxMs = 600_000;
const runMaxMs = 240_000;
/** Between a failure and the next attempt: the writer of a pipe sees in it that nobody reads. */
const restartDelayMs = 3_000;
const file = join(root, 'test/deploy/flink/tables-topology.ts');

const teams = ['north', 'süd', 'a:b', '100% #1'] as const;
const first = Date.parse('2026-01-02T09:10:00Z');
const hourMs = 3_600_000;

/** A line: a reading, or what only keeps a reader awake. */
interface Line {
  readonly id: string;
  readonly receivedMs: number;
  readonly data: Reading | null;
}

function lineOf(n: number): Line {
  // Out of order by less than what a window waits for.
  const at = new Date(first + n * 97_000 - (n % 7) * 60_000 + 0.25).toISOString();
  const data = { n, at, team: teams[n % 4] ?? '', note: `read ${n} “${'x'.repeat(n % 5)}”` };
  return { id: `r${n}`, receivedMs: first + n * 60_000, data };
}

const changed = (n: number, data: Partial<Reading>): Line => {
  const line = lineOf(n);
  return { ...line, data: { ...(line.data as Reading), ...data } };
};

const readings: readonly Line[] = [
  ...Array.from({ length: 120 }, (_, n) => lineOf(n)),
  changed(120, { note: 'longer than the schema of a reading allows' }),
  changed(121, { n: 17.5 }),
  changed(122, { n: 2 ** 53 + 2 }),
  changed(123, { n: -4 }),
  // Again, an hour and more later: the same identity.
  { ...lineOf(13), receivedMs: first + 3 * hourMs },
  ...Array.from({ length: 80 }, (_, n) => lineOf(200 + n)),
  changed(300, { note: 'longer than the schema of a reading allows' }),
  { ...lineOf(13), receivedMs: first + 2 * hourMs },
];
const half = 124;

const attributesOf = ({ id, receivedMs }: Line) => ({
  ...{ source: '/lab/readings', type: 'reading', team: 'lab', app: 'readings', partitionkey: id },
  receivedtime: new Date(receivedMs).toISOString(),
});
const textOf = (line: Line): string => {
  const { id, data } = line;
  const time = '2026-01-01T00:00:00.000Z';
  return `${JSON.stringify({ id, ...attributesOf(line), time, data })}\n`;
};

/** The engine here, on the same records at the same positions. */
async function runHere(lake: string, lines: readonly Line[]): Promise<void> {
  const stream = memoryStream(['kinesis', '0']);
  for (const line of lines) put(stream, 0, event(line.id, line.data, attributesOf(line)));
  const clock = manualClock(first);
  const common = { lake: lakeAt(lake), clock };
  const job = createJob({
    topology,
    blobs: memoryBlobs(),
    connectors: {
      ...world({ 'lab/readings': stream }).connectors,
      sink: ({ sink }, { owner, name }, of): Sink => {
        if (sink.kind !== 'table') throw new Error(sink.kind);
        return tableSink({
          ...{ ...common, ...sink, owner, topology: name, run: of, rowId: sink.rowId === true },
          ...{ fileMaxBytes: 1e9, fileMaxAgeMs: 0 },
        });
      },
      rejected: ({ name }, of) => rejectedSink({ ...common, topology: name, run: of }),
    },
    clock,
    random: seededRandom(1),
    checkpointIntervalMs: 0,
    turnBounds: { maxRecords: 16, maxBytes: 1e6 },
  });
  await job.open();
  const running = job.run();
  await job.drain();
  await running;
  await job.close();
}

const questions = {
  typed: 'SELECT * FROM typed ORDER BY row_id',
  per_team_latest: 'SELECT * FROM per_team_latest ORDER BY team, start',
  rejected: 'SELECT * FROM rejected ORDER BY id, element, operator, code',
  columns: 'SELECT table_name, column_name, data_type FROM information_schema.columns ORDER BY ALL',
};

async function answers(lake: string): Promise<object> {
  const found: Record<string, unknown> = {};
  for (const [name, sql] of Object.entries(questions)) found[name] = await queryLake(lake, sql);
  return found;
}

/** The folders with files of a table. */
const foldersOf = (lake: string, table: string): readonly string[] => [
  ...new Set(filesOf(lake, table).map((path) => dirname(path))),
];

const count = async (lake: string): Promise<number> => {
  if (!existsSync(join(lake, '.tables/typed.json'))) return 0;
  const { rows } = await queryLake(lake, 'SELECT count(*) FROM typed');
  return Number(rows[0]?.[0]);
};

/** A pipe to a reader that may come again: it is given all lines from the first on. */
class Pipe {
  /** What was sent, in order. */
  readonly sent: Line[] = [];
  readonly #path: string;
  #waiting: Line[] = [];
  #isEnded = false;
  #idle = 0;

  constructor(path: string) {
    this.#path = path;
  }

  send(lines: readonly Line[]): void {
    this.#waiting.push(...lines);
  }

  end(): void {
    this.#isEnded = true;
  }

  /** To one reader, until it leaves or all is sent; says which. */
  async feed(): Promise<'left' | 'ended'> {
    const out = createWriteStream(this.#path);
    let isOpen = true;
    const closed = new Promise<void>((resolve) => {
      out.on('error', () => (isOpen = false)).on('close', () => resolve());
    });
    for (const line of this.sent) out.write(textOf(line));
    while (isOpen && !(this.#isEnded && this.#waiting.length === 0)) {
      const idle = { id: `idle${this.#idle++}`, receivedMs: first, data: null };
      const next = this.#waiting.length > 0 ? this.#waiting.splice(0) : [idle];
      for (const line of next) {
        this.sent.push(line);
        out.write(textOf(line));
      }
      await sleep(10);
    }
    if (isOpen) out.end();
    await closed;
    return isOpen ? 'ended' : 'left';
  }
}

describe.skipIf(javaMissing() !== undefined || pythonMissing() !== undefined)(
  'tables of a job on Flink',
  () => {
    const moto = motoRig('lake');
    let flink: FlinkServer;
    let jar: string;

    beforeAll(async () => {
      const s3 = { 's3.endpoint': moto().moto.endpoint, 's3.path.style.access': 'true' };
      const keys = { 's3.access-key': 'testing', 's3.secret-key': 'testing' };
      const restart = {
        'restart-strategy.type': 'fixed-delay',
        'restart-strategy.fixed-delay.attempts': 100,
        'restart-strategy.fixed-delay.delay': `${restartDelayMs}ms`,
      };
      const [plugins, job] = await Promise.all([flinkS3Plugin(), builtJob({ harness: true })]);
      flink = await startFlink({ ...s3, ...keys, ...restart }, { FLINK_PLUGINS_DIR: plugins });
      jar = job.jar;
    }, setUpMaxMs);
    afterAll(() => flink?.stop());

    async function submit(
      source: string,
      lake: string,
      parallelism: number,
      more: object = {},
    ): Promise<string> {
      const folder = newFolder();
      mkdirSync(folder, { recursive: true });
      const place = { connector: 'parquet', path: lake, ...more };
      const settings = join(folder, 'settings.json');
      writeFileSync(
        settings,
        JSON.stringify({
          parallelism,
          checkpointIntervalMs: 200,
          sources: { readings: { connector: 'lines', path: source } },
          sinks: { typed: place, latest: place },
          rejected: place,
        }),
      );
      const given = ['flink', 'submit', file, '--settings', settings, '--jar', jar];
      const ran = await flinkCommand([...given, '--url', flink.url, '--wait', '120s']);
      expect([ran.code, ran.err]).toEqual([0, expect.stringMatching(/^(?:uploading|job) /)]);
      return /^job (\w+) of/m.exec(ran.err)?.[1] ?? '';
    }

    const stateOf = async (job: string): Promise<string> =>
      ((await (await fetch(`${flink.url}/jobs/${job}`)).json()) as { readonly state: string })
        .state;

    async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
      for (let left = 1_200; !(await holds()); left--) {
        if (left === 0) throw new Error(`not ${what}: ${flink.log.slice(-2_000)}`);
        await sleep(100);
      }
    }

    it(
      'are those of the engine here, each row once, when the job fails in the middle',
      async () => {
        const [here, there] = [newFolder(), newFolder()];
        mkdirSync(there, { recursive: true });
        const path = join(there, 'events');
        await run('mkfifo', [path]);
        const lake = join(there, 'lake');
        const pipe = new Pipe(path);
        pipe.send(readings.slice(0, half));
        const fed = pipe.feed();
        const job = await submit(path, lake, 2, { openMaxFolders: 5 });
        await until('visible', async () => (await count(lake)) > 100);
        // From now on no file of this table can be staged.
        const staging = join(lake, '.staging/typed');
        renameSync(staging, `${staging}.away`);
        writeFileSync(staging, '');
        pipe.send(readings.slice(half, half + 60));
        await expect(fed).resolves.toBe('left');
        const before = await count(lake);
        rmSync(staging);
        renameSync(`${staging}.away`, staging);
        const again = pipe.feed();
        await until('more', async () => (await count(lake)) > before);
        pipe.send(readings.slice(half + 60));
        pipe.end();
        await expect(again).resolves.toBe('ended');
        await until('finished', async () => (await stateOf(job)) === 'FINISHED');
        await runHere(here, pipe.sent);
        const expected = await answers(here);
        expect(await answers(lake)).toEqual(expected);
        const { typed, rejected } = expected as { typed: { rows: [] }; rejected: { rows: [] } };
        expect([typed.rows.length, rejected.rows.length]).toEqual([200, 6]);
        const { rows: seen } = await queryLake(
          lake,
          'SELECT id, seen FROM rejected WHERE seen > 1',
        );
        expect(seen).toEqual([['r13', 3]]);
        for (const table of ['typed', 'per_team', 'rejected'])
          expect(foldersOf(lake, table), table).toEqual(foldersOf(here, table));
        expect(
          filesOf(lake, 'typed').filter(
            (name) => !/\/readings~[0-9a-f]{16}-\d+\.parquet$/.test(name),
          ),
        ).toEqual([]);
        await sameForPyarrow(here, lake);
        // The engine knows what the job rejected: it counts it in the job's files.
        await runHere(lake, pipe.sent);
        const { rows: counted } = await queryLake(
          lake,
          'SELECT id, seen FROM rejected ORDER BY seen, id',
        );
        expect(counted).toEqual([
          ...['r120', 'r121', 'r122', 'r123', 'r300'].map((id) => [id, 2]),
          ['r13', 6],
        ]);
      },
      runMaxMs,
    );

    it.skipIf(!isFull)(
      'are in a bucket by the plugin of S3',
      async () => {
        const [here, there] = [newFolder(), newFolder()];
        mkdirSync(there, { recursive: true });
        const path = join(there, 'events.ndjson');
        writeFileSync(path, readings.map(textOf).join(''));
        const job = await submit(path, 's3://lake/some/prefix/', 1);
        await until('finished', async () => (await stateOf(job)) === 'FINISHED');
        await runHere(here, readings);
        const { client } = moto();
        const listed = await client.send(new ListObjectsV2Command({ Bucket: 'lake' }));
        const keys = (listed.Contents ?? []).map(({ Key: key = '' }) => key);
        // Where files were staged S3A leaves the mark of a folder.
        expect(keys.filter((key) => key.endsWith('/') && !key.includes('/.staging/'))).toEqual([]);
        for (const key of keys.filter((each) => !each.endsWith('/'))) {
          const got = await client.send(new GetObjectCommand({ Bucket: 'lake', Key: key }));
          mkdirSync(dirname(join(there, key)), { recursive: true });
          writeFileSync(join(there, key), await got.Body!.transformToByteArray());
        }
        const lake = join(there, 'some/prefix');
        expect(readdirSync(lake).sort()).toEqual(['.tables', 'per_team', 'rejected', 'typed']);
        expect(await answers(lake)).toEqual(await answers(here));
      },
      runMaxMs,
    );
  },
);

it('has an example in the docs that fits', () => {
  const page = readFileSync(join(root, 'docs/operating/flink.md'), 'utf8');
  const examples = [...page.matchAll(/^```json\n(.*?)^```$/gms)]
    .map(([, json = '']) => json)
    .filter((json) => json.includes('parquet'));
  expect(examples.length).toBe(1);
  for (const json of examples) {
    const { sinks, rejected } = JSON.parse(json) as Record<string, Record<string, unknown>>;
    expect(connectorProblems('sink', 'table', sinks?.['per-minute'])).toEqual([]);
    expect(connectorProblems('rejected', 'rejected', rejected)).toEqual([]);
    expect(connectorProblems('graph', 'graph', rejected)).not.toEqual([]);
  }
});

const python = `
import json, sys, pyarrow.dataset
def read(path):
    types = [('date', pyarrow.string()), ('hour', pyarrow.string()), ('team', pyarrow.string()), ('app', pyarrow.string())]
    found = pyarrow.dataset.dataset(path, partitioning=pyarrow.dataset.partitioning(pyarrow.schema(types), flavor='hive'))
    rows = found.to_table().sort_by('row_id').to_pylist()
    return [str(found.schema.remove_metadata()), json.dumps(rows, default=str)]
here, there = (read(lake + '/typed') for lake in sys.argv[1:])
print('equal' if here == there else json.dumps([here[0], there[0]]))
`;

async function sameForPyarrow(here: string, there: string): Promise<void> {
  const packages = ['duckdb==2.0.1', 'pyarrow==26.0.1', 'polars==2.1.0', 'pyspark==4.3.0'];
  const interpreter = join(await pythonPackages(...packages), 'python');
  const { stdout } = await run(interpreter, ['-c', python, here, there]);
  expect(stdout.trim()).toBe('equal');
}
