/**
 * The short form of `npm run bench:sinks`: everything is carried and counted; how fast is the long
 * form's to say.
 */
import { describe, expect, it } from 'vitest';
import { runScript } from '../repo/support.ts';
import { javaMissing } from '../servers/jars.ts';

describe.skipIf(javaMissing() !== undefined)('npm run bench:sinks', () => {
  it('prints a ratio to the bare client for each', { timeout: 300_000 }, async () => {
    const said = await runScript('bench/sinks.js', '--rounds', '1', '--scale', '0.05', '--json');
    const line = said.split('\n').find((text) => text.startsWith('{')) ?? '{}';
    const report = JSON.parse(line) as Record<
      string,
      { readonly bare: number; readonly sluice: number; readonly ratio: number }
    >;
    expect(Object.keys(report)).toEqual(['neo4j', 'parquet', 'kafka', 'kinesis']);
    for (const { bare, sluice, ratio } of Object.values(report)) {
      expect(bare).toBeGreaterThan(0);
      expect(ratio).toBeCloseTo(sluice / bare, 6);
    }
    expect(said).toMatch(/exit 0$/);
  });

  it('refuses a name that is none', async () => {
    expect(await runScript('bench/sinks.js', '--only', 'disk')).toMatch(
      /^expected --only of neo4j, parquet, kafka, kinesis[^]*exit 2$/,
    );
  });
});
