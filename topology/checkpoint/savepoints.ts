/**
 * Savepoints: the state of a topology, kept by name until somebody deletes it, on the store of its
 * checkpoints. `savepoints/<topology>/<name>/` has the files of the state and `manifest.json`, a
 * manifest as checkpoints have it.
 *
 * Invariants:
 * 1. The manifest is created last and never changed. A folder without one is no savepoint: it was
 *    not finished, or is being deleted.
 * 2. It is complete in itself: its manifest names only files of its folder, by their names there.
 *    So nothing that removes checkpoints has to know of it, and a copy of the folder is as good.
 * 3. What sinks had staged was visible before: it has no states of sinks.
 * 4. Every file is checked against its SHA-256 before a savepoint names it.
 */
import { createHash } from 'node:crypto';
import { boundedEach } from '../../schemas/kernel/bounded-each.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { BlobStore } from '../../schemas/ports/blob-store.ts';
import type { Manifest } from './manifest.ts';
import { decodeManifest, encodeManifest } from './manifest.ts';
import { withFiles } from './savepoint-state.ts';
import { claimedHash } from './sorted-runs/file-format.ts';
import { bytesOf, filesOf } from './sorted-runs/sorted-run.ts';
import { stateFolder } from './sorted-runs/state-files.ts';

/** Files of at most 8 MiB that are copied at one time: a topology that runs shares the machine. */
const copiesMax = 2;
const deletesMax = 8;

const root = 'savepoints/';
const manifestName = 'manifest.json';
/** A savepoint's manifest names its files without their folder. */
const inItsFolder = { filesIn: '' };
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Structured-clonable. */
export interface SavepointInfo {
  readonly topology: string;
  readonly name: string;
  /** False: it was not finished, and nothing can start from it. */
  readonly isWhole: boolean;
  /** Why its manifest cannot be read; null where it can, or there is none. */
  readonly problem: string | null;
  /** Epoch ms; null where it is not known. */
  readonly takenAtMs: number | null;
  readonly checkpoint: number | null;
  readonly files: number;
  readonly bytes: number;
}

/** One that a topology may start from. */
export interface Savepoint {
  readonly name: string;
  /** Its runs have their files by the names that `files` knows. */
  readonly manifest: Manifest;
  readonly files: {
    /** Checked. Throws `SluiceError` `checkpoint-corrupt` when it is missing or damaged. */
    get(name: string): Promise<Uint8Array>;
  };
}

/** Throws `SluiceError` `savepoint-name-invalid`. */
export function requireSavepointName(name: string): string {
  if (namePattern.test(name)) return name;
  throw new SluiceError(
    'savepoint-name-invalid',
    `invalid name of a savepoint '${name}': expected at most 64 letters, digits, '.', '_' and '-', the first a letter or a digit`,
  );
}

/** Throws `SluiceError` `savepoint-exists`. */
export async function requireFree(blobs: BlobStore, topology: string, name: string): Promise<void> {
  if ((await blobs.get(manifestOf(topology, name))) !== undefined) throw taken(topology, name);
}

/**
 * Keeps the checkpoint whose manifest is `bytes`, all of whose output is visible. Its files have to
 * stay where they are until this resolves. `isOver`: nothing more is stored. Throws `SluiceError`
 * `savepoint-exists`, `checkpoint-corrupt`, and what the store throws.
 */
export async function createSavepoint(
  blobs: BlobStore,
  { topology, name }: { readonly topology: string; readonly name: string },
  bytes: Uint8Array,
  isOver: () => boolean,
): Promise<SavepointInfo> {
  const manifest = decodeManifest(`the checkpoint of '${topology}'`, bytes, {
    filesIn: stateFolder(topology),
  });
  const folder = folderOf(topology, name);
  const runs = manifest.state?.runs ?? [];
  await boundedEach(filesOf(runs), copiesMax, async (file) => {
    if (isOver()) return;
    const copy = `${folder}${baseOf(file)}`;
    const created = await blobs.createIfAbsent(copy, await checkedFile(blobs, file));
    // A try before that was not finished left it.
    if (!created) await checkedFile(blobs, copy);
  });
  if (isOver()) throw new SluiceError('savepoint-failed', 'the topology ended before it was taken');
  const own = withFiles(manifest, baseOf);
  const kept: Manifest = { ...own, sinks: {}, retiring: [] };
  const created = await blobs.createIfAbsent(`${folder}${manifestName}`, encodeManifest(kept));
  if (!created) throw taken(topology, name);
  await settle(blobs, folder, filesOf(own.state?.runs ?? []));
  return infoOf(topology, name, kept);
}

/**
 * Removes what a try before left that did not come to its end. Takes the savepoint back when
 * somebody deleted files of it meanwhile, as it had no manifest yet.
 */
async function settle(blobs: BlobStore, folder: string, files: readonly string[]): Promise<void> {
  const there = (await blobs.list(folder)).map((key) => key.slice(folder.length));
  if (files.some((file) => !there.includes(file))) {
    await blobs.delete(`${folder}${manifestName}`);
    throw new SluiceError('savepoint-failed', `files in ${folder} were deleted while it was taken`);
  }
  const left = there.filter((file) => file !== manifestName && !files.includes(file));
  await boundedEach(left, deletesMax, (file) => blobs.delete(`${folder}${file}`));
}

