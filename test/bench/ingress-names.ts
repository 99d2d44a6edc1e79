/**
 * What the processes of the ingress benchmark call things.
 */
export const apiKey = 'bench-0123456789abcdef';

/** Physical names of the streams, by who writes them. */
export const streams = {
  naive: 'bench-naive',
  seed: 'bench-seed',
  full: 'bench-full',
  ordered: 'bench-ordered',
  ledger: 'bench-ledger',
} as const;
