/**
 * `sluice status`: asks the running instance and tells a person what it says: a line a topology,
 * details of one by its name.
 */
import type { StreamRouteState } from '../../../../ingest/delivery/route-delivery.ts';
import type { IngressCounts } from '../../../../ingest/telemetry/metrics.ts';
import type { Clock } from '../../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../../schemas/kernel/errors.ts';
import type { TopologyHostStatus } from '../../../host/hosted-topology.ts';
import type { InstanceStatus } from '../../../host/status.ts';
import { readStatus } from '../../ask.ts';
import type { Output } from '../../output.ts';
import { topologyDetails } from './status-details.ts';
import { timeText, topologyLine } from './status-text.ts';

export interface StatusCommand {
  readonly dir: string;
  /** The name or the file of the one to tell of, in detail. */
  readonly topology: string | undefined;
  /** Of all. */
  readonly details: boolean;
  readonly output: Output;
  readonly clock: Clock;
}

/** Paths of streams that are told one by one. */
const pathsShown = 10;

/** Throws `SluiceError` `not-running`, `not-reachable`, `topology-unknown`. */
export async function statusCommand({
  dir,
  topology,
  details,
  output,
  clock,
}: StatusCommand): Promise<number> {
  const status = await readStatus(dir);
  const told = topology === undefined ? status.topologies : [topologyOf(status, topology)];
  if (output.json) {
    output.line(JSON.stringify(topology === undefined ? status : told[0]));
    return 0;
  }
  const nowMs = clock.now();
  if (topology === undefined) for (const line of instanceLines(status)) output.line(line);
  for (const each of told) {
    if (topology === undefined && !details) output.line(topologyLine(each, nowMs));
    else {
      if (topology === undefined) output.line('');
      for (const line of topologyDetails(each, nowMs)) output.line(line);
    }
  }
  return 0;
}

function topologyOf({ topologies }: InstanceStatus, asked: string): TopologyHostStatus {
  const found = topologies.find(({ name, file }) => name === asked || file === asked);
  if (found !== undefined) return found;
  const known = topologies.map(({ name, file }) => name ?? file).join(', ');
  throw new SluiceError(
    'topology-unknown',
    `no topology '${asked}' runs here; there is ${known || 'none'}`,
  );
}

function instanceLines({
  instance,
  ingress,
  configuration,
  paths,
}: InstanceStatus): readonly string[] {
  const refusal = configuration?.refusal ?? null;
  const unwell = paths.filter(
    ({ breaker, spoolRecords }) => breaker !== 'closed' || spoolRecords > 0,
  );
  const more = unwell.length - pathsShown;
  return [
    `Sluice at ${instance.url}, pid ${instance.pid}, since ${instance.startedAt}; metrics at ${instance.metrics}`,
    ...(ingress === null ? [] : [`  ${ingressText(ingress)}`]),
    ...(refusal === null
      ? []
      : [
          `  the configuration file has been refused since ${timeText(refusal.sinceMs)}: ${refusal.why}`,
        ]),
    ...unwell.slice(0, pathsShown).map((path) => `  ${pathText(path)}`),
    ...(more > 0 ? [`  and ${more} more paths; --json tells all`] : []),
  ];
}

function ingressText({ received, accepted, repeated, refused }: IngressCounts): string {
  const codes = Object.entries(refused).map(([code, count]) => `${code} ${count}`);
  const again = repeated === 0 ? '' : ` + ${repeated} repeated`;
  return `ingress: ${received} received = ${accepted.kinesis} to Kinesis + ${accepted.kafka} to Kafka${again} + refused (${codes.join(', ') || 'none'})`;
}

/** What is not as it should be. */
export function pathText({
  stream,
  path,
  breaker,
  queueBytes,
  spoolRecords,
  spoolBytes,
  spoolAgeMs,
}: StreamRouteState): string {
  const spool =
    spoolRecords === 0
      ? ''
      : `; ${spoolRecords} records (${spoolBytes} bytes) in its spool, the oldest for ${Math.round(spoolAgeMs / 1_000)} s`;
  return `${stream} ${path}: breaker ${breaker}, ${queueBytes} bytes wait${spool}`;
}
