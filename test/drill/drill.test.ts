/**
 * The short form of `npm run drill`: every scenario with real processes, each in a fraction of its
 * time.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { scenarios } from './scenarios.ts';

const run = promisify(execFile);

describe('the drill', () => {
  it.each(scenarios.map(({ name, what }) => [name, what]))(
    '%s: %s',
    { timeout: 120_000 },
    async (name) => {
      const script = fileURLToPath(new URL('./run.js', import.meta.url));
      const { stdout } = await run(process.execPath, [
        script,
        '--short',
        '--json',
        '--only',
        name,
      ]).catch((thrown: { stdout: string }) => thrown);
      const { lost, altered, sent, acknowledged, checks } = JSON.parse(stdout) as Record<
        string,
        number
      > & {
        readonly checks: readonly { readonly check: string; readonly ok: boolean }[];
      };
      expect({ lost, altered, acknowledged }).toEqual({ lost: 0, altered: 0, acknowledged: sent });
      expect(sent).toBeGreaterThan(50);
      expect(checks.filter(({ ok }) => !ok)).toEqual([]);
    },
  );
});
