/**
 * `--key-file`: a server never runs without a key, the key stays in its file, and another key in
 * the file is taken over while the server runs.
 */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it, onTestFinished } from 'vitest';
import { makeKeyFile, withKeyFile } from '../../../deploy/cli/key-file.ts';
import { refuseOpenToAll } from '../../../deploy/host/open-to-all.ts';
import type { SluiceConfig } from '../../../schemas/config.ts';
import { parseConfig } from '../../../schemas/config-file.ts';
import type { Random } from '../../../schemas/kernel/random.ts';
import { systemRandom } from '../../../schemas/kernel/random.ts';
import { post } from '../../ingest/support.ts';
import { sluice, startSluice, until } from '../support.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-key-file-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const everywhere = 'streams: [{team: a, app: x}]\ningress: {host: 0.0.0.0}\n';
function configOf(text: string): SluiceConfig {
  const parsed = parseConfig(text, { file: 'sluice.yaml', env: {}, baseDir: root });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.config;
}

it('makes a key where there is none, and opens all streams to it and nobody else', async () => {
  const file = join(root, 'made', 'key');
  const data = join(root, 'data');
  const config = join(root, 'sluice.yaml');
  writeFileSync(config, 'streams: [{team: a, app: x}]\n');
  const start = () => startSluice(data, ['--config', config], ['--port', '0', '--key-file', file]);
  const first = await start();
  onTestFinished(async () => void (await first.stop('SIGKILL')));
  const key = readFileSync(file, 'utf8').trim();
  expect([key, statSync(file).mode & 0o777]).toEqual([
    expect.stringMatching(/^slc_\w{32}$/),
    0o600,
  ]);
  expect(first.output()).toContain(`a new key for all streams is in ${file}`);
  expect(first.output()).toContain(`-H "x-api-key: $(head -n 1 ${file})"`);
  expect(first.output()).not.toContain(key);
  const send = async (url: string, with_: string) =>
    (await post(`${url}/v1/a/x`, '1', { 'x-api-key': with_ })).status;
  expect([await send(first.url, key), await send(first.url, 'slc_other')]).toEqual([200, 401]);

  // Another key beside it, then in its place, and a change of the configuration.
  const next = 'slc_anotherKeyOfTwentyLetters';
  writeFileSync(file, `${next}\n${key}\n`);
  await until(async () => (await send(first.url, next)) === 200);
  expect(await send(first.url, key)).toBe(200);
  writeFileSync(file, next);
  await until(async () => (await send(first.url, key)) === 401);
  expect(await send(first.url, next)).toBe(200);
  writeFileSync(config, 'streams: [{team: a, app: x, quota: {events_per_second: 1000}}]\n');
  await until(() => first.output().includes('applied the keys'));
  expect([await send(first.url, next), await first.stop()]).toEqual([200, 0]);

  const second = await start();
  onTestFinished(async () => void (await second.stop('SIGKILL')));
  expect(second.output()).not.toContain('a new key');
  expect([await send(second.url, next), await second.stop()]).toEqual([200, 0]);
});

it('changes its key without a pause where the file is a Secret that Kubernetes swaps, and keeps it while that is broken', async () => {
  const folder = join(root, 'secret');
  let version = 0;
  /** As the kubelet: a folder of its own, to which the link `..data` is moved at once. */
  const mount = (text: string): void => {
    const made = join(folder, `..version-${version++}`);
    mkdirSync(made, { recursive: true });
    writeFileSync(join(made, 'key'), text);
    symlinkSync(made, join(folder, '..data_tmp'));
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
  };
  const [old, next] = ['slc_theOldKeyOfThePods', 'slc_theNextKeyOfThePods'];
  mount(`${old}\n`);
  symlinkSync(join('..data', 'key'), join(folder, 'key'));
  const config = join(root, 'pods.yaml');
  writeFileSync(config, 'streams: [{team: a, app: x}]\n');
  const args = ['--port', '0', '--key-file', join(folder, 'key')];
  const server = await startSluice(join(root, 'pods'), ['--config', config], args);
  onTestFinished(async () => void (await server.stop('SIGKILL')));
  const statuses: number[] = [];
  const send = async (key: string): Promise<number> => {
    const { status } = await post(`${server.url}/v1/a/x`, '1', { 'x-api-key': key });
    return status;
  };
  /** What a sender does all the time, with the key that it has. */
  const meanwhile = async (key: string, isSo: () => Promise<boolean>): Promise<void> =>
    until(async () => {
      statuses.push(await send(key));
      return isSo();
    });
  mount(`${next}\n${old}\n`);
  await meanwhile(old, async () => (await send(next)) === 200);
  mount('');
  await meanwhile(next, async () => /refused since/.test((await statusOf('pods')).out));
  expect([await send(old), await send(next)]).toEqual([200, 200]);
  mount(`${next}\n`);
  await meanwhile(next, async () => (await send(old)) === 401);
  expect((await statusOf('pods')).out).not.toContain('refused since');
  expect([...new Set(statuses)]).toEqual([200]);
  expect(await server.stop()).toBe(0);
});

