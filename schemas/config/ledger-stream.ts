/**
 * Where the ingress writes what it counted.
 */
import type { StreamConfig } from './streams.ts';

/** No key covers it; clients cannot write to team `sluice`. */
export const ledgerStream: StreamConfig = {
  team: 'sluice',
  app: 'ledger',
  name: 'sluice/ledger',
  kinesisStream: 'sluice-ledger',
  kafkaTopic: 'sluice-ledger',
  envelope: 'none',
  event: {},
  ack: 'replicated',
  whenDown: 'refuse',
  order: 'none',
  aggregate: 'none',
};
