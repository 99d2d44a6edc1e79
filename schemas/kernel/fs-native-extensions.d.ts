/**
 * Types for the part of fs-native-extensions that folder-lock.ts uses; the package has none.
 */
declare module 'fs-native-extensions' {
  /**
   * Whether the lock was granted. Without `shared` it is exclusive, and `fd` must be open for
   * writing.
   */
  export function tryLock(fd: number, options?: { readonly shared?: boolean }): boolean;
}
