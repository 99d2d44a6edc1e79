/** A topology that runs and has nothing to tell, but for what a test says. */
import type { TopologyHostStatus } from '../../../deploy/host/hosted-topology.ts';
import { healthy } from '../../../topology/checkpoint/health.ts';
import { noLosses } from '../../../topology/checkpoint/losses.ts';
import type { JobStatus, SplitStatus } from '../../../topology/index.ts';

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

/** One that reads its splits, as far as it is told. */
export const jobStatus = (
  splits: readonly SplitStatus[],
  more: Partial<JobStatus> = {},
): JobStatus => ({
  name: 'orders',
  version: 1,
  attempt: 3,
  parallelism: 1,
  turns: 9,
  checkpoint: { id: 12, completedAtMs: 1_000 },
  state: null,
  checkpoints: healthy,
  splits,
  totals: {
    splits: splits.length,
    lag: 2 * splits.length,
    behindMs: null,
    unheard: splits.filter(({ hearing }) => hearing !== 'caught-up').length,
    idle: 0,
  },
  pausedBy: [],
  nodes: [],
  rejected: 0,
  setAside: [],
  uncommittedRows: 0,
  drained: false,
  notes: [],
  skipped: [],
  losses: noLosses,
  ...more,
});
