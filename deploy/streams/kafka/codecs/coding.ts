/** From bytes to compressed ones and back. */
export interface Coding {
  /** Rejects when the bytes are damaged, or would become too many. */
  readonly inflate: (bytes: Buffer) => Promise<Buffer>;
  readonly deflate: (bytes: Buffer) => Promise<Buffer>;
}
