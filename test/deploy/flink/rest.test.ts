/**
 * What is asked of a Flink cluster, on a real one: a job is found by its topology, keeps a savepoint,
 * is drained, started again from where it was, and canceled; and each thing that can go wrong says
 * what it was.
 */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { flinkCause } from '../../../deploy/flink/rest/flink-cause.ts';
import type { FlinkJob, Waiting } from '../../../deploy/flink/rest/flink-jobs.ts';
import {
  cancelJob,
  findJob,
  stopWithSavepoint,
  takeSavepoint,
  untilRunning,
} from '../../../deploy/flink/rest/flink-jobs.ts';
import { FlinkRest } from '../../../deploy/flink/rest/flink-rest.ts';
import { readFlinkStatus } from '../../../deploy/flink/rest/flink-status.ts';
import { systemClock } from '../../../schemas/kernel/clock.ts';
import type { FlinkServer } from '../../servers/flink.ts';
import { flinkJars, startFlink } from '../../servers/flink.ts';
import { freePort } from '../../servers/free-port.ts';
import { javaMissing } from '../../servers/jars.ts';
import type { Ran } from '../support.ts';
import { sluice } from '../support.ts';
import { flinkCommand } from './flink-command.ts';

const waiting: Waiting = { clock: systemClock, maxMs: 60_000, note: () => undefined };
const restOf = (url: string, authorization?: string): FlinkRest =>
  new FlinkRest({ url: new URL(url), authorization, clock: systemClock });

describe.skipIf(javaMissing() !== undefined)('a Flink cluster', { timeout: 120_000 }, () => {
  let flink: FlinkServer;
  let rest: FlinkRest;
  let jar: string;

  beforeAll(async () => {
    const { job } = await flinkJars();
    flink = await startFlink();
    rest = restOf(flink.url);
    jar = await rest.upload('tiny.jar', readFileSync(job));
  }, 300_000);
  afterAll(async () => {
    await flink?.stop();
  });

  const start = async (
    name: string,
    what = 'count',
    more: { savepointPath?: string; allowNonRestoredState?: boolean } = {},
  ): Promise<FlinkJob> => {
    const id = await rest.run(jar, { programArgsList: [name, what], ...more });
    await untilRunning(rest, id, waiting);
    return findJob(rest, { topology: name, id });
  };
  const command = (...args: readonly string[]): Promise<Ran> =>
    flinkCommand(['flink', ...args, '--url', flink.url, '--wait', '60s']);
  const json = async (...args: readonly string[]): Promise<Record<string, unknown>> => {
    const { out, err } = await flinkCommand(['--json', 'flink', ...args, '--url', flink.url]);
    expect(err).toBe('');
    return JSON.parse(out) as Record<string, unknown>;
  };

  it('keeps a savepoint of a job, drains it, and goes on from there', async () => {
    const job = await start('counts');
    const kept = await command('savepoint', 'counts');
    const [, path = ''] = /^savepoint (file:\S+)$/m.exec(kept.out) ?? [];
    expect([kept.code, existsSync(new URL(path))]).toEqual([0, true]);
    expect(kept.out).toContain(`sluice flink submit FILE --from ${path}`);
    const status = await command('status', 'counts');
    expect([status.code, status.out]).toEqual([
      0,
      expect.stringMatching(new RegExp(`^topology counts: RUNNING, job ${job.id}, started 20`)),
    ]);
    expect(status.out).toContain(`  savepoint ${path}`);
    expect(status.out).toMatch(/^ {2}RUNNING .* x1: \d+ in, \d+ out$/m);
    const own = join(flink.dir, 'own');
    mkdirSync(own);
    const drained = await json('drain', 'counts', '--directory', `file://${own}`);
    expect(drained).toEqual({
      ...{ job: job.id, ended: 'drained' },
      savepoint: expect.stringMatching(new RegExp(`^file:${own}/`)),
    });
    expect(await json('status', 'counts')).toMatchObject({ job: job.id, state: 'FINISHED' });
    const again = await start('counts', 'count', { savepointPath: String(drained['savepoint']) });
    expect(await json('status', 'counts')).toMatchObject({
      ...{ job: again.id, state: 'RUNNING' },
      checkpoints: { restoredFrom: drained['savepoint'] },
    });
    const canceled = await command('cancel', 'counts');
    expect([canceled.code, canceled.out]).toEqual([0, `job ${again.id} of 'counts' is canceled\n`]);
    expect(await json('status', 'counts')).toMatchObject({ job: again.id, state: 'CANCELED' });
  });

  it('stops a job with a savepoint that a later one goes on from', async () => {
    const job = await start('kept');
    const stopped = await json('cancel', 'kept', '--keep');
    expect(stopped).toMatchObject({ job: job.id, ended: 'stopped' });
    const path = String(stopped['savepoint']);
    await expect(start('kept', 'other', { savepointPath: path })).rejects.toMatchObject({
      code: 'flink-refused',
      message: expect.stringMatching(
        /Cannot map checkpoint\/savepoint state for operator/,
      ) as string,
    });
    const last = await start('kept', 'other', {
      ...{ savepointPath: path, allowNonRestoredState: true },
    });
    await cancelJob(rest, last, waiting);
  });

  it('tells why a savepoint failed, with the cause that Flink gives', async () => {
    const job = await start('unwritable');
    const failed = await command('savepoint', 'unwritable', '--directory', 'file:///proc/none');
    expect([failed.code, failed.err]).toEqual([
      1,
      expect.stringMatching(/^sluice: the savepoint of 'unwritable' failed: .*\/proc\/none/),
    ]);
    expect(failed.err).not.toMatch(/\bat org\.apache|Caused by/);
    await stopWithSavepoint(rest, job, { directory: undefined, drain: false }, waiting);
  });

  it('tells of a job that is not there, and of two of one name', async () => {
    expect(await command('status', 'nobody')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^sluice: no job of 'nobody' runs at http:\/\/127\.0\.0\.1:\d+: /),
    });
    const jobs = [await start('twice'), await start('twice')];
    const { code, err } = await command('savepoint', 'twice');
    expect([code, err]).toEqual([1, expect.stringMatching(/2 jobs of 'twice' run at .*RUNNING/)]);
    for (const { id } of jobs) expect(err).toContain(id);
    for (const { id } of jobs)
      expect(await json('cancel', 'twice', '--job', id)).toEqual({ job: id, ended: 'canceled' });
  });

  it('tells why a job does not start, by its main or by its tasks', async () => {
    await expect(start('refused', 'refuse')).rejects.toMatchObject({
      code: 'flink-refused',
      message: expect.stringMatching(/\(400|500\): the tiny job does not want to$/) as string,
    });
    const id = await rest.run(jar, { programArgsList: ['failing', 'fail'] });
    const job = { topology: 'failing', id };
    // It runs for a moment.
    while ((await findJob(rest, job, { orEnded: true })).state !== 'FAILED') await sleep(20);
    await expect(untilRunning(rest, id, waiting)).rejects.toMatchObject({
      code: 'flink-job-failed',
      message: expect.stringMatching(/: the tiny job fails at 0$/) as string,
    });
    const { code, out } = await command('status', 'failing');
    expect([code, out]).toEqual([1, expect.stringMatching(/ {2}last failure: the tiny job fails/)]);
    expect(
      await readFlinkStatus(
        rest,
        await findJob(rest, { topology: 'failing', id: undefined }, { orEnded: true }),
      ),
    ).toMatchObject({ state: 'FAILED' });
  });
});

