/**
 * Which files of a topology's runs are in use, as the run of the job knows it that owns the newest
 * attempt. Pure.
 *
 * Invariants:
 * 1. A file is free only when it was named by a manifest, or written for nothing, and no manifest
 *    that is kept names it.
 * 2. A manifest is gone before a file is free that only it named: whatever a crash leaves, what a
 *    manifest names is there.
 * 3. While there is a manifest that the run does not know, nothing is free.
 */

export class FileUse {
  /** By the number of the manifest. */
  readonly #named = new Map<number, ReadonlySet<string>>();
  /** Not named by a manifest yet. */
  readonly #fresh = new Set<string>();
  readonly #known = new Set<string>();

  /** A file that is about to be stored. */
  written(name: string): void {
    this.#known.add(name);
    this.#fresh.add(name);
  }

  /** Files that no manifest will name. */
  dropped(names: readonly string[]): void {
    for (const name of names) this.#fresh.delete(name);
  }

  /** There is a manifest that names these. */
  named(checkpoint: number, names: readonly string[]): void {
    this.#named.set(checkpoint, new Set(names));
    for (const name of names) {
      this.#known.add(name);
      this.#fresh.delete(name);
    }
  }

  /** All files that some manifest names. */
  get inUse(): ReadonlySet<string> {
    return new Set([...this.#named.values()].flatMap((names) => [...names]));
  }

  /**
   * `kept`: the manifests that there were when old ones were removed, oldest first. The files to
   * delete now; those that could not be are found when the next run sweeps.
   */
  takeFree(kept: readonly number[]): readonly string[] {
    const newest = kept.at(-1) ?? 0;
    // A later one may have been created meanwhile.
    for (const checkpoint of this.#named.keys())
      if (checkpoint < newest && !kept.includes(checkpoint)) this.#named.delete(checkpoint);
    // Somebody else's: this run was taken over, and does not know what is in use.
    if (kept.some((checkpoint) => !this.#named.has(checkpoint))) return [];
    const { inUse } = this;
    const free = [...this.#known].filter((name) => !this.#fresh.has(name) && !inUse.has(name));
    for (const name of free) this.#known.delete(name);
    return free;
  }
}
