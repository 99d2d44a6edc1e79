/**
 * `sluice init`: what it writes installs, compiles, passes its own test, fails when it is broken,
 * and runs.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { root, run, temporaryFolder } from '../../repo/support.ts';
import { programMissing } from '../../servers/cache.ts';
import { sluice, startSluice } from '../support.ts';

it.skipIf(programMissing('npm'))(
  'writes a pipeline whose own test passes, fails when the topology is broken, and that lands events',
  {
    timeout: 240_000,
  },
  async () => {
    const folder = join(temporaryFolder('init'), 'My Shop');
    const made = await sluice(['init', folder]);
    expect([made.code, made.out]).toEqual([
      0,
      expect.stringContaining('npm install && npm test && npm start') as string,
    ]);

    const installed = run(folder, 'npm', 'install', '--prefer-offline', '--no-audit', '--no-fund');
    expect(installed.status, installed.output).toBe(0);
    const tested = run(folder, 'npm', 'test');
    expect(tested.status, tested.output).toBe(0);
    expect(tested.output).toMatch(/3 passed/);
    const types = run(folder, 'npm', 'run', 'types');
    expect(types.output).not.toContain('written');

    const topology = join(folder, 'topology.ts');
    const good = readFileSync(topology, 'utf8');
    writeFileSync(topology, good.replace("allowedLateness: '30s', ", ''));
    expect(run(folder, 'npm', 'test').status).not.toBe(0);
    writeFileSync(topology, good.replace('c.data.price)', 'c.data.nope)'));
    expect(run(folder, 'npm', 'test').output).toMatch(/TS2339/);
    writeFileSync(topology, good);

    // The guide's files, as its reader would write them.
    const guide = ['write-a-topology.md', 'test-a-topology.md']
      .map((page) => readFileSync(join(root, 'docs', 'guide', page), 'utf8'))
      .join('');
    const blocks = [...guide.matchAll(/```ts\n\/\/ (\S+)\n([\s\S]*?)```/g)].map(
      ([, name = '', code = '']) => ({ name, code }),
    );
    expect(blocks.map(({ name }) => name)).toEqual([
      'orders.ts',
      'orders.test.ts',
      'visits.test.ts',
    ]);
    for (const { name, code } of blocks) writeFileSync(join(folder, name), code);
    const guided = run(folder, 'npm', 'test');
    expect(guided.status, guided.output).toBe(0);
    expect(guided.output).toMatch(/6 passed/);
    expect(await sluice(['topology', 'check', 'orders.ts'], folder)).toMatchObject({ code: 0 });

    const dir = join(folder, '.sluice');
    const started = await startSluice(dir, [], ['--port', '0'], folder);
    const send = async (app: string, body: unknown): Promise<void> => {
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(`${started.url}/v1/shop/${app}`, {
        method: 'POST',
        headers,
        body: JSON.stringify(body),
      });
      expect(answer.status, await answer.text()).toBe(200);
    };
    await send('impressions', {
      id: 'i1',
      data: { user: 'ann', promo: 'shoes', seenAt: '2026-01-01T12:00:00Z' },
    });
    await send('clicks', {
      id: 'c1',
      data: { user: 'ann', promo: 'shoes', price: 0.1, clickedAt: '2026-01-01T12:00:05Z' },
    });

    // The one window is open, and the status says what it waits for.
    let status = '';
    for (let tries = 0; tries < 100 && !/window per-minute: in 1/.test(status); tries++) {
      status = (await sluice(['--dir', dir, 'status', 'shop'])).out;
      await sleep(100);
    }
    expect(status).toMatch(
      /window per-minute: .*\n +holds 1; the next is due when the watermark reaches 2026-01-01T12:00:59\.999Z;/,
    );
    expect(status).toMatch(/held by clicks \w+ \S+, which had no event yet and is not idle/);

    const drained = await sluice(['--dir', dir, 'drain', 'shop']);
    expect([drained.code, drained.out]).toEqual([
      0,
      expect.stringMatching(/^shop is drained at checkpoint \d+: attributed 1,/m) as string,
    ]);
    const rows = JSON.parse(
      (
        await sluice([
          '--json',
          '--dir',
          dir,
          'query',
          'SELECT promo, clicks FROM clicks_per_minute',
        ])
      ).out,
    ) as unknown;
    expect(rows).toEqual([{ promo: 'shoes', clicks: 1 }]);
    const seen = JSON.parse(
      (
        await sluice([
          '--json',
          '--dir',
          dir,
          'query',
          'SELECT id, seen IS NOT NULL AS found FROM attributed',
        ])
      ).out,
    ) as unknown;
    expect(seen).toEqual([{ id: 'c1', found: true }]);
    expect((await sluice(['--dir', dir, 'drain', 'nope'])).err).toContain(
      "no topology 'nope' runs here; there is shop",
    );
    expect(await started.stop()).toBe(0);
  },
);

it('leaves a folder alone that holds anything', async () => {
  const folder = temporaryFolder('init-full');
  mkdirSync(join(folder, 'precious'));
  expect(await sluice(['init', folder])).toMatchObject({
    code: 1,
    err: expect.stringMatching(/is not empty: it has precious/) as string,
  });
});
