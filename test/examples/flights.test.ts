/**
 * The runs that have commands of their own, in short form: the flights example killed and sent twice,
 * one file after the other; and the smoke benchmark for a second.
 */
import { describe, expect, it } from 'vitest';
import { runScript } from '../repo/support.ts';

describe('npm run example:flights', () => {
  it('lands what was sent, killed and sent twice', { timeout: 240_000 }, async () => {
    const said = await runScript(
      'tools/example-flights.js',
      ...['--kill', '3', '--twice', '--order', 'one-by-one', '--seed', '7'],
    );
    expect(said).toMatch(/\n(?:2[3-9]|3\d) passed, 0 failed\nexit 0$/);
  });
});

describe('npm run example:late', () => {
  it('counts exactly the rows that a smaller out-of-orderness makes late', {
    timeout: 120_000,
  }, async () => {
    const said = await runScript('tools/example-late.js', '--out-of-orderness', '24,6');
    expect(said).toMatch(/out of order by 24 h: late rows, .*: \[0,0\]/);
    expect(said).toMatch(/out of order by 6 h: late rows, .*: \[397,0\]/);
    expect(said).toMatch(/\n4 passed, 0 failed\nexit 0$/);
  });
});

describe('npm run bench:smoke', () => {
  it('prints the ratio to a bare server and where the time goes', { timeout: 60_000 }, async () => {
    const said = await runScript(
      'bench/smoke.js',
      '--seconds',
      '1',
      '--connections',
      '16',
      '--copies',
      '1',
    );
    expect(said).toMatch(/ratio: \d+\.\d\d of the bare server's events\/s/);
    expect(said).toMatch(/JSON and UTF-8 check +\d/);
    expect(said).toMatch(/27004 events, 1763 windows\n/);
    expect(said).toMatch(/ratio: \d\.\d\d of reading and parsing alone/);
    expect(said).toMatch(/exit 0$/);
  });
});
