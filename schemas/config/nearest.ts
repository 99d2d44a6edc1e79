/**
 * Which known word a misspelt one probably is. Pure.
 */

const distanceMax = 3;

/** Undefined where none is near. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const [best] = known
    .map((candidate) => [distance(word, candidate), candidate] as const)
    .sort(([a], [b]) => a - b);
  // As many changes as it has letters make any word of it.
  const most = Math.min(distanceMax, word.length - 1);
  return best !== undefined && best[0] <= most ? best[1] : undefined;
}

/** Levenshtein. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(
        (row[j] as number) + 1,
        (next[j - 1] as number) + 1,
        (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1),
      );
    }
    row = next;
  }
  return row[b.length] as number;
}
