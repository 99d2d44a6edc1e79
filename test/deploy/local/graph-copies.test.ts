/**
 * Copies of the graph for questions: when one is made, who shares it, how old it may be, when it
 * goes.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { GraphCopies } from '../../../deploy/local/graph-copies.ts';
import {
  graphCopies,
  graphCopyPauseMs,
  graphCopyWaitMaxMs,
} from '../../../deploy/local/graph-copies.ts';
import type { ManualClock } from '../../../schemas/kernel/clock.ts';
import { manualClock } from '../../../schemas/kernel/clock.ts';

interface Rig {
  readonly copies: GraphCopies;
  readonly clock: ManualClock;
  readonly folder: string;
  readonly made: () => number;
  /** What a question reads. */
  readonly read: () => Promise<string>;
  readonly commit: (text: string) => void;
}

function rig(copyMs = 0, before: (folder: string) => void = () => undefined): Rig {
  const root = mkdtempSync(join(tmpdir(), 'sluice-copies-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const [path, folder] = [join(root, 'graph'), join(root, 'copies')];
  const clock = manualClock(1_000_000);
  writeFileSync(path, 'begun');
  before(folder);
  let made = 0;
  const copyTo = async (to: string): Promise<void> => {
    made++;
    const text = readFileSync(path);
    clock.advance(copyMs);
    await Promise.resolve();
    writeFileSync(to, text);
  };
  const copies = graphCopies({ path, folder, clock, copyTo });
  return {
    copies,
    clock,
    folder,
    made: () => made,
    read: () => copies.use(async ({ path: copy }) => readFileSync(copy, 'utf8')),
    commit(text) {
      writeFileSync(path, text);
      copies.outdate();
    },
  };
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it('is made once for questions that come together, and again only after a commit', async () => {
  const { read, made, clock, commit, folder } = rig();
  expect(await Promise.all([read(), read(), read()])).toEqual(['begun', 'begun', 'begun']);
  clock.advance(60_000);
  expect([await read(), made()]).toEqual(['begun', 1]);
  commit('more');
  expect([await read(), made()]).toEqual(['more', 2]);
  expect(readdirSync(folder)).toHaveLength(1);
});

it('has what was committed when the question came: the question waits for the owner to have had its time', async () => {
  const { read, made, clock, commit } = rig();
  await read();
  commit('more');
  const late = Promise.all([read(), read()]);
  await settle();
  expect(made()).toBe(1);
  clock.advance(graphCopyPauseMs);
  expect([await late, made()]).toEqual([['more', 'more'], 2]);
});

it('made while something was committed is not taken for the newest', async () => {
  const { copies, read, clock, commit } = rig();
  const first = read();
  // The copy under way has it or not.
  commit('more');
  const second = copies.use(async ({ path }) => readFileSync(path, 'utf8'));
  await first;
  await settle();
  clock.advance(graphCopyPauseMs);
  expect(await second).toBe('more');
});

it('is used on when the next would have to wait long, and says how old it is', async () => {
  const copyMs = graphCopyWaitMaxMs;
  const { copies, read, made, clock, commit } = rig(copyMs);
  await read();
  commit('more');
  clock.advance(copyMs);
  expect(await copies.use(async ({ takenAt }) => clock.now() - takenAt)).toBe(2 * copyMs);
  clock.advance(9 * copyMs);
  expect([await read(), made()]).toEqual(['more', 2]);
});

it('is kept for who reads it, and removed afterwards', async () => {
  const { copies, read, clock, commit, folder } = rig();
  let end = (): void => undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  let reading: Promise<string> = Promise.resolve('');
  await new Promise<void>((begun) => {
    reading = copies.use(async ({ path }) => {
      begun();
      await ended;
      return readFileSync(path, 'utf8');
    });
  });
  commit('more');
  clock.advance(graphCopyPauseMs);
  expect(await read()).toBe('more');
  expect(readdirSync(folder)).toHaveLength(2);
  end();
  expect(await reading).toBe('begun');
  expect(readdirSync(folder)).toHaveLength(1);
  copies.close();
  expect(existsSync(folder)).toBe(false);
});

it('removes what a process that was killed left', () => {
  const { folder } = rig(0, (left) => {
    mkdirSync(left);
    writeFileSync(join(left, 'graph-7'), 'old');
  });
  expect(existsSync(folder)).toBe(false);
});

it('that cannot be made fails its question, and is tried again for the next', async () => {
  const { clock, folder } = rig();
  let fails = true;
  const copies = graphCopies({
    path: join(folder, '..', 'graph'),
    folder,
    clock,
    copyTo: async (to) => {
      if (fails) throw new Error('no room');
      writeFileSync(to, 'x');
    },
  });
  await expect(copies.use(() => Promise.resolve())).rejects.toThrow('no room');
  fails = false;
  expect(await copies.use(({ path }) => Promise.resolve(readFileSync(path, 'utf8')))).toBe('x');
});
