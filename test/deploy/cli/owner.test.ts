/**
 * A folder belongs to one instance and to one user: two starts on one folder, folders that two
 * instances share by links, a kill, a reset, and the modes of everything that a run writes.
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { findInstance, lockInstance } from '../../../deploy/host/instance.ts';
import { controlSocket, instanceFile } from '../../../deploy/host/layout.ts';
import type { RunningLocal } from '../../../deploy/local/start.ts';
import { startLocal } from '../../../deploy/local/start.ts';
import { openSpool } from '../../../ingest/delivery/spool.ts';
import { silentLog } from '../../../ingest/telemetry/log.ts';
import { parseConfig } from '../../../schemas/config-file.ts';
import { systemClock } from '../../../schemas/kernel/clock.ts';
import { systemRandom } from '../../../schemas/kernel/random.ts';
import { sluice, startSluice, until } from '../support.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'sluice-owned-')));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const running: RunningLocal[] = [];
afterEach(async () => {
  for (const local of running.splice(0)) await local.stop();
});

const streams = 'streams:\n  - {team: a, app: clicks}\n  - {team: a, app: kept, ack: spooled}\n';

/**
 * In this process: a lock is per open file, so a second start here is refused as one of another
 * process is.
 */
async function start(dir: string): Promise<RunningLocal> {
  const parsed = parseConfig(`${streams}ingress: {port: 0}\n`, {
    file: 'sluice.yaml',
    env: {},
    baseDir: root,
  });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const local = await startLocal({
    config: parsed.config,
    dir,
    clock: systemClock,
    random: systemRandom,
    tell: () => undefined,
    log: silentLog,
  });
  running.push(local);
  return local;
}