/** Throws `SluiceError` `savepoint-unknown`, `checkpoint-corrupt`. */
export async function openSavepoint(
  blobs: BlobStore,
  topology: string,
  name: string,
): Promise<Savepoint> {
  const key = manifestOf(topology, requireSavepointName(name));
  const bytes = await blobs.get(key);
  if (bytes === undefined) throw await unknown(blobs, name, topology);
  const manifest = decodeManifest(key, bytes, inItsFolder);
  if (manifest.topology !== topology)
    throw new SluiceError(
      'savepoint-unknown',
      `${key} is of the topology '${manifest.topology}', not of '${topology}'`,
      { fix: 'a topology can start only from a savepoint that was taken of it' },
    );
  const folder = folderOf(topology, name);
  return { name, manifest, files: { get: (file) => checkedFile(blobs, `${folder}${file}`) } };
}

/** By topology, the savepoint that it is to start from. */
export type Savepoints = Readonly<Record<string, string>>;

/**
 * The topologies that have a savepoint of that name; `<topology>/<name>` means that one. Throws
 * `SluiceError` `savepoint-unknown` with those that there are.
 */
export async function resolveSavepoint(blobs: BlobStore, text: string): Promise<Savepoints> {
  const slash = text.lastIndexOf('/');
  const name = requireSavepointName(text.slice(slash + 1));
  const all = await listSavepoints(blobs);
  const found = all.filter(
    (one) =>
      one.isWhole && one.name === name && (slash < 0 || one.topology === text.slice(0, slash)),
  );
  if (found.length === 0)
    throw await unknown(blobs, name, slash < 0 ? undefined : text.slice(0, slash));
  return Object.fromEntries(found.map(({ topology }) => [topology, name]));
}

/** All that there are, also those that are not whole, by topology and name. */
export async function listSavepoints(blobs: BlobStore): Promise<readonly SavepointInfo[]> {
  const found = new Map<string, readonly [topology: string, name: string]>();
  const whole = new Set<string>();
  for (const key of await blobs.list(root)) {
    const [topology, name, file] = key.slice(root.length).split('/');
    if (topology === undefined || name === undefined || file === undefined) continue;
    const id = `${topology}/${name}`;
    found.set(id, [topology, name]);
    if (file === manifestName) whole.add(id);
  }
  const all: SavepointInfo[] = [];
  for (const [id, [topology, name]] of found) {
    const key = manifestOf(topology, name);
    const bytes = whole.has(id) ? await blobs.get(key) : undefined;
    all.push(readInfo(topology, name, key, bytes));
  }
  return all;
}

/** One that cannot be read must not hide the others. */
function readInfo(
  topology: string,
  name: string,
  key: string,
  bytes: Uint8Array | undefined,
): SavepointInfo {
  if (bytes === undefined) return infoOf(topology, name, undefined);
  try {
    return infoOf(topology, name, decodeManifest(key, bytes, inItsFolder));
  } catch (thrown) {
    if (!(thrown instanceof SluiceError)) throw thrown;
    return { ...infoOf(topology, name, undefined), isWhole: true, problem: thrown.message };
  }
}

/**
 * The manifest goes first, so that what is left of it is no savepoint. Throws `SluiceError`
 * `savepoint-unknown`.
 */
export async function deleteSavepoint(
  blobs: BlobStore,
  topology: string,
  name: string,
): Promise<void> {
  const folder = folderOf(topology, requireSavepointName(name));
  const keys = await blobs.list(folder);
  if (keys.length === 0) throw await unknown(blobs, name, topology);
  await blobs.delete(`${folder}${manifestName}`);
  await boundedEach(keys, deletesMax, (key) => blobs.delete(key));
}

async function checkedFile(blobs: BlobStore, name: string): Promise<Uint8Array> {
  const bytes = await blobs.get(name);
  const isDamaged =
    bytes !== undefined && createHash('sha256').update(bytes).digest('hex') !== claimedHash(name);
  if (bytes !== undefined && !isDamaged) return bytes;
  throw new SluiceError(
    'checkpoint-corrupt',
    isDamaged ? `${name} is damaged: its SHA-256 is another one` : `${name} is missing`,
    { fix: 'restore it from a copy, or use another savepoint', details: { file: name } },
  );
}

function infoOf(topology: string, name: string, manifest: Manifest | undefined): SavepointInfo {
  const runs = manifest?.state?.runs ?? [];
  return {
    topology,
    name,
    isWhole: manifest !== undefined,
    problem: null,
    takenAtMs: manifest?.createdAtMs ?? null,
    checkpoint: manifest?.checkpoint ?? null,
    files: filesOf(runs).length,
    bytes: bytesOf(runs),
  };
}

function folderOf(topology: string, name: string): string {
  return `${root}${topology}/${name}/`;
}

function manifestOf(topology: string, name: string): string {
  return `${folderOf(topology, name)}${manifestName}`;
}

function baseOf(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1);
}

function taken(topology: string, name: string): SluiceError {
  return new SluiceError('savepoint-exists', `'${topology}' has a savepoint '${name}' already`, {
    fix: `choose another name, or delete it: \`sluice savepoint delete ${topology} ${name}\``,
  });
}

async function unknown(
  blobs: BlobStore,
  name: string,
  topology: string | undefined,
): Promise<SluiceError> {
  const known = (await listSavepoints(blobs)).filter(({ isWhole }) => isWhole);
  const of = topology === undefined ? 'no topology has' : `'${topology}' has no`;
  const list = known.map((one) => `${one.topology}/${one.name}`).join(', ');
  return new SluiceError(
    'savepoint-unknown',
    `${of} ${topology === undefined ? 'a ' : ''}savepoint '${name}'`,
    {
      fix:
        known.length === 0
          ? 'there is none; take one with `sluice savepoint TOPOLOGY` while the topology runs'
          : `use one of: ${list}`,
    },
  );
}