const statusOf = (dir: string) => sluice(['--dir', join(root, dir), 'status']);

it('lets a server listen on all addresses, which it may not without keys', async () => {
  const config = configOf(everywhere);
  await expect(refuseOpenToAll(config)).rejects.toMatchObject({ code: 'open-to-all' });
  const file = join(root, 'once');
  expect([makeKeyFile(file, systemRandom), makeKeyFile(file, systemRandom)]).toEqual([true, false]);
  const closed = withKeyFile(config, file);
  await refuseOpenToAll(closed);
  expect(closed.access.keys).toEqual([
    expect.objectContaining({ name: 'key-file', streams: ['*/*'] }),
  ]);
  expect(withKeyFile(config, undefined)).toBe(config);
  // The same key in the configuration keeps the rights that it has there.
  const sha256 = closed.access.keys[0]?.sha256 ?? '';
  const own = configOf(`${everywhere}keys: [{name: own, sha256: ${sha256}, streams: [a/x]}]\n`);
  expect(withKeyFile(own, file)).toBe(own);
  const named = configOf(
    `${everywhere}keys: [{name: key-file, sha256: ${'a'.repeat(64)}, streams: [a/x]}]\n`,
  );
  expect(() => withKeyFile(named, file)).toThrow("is called 'key-file'");
});

it('refuses a file without a usable key, and one that cannot be there', () => {
  const bad = join(root, 'bad');
  const good = 'slc_aKeyThatIsLongEnough';
  const many = Array.from({ length: 9 }, (_, index) => `${good}${index}`).join('\n');
  const texts = ['', '\n', 'short', 'two words that are long enough', `${good}\nshort`, many];
  for (const text of [...texts, 'x'.repeat(257)]) {
    writeFileSync(bad, text);
    expect(() => makeKeyFile(bad, systemRandom)).toThrow('has no key');
  }
  expect(readFileSync(bad, 'utf8')).toBe('x'.repeat(257));
  mkdirSync(join(root, 'folder'));
  expect(() => makeKeyFile(join(root, 'folder'), systemRandom)).toThrow('cannot be read');
  expect(() => makeKeyFile(join(bad, 'key'), systemRandom)).toThrow('cannot be read');
  expect(() => withKeyFile(configOf(everywhere), join(root, 'gone'))).toThrow('is gone');
  expect(() => makeKeyFile('/proc/key', systemRandom)).toThrow('/proc/key cannot be written');
});

it('is made through no link that somebody put beside it', () => {
  const folder = join(root, 'planted');
  mkdirSync(folder);
  const [file, victim] = [join(folder, 'key'), join(folder, 'victim')];
  writeFileSync(victim, 'of somebody else');
  symlinkSync(victim, `${file}.${process.pid}`);
  expect(makeKeyFile(file, systemRandom)).toBe(true);
  expect(readdirSync(folder).sort()).toEqual(['key', `key.${process.pid}`, 'victim']);
  // Also where the name could be guessed.
  const other = join(folder, 'other');
  const guessed = `${other}.${'00'.repeat(8)}`;
  symlinkSync(victim, guessed);
  const known: Random = { next: () => 0, fill: (target) => void target.fill(0) };
  expect(() => makeKeyFile(other, known)).toThrow(`${other} cannot be written`);
  expect([readFileSync(victim, 'utf8'), readlinkSync(guessed)]).toEqual([
    'of somebody else',
    victim,
  ]);
});

it('is refused by a start with the path of the file', async () => {
  const bad = join(root, 'empty');
  writeFileSync(bad, '');
  const { code, err } = await sluice(['--dir', join(root, 'never'), 'start', '--key-file', bad]);
  expect([code, err]).toEqual([1, expect.stringContaining(`${bad} has no key`)]);
});
