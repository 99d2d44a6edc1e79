/**
 * The events of the drill: small ones, every fiftieth one that takes the large path, every hundredth and first one that is not valid.
 */
const users = 200;
const items = 50;

export const isValid = (n: number): boolean => n % 101 !== 100;

export function bodyOf(n: number): string {
  const pad = 'x'.repeat(n % 50 === 0 ? 150_000 : 800);
  return JSON.stringify({ n: isValid(n) ? n : -1, user: `user-${n % users}`, item: `item-${n % items}`, pad });
}
