/**
 * What a running instance says of itself to `sluice status`, whatever it runs.
 */
import type { StreamRouteState } from '../../ingest/delivery/route-delivery.ts';
import type { IngressCounts } from '../../ingest/telemetry/metrics.ts';
import type { ReloadState } from '../../ingest/telemetry/reloads.ts';
import type { TopologyHostStatus } from './hosted-topology.ts';
import type { Instance } from './instance.ts';

export interface InstanceStatus {
  readonly instance: Instance;
  /** Null where no ingress runs. */
  readonly ingress: IngressCounts | null;
  /** Whether the configuration file is what is in force; null where no ingress runs. */
  readonly configuration: ReloadState | null;
  readonly paths: readonly StreamRouteState[];
  readonly topologies: readonly TopologyHostStatus[];
}
