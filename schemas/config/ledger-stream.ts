/**
 * Where the ingress writes what it counted.
 */
import type { StreamConfig } from './streams.ts';
import { streamOf, streams } from './streams.ts';
import { defaultsOf } from './values.ts';

/** No key covers it; clients cannot write to team `sluice`. */
export const ledgerStream: StreamConfig = streamOf({
  ...defaultsOf(streams.items),
  team: 'sluice',
  app: 'ledger',
});
