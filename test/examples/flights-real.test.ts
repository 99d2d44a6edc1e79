/**
 * `npm run example:flights -- --real` in short form: the first flights of the example's files,
 * through the services and real servers, with a kill of each.
 */
import { describe, expect, it } from 'vitest';
import { runScript } from '../repo/support.ts';
import { cloudMissing } from '../servers/cloud.ts';
import { firstFlights } from './first-flights.ts';

describe.skipIf(cloudMissing() !== undefined)('npm run example:flights -- --real', () => {
  it('lands what was sent, though each service was killed', { timeout: 300_000 }, async () => {
    const said = await runScript(
      'tools/example-flights.js',
      '--real',
      '--kill',
      '2',
      '--seed',
      '5',
      '--data',
      firstFlights(),
    );
    expect(said).toMatch(/\n22 passed, 0 failed\nexit 0$/);
    expect(said).toMatch(/Firehose: \d+ rows delivered/);
    expect(said).toMatch(/enrich killed[^]*ingest killed/);
  });
});
