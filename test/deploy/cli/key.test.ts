/**
 * `sluice key new`, and that what it prints opens what it says.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { post } from '../../ingest/support.ts';
import { sluice, startSluice } from '../support.ts';

it('prints a key and an entry that the configuration takes, also while it runs', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-key-'));
  const file = join(dir, 'sluice.yaml');
  const base = 'streams: [{team: a, app: x}]\ningress: {port: 0}\n';
  const made = async (name: string) => {
    const { out, code } = await sluice([
      'key',
      'new',
      '--name',
      name,
      '--stream',
      'a/*',
      '--origin',
      'https://shop.example',
    ]);
    expect(code).toBe(0);
    return {
      key: /^key\s+(slc_\w{32})$/m.exec(out)?.[1] ?? '',
      entry: out.slice(out.indexOf('keys:')),
    };
  };
  const [first, second] = [await made('first'), await made('second')];
  expect(first.entry).not.toContain(first.key);
  writeFileSync(file, base + first.entry);
  const started = await startSluice(join(dir, 'data'), ['--config', file]);
  try {
    const send = async (key: string) =>
      (await post(`${started.url}/v1/a/x`, '1', { 'x-api-key': key })).status;
    expect([await send(first.key), await send(second.key)]).toEqual([200, 401]);
    writeFileSync(file, base + second.entry);
    while ((await send(second.key)) !== 200)
      await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await send(first.key)).toBe(401);
    // A configuration that is not valid changes nothing, and is told of.
    writeFileSync(file, `${base}keys: [{name: broken}]\n`);
    while (!started.output().includes('is not used'))
      await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await send(second.key)).toBe(200);
    expect(readFileSync(file, 'utf8')).toContain('broken');
  } finally {
    await started.stop();
    rmSync(dir, { recursive: true, force: true });
  }
});
