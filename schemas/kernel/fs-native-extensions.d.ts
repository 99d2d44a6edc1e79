/**
 * What is used of fs-native-extensions, which has no types: folder-lock.ts says for what.
 */
declare module 'fs-native-extensions' {
  /**
   * Whether the lock was granted. Without `shared` it is exclusive, and `fd` must be open for
   * writing.
   */
  export function tryLock(fd: number, options?: { readonly shared?: boolean }): boolean;
}
