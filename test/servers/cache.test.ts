/**
 * What tests keep between runs is made once, whoever else wants it, and never taken half made.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, it } from 'vitest';

const root = mkdtempSync(join(tmpdir(), 'sluice-cache-'));
process.env['XDG_CACHE_HOME'] = root;
const { cached, missing } = await import('./cache.ts');
afterAll(() => rmSync(root, { recursive: true, force: true }));

it('is made once for all who ask at the same time, and kept', async () => {
  let made = 0;
  const make = async (dir: string): Promise<void> => {
    made++;
    await sleep(50);
    writeFileSync(join(dir, 'thing'), '');
  };
  const dirs = await Promise.all([1, 2, 3].map(() => cached('once', make)));
  expect(new Set(dirs).size).toBe(1);
  expect(await cached('once', make)).toBe(dirs[0]);
  expect(made).toBe(1);
  expect(readdirSync(dirs[0] ?? '').sort()).toEqual(['complete', 'thing']);
});

it('is made anew when making it failed', async () => {
  const half = (dir: string): Promise<void> => {
    writeFileSync(join(dir, 'half'), '');
    return Promise.reject(new Error('no network'));
  };
  await expect(cached('again', half)).rejects.toThrow('no network');
  const dir = await cached('again', () => Promise.resolve());
  expect(readdirSync(dir)).toEqual(['complete']);
});

it('does not wait for one who is gone', async () => {
  mkdirSync(join(root, 'sluice'), { recursive: true });
  // No process has the largest id that there can be.
  writeFileSync(join(root, 'sluice', 'making'), '4194304');
  expect(readdirSync(await cached('orphan', () => Promise.resolve()))).toEqual(['complete']);
});

it('what is missing is thrown where nothing may be skipped', () => {
  const before = process.env['CI'];
  process.env['CI'] = '1';
  expect(() => missing('Java is not there.')).toThrow('Java is not there.');
  if (before === undefined) delete process.env['CI'];
  else process.env['CI'] = before;
});
