/** What `npm run bench:operators` measures. */

/** What comes before all of them is measured alone, as `source`. */
export const operators = [
  'source',
  'map and filter',
  'deduplicate',
  'tumbling window',
  'sliding window of five',
  'session window',
  'aggregate of its author',
  'interval join',
  'process with state and timers',
  'look-up in a table',
  'split and union',
] as const;
export type Operator = (typeof operators)[number];
