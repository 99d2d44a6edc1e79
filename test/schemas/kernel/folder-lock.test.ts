/**
 * A folder has one owner: whatever races, dies, is renamed, linked, forked or opened again.
 */
import type { ChildProcess } from 'node:child_process';
import { spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { FolderLock } from '../../../schemas/kernel/folder-lock.ts';
import { isFolderLocked, lockFolder } from '../../../schemas/kernel/folder-lock.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-lock-'));
const locks: FolderLock[] = [];
const children: ChildProcess[] = [];
afterEach(() => {
  for (const lock of locks.splice(0)) lock.release();
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

let folders = 0;
function folder(): string {
  const dir = join(root, String(++folders));
  mkdirSync(dir);
  return dir;
}

async function lock(dir: string): Promise<FolderLock> {
  const taken = await lockFolder(dir);
  locks.push(taken);
  return taken;
}

const inUse = { code: 'folder-in-use' };
const module = fileURLToPath(new URL('../../../schemas/kernel/folder-lock.js', import.meta.url));
/**
 * Says `taken` or the code; holds what it took until it is killed. On `go` it tries; on `leave` it
 * lets go and says `left`.
 */
const taker = `
import { createInterface } from 'node:readline';
import { lockFolder } from ${JSON.stringify(module)};
let lock;
createInterface({ input: process.stdin }).on('line', async (line) => {
  const [word, dir] = line.split(' ');
  if (word === 'leave') { lock?.release(); lock = undefined; console.log('left'); return; }
  try { lock = await lockFolder(dir); console.log('taken'); } catch (thrown) { console.log(thrown.code); }
});
console.log('ready');
`;

interface Taker {
  readonly child: ChildProcess;
  readonly ask: (line: string) => Promise<string>;
}

async function startTaker(): Promise<Taker> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', taker], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => String((await lines.next()).value);
  await next();
  return {
    child,
    ask(line) {
      child.stdin.write(`${line}\n`);
      return next();
    },
  };
}

const ended = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => void child.once('exit', () => resolve()));

describe('a folder', () => {
  it.runIf(existsSync('/proc/self/fd'))(
    'leaves no file open when it is not taken, let go or only looked at',
    async () => {
      const dir = folder();
      await isFolderLocked(dir);
      const before = readdirSync('/proc/self/fd').length;
      const taken = await lockFolder(dir);
      await expect(lockFolder(dir)).rejects.toMatchObject(inUse);
      expect(await isFolderLocked(dir)).toBe(true);
      expect(readdirSync('/proc/self/fd').length).toBe(before + 1);
      taken.release();
      expect(await isFolderLocked(dir)).toBe(false);
      expect(readdirSync('/proc/self/fd').length).toBe(before);
    },
  );

  it('has exactly one owner, however many race for it, round after round', async () => {
    const takers = await Promise.all(Array.from({ length: 12 }, startTaker));
    for (let round = 0; round < 25; round++) {
      const dir = folder();
      const answers = await Promise.all(takers.map(({ ask }) => ask(`go ${dir}`)));
      expect(answers.filter((answer) => answer === 'taken')).toHaveLength(1);
      expect(answers.filter((answer) => answer === inUse.code)).toHaveLength(takers.length - 1);
      await Promise.all(takers.map(({ ask }) => ask('leave')));
      expect(await isFolderLocked(dir)).toBe(false);
    }
  });

  it('is free at once when its owner is killed, and leaves nothing to clean', async () => {
    const dir = folder();
    for (let round = 0; round < 5; round++) {
      const { child, ask } = await startTaker();
      expect(await ask(`go ${dir}`)).toBe('taken');
      expect(await isFolderLocked(dir)).toBe(true);
      const gone = ended(child);
      child.kill('SIGKILL');
      await gone;
      expect(await isFolderLocked(dir)).toBe(false);
    }
    await lock(dir);
  });

  it('is the same by a link and after it was renamed', async () => {
    const dir = folder();
    const link = join(root, 'link');
    symlinkSync(dir, link);
    const held = await lock(dir);
    await expect(lockFolder(link)).rejects.toMatchObject(inUse);
    const renamed = `${dir}-renamed`;
    renameSync(dir, renamed);
    await expect(lockFolder(renamed)).rejects.toMatchObject(inUse);
    held.release();
    await lock(renamed);
  });

  it('stays taken when something in the process opens and closes the file, and in its threads', async () => {
    const dir = folder();
    await lock(dir);
    closeSync(openSync(join(dir, 'lock'), 'r+'));
    readFileSync(join(dir, 'lock'));
    await expect(lockFolder(dir)).rejects.toMatchObject(inUse);
    const { ask } = await startTaker();
    expect(await ask(`go ${dir}`)).toBe(inUse.code);
    const said = await new Promise((resolve) => {
      const code = `import(${JSON.stringify(module)}).then(({ lockFolder }) => lockFolder(${JSON.stringify(dir)})).then(() => 'taken', (thrown) => thrown.code)`;
      new Worker(
        `${code}.then((said) => require('node:worker_threads').parentPort.postMessage(said))`,
        { eval: true },
      ).once('message', resolve);
    });
    expect(said).toBe(inUse.code);
  });

  it('is free when its owner lets go, though a child that it started lives on', async () => {
    const dir = folder();
    const held = await lock(dir);
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], {
      stdio: 'ignore',
    });
    children.push(child);
    spawnSync(process.execPath, ['-e', '0']);
    held.release();
    expect(await isFolderLocked(dir)).toBe(false);
    await lock(dir);
  });

  it('is not taken by who locks a file that was deleted meanwhile', async () => {
    const dir = folder();
    const first = await lock(dir);
    const waiting = lockFolder(dir);
    unlinkSync(join(dir, 'lock'));
    first.release();
    locks.push(await waiting);
    await expect(lockFolder(dir)).rejects.toMatchObject(inUse);
  });

  it('is not disturbed by who only looks', async () => {
    const dir = folder();
    (await lock(dir)).release();
    let looking = true;
    const look = (async () => {
      let looks = 0;
      for (; looking; looks++) await isFolderLocked(dir);
      return looks;
    })();
    for (let round = 0; round < 200; round++) (await lockFolder(dir)).release();
    looking = false;
    expect(await look).toBeGreaterThan(0);
  });

  it('is locked by no file that a link leads to, and says so where it cannot be locked', async () => {
    const dir = folder();
    symlinkSync(join(root, 'elsewhere'), join(dir, 'lock'));
    await expect(lockFolder(dir)).rejects.toMatchObject({ code: 'lock-failed' });
    await expect(lockFolder(join(root, 'nowhere'))).rejects.toMatchObject({ code: 'lock-failed' });
    expect(await isFolderLocked(join(root, 'nowhere'))).toBe(false);
  });

  it('has a lock that only its user can read, whatever the umask', async () => {
    const dir = folder();
    const before = process.umask(0);
    await lock(dir).finally(() => process.umask(before));
    expect(statSync(join(dir, 'lock')).mode & 0o777).toBe(0o600);
  });

  it('can be let go of twice, and nobody else is hurt by it', async () => {
    const held = await lock(folder());
    held.release();
    const other = await lock(folder());
    held.release();
    expect(await isFolderLocked(join(root, String(folders)))).toBe(true);
    other.release();
  });
});
