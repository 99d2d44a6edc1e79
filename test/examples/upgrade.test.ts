/**
 * `npm run upgrade:test` in short form: the first flights, half of them through the commit before,
 * the rest through this one on the same folder.
 */
import { describe, expect, it } from 'vitest';
import { runScript } from '../repo/support.ts';
import { commitBefore } from '../tools/older-version.ts';
import { firstFlights } from './first-flights.ts';

const before = commitBefore();
if ('missing' in before) console.log(`skipped: ${before.missing}`);

describe('npm run upgrade:test', () => {
  it.skipIf('missing' in before)(
    'an instance of the commit before goes on as this version, and lands every event once',
    { timeout: 240_000 },
    async () => {
      const said = await runScript('tools/upgrade.js', '--data', firstFlights());
      expect(said).toMatch(/\n\d{2} passed, 0 failed\nexit 0$/);
      expect(said).toContain('ok    departures: rows, and distinct ids');
    },
  );

  it('names a commit that is not there, and how to get it', async () => {
    expect(await runScript('tools/upgrade.js', 'no-such-commit')).toBe(
      'the repository here has no commit "no-such-commit"; fetch the history: git fetch --unshallow --tags\nexit 2',
    );
  });
});
