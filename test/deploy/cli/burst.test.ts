/**
 * The pipeline that `sluice init` writes, and a burst after a quiet time: as first shipped it
 * counted 246 of 480 events. The splits of the stream were idle, and the one that was read first
 * carried time past what waited in the others.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../../repo/support.ts';
import { sluice, startSluice } from '../support.ts';

it('a burst of 480 events after a quiet time is counted whole', { timeout: 180_000 }, async () => {
  const folder = join(temporaryFolder('burst'), 'shop');
  expect((await sluice(['init', folder])).code).toBe(0);
  const dir = join(folder, '.sluice');
  const started = await startSluice(dir, [], ['--port', '0'], folder);
  const send = async (name: string, fromSecond: number, count: number): Promise<void> => {
    const file = join(folder, `${name}.ndjson`);
    const lines = Array.from({ length: count }, (_, n) => {
      const clickedAt = new Date(Date.UTC(2026, 0, 1, 12) + (fromSecond + n) * 1_000).toISOString();
      return JSON.stringify({
        id: `${name}${n}`,
        data: { user: `u${n % 40}`, promo: `p${n % 3}`, price: 0.1, clickedAt },
      });
    });
    writeFileSync(file, `${lines.join('\n')}\n`);
    const sent = await sluice([
      'send',
      '--url',
      started.url,
      '--stream',
      'shop/clicks',
      '--batch',
      '50',
      file,
    ]);
    expect([sent.code, sent.err]).toEqual([0, expect.anything()]);
  };
  await send('before', 0, 60);
  let clicks: readonly string[] = [];
  for (
    let tries = 0;
    tries < 120 && (clicks.length === 0 || !clicks.every((line) => line.endsWith(', idle')));
    tries++
  ) {
    await sleep(500);
    const { out } = await sluice(['--dir', dir, 'status', 'shop']);
    clicks = out.split('\n').filter((line) => line.includes('  shop/clicks '));
  }
  expect(clicks.every((line) => line.endsWith(', idle'))).toBe(true);

  await send('burst', 60, 480);
  const drained = await sluice(['--dir', dir, 'drain', 'shop']);
  expect(drained.out).toContain('per-minute-late 0; 0 rejected');
  const counted = await sluice([
    '--json',
    '--dir',
    dir,
    'query',
    'SELECT sum(clicks)::INT AS n FROM clicks_per_minute',
  ]);
  expect(JSON.parse(counted.out)).toEqual([{ n: 540 }]);
  expect(await started.stop()).toBe(0);
});
