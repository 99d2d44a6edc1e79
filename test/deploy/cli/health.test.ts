/**
 * `sluice health`, what a container's HEALTHCHECK runs: an instance that lives, one that is stuck,
 * one that says no, none.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it, onTestFinished } from 'vitest';
import { lockInstance, unknownInstance } from '../../../deploy/host/instance.ts';
import { servePlain, textAnswer } from '../../../deploy/host/plain-server.ts';
import { sluice, startSluice } from '../support.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-health-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

it('answers with 0 while the instance does, and says where it asked', async () => {
  const dir = join(root, 'lives');
  expect(await sluice(['--dir', dir, 'health'])).toMatchObject({
    code: 1,
    err: expect.stringContaining('no instance runs on') as string,
  });
  const started = await startSluice(dir);
  onTestFinished(async () => void (await started.stop('SIGKILL')));
  const lives = await sluice(['health'], root, { SLUICE_DIR: dir });
  expect(lives).toEqual({ code: 0, out: `${started.url}/healthz: ok\n`, err: '' });
  const ready = await sluice(['--json', '--dir', dir, 'health', '--ready']);
  expect(ready.code).toBe(0);
  expect(JSON.parse(ready.out)).toEqual({ ok: true, url: `${started.url}/readyz` });
  started.child.kill('SIGSTOP');
  const stuck = await sluice(['--dir', dir, 'health']);
  started.child.kill('SIGCONT');
  expect(stuck.code).toBe(1);
  expect(stuck.err).toContain('/healthz does not answer: no answer within 2 s');
  expect(await started.stop()).toBe(0);
  expect((await sluice(['--dir', dir, 'health'])).code).toBe(1);
});

it('answers with 1 and the reason when the instance says that it is not ready', async () => {
  const dir = join(root, 'stops');
  const lock = await lockInstance(dir);
  const server = await servePlain({
    host: '0.0.0.0',
    port: 0,
    section: 'enrich',
    routes: {
      '/healthz': async () => textAnswer(200, 'ok'),
      '/readyz': async () => textAnswer(503, 'stopping'),
    },
  });
  onTestFinished(async () => {
    await server.close();
    await lock.release();
  });
  lock.publish({ ...unknownInstance, url: server.url });
  // Bound to all addresses, it is told and asked on loopback.
  expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  expect((await sluice(['--dir', dir, 'health'])).code).toBe(0);
  const ready = await sluice(['--json', '--dir', dir, 'health', '--ready']);
  expect([ready.code, JSON.parse(ready.out)]).toMatchObject([
    1,
    { error: { code: 'not-healthy', message: `${server.url}/readyz answers 503: stopping` } },
  ]);
});
