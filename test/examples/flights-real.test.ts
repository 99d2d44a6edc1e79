/**
 * `npm run example:flights -- --real` in short form: the first flights of the example's files,
 * through the services and real servers, with a kill of each.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { root, runScript } from '../repo/support.ts';
import { cloudMissing } from '../servers/cloud.ts';

const data = join(root, 'topology', 'examples', 'flights', 'data');
const first = { departures: 1_500, weather: 150, schedules: 4 } as const;

function firstFlights(): string {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-first-flights-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  mkdirSync(dir, { recursive: true });
  for (const [file, count] of Object.entries(first)) {
    const name = `${file}.ndjson.gz`;
    const lines = gunzipSync(readFileSync(join(data, name)))
      .toString('utf8')
      .split('\n');
    writeFileSync(join(dir, name), gzipSync(`${lines.slice(0, count).join('\n')}\n`));
  }
  return dir;
}

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