async function listening(server: Server): Promise<string> {
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
}

describe('a cluster that does not answer as it should', () => {
  it('has the innermost cause of a failure told, in one line', () => {
    const trace =
      'Internal server error.\n<Exception on server side:\na.B: outer\n\tat a.b(C.java:1)\n';
    expect(flinkCause(`${trace}Caused by: a.C: it is over\n\t... 3 more\n`)).toBe('it is over');
    expect(flinkCause(`${trace}Caused by: a.C: /a/path\n`)).toBe('C: /a/path');
    expect(flinkCause(trace)).toBe('B: outer');
    expect(flinkCause('')).toBe('');
    expect(flinkCause('x '.repeat(1_000)).length).toBe(603);
  });

  it('is named where nothing listens, and what is not an option is said', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const { code, err } = await sluice(['flink', 'status', 'x', '--url', url]);
    expect([code, err]).toEqual([
      1,
      expect.stringContaining(`no Flink answers at ${url}: ECONNREFUSED`),
    ]);
    const told = async (...args: readonly string[]): Promise<string> =>
      (await flinkCommand(['flink', 'status', 'x', ...args])).err;
    expect(await told('--url', 'ftp://x')).toMatch(/invalid --url 'ftp:\/\/x'/);
    expect(await told('--url', 'http://me:secret@x')).toMatch(
      /^(?!.*secret).*a user or a password/,
    );
    expect(await told('--wait', 'long')).toMatch(/invalid --wait 'long'/);
    expect(await told('--authorization-from', 'NONE_SUCH')).toMatch(/the variable is not set/);
    expect(await told('--url', 'me:secret@x:8081')).toMatch(
      /^(?!.*secret).*invalid --url: expected/,
    );
    const { err: canceled } = await flinkCommand([
      'flink',
      'cancel',
      'x',
      '--directory',
      'file:///x',
    ]);
    expect(canceled).toMatch(/add --keep/);
  });

  it('is waited for as long as is asked for, and no longer', async () => {
    const notes: string[] = [];
    let [now, asked] = [0, 0];
    const clock = {
      ...systemClock,
      monotonic: () => (now += 4_000),
      setTimer: (delayMs: number, fire: () => void) =>
        systemClock.setTimer(delayMs > 1_000 ? delayMs : 0, fire),
    };
    const server = createServer((req, res) => {
      asked++;
      res.end(req.method === 'POST' ? '{"request-id":"t"}' : '{"status":{"id":"IN_PROGRESS"}}');
    });
    const url = await listening(server);
    const slow = new FlinkRest({ url: new URL(url), authorization: undefined, clock });
    const job: FlinkJob = { id: 'j', name: 'slow', state: 'RUNNING', startedAtMs: 0 };
    const taken = takeSavepoint(slow, job, undefined, {
      ...{ clock, maxMs: 20_000, note: (text: string) => void notes.push(text) },
    });
    await expect(taken).rejects.toMatchObject({
      ...{ code: 'flink-timeout', retryable: true },
      message: "waited 20 s for the savepoint of 'slow'; Flink goes on with it",
    });
    expect(notes).toEqual([
      "waiting for the savepoint of 'slow' (8 s)",
      "waiting for the savepoint of 'slow' (16 s)",
    ]);
    expect(asked).toBe(7);
    server.close();
  });

  it('is asked below the path of its address, and no other host is, however that path begins', async () => {
    const heard: (string | undefined)[] = [];
    const server = createServer((req, res) => {
      heard.push(req.url);
      res.end('{"jobs":[]}');
    });
    const { host } = new URL(await listening(server));
    const elsewhere: unknown[] = [];
    const other = createServer((req, res) => {
      elsewhere.push(req.headers.authorization);
      res.end('{"jobs":[]}');
    });
    const { host: evil } = new URL(await listening(other));
    const paths = [`//${evil}`, `///${evil}/`, '/proxy//', ''];
    for (const path of paths)
      await restOf(`http://${host}${path}`, 'Basic c2VjcmV0').get('/jobs/overview?a=b');
    expect(elsewhere).toEqual([]);
    expect(heard).toEqual([
      ...[`/${evil}/jobs/overview?a=b`, `/${evil}/jobs/overview?a=b`],
      ...['/proxy/jobs/overview?a=b', '/jobs/overview?a=b'],
    ]);
    server.close();
    other.close();
  });

  it('is sent a header over a network without TLS only with a note', async () => {
    const told = async (url: string): Promise<string> => {
      const args = ['flink', 'status', 'x', '--url', url, '--authorization-from', 'LOGIN'];
      return (await flinkCommand(args, { LOGIN: 'Basic c2VjcmV0' })).err;
    };
    const note = /^the header Authorization is sent to none\.invalid:8081 without TLS; use https/;
    expect(await told('http://none.invalid:8081')).toMatch(note);
    expect(await told('https://none.invalid:8081')).not.toMatch(/without TLS/);
    expect(await told(`http://127.0.0.1:${await freePort()}`)).not.toMatch(/without TLS/);
  });

  it('is sent what the environment has for authorization, which is never shown', async () => {
    const heard: (string | undefined)[] = [];
    const server = createServer((req, res) => {
      heard.push(req.headers.authorization);
      const answers: Readonly<Record<string, readonly [number, string]>> = {
        '/deny/jobs/overview': [401, 'no'],
        '/move/jobs/overview': [302, ''],
        '/page/jobs/overview': [200, '<html>'],
        '/fail/jobs/overview': [
          500,
          '{"errors":["Internal server error.","<Exception on server side:\\njava.lang.A: x\\n\\tat y\\nCaused by: java.lang.B: deep\\n"]}',
        ],
      };
      const [status, text] = answers[req.url ?? ''] ?? [404, ''];
      res.writeHead(status, { location: 'http://127.0.0.1:1/' }).end(text);
    });
    const at = await listening(server);
    const asked = async (path: string): Promise<string> => {
      const args = ['flink', 'status', 'x', '--url', `${at}/${path}/`];
      const env = { FLINK_LOGIN: 'Basic c2VjcmV0' };
      const { err } = await flinkCommand([...args, '--authorization-from', 'FLINK_LOGIN'], env);
      expect(err).not.toContain('c2VjcmV0');
      return err;
    };
    expect(await asked('deny')).toMatch(/wants other credentials \(401\)/);
    expect(await asked('move')).toMatch(/redirects to elsewhere \(302\)/);
    expect(await asked('page')).toMatch(/does not answer \/jobs\/overview as Flink does: <html>/);
    expect(await asked('fail')).toMatch(/refused \/jobs\/overview \(500\): B: deep$/m);
    expect(heard).toEqual(['Basic c2VjcmV0', 'Basic c2VjcmV0', 'Basic c2VjcmV0', 'Basic c2VjcmV0']);
    server.close();
  });
});
