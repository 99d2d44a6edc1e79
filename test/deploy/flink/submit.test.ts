/**
 * A topology goes to a real Flink cluster and back by the command line: it is built, submitted, stopped
 * with a savepoint in the middle of a window, started again from there, and drained; every event is
 * counted once. And it is run on the cluster inside one process.
 */
import { execFile } from 'node:child_process';
import {
  closeSync,
  constants,
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { builtJob, lineByDefault } from '../../../deploy/flink/jar.ts';
import { entryIn, withEntries } from '../../../deploy/flink/jar-entries.ts';
import type { FlinkPlan } from '../../../deploy/flink/plan.ts';
import { settingsProblems } from '../../../deploy/flink/read-settings.ts';
import { event } from '../../../topology/testing.ts';
import { commandsOf, root } from '../../repo/support.ts';
import type { FlinkServer } from '../../servers/flink.ts';
import { flinkJars, startFlink } from '../../servers/flink.ts';
import { javaMissing } from '../../servers/jars.ts';
import type { Ran } from '../support.ts';
import { sluice } from '../support.ts';
import { flinkCommand } from './flink-command.ts';
import { isFull } from './full.ts';

const run = promisify(execFile);

const topology = `import { count, stream, table, schemaOf, topology, tumbling } from 'sluice';
interface Row { user: string; clicks: number }
const row = schemaOf<Row>({ $id: 'row', type: 'object', properties: { user: { type: 'string' }, clicks: { type: 'integer' } } });
export default topology('clicks', { version: 1, owner: 'shop/web' }, (t) => {
  t.source('clicks', stream('shop/clicks'))
    .filter((e) => (e.data as { user: string }).user !== '')
    .eventTime('time', (e) => e.time, { outOfOrderness: '5s' })
    .keyBy((e) => (e.data as { user: string }).user)
    .window('minutes', tumbling('1m'))
    .aggregate({ clicks: count() })
    .out.map(({ key, clicks }) => ({ user: key, clicks }))
    .sinkTo('per-minute', table('per_minute', row));
});
`;
const users = 3;
const events = 200;

/** One a second from midnight on, of several users; behind them such as the topology filters out. */
function line(n: number): string {
  const isReal = n < events;
  const time = new Date(Date.UTC(2026, 0, 1) + Math.min(n, events - 1) * 1_000).toISOString();
  return `${JSON.stringify(event({ user: isReal ? `u${n % users}` : '' }, { id: `e${n}`, time }))}\n`;
}

/** Gives the reader of a pipe all events at once, and more from time to time until it leaves. */
async function feed(pipe: string): Promise<void> {
  const out = createWriteStream(pipe);
  let isOpen = true;
  const closed = new Promise<void>((resolve) => {
    out.on('error', () => (isOpen = false)).on('close', () => resolve());
  });
  for (let n = 0; isOpen; n++) {
    out.write(line(n));
    if (n >= events) await sleep(10);
  }
  await closed;
}

describe.skipIf(javaMissing() !== undefined)('sluice flink', { timeout: 240_000 }, () => {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-flink-'));
  const file = join(dir, 'topology.ts');
  const settings = join(dir, 'settings.json');
  const out = join(dir, 'out');
  const pipe = join(dir, 'events');
  let flink: FlinkServer;
  let jar: string;
  let flinkLib: string;

  const settingsOf = (path: string, folder: string, parallelism = 2): string =>
    JSON.stringify({
      parallelism,
      checkpointIntervalMs: 500,
      sources: { clicks: { connector: 'lines', path } },
      sinks: { 'per-minute': { connector: 'lines', path: folder } },
      rejected: { connector: 'lines', path: join(dir, 'rejected') },
    });
  /** Those that are written whole. */
  const rows = (folder: string): readonly { timestamp: number; value: { clicks: number } }[] =>
    readFileSync(join(folder, 'rows.ndjson'), 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((text) => JSON.parse(text) as { timestamp: number; value: { clicks: number } });
  const clicks = (folder: string): number =>
    rows(folder).reduce((sum, { value }) => sum + value.clicks, 0);

  beforeAll(async () => {
    writeFileSync(file, topology);
    writeFileSync(settings, settingsOf(pipe, out));
    await run('mkfifo', [pipe]);
    const [server, job] = await Promise.all([startFlink(), builtJob({ harness: true })]);
    flink = server;
    jar = job.jar;
    flinkLib = dirname(job.flinkClassPath);
  }, 600_000);
  afterAll(async () => {
    await flink?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  /** What ended well, as the docs show it. */
  const ran = new Set<string>();
  const ranAs = async (args: readonly string[], done: Promise<Ran>): Promise<Ran> => {
    const result = await done;
    if (result.code !== 0) return result;
    const shown = args
      .join(' ')
      .replaceAll(/ --(?:jar|flink|parallelism) \S+/g, '')
      .replaceAll(`${dir}/`, '')
      .replace('local.json', 'settings.json')
      .replace(/--from \S+/, '--from PATH');
    ran.add(`npx --no sluice ${shown}`);
    return result;
  };
  const command = (...args: readonly string[]) => {
    const given = ['flink', ...args];
    return ranAs(given, flinkCommand([...given, '--url', flink.url, '--wait', '120s']));
  };
  const submit = (...args: readonly string[]) =>
    command('submit', file, '--settings', settings, '--jar', jar, ...args);

  it('submits a topology, stops it in a window, goes on from there, and drains it', async () => {
    const fed = feed(pipe);
    const first = await submit('--parallelism', '1');
    expect([first.code, first.err, first.out]).toEqual([
      0,
      expect.stringMatching(/^uploading the job \(\d+\.\d MiB\)\njob [0-9a-f]{32} of 'clicks' is/),
      expect.stringMatching(/^topology clicks: RUNNING, job [0-9a-f]{32} at http:/),
    ]);
    const twice = await submit();
    expect([twice.code, twice.err]).toEqual([
      1,
      expect.stringMatching(/^sluice: job [0-9a-f]{32} of 'clicks' is RUNNING at .* already/),
    ]);
    // Three minutes are over by the time of the last event, the fourth is not.
    while (!existsSync(join(out, 'rows.ndjson')) || clicks(out) < 180) await sleep(100);
    // Its settings have a parallelism of 2.
    expect((await command('status', 'clicks')).out).toMatch(/^ {2}RUNNING minutes.* x1: /m);
    expect((await command('savepoint', 'clicks')).out).toMatch(/^savepoint file:/);
    const stopped = await command('cancel', 'clicks', '--keep');
    expect([stopped.code, clicks(out)]).toEqual([0, 180]);
    const [, savepoint = ''] = /^savepoint (\S+)$/m.exec(stopped.out) ?? [];
    await fed;
    const unread = await submit('--from', `file://${dir}/none`);
    expect([unread.code, unread.err]).toEqual([
      1,
      // The cluster has the jar: it is not uploaded again.
      expect.stringMatching(/^sluice: Flink at \S+ refused .*: .*\/none/),
    ]);
    const built = await jarWithin();
    const again = feed(pipe);
    const inside = ['--settings', settings, '--jar', built];
    expect((await command('submit', file, ...inside, '--from', savepoint)).code).toBe(0);
    expect((await command('status', 'clicks')).out).toContain(`  restored from ${savepoint}`);
    const drained = await command('drain', 'clicks');
    await again;
    expect([drained.code, clicks(out), rows(out).length]).toEqual([0, events, 4 * users]);
    const other = join(dir, 'other.ts');
    writeFileSync(other, topology.replace("tumbling('1m')", "tumbling('2m')"));
    expect((await command('submit', other, ...inside)).err).toMatch(/another one than that of/);
  });

  it.skipIf(!isFull)('tells when the topology was submitted twice at the same moment', async () => {
    const pipes = ['first', 'second'].map((name) => join(dir, name));
    await run('mkfifo', pipes);
    const fed = pipes.map((own) => feed(own));
    const both = await Promise.all(
      pipes.map((own) => {
        writeFileSync(`${own}.json`, settingsOf(own, `${own}-out`, 1));
        const given = ['flink', 'submit', file, '--settings', `${own}.json`, '--jar', jar];
        return flinkCommand([...given, '--url', flink.url, '--wait', '120s']);
      }),
    );
    const refused = both.filter(({ code }) => code !== 0);
    expect(refused.length).toBeGreaterThan(0);
    for (const { err } of refused)
      expect(err).toMatch(/of 'clicks' (?:is \w+ at .* already|was submitted at the same time as)/);
    const ids = both.flatMap(
      ({ err }) => /^job (\w+) of 'clicks' is submitted$/m.exec(err)?.[1] ?? [],
    );
    for (const id of ids) expect((await command('cancel', 'clicks', '--job', id)).code).toBe(0);
    // The one that no job opened is left, too.
    for (const own of pipes) closeSync(openSync(own, constants.O_RDONLY | constants.O_NONBLOCK));
    await Promise.all(fed);
  });

  /** A copy of the job's jar with the topology in it. */
  async function jarWithin(): Promise<string> {
    const built = join(dir, 'clicks.jar');
    const args = ['--settings', settings, '--jar', jar];
    const given = ['flink', 'build', file, ...args, '--into', built];
    expect(await ranAs(given, flinkCommand(given))).toMatchObject({
      ...{ code: 0, err: '' },
      out: expect.stringMatching(/clicks\.jar written\n$/),
    });
    const bytes = readFileSync(built);
    expect(JSON.parse(entryIn(bytes, 'sluice/plan.json') ?? '')).toMatchObject({ name: 'clicks' });
    expect(entryIn(bytes, 'sluice/settings.json')).toBe(settingsOf(pipe, out));
    expect(entryIn(bytes, 'sluice/none')).toBeUndefined();
    expect(() => withEntries(bytes, { 'sluice/plan.json': '' })).toThrow(/an entry .* already/);
    const damaged = Buffer.from(bytes);
    // The directory's entry says where the file begins, behind 42 bytes; the local head comes first.
    damaged.writeUInt32LE(0xfffffff0, damaged.lastIndexOf('sluice/plan.json') - 4);
    expect(() => entryIn(damaged, 'sluice/plan.json')).toThrow(/its directory is damaged/);
    expect(() => withEntries(Buffer.alloc(100), { a: '' })).toThrow(/it is not a jar/);
    return built;
  }

  it('writes the parts of a job, and runs it inside one process', async () => {
    const events = join(dir, 'events.ndjson');
    writeFileSync(events, Array.from({ length: 200 }, (_, n) => line(n)).join(''));
    const local = join(dir, 'local.json');
    writeFileSync(local, settingsOf(events, join(dir, 'local'), 1));
    const built = await flinkCommand(['--json', 'flink', 'build', file, '--settings', local]);
    expect(built.code).toBe(0);
    const { written } = JSON.parse(built.out) as { readonly written: readonly string[] };
    expect(written.map((path) => path.split('/').at(-1))).toEqual([
      ...['plan.json', 'bundle.js', 'settings.json'],
    ]);
    const args = ['--settings', local, '--jar', jar, '--flink', flinkLib];
    const given = ['flink', 'run', file, ...args];
    const finished = await ranAs(given, sluice(given, dir));
    expect([finished.code, finished.out]).toEqual([0, 'topology clicks: finished\n']);
    expect([clicks(join(dir, 'local')), rows(join(dir, 'local')).length]).toEqual([200, 4 * users]);
    const { job: foreign } = await flinkJars();
    const runWith = async (other: string): Promise<string | undefined> => {
      const args = ['--settings', local, '--jar', other, '--flink', flinkLib];
      const { code, err } = await sluice(['flink', 'run', file, ...args], dir);
      expect(code).toBe(1);
      return err.trimEnd().split('\n').at(-2);
    };
    expect(await runWith(foreign)).toBe(
      `sluice: the jar ${foreign}: expected a job of Sluice for Flink 1.20 or 2.2, got one that does not say so`,
    );
    // It says that it is one, and has no such class.
    const version = { 'sluice/flink-version': lineByDefault() };
    const claims = join(dir, 'claims.jar');
    writeFileSync(claims, withEntries(readFileSync(foreign), version));
    expect(await runWith(claims)).toBe(
      "sluice: the job of 'clicks' failed: ClassNotFoundException: sluice.flink.Main",
    );
  });

  it('shows in its pages only commands that ran here, and settings that fit', () => {
    const [page = '', aws = ''] = ['flink.md', 'flink-aws.md'].map((name) =>
      readFileSync(join(root, 'docs/operating', name), 'utf8'),
    );
    const shown = [page, aws].flatMap((text) =>
      commandsOf(text).filter((line) => line.includes('sluice flink')),
    );
    expect(shown.filter((line) => !ran.has(line))).toEqual([]);
    expect(shown.length).toBe(8);
    const [, json = ''] = /^```json\n(.*?)^```$/ms.exec(page) ?? [];
    const plan = JSON.parse(readFileSync(join(dir, 'clicks.flink/plan.json'), 'utf8')) as FlinkPlan;
    expect(settingsProblems(JSON.parse(json) as Record<string, unknown>, plan)).toEqual([]);
  });

  it('is told what of its settings does not fit, before anything is sent', async () => {
    const bad = join(dir, 'bad.json');
    const told = async (text: string): Promise<string> => {
      writeFileSync(bad, text);
      return (await flinkCommand(['flink', 'build', file, '--settings', bad])).err;
    };
    expect(await told('{')).toMatch(/are not JSON/);
    expect(await told('[]')).toMatch(/are not an object/);
    const lines = await told(
      '{"parallelism":0,"more":1,"freezes":"none","sources":{"clicks":{"connector":"tape"},"none":{}},"sinks":3,"rejected":{"connector":"lines"}}',
    );
    expect(lines.split('\n').slice(1, -2)).toEqual([
      expect.stringMatching(/^more: unknown; expected parallelism, /),
      'parallelism: expected a whole number from 1, got 0',
      'freezes: expected shared or all, got "none"',
      'sources.clicks.connector: expected lines, kinesis, kafka, got "tape"',
      'sources.none: the topology has none of that name; it has clicks',
      'sinks: expected an object, got 3',
      'rejected.path: expected a folder, into which `rows.ndjson` is written with a row a line, got nothing',
    ]);
    const { err } = await flinkCommand(['flink', 'build', file]);
    expect(err).toMatch(/^sluice: the job needs settings:\nsources\.clicks: expected/);
    expect((await flinkCommand(['flink', 'submit', file, '--parallelism', '129'])).err).toMatch(
      /invalid --parallelism '129'/,
    );
    mkdirSync(join(dir, 'no.jar'));
    const args = ['flink', 'build', file, '--settings', settings, '--jar', join(dir, 'no.jar')];
    expect((await flinkCommand([...args, '--into', join(dir, 'x.jar')])).err).toMatch(
      /^sluice: the jar .*no\.jar cannot be read/,
    );
  });
});
