/**
 * Schemathesis (https://schemathesis.readthedocs.io), which makes requests of its own from the served OpenAPI document, against a running
 * instance: statuses, content types, headers and bodies are as documented, what violates the document is refused, nothing answers 5xx.
 *
 * The document's streams are any; here they are one that exists, so that requests get past the 404. Installed by pip into a folder of the
 * system's for temporary files, once.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { realInstance } from '../clients/support.ts';

const run = promisify(execFile);
const version = '4.32.5';
const venv = join(tmpdir(), `sluice-schemathesis-${version}`);
const command = join(venv, 'bin', 'schemathesis');
const examples = Math.ceil(10 * Number(process.env['FUZZ_RUNS'] ?? '1'));

async function install(): Promise<void> {
  if (existsSync(join(venv, 'ready'))) return;
  rmSync(venv, { recursive: true, force: true });
  await run('python3', ['-m', 'venv', venv]);
  await run(join(venv, 'bin', 'pip'), ['install', '--quiet', `schemathesis==${version}`]);
  writeFileSync(join(venv, 'ready'), '');
}

interface Operation {
  readonly parameters?: readonly { readonly in: string }[];
}

/** The document with one stream in place of any, and without the WebSocket, which is no matter of requests. */
function ofStream(text: string, stream: string): string {
  const document = JSON.parse(text) as { paths: Record<string, Operation & Record<string, unknown>> };
  const paths = Object.entries(document.paths).filter(([path]) => !path.endsWith('/ws'));
  const bound = paths.map(([path, item]) => {
    const parameters = (item.parameters ?? []).filter((parameter) => parameter.in !== 'path');
    return [path.replace('{team}/{app}', stream), { ...item, parameters }] as const;
  });
  return JSON.stringify({ ...document, paths: Object.fromEntries(bound) });
}

it('finds nothing that the document does not say', { timeout: 600_000 * Math.max(1, examples / 10) }, async () => {
  await install();
  const dir = mkdtempSync(join(tmpdir(), 'sluice-schemathesis-'));
  const instance = await realInstance('streams: [{team: t, app: web}]\ningress: {port: 0, segment_stream: t/web}\n');
  try {
    const file = join(dir, 'openapi.json');
    writeFileSync(file, ofStream(await (await fetch(`${instance.url}/openapi.json`)).text(), 't/web'));
    const bounds = ['--max-examples', String(examples), '--phases', 'examples,coverage,fuzzing', '--generation-database', 'none', '--seed', '1'];
    // Not asked: that all that is valid is taken (the parser bounds a head as a whole, which the document cannot say), and that nothing is
    // taken of what is not (one bad event never sinks its batch).
    bounds.push('--exclude-checks', 'positive_data_acceptance,negative_data_rejection');
    const ran = await run(command, ['run', file, '--url', instance.url, '--no-color', ...bounds], { cwd: dir, maxBuffer: 1e8 }).catch(
      (thrown: { stdout: string }) => thrown,
    );
    expect('code' in ran ? ran.stdout.slice(Math.max(0, ran.stdout.indexOf('= FAILURES'))) : 'all is well').toBe('all is well');
    expect(ran.stdout).toMatch(/\d{3,} generated/);
    // It got through: there are events.
    expect((await instance.landed()).length).toBeGreaterThan(20);
  } finally {
    await instance.stop();
    rmSync(dir, { recursive: true, force: true });
  }
});
