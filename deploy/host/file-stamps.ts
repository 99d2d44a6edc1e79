/**
 * Which files a topology was made of, and whether one of them is another now: changed, replaced by
 * rename, behind a link that was turned, gone, or come to be.
 *
 * Invariant: a file is noted before it is read, so that what changes while it is read is seen
 * afterwards.
 */
import { stat } from 'node:fs/promises';

export class FileStamps {
  readonly #stamps = new Map<string, string>();
  /** Of the noted files, those that it was made of. */
  readonly loaded = new Set<string>();

  /** The first note of a path counts. */
  async note(path: string): Promise<void> {
    if (!this.#stamps.has(path)) this.noted(path, await stampOf(path));
  }

  /** What somebody else noted before reading. */
  noted(path: string, stamp: string): void {
    if (!this.#stamps.has(path)) this.#stamps.set(path, stamp);
  }

  /** In place of the note before. */
  renoted(path: string, stamp: string): void {
    this.#stamps.set(path, stamp);
  }

  get paths(): readonly string[] {
    return [...this.#stamps.keys()];
  }

  /** The paths that are another file now, or are or are not there as before. */
  async changed(): Promise<readonly string[]> {
    const now = await Promise.all(this.paths.map(stampOf));
    return [...this.#stamps].flatMap(([path, stamp], index) =>
      stamp === now[index] ? [] : [path],
    );
  }
}

/** Links are followed: what counts is what would be read. */
export async function stampOf(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeMs, ctimeMs } = await stat(path);
    return `${dev} ${ino} ${size} ${mtimeMs} ${ctimeMs}`;
  } catch {
    return 'missing';
  }
}
