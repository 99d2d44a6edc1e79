/**
 * Where the control socket of an instance is. Whoever can connect to it is the owner, so only its
 * user may.
 *
 * Invariants:
 * 1. The socket is made in a folder that only its user can enter (0700), so nobody else can connect
 *    in the moment before its mode is 0600.
 * 2. It is in the instance's folder where the path fits a socket's address and the file system has
 *    sockets, else in a fresh runtime folder that `control.path` names.
 * 3. Only the holder of the instance's lock makes or removes any of it: what a dead instance left
 *    is then nobody's.
 * 4. A client connects to a runtime folder only when its own user owns it and nobody else may
 *    enter: `control.path` is text that anybody who could write to the instance's folder may have
 *    put there.
 */
import {
  lstatSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, isAbsolute, join } from 'node:path';
import { SluiceError, systemCodeOf } from '../../schemas/kernel/errors.ts';
import { controlPathFile, controlSocket } from './layout.ts';

/**
 * The address of a Unix socket: `sun_path` without its final zero byte, of Linux and of macOS.
 */
const socketPathMaxBytes = 107;
const socketPathMaxBytesDarwin = 103;

const pathMaxBytes = process.platform === 'darwin' ? socketPathMaxBytesDarwin : socketPathMaxBytes;
const runtimePrefix = 'sluice-';

export interface ControlPlace {
  readonly socket: string;
  /** Removes the socket and what was made for it. */
  readonly remove: () => void;
}

/** Whether a path fits the address of a Unix socket. */
export function fitsSocket(path: string): boolean {
  return Buffer.byteLength(path) <= pathMaxBytes;
}

/**
 * Clears what an earlier instance left, and gives the path at which this one listens. Only for the
 * holder of the lock of `dir`. Throws `SluiceError` `socket-path-too-long`.
 */
export function makeControlPlace(dir: string): ControlPlace {
  const folder = realpathSync(dir);
  const socket = controlSocket(folder);
  if (!fitsSocket(socket)) return makeRuntimePlace(dir);
  clear(folder);
  return { socket, remove: () => clear(folder) };
}

/** As `makeControlPlace`, but always in a runtime folder. */
export function makeRuntimePlace(
  dir: string,
  runtimeDir = process.env['XDG_RUNTIME_DIR'],
): ControlPlace {
  const folder = realpathSync(dir);
  clear(folder);
  const runtime = makeRuntimeFolder(runtimeDir);
  writeFileSync(controlPathFile(folder), `${runtime}\n`, { mode: 0o600 });
  return { socket: controlSocket(runtime), remove: () => clear(folder) };
}

/**
 * The socket of the instance on `dir`, whether or not somebody listens. Throws `SluiceError`
 * `control-not-trusted`.
 */
export function findControlSocket(dir: string): string {
  const folder = realpathSync(dir);
  const runtime = readControlPath(folder);
  if (runtime === undefined) return controlSocket(folder);
  const problem = privacyProblem(runtime);
  if (problem === undefined) return controlSocket(runtime);
  throw new SluiceError(
    'control-not-trusted',
    `${controlPathFile(dir)} names ${runtime}, which ${problem}`,
    {
      fix: 'run the command as the user that runs the instance; if that is you, stop the instance, delete control.path and start it again',
    },
  );
}

/** Why a folder may be somebody else's to change; undefined when only this user can enter it. */
function privacyProblem(folder: string): string | undefined {
  try {
    const found = lstatSync(folder);
    if (!found.isDirectory()) return 'is not a folder';
    if (found.uid !== process.getuid?.()) return `belongs to user ${found.uid}`;
    return (found.mode & 0o077) === 0 ? undefined : 'other users can enter';
  } catch (thrown) {
    return `cannot be looked at (${systemCodeOf(thrown) ?? String(thrown)})`;
  }
}

function makeRuntimeFolder(runtimeDir: string | undefined): string {
  const own =
    runtimeDir !== undefined && isAbsolute(runtimeDir) && privacyProblem(runtimeDir) === undefined
      ? [runtimeDir]
      : [];
  for (const parent of [...own, tmpdir(), '/tmp']) {
    // mkdtemp makes a folder of mode 0700 and puts six characters behind the prefix.
    const prefix = join(parent, runtimePrefix);
    if (fitsSocket(controlSocket(`${prefix}XXXXXX`))) return mkdtempSync(prefix);
  }
  throw new SluiceError(
    'socket-path-too-long',
    `no folder for the control socket has a path of at most ${pathMaxBytes} bytes`,
    {
      fix: 'set XDG_RUNTIME_DIR or TMPDIR to a folder with a shorter path',
    },
  );
}

/** Removes sockets, and a runtime folder where it is surely one that an instance made. */
function clear(folder: string): void {
  const runtime = readControlPath(folder);
  if (
    runtime !== undefined &&
    basename(runtime).startsWith(runtimePrefix) &&
    privacyProblem(runtime) === undefined
  ) {
    rmSync(controlSocket(runtime), { force: true });
    try {
      rmdirSync(runtime);
    } catch {
      // Something else is in it: it stays.
    }
  }
  rmSync(controlPathFile(folder), { force: true });
  rmSync(controlSocket(folder), { force: true });
}

function readControlPath(folder: string): string | undefined {
  try {
    const text = readFileSync(controlPathFile(folder), 'utf8').trim();
    return isAbsolute(text) ? text : undefined;
  } catch (thrown) {
    if (systemCodeOf(thrown) === 'ENOENT') return undefined;
    throw thrown;
  }
}
