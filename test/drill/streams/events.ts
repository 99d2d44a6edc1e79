/**
 * The events of the drill: small ones, every fiftieth one that takes the large route, every
 * hundredth and first one that is not valid. Those of the soak are as many that are small as the
 * emulator of Kinesis carries, the others above a threshold of 1 KiB.
 */
const users = 200;
const items = 50;

export const isValid = (n: number): boolean => n % 101 !== 100;

/** Also where somebody else tells what is in a table. */
export const itemOf = (n: number): string => `item-${n % items}`;

const padded = (n: number, chars: number): string => bodyWith(n, { pad: 'x'.repeat(chars) });

/** With members of its own. */
export const bodyWith = (
  n: number,
  more: { readonly pad: string; readonly team?: string },
): string =>
  JSON.stringify({ n: isValid(n) ? n : -1, user: `user-${n % users}`, item: itemOf(n), ...more });

export const bodyOf = (n: number): string => padded(n, n % 50 === 0 ? 150_000 : 800);

/** Several of them fill a batch of Kafka that is small. */
export const wideBodyOf = (n: number): string => padded(n, 20_000);

/** Of the soak: by Kinesis, by Kafka. */
export const smallBodyOf = (n: number): string => padded(n, 400);
export const smallestLargeBodyOf = (n: number): string => padded(n, 1_200);
export const largeBodyOf = (n: number): string =>
  n % 1_000 === 1 ? padded(n, 150_000) : smallestLargeBodyOf(n);
