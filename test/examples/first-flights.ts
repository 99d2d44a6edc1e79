/**
 * The first lines of the flights example's files, in a folder of the same form: for short forms.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { onTestFinished } from 'vitest';
import { root } from '../repo/support.ts';

const data = join(root, 'topology', 'examples', 'flights', 'data');
const first = { departures: 1_500, weather: 150, schedules: 4 } as const;

/** The folder, removed when the running test ends. `counts`: lines by file. */
export function firstFlights(counts: Readonly<Record<string, number>> = first): string {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-first-flights-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  for (const [file, count] of Object.entries(counts)) {
    const name = `${file}.ndjson.gz`;
    const lines = gunzipSync(readFileSync(join(data, name)))
      .toString('utf8')
      .split('\n');
    writeFileSync(join(dir, name), gzipSync(`${lines.slice(0, count).join('\n')}\n`));
  }
  return dir;
}
