/**
 * The short form of `npm run drill:state`.
 */
import { expect, it } from 'vitest';
import { runScript } from '../../repo/support.ts';

it('checkpoints whose process is killed read back as what the table had', {
  timeout: 120_000,
}, async () => {
  const said = await runScript('drill/state/run.js', '--kills', '8');
  expect(said).toMatch(/exit 0$/);
  const line = said.split('\n').find((each) => each.startsWith('{')) ?? '{}';
  const totals = JSON.parse(line) as { readonly kills: number; readonly manifests: number };
  expect(totals.kills).toBe(8);
  expect(totals.manifests).toBeGreaterThan(8);
});

it.each([['threads2', '2']])(
  'the rows of a topology whose process is killed are the right ones: %s',
  {
    timeout: 120_000,
  },
  async (mode, kills) => {
    const said = await runScript('drill/state/run.js', '--kills', kills, '--mode', mode);
    expect(said).toMatch(/exit 0$/);
    const line = said.split('\n').find((each) => each.startsWith('{')) ?? '{}';
    const totals = JSON.parse(line) as { readonly [name: string]: number };
    expect([totals['kills'], (totals['ends'] ?? 0) > 0]).toEqual([Number(kills), true]);
    expect(totals['rows']).toBeGreaterThan(5_000);
  },
);
