/**
 * What tells one call of an author's function from another, in text: what it is given, but for its
 * context, which has times in it. Pure.
 */

/** `a`, `b`: the arguments. Of a keyed function the key is in the context. */
export function givenOfCall(slot: string, a: unknown, b: unknown): readonly unknown[] {
  const isOfTwo = slot === 'join' || slot.endsWith(':add') || slot.endsWith(':merge');
  const isKeyed = slot === 'onElement' || slot === 'onTimer';
  return isOfTwo ? [a, b] : isKeyed ? [a, (b as { readonly key: unknown }).key] : [a];
}
