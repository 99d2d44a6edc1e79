/**
 * Where the progress of a file to a stream is kept, so that an interrupted `send` resumes. A file
 * that changed starts over.
 */
import { createHash } from 'node:crypto';
import type { Stats } from 'node:fs';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { messageOf } from '../../../../schemas/kernel/errors.ts';

export interface Marker {
  /** Events at the beginning that are settled. */
  readonly events: number;
  /** Why it could not be written, once; undefined when it was. */
  save(events: number): string | undefined;
  clear(): void;
}

export function markerOf(
  dir: string,
  file: string,
  stats: Stats,
  target: URL,
  resume: boolean,
): Marker {
  const identity = createHash('sha256')
    .update(`${resolve(file)} ${stats.size} ${stats.mtimeMs} ${target.pathname}`)
    .digest('hex');
  const path = join(dir, 'send', `${identity.slice(0, 24)}.json`);
  let told = false;
  return {
    events: resume ? read(path) : 0,
    save(events) {
      try {
        mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
        writeFileSync(`${path}.tmp`, JSON.stringify({ file, events }), { mode: 0o600 });
        renameSync(`${path}.tmp`, path);
        return undefined;
      } catch (thrown) {
        if (told) return undefined;
        told = true;
        return `the progress cannot be kept, so an interrupted send starts over: ${messageOf(thrown)}`;
      }
    },
    clear() {
      try {
        rmSync(path, { force: true });
      } catch {
        // Where nothing could be written nothing is there.
      }
    },
  };
}

function read(path: string): number {
  try {
    const { events } = JSON.parse(readFileSync(path, 'utf8')) as { readonly events?: unknown };
    return typeof events === 'number' && Number.isSafeInteger(events) && events > 0 ? events : 0;
  } catch {
    return 0;
  }
}
