/**
 * What is said when this user may not write somewhere: who it is, whose the place is, what to do. It
 * is the commonest mistake with containers, whose volumes belong to root.
 */
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { systemCodeOf } from '../../schemas/kernel/errors.ts';

const codes = ['EACCES', 'EPERM', 'EROFS'];

/** Whether a failure is one of rights, or of a file system that is read-only. */
export const isDenied = (cause: unknown): boolean => codes.includes(systemCodeOf(cause) ?? '');

/** Who may not write, and whose the place is, or the folder above it that is there. */
export function deniedText(path: string): string {
  const place = nearest(path);
  const { uid, gid, mode } = statSync(place);
  const whose = `${place} belongs to user ${uid} of group ${gid}, mode ${(mode & 0o7777).toString(8)}`;
  const who = `user ${process.getuid?.() ?? '?'} of group ${process.getgid?.() ?? '?'}`;
  return `by ${who}: ${whose}${isReadOnly(place) ? ', on a file system that is read-only' : ''}`;
}

export function deniedFix(): string {
  const group = process.getgid?.() ?? '?';
  return `give this user the folder, or pass another; of a container: mount a volume that this user may write (Kubernetes: securityContext.fsGroup: ${group})`;
}

function nearest(path: string): string {
  return existsSync(path) || path === dirname(path) ? path : nearest(dirname(path));
}

function isReadOnly(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return false;
  } catch (thrown) {
    return systemCodeOf(thrown) === 'EROFS';
  }
}
