/**
 * Which file of the rejected table holds an identity. Bounded: what was used longest ago is let go first.
 */
export class RejectedIndex {
  readonly max: number;
  readonly #files = new Map<string, string>();

  constructor(max: number) {
    this.max = max;
  }

  fileOf(identity: string): string | undefined {
    return this.#files.get(identity);
  }

  remember(identity: string, file: string): void {
    this.#files.delete(identity);
    this.#files.set(identity, file);
    if (this.#files.size <= this.max) return;
    const oldest = this.#files.keys().next();
    if (oldest.done !== true) this.#files.delete(oldest.value);
  }
}
