/**
 * Confines this process with Landlock, the sandbox of the Linux kernel that needs no privileges:
 * https://docs.kernel.org/userspace-api/landlock.html
 *
 * Invariants:
 * 1. Afterwards the process, and all that it becomes, opens no file but to read or run it beneath
 *    the given paths; from kernel 6.7 on it makes and takes no TCP connection, from 6.12 on it
 *    signals no process outside.
 * 2. The kernel confines the calling thread only: what is to be confined whole is executed
 *    afterwards, in place of this process.
 */
import { closeSync, constants, openSync, statSync } from 'node:fs';

/**
 * Numbers of system calls and options: <linux/landlock.h>, <linux/prctl.h>, <fcntl.h>; the same on
 * all 64-bit machines.
 */
const calls = { createRuleset: 444, addRule: 445, restrictSelf: 446 } as const;
const rulesetVersion = 1;
const rulePathBeneath = 1;
const noNewPrivileges = 38;
const setDescriptorFlags = 2;

/** LANDLOCK_ACCESS_FS_*: what can be allowed of a file, and of a folder as well. */
const access = { execute: 1n << 0n, readFile: 1n << 2n, readDir: 1n << 3n } as const;
/**
 * What is refused unless allowed, by version of the interface: bits of file access, network access,
 * scopes.
 */
const handledBits: readonly (readonly [fileBits: bigint, netBits: bigint, scopeBits: bigint])[] = [
  [13n, 0n, 0n],
  [14n, 0n, 0n],
  [15n, 0n, 0n],
  [15n, 2n, 0n],
  [16n, 2n, 0n],
  [16n, 2n, 2n],
];

export interface Confinement {
  /**
   * The version of the kernel's interface, 0 where nothing was confined: on another system, an
   * older kernel, or without the package that calls it.
   */
  readonly version: number;
  /** Puts another program in this one's place. Does not come back. */
  readonly execute: (command: readonly string[]) => never;
}

type Call = (...args: readonly unknown[]) => number;

interface Libc {
  readonly syscall: Call;
  readonly prctl: Call;
  readonly fcntl: Call;
  readonly execv: Call;
}

/**
 * Allows reading and running beneath `readable` and nothing else. Paths that do not exist are left
 * out. Throws when the kernel has it and refuses.
 */
export async function confine(readable: readonly string[]): Promise<Confinement> {
  const libc = await loadLibc();
  const version =
    libc?.syscall(calls.createRuleset, 'void *', null, 'size_t', 0, 'uint32_t', rulesetVersion) ??
    0;
  const handled = handledBits[Math.min(version, handledBits.length) - 1];
  const execute = (command: readonly string[]): never => executeInstead(libc, command);
  if (libc === undefined || handled === undefined) return { version: 0, execute };

  const attributes = Buffer.alloc(8 * handled.length);
  for (const [at, bits] of handled.entries())
    attributes.writeBigUInt64LE((1n << bits) - 1n, 8 * at);
  // An older kernel knows a shorter structure.
  const size = 8 * handled.filter((bits) => bits > 0n).length;
  const ruleset = granted(
    'create_ruleset',
    libc.syscall(calls.createRuleset, 'void *', attributes, 'size_t', size, 'uint32_t', 0),
  );
  for (const path of readable) {
    const rule = ruleOf(path);
    if (rule === undefined) continue;
    granted(
      path,
      libc.syscall(
        calls.addRule,
        'int',
        ruleset,
        'int',
        rulePathBeneath,
        'void *',
        rule.attributes,
        'uint32_t',
        0,
      ),
    );
    closeSync(rule.fd);
  }
  granted('no_new_privs', libc.prctl(noNewPrivileges, 1, 0, 0, 0));
  granted('restrict_self', libc.syscall(calls.restrictSelf, 'int', ruleset, 'uint32_t', 0));
  return { version, execute };
}

async function loadLibc(): Promise<Libc | undefined> {
  if (process.platform !== 'linux') return undefined;
  const loaded = await import('koffi').catch(() => undefined);
  if (loaded === undefined) return undefined;
  const libc = loaded.default.load(null);
  return {
    syscall: libc.func('long syscall(long number, ...)') as Call,
    prctl: libc.func('int prctl(int option, ulong a, ulong b, ulong c, ulong d)') as Call,
    fcntl: libc.func('int fcntl(int fd, int command, ...)') as Call,
    execv: libc.func('int execv(const char *path, const char **argv)') as Call,
  };
}

function executeInstead(libc: Libc | undefined, command: readonly string[]): never {
  // Node marks them to be closed by what is executed.
  for (const fd of [0, 1, 2]) libc?.fcntl(fd, setDescriptorFlags, 'int', 0);
  libc?.execv(command[0], [...command, null]);
  throw new Error(`${command[0]} cannot be executed`);
}

/** struct landlock_path_beneath_attr is packed. */
function ruleOf(path: string): { readonly fd: number; readonly attributes: Buffer } | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return undefined;
  const fd = openSync(path, constants.O_RDONLY);
  const attributes = Buffer.alloc(12);
  const allowed = access.execute | access.readFile | (found.isDirectory() ? access.readDir : 0n);
  attributes.writeBigUInt64LE(allowed, 0);
  attributes.writeInt32LE(fd, 8);
  return { fd, attributes };
}

function granted(what: string, returned: number): number {
  if (returned >= 0) return returned;
  throw new Error(`the kernel does not confine this process: ${what}`);
}
