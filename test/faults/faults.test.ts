/**
 * The list of planted faults holds: each has its place, once, and a test that exists; and two of
 * them, one of which is another on each day, are planted and caught.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root, runScript } from '../repo/support.ts';
import { faults } from './faults.ts';

describe('planted faults', () => {
  it('are at least one of each behavior, with a place that is there once and a test that exists', () => {
    expect(faults.length).toBeGreaterThanOrEqual(25);
    expect(new Set(faults.map(({ name }) => name)).size).toBe(faults.length);
    const wrong = faults.filter(({ file, find, replace, caughtBy }) => {
      const places = readFileSync(join(root, file), 'utf8').split(find).length - 1;
      const hasTest =
        'histories' in caughtBy || existsSync(join(root, 'test', `${caughtBy.test}.test.ts`));
      return places !== 1 || find === replace || !hasTest;
    });
    expect(wrong.map(({ name }) => name)).toEqual([]);
  });

  it('are planted by a command, which says of each whether it was caught', async () => {
    const day = String(Math.floor(Date.now() / 86_400_000));
    const said = await runScript('faults/run.js', '--count', '1', '--seed', day);
    expect(said).toMatch(/^caught {2}.*\n1 caught, 0 missed\nexit 0$/);
  }, 600_000);

  it('are chosen by name, and told as JSON', async () => {
    const said = await runScript('faults/run.js', '--only', 'numbers beyond 2^53', '--json');
    expect(said).toMatch(
      /^\{\n {2}"caught": 1,\n {2}"missed": 0,[\s\S]*"kind": "caught"[\s\S]*exit 0$/,
    );
    expect(await runScript('faults/run.js', '--only', 'no fault has this name')).toBe(
      '0 caught, 0 missed\nexit 1',
    );
  }, 300_000);
});
