/** State at rest on disk: the contract of its stores, their folder, and a disk that fails. */
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readlinkSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, it } from 'vitest';
import { fileSegments } from '../../../deploy/host/file-segments.ts';
import { openStateFolder } from '../../../deploy/host/state-folder.ts';
import { kibi, mebi } from '../../../schemas/kernel/bytes.ts';
import { BlockRecords } from '../../../topology/state/block-records.ts';
import { recordStoreContract } from '../../contract/record-store.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-state-folder-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let made = 0;
const newFolder = (): string => {
  const folder = join(root, String(++made));
  mkdirSync(folder);
  return folder;
};

const oneFolder = newFolder();
recordStoreContract(
  'records on disk',
  () => new BlockRecords(fileSegments(oneFolder, String(++made), { segmentBytes: 256 * kibi })),
  { emptyMaxBytes: mebi },
);
it('leaves no file of a closed store', () => {
  expect(readdirSync(oneFolder)).toEqual([]);
});

const closes: (() => void)[] = [];
afterEach(() => {
  for (const close of closes.splice(0).reverse()) close();
});
async function opened(folder: string): ReturnType<typeof openStateFolder> {
  const state = await openStateFolder(folder);
  closes.push(() => state.close());
  return state;
}
/** Larger than a block: it is written at once. */
const large = (text: string): Buffer => Buffer.from(text.repeat(20_000));

it('makes the folder, and leaves it empty', async () => {
  const folder = join(newFolder(), 'a', 'b');
  const state = await openStateFolder(folder);
  const store = state.recordStore();
  const handle = store.add(large('x'));
  expect(readdirSync(folder)).toHaveLength(1);
  expect(store.read(handle)).toHaveLength(20_000);
  store.close();
  state.close();
  expect(readdirSync(folder)).toEqual([]);
});

it('keeps two runs on one folder apart', async () => {
  const folder = newFolder();
  const one = (await opened(folder)).recordStore();
  const handle = one.add(large('one'));
  const other = (await opened(folder)).recordStore();
  other.add(large('other'));
  expect(readdirSync(folder)).toHaveLength(2);
  expect(Buffer.from(one.read(handle)).toString('latin1', 0, 6)).toBe('oneone');
});

it('removes what a run left that was killed, and nothing else', async () => {
  const folder = newFolder();
  mkdirSync(join(folder, 'run-killed'));
  writeFileSync(join(folder, 'run-killed', 'lock'), '');
  writeFileSync(join(folder, 'run-killed', '1-1.records'), 'left');
  writeFileSync(join(folder, 'notes.txt'), 'of a person');
  const state = await openStateFolder(folder);
  expect(readdirSync(folder)).not.toContain('run-killed');
  expect(readdirSync(folder)).toHaveLength(2);
  state.close();
  expect(readdirSync(folder)).toEqual(['notes.txt']);
});

it('says that a folder cannot be used', async () => {
  const file = join(newFolder(), 'file');
  writeFileSync(file, '');
  await expect(openStateFolder(join(file, 'state'))).rejects.toMatchObject({
    code: 'state-folder-unusable',
    retryable: false,
    message: expect.stringContaining(join(file, 'state')),
    fix: expect.stringContaining('state.folder'),
  });
});

it('says that a file was cut short', () => {
  const folder = newFolder();
  const store = new BlockRecords(fileSegments(folder, '1'));
  const handle = store.add(large('x'));
  truncateSync(join(folder, '1-1.records'), 100);
  expect(() => store.read(handle)).toThrow(
    expect.objectContaining({ code: 'state-disk-failed', retryable: true }),
  );
  store.close();
});

it.runIf(process.platform === 'linux')('says that the disk is full', () => {
  const folder = newFolder();
  const store = new BlockRecords(fileSegments(folder, '1'));
  store.add(large('x'));
  const path = join(folder, '1-1.records');
  const fd = readdirSync('/proc/self/fd').find((each) => linkOf(each) === path);
  // A device that takes nothing, in the place of the file.
  closeSync(Number(fd));
  expect(openSync('/dev/full', 'r+')).toBe(Number(fd));
  expect(() => store.add(large('y'))).toThrow(
    expect.objectContaining({
      code: 'state-disk-failed',
      retryable: true,
      message: `the state file ${path} cannot be written: the disk is full`,
      fix: expect.stringContaining('free space'),
    }),
  );
  store.close();
});

function linkOf(fd: string): string | undefined {
  try {
    return readlinkSync(join('/proc/self/fd', fd));
  } catch {
    return undefined;
  }
}
