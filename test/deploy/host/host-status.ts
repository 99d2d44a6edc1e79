/** A topology that runs and has nothing to tell, but for what a test says. */
import type { TopologyHostStatus } from '../../../deploy/host/hosted-topology.ts';
import { healthy } from '../../../topology/checkpoint/health.ts';

export const hostStatus = (more: Partial<TopologyHostStatus>): TopologyHostStatus => ({
  file: 'orders.ts',
  name: 'orders',
  state: 'running',
  build: null,
  refused: null,
  tablesKept: [],
  error: null,
  restarts: 0,
  checkpoints: healthy,
  silentSinceMs: null,
  job: null,
  happened: {},
  ...more,
});