describe('an instance on a folder', () => {
  it('is the only one, also by a link to it, and says who it is', async () => {
    const dir = join(root, 'linked');
    await start(dir);
    const link = join(root, 'link');
    symlinkSync(dir, link);
    for (const path of [dir, link]) {
      await expect(start(path)).rejects.toMatchObject({
        code: 'already-running',
        details: { dir: path, pid: process.pid },
      });
    }
    expect(await findInstance(link)).toMatchObject({
      pid: process.pid,
      metrics: expect.stringMatching(/^http:.*\/metrics$/),
    });
  });

  it.each(['log', 'lake', 'checkpoints', 'claims', 'graph-staging', 'spool'])(
    'shares no %s with another that has a link to it',
    async (name) => {
      const [one, other] = [join(root, `one-${name}`), join(root, `other-${name}`)];
      await start(one);
      mkdirSync(other);
      symlinkSync(join(one, name), join(other, name));
      await expect(start(other)).rejects.toMatchObject({
        code: 'folder-in-use',
        message: expect.stringContaining(name),
      });
      await running.pop()?.stop();
      await start(other);
    },
  );

  it('starts again at once after a kill, though what it left still says that it runs', async () => {
    const dir = join(root, 'killed');
    const config = join(root, 'killed.yaml');
    writeFileSync(config, streams);
    const first = await startSluice(dir, ['--config', config]);
    await first.stop('SIGKILL');
    expect([existsSync(instanceFile(dir)), existsSync(controlSocket(dir))]).toEqual([true, true]);
    expect(await findInstance(dir)).toBeUndefined();
    expect(await sluice(['--dir', dir, 'status'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('no instance runs'),
    });
    const second = await startSluice(dir, ['--config', config]);
    expect((await sluice(['--dir', dir, 'status'])).out).toMatch(
      new RegExp(`pid ${second.child.pid}, .*metrics at http://127.0.0.1:\\d+/metrics`),
    );
    expect(await second.stop()).toBe(0);
    expect(readdirSync(dir)).not.toContain('control.sock');
  });
});

describe('a reset', () => {
  it('leaves alone what is being started, and deletes everything else, the lock last', async () => {
    const dir = join(root, 'reset');
    const lock = await lockInstance(dir);
    mkdirSync(join(dir, 'log'));
    expect(await sluice(['--dir', dir, 'reset', '--yes'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('in use by another process'),
    });
    await lock.release();
    expect(await sluice(['--dir', dir, 'reset', '--yes'])).toMatchObject({
      code: 0,
      out: `removed ${dir} (log)\n`,
    });
    expect(existsSync(dir)).toBe(false);
  });
});

describe('a reset of a folder whose spools hold acknowledged events', () => {
  const record = { key: 'k', value: [Buffer.from('acknowledged')] };
  const spoolOf = (dir: string, name: string) =>
    openSpool({ dir: join(dir, 'spool', name), clock: systemClock, maxBytes: 1_000_000 });

  it('lists them and deletes nothing, whoever agreed to it, until it is told to drop them', async () => {
    const dir = join(root, 'reset-spooled');
    mkdirSync(join(dir, 'lake'), { recursive: true });
    for (const [name, count] of [
      ['a/kept/kinesis', 3],
      ['a/kept/kafka.refused', 1],
      ['gone/app/kafka', 2],
      ['a/empty/kafka', 0],
    ] as const) {
      const spool = await spoolOf(dir, name);
      for (let n = 0; n < count; n++) await spool.append([record]);
      await spool.close();
    }
    const before = readdirSync(dir, { recursive: true, encoding: 'utf8' });
    const refused = await sluice(['--dir', dir, 'reset', '--yes']);
    expect(refused.code).toBe(1);
    expect(refused.err).toMatch(
      /a\/kept kinesis: 3 records, \d+ bytes, the oldest from \S+Z, which wait for their stream \(\S*spool\/a\/kept\/kinesis\)/,
    );
    expect(refused.err).toMatch(/a\/kept kafka: 1 records, .*, which their stream refused/);
    expect(refused.err).toMatch(/gone\/app kafka: 2 records/);
    expect(refused.err).not.toContain('a/empty');
    expect(refused.err).toContain('--drop-spooled');
    expect(readdirSync(dir, { recursive: true, encoding: 'utf8' })).toEqual(
      expect.arrayContaining(before),
    );
    expect((await sluice(['--dir', dir, 'reset', '--yes', '--drop-spooled'])).code).toBe(0);
    expect(existsSync(dir)).toBe(false);
  });

  it('does so where they cannot be counted, and deletes spools that were emptied', async () => {
    const dir = join(root, 'reset-damaged');
    const spool = await spoolOf(dir, 'a/kept/kinesis');
    for (let n = 0; n < 3; n++) await spool.append([record]);
    await spool.close();
    const folder = join(dir, 'spool/a/kept/kinesis');
    const file = join(folder, readdirSync(folder).find((name) => name.endsWith('.log')) ?? '');
    const bytes = readFileSync(file);
    bytes[40] = (bytes[40] ?? 0) ^ 255;
    writeFileSync(file, bytes);
    expect(await sluice(['--dir', dir, 'reset', '--yes'])).toMatchObject({
      code: 1,
      err: expect.stringMatching(
        /a\/kept kinesis: events that cannot be counted, because the folder is damaged/,
      ) as string,
    });
    rmSync(folder, { recursive: true });
    const again = await spoolOf(dir, 'a/kept/kinesis');
    await again.append([record]);
    const [first] = await again.read({ maxRecords: 1, maxBytes: 1_000 });
    await again.drainedTo(first?.offset ?? -1);
    await again.close();
    expect((await sluice(['--dir', dir, 'reset', '--yes'])).code).toBe(0);
  });
});

it('a reset deletes nothing that another instance has by a link', async () => {
  const [one, other] = [join(root, 'reset-one'), join(root, 'reset-other')];
  await start(one);
  await running.pop()?.stop();
  mkdirSync(other);
  for (const name of ['log', 'spool']) symlinkSync(join(one, name), join(other, name));
  await start(other);
  expect(await sluice(['--dir', one, 'reset', '--yes'])).toMatchObject({
    code: 1,
    err: expect.stringMatching(/(log|spool)\S* is in use/),
  });
  expect(readdirSync(one)).toEqual(expect.arrayContaining(['lake', 'lock', 'log', 'spool']));
  await running.pop()?.stop();
  expect((await sluice(['--dir', one, 'reset', '--yes'])).code).toBe(0);
});

describe('the folder of an instance', () => {
  it('of an earlier version is closed to others', async () => {
    const dir = join(root, 'earlier');
    mkdirSync(join(dir, 'log'), { recursive: true });
    chmodSync(dir, 0o755);
    await (await lockInstance(dir)).release();
    expect(lstatSync(dir).mode & 0o777).toBe(0o700);
  });

  it('is not changed when it holds what others made, and others can enter: it is refused', async () => {
    const dir = join(root, 'foreign');
    mkdirSync(dir);
    chmodSync(dir, 0o755);
    writeFileSync(join(dir, 'thesis.tex'), '');
    await expect(lockInstance(dir)).rejects.toMatchObject({
      code: 'folder-not-private',
      message: expect.stringContaining('thesis.tex'),
    });
    expect([lstatSync(dir).mode & 0o777, readdirSync(dir)]).toEqual([0o755, ['thesis.tex']]);
    chmodSync(dir, 0o700);
    await (await lockInstance(dir)).release();
  });
});

/** What `code` prints, run as a user who owns nothing here. */
const asNobody = (code: string): string =>
  spawnSync(process.execPath, ['-e', code], {
    cwd: '/',
    uid: 65_534,
    gid: 65_534,
    encoding: 'utf8',
  }).stdout;

it.runIf(process.getuid?.() === 0)(
  'another user can neither connect to the control socket, nor read who runs, nor take the lock',
  async () => {
    const dir = join(root, 'another-user');
    await start(dir);
    chmodSync(root, 0o755);
    const connected = `require('node:net').connect(${JSON.stringify(controlSocket(dir))}, () => console.log('connected')).on('error', (thrown) => console.log(thrown.code))`;
    const read = (path: string): string =>
      `try { require('node:fs').openSync(${JSON.stringify(path)}); console.log('open') } catch (thrown) { console.log(thrown.code) }`;
    expect([connected, read(instanceFile(dir)), read(join(dir, 'lock'))].map(asNobody)).toEqual(
      Array(3).fill('EACCES\n'),
    );
    // As far as its own folder that user comes.
    expect(asNobody(read(root))).toBe('open\n');
  },
);

it.runIf(process.getuid?.() === 0)(
  'a folder that its user may not write is refused with folder, user and what to do, not as a defect',
  () => {
    chmodSync(root, 0o755);
    const volume = join(root, 'volume');
    mkdirSync(volume, { mode: 0o755 });
    const closed = join(root, 'closed');
    mkdirSync(closed, { mode: 0o700 });
    const { href } = new URL('../../../../dist/deploy/host/instance.js', import.meta.url);
    const refusal = (dir: string): string =>
      asNobody(
        `import(${JSON.stringify(href)}).then((m) => m.lockInstance(${JSON.stringify(dir)})).catch((e) => console.log(e.code, e.message, e.fix))`,
      );
    const mine = (path: string, mode: string): string =>
      `${path} belongs to user 0 of group 0, mode ${mode}`;
    for (const [dir, what] of [
      [volume, `cannot be written by user 65534 of group 65534: ${mine(volume, '755')}`],
      [closed, `cannot be written by user 65534 of group 65534: ${mine(closed, '700')}`],
      [
        join(volume, 'data', 'deeper'),
        `cannot be created by user 65534 of group 65534: ${mine(volume, '755')}`,
      ],
    ] as const) {
      expect(refusal(dir)).toContain(`folder-unusable ${dir} ${what}`);
      expect(refusal(dir)).toContain('securityContext.fsGroup: 65534');
    }
    // What fsGroup makes of a volume: root's, and the group may write.
    chownSync(volume, 0, 65_534);
    chmodSync(volume, 0o2775);
    expect(refusal(join(volume, 'data'))).toBe('');
    expect(lstatSync(join(volume, 'data')).mode & 0o777).toBe(0o700);
  },
);

const topology = `
import { graph, graphModel, schemaOf, stream, table, topology } from 'sluice';
const model = graphModel({ nodes: { Number: { key: 'n', props: { n: 'integer' } } } });
const row = schemaOf<{ n: number }>({ $id: 'row', type: 'object', properties: { n: { type: 'integer' } } });
export default topology('numbers', { version: 1, owner: 'a/clicks' }, (t) => {
  const numbers = t.source('clicks', stream('a/clicks')).map((e) => ({ n: (e.data as { n: number }).n }));
  numbers.sinkTo('rows', table('numbers', row));
  numbers.sinkTo('nodes', graph(model, ({ n }) => [model.Number({ n })]));
});
`;

/** Everything below `dir` whose mode is open to others, by its path. */
function open(dir: string): readonly string[] {
  const entries = readdirSync(dir, { recursive: true, withFileTypes: true }).map((entry) =>
    join(entry.parentPath, entry.name),
  );
  return [dir, ...entries].filter((path) => {
    const found = lstatSync(path, { throwIfNoEntry: false });
    return found !== undefined && (found.mode & 0o777) !== (found.isDirectory() ? 0o700 : 0o600);
  });
}

it('everything that a run writes is 0700 and 0600, and what a person asks for is as the umask says', async () => {
  const project = join(root, 'modes');
  const dir = join(project, '.sluice');
  mkdirSync(project);
  writeFileSync(join(project, 'topology.ts'), topology);
  const config = join(project, 'sluice.yaml');
  writeFileSync(
    config,
    `${streams}topologies: [topology.ts]\nlocal: {checkpoint_ms: 200, parquet_file_age_ms: 0}\n`,
  );
  const before = process.umask(0o022);
  const started = await startSluice(dir, ['--config', config]).finally(() => process.umask(before));
  const post = (stream: string, body: string): Promise<Response> =>
    fetch(`${started.url}/v1/a/${stream}`, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json' },
    });
  expect((await post('clicks', '[{"n":1},{"n":"no number"}]')).status).toBe(200);
  expect((await post('clicks', `{"n":2,"pad":"${'x'.repeat(9_000_000)}"}`)).status).toBe(200);
  expect((await post('kept', '{"n":3}')).status).toBe(202);
  const has = (path: string): boolean => existsSync(join(dir, path));
  const made = [
    'log',
    'lake/numbers',
    'lake/rejected',
    'graph',
    'checkpoints/numbers',
    'claims/a',
    'spool/a/kept',
    'build',
  ];
  await until(
    () => made.every(has),
    () => `${made.filter((path) => !has(path)).join(', ')} missing; ${started.output()}`,
  );
  expect(open(dir).map((path) => relative(dir, path))).toEqual([]);
  expect([lstatSync(controlSocket(dir)).isSocket(), has('lock'), has('instance.json')]).toEqual([
    true,
    true,
    true,
  ]);
  expect(await started.stop()).toBe(0);
  expect(open(dir).map((path) => relative(dir, path))).toEqual([]);

  const own = process.umask(0o022);
  expect((await sluice(['init', join(project, 'mine')])).code).toBe(0);
  process.umask(own);
  expect(lstatSync(join(project, 'mine', 'sluice.yaml')).mode & 0o777).toBe(0o644);
});
