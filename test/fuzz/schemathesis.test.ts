/**
 * Schemathesis against the served OpenAPI document: what the document allows is taken, what it
 * forbids is refused, and each answer is one that it knows. It judges the document and the ingress
 * by rules that neither was written with.
 *
 * Schemathesis is installed by pip, at an exact version, and kept for the next run.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RealInstance } from '../clients/support.ts';
import { realInstance } from '../clients/support.ts';
import { pythonMissing, pythonPackages } from '../servers/cache.ts';
import { runs, timeoutMs } from './support.ts';

const version = '4.32.5';
const config = fileURLToPath(new URL('../../../test/fuzz/schemathesis.toml', import.meta.url));
const run = promisify(execFile);

describe.skipIf(pythonMissing() !== undefined)('Schemathesis', () => {
  let made: RealInstance;
  let command: string;
  beforeAll(async () => {
    made = await realInstance(
      'streams:\n  - team: t\n    app: plain\ningress:\n  port: 0\n  segment_stream: t/plain\n',
    );
    command = join(await pythonPackages(`schemathesis==${version}`), 'st');
  }, 240_000);
  afterAll(async () => {
    await made.stop();
  });

  it(
    'finds the document and the ingress of one opinion',
    async () => {
      // Short runs are all the same: what a tool of others comes upon anew is looked for in long
      // ones.
      const seed = process.env['FUZZ_SEED'] ?? (runs(1) > 1 ? String(Date.now() % 2 ** 31) : '1');
      console.log(`schemathesis: FUZZ_SEED=${seed}`);
      const cwd = mkdtempSync(join(tmpdir(), 'sluice-schemathesis-run-'));
      const options = ['--seed', seed, '--max-examples', String(runs(10)), '--continue-on-failure'];
      const phases = [
        '--phases',
        'examples,coverage,fuzzing',
        '--suppress-health-check',
        'all',
        '--request-timeout',
        '5',
      ];
      const env = {
        ...process.env,
        SCHEMATHESIS_HOOKS: 'schemathesis-hooks',
        PYTHONPATH: dirname(config),
      };
      const { code, out } = await run(
        command,
        ['--config-file', config, 'run', `${made.url}/openapi.json`, ...options, ...phases],
        {
          cwd,
          env,
          maxBuffer: 64 * 1_024 * 1_024,
        },
      ).then(
        ({ stdout }) => ({ code: 0, out: stdout }),
        (thrown: { code?: number; stdout?: string; stderr?: string }) => ({
          code: thrown.code ?? -1,
          out: `${thrown.stdout}${thrown.stderr}`,
        }),
      );
      rmSync(cwd, { recursive: true, force: true });
      expect(out).toMatch(/API Operations:\n {2}Selected: (\d+)\/\d+\n {2}Tested: \1\n/);
      expect(code, out).toBe(0);
    },
    4 * timeoutMs,
  );
});
