/**
 * `npm run flights:flink` in short form: the first flights of the example's files through a cluster
 * of processes, of which one is killed, and through the engine here.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { root, runScript } from '../repo/support.ts';
import { javaMissing } from '../servers/jars.ts';

const data = join(root, 'topology', 'examples', 'flights', 'data');
const first = { departures: 1_000, weather: 100, schedules: 2 } as const;

function firstFlights(): string {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-first-flights-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  for (const [file, count] of Object.entries(first)) {
    const name = `${file}.ndjson.gz`;
    const lines = gunzipSync(readFileSync(join(data, name)))
      .toString('utf8')
      .split('\n');
    writeFileSync(join(dir, name), gzipSync(`${lines.slice(0, count).join('\n')}\n`));
  }
  return dir;
}

describe.skipIf(javaMissing() !== undefined)('npm run flights:flink', () => {
  it('writes on Flink what is written here, though a task manager was killed', {
    timeout: 600_000,
  }, async () => {
    const said = await runScript('tools/flights-flink.js', '--kill', '1', '--data', firstFlights());
    expect(said).toMatch(/\n9 passed, 0 failed\nexit 0$/);
    expect(said).toMatch(/task manager 1 killed after/);
  });
});
