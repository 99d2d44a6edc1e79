/**
 * Named blobs: checkpoints now. One contract suite (test/contract/blob-store.ts) runs against every
 * adapter.
 *
 * Invariants:
 * 1. `createIfAbsent` is atomic: of two callers with one key exactly one gets true, and a reader
 *    sees all bytes or none.
 * 2. When it returns, the blob is durable.
 */
export interface BlobStore {
  /**
   * Stores `bytes` under `key` unless the key exists. Returns whether it did. Keys are
   * `/`-separated, `[A-Za-z0-9._=-]`.
   */
  createIfAbsent(key: string, bytes: Uint8Array): Promise<boolean>;
  get(key: string): Promise<Uint8Array | undefined>;
  /** Keys that start with `prefix`, sorted by code unit. */
  list(prefix: string): Promise<readonly string[]>;
  /** Deletes; a missing key is not an error. */
  delete(key: string): Promise<void>;
}
