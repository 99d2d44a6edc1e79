/**
 * `npm run flights:flink` in short form: the first flights of the example's files through a cluster
 * of processes, of which one is killed, and through the engine here.
 */
import { describe, expect, it } from 'vitest';
import { runScript } from '../repo/support.ts';
import { javaMissing } from '../servers/jars.ts';
import { firstFlights } from './first-flights.ts';

const first = { departures: 1_000, weather: 100, schedules: 2 } as const;

describe.skipIf(javaMissing() !== undefined)('npm run flights:flink', () => {
  it('writes on Flink what is written here, though a task manager was killed', {
    timeout: 600_000,
  }, async () => {
    const said = await runScript(
      'tools/flights-flink.js',
      '--kill',
      '1',
      '--data',
      firstFlights(first),
    );
    expect(said).toMatch(/\n9 passed, 0 failed\nexit 0$/);
    expect(said).toMatch(/task manager 1 killed after/);
  });
});
