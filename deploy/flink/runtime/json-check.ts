/**
 * In the place of schemas/json-check.ts in a bundle, where there may be no WebAssembly: nothing can
 * be told here, so that schemas/json-skip.ts checks every text.
 */
export function endOfValue(): number {
  return -1;
}
