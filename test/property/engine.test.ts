/**
 * The engine against a batch oracle: random topologies of all operators, random histories, and what
 * went wrong when the suite found it.
 *
 * PROPERTY_SEED plays others; `npm run property:engine` plays more.
 */
import { describe, expect, it } from 'vitest';
import { runScript } from '../repo/support.ts';
import { found } from './found.ts';
import { play } from './play.ts';
import { runSuite } from './suite.ts';

const seed = Number(process.env['PROPERTY_SEED'] ?? '1');

describe('the engine', () => {
  it('gives the answer of a batch, whatever happens to its runs, in 500 histories', async () => {
    const { played, undetermined, rows, late, runs, seen, failure } = await runSuite({
      histories: 500,
      seed,
    });
    if (failure !== undefined) console.log(JSON.stringify(failure.game));
    expect({ seed, path: failure?.path, differences: failure?.differences ?? [] }).toEqual({
      seed,
      path: undefined,
      differences: [],
    });
    expect(played).toBe(500);
    expect(undetermined).toBeLessThan(13);
    expect(rows).toBeGreaterThan(12_500);
    expect(late).toBeGreaterThan(15);
    expect(runs).toBeGreaterThan(1_500);
    const operators = [
      'map',
      'filter',
      'flatMap',
      'table',
      'async',
      'branch',
      'union',
      'deduplicate',
      'tumbling',
      'sliding',
      'session',
      'join',
    ];
    const happenings = [
      'unreachable',
      'silent',
      'throttled',
      'reshard',
      'restart stop',
      'restart kill',
      'restart leave',
      'drain',
    ];
    const crashes = [
      'crash before',
      'crash after',
      'crash failing',
      'flaw future',
      'flaw schema',
      'flaw bytes',
      'flaw foreign',
    ];
    for (const name of [
      ...operators,
      'left join',
      'process',
      'before async',
      ...happenings,
      ...crashes,
    ]) {
      expect([name, (seen.get(name) ?? 0) > 25]).toEqual([name, true]);
    }
  }, 600_000);

  for (const { name, plan, history } of found) {
    it(name, async () => {
      expect((await play({ late: false, plan, history })).differences).toEqual([]);
    });
  }
});

describe('the command', () => {
  it('plays as many histories as it is asked for, and says how many agree', async () => {
    const said = await runScript('property/run.js', '--histories', '30', '--seed', '5');
    expect(said).toMatch(
      /^30 histories, seed 5\n[\s\S]*\n30 histories agree \(\d+ not judged\), 0 differ\nexit 0$/,
    );
    expect(await runScript('property/run.js', '--histories', 'many')).toMatch(/usage: .*exit 2$/s);
  }, 120_000);
});
