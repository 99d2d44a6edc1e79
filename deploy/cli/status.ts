/**
 * `sluice status`: asks the running instance and tells a person what it says.
 */
import type { Clock } from '../../schemas/kernel/clock.ts';
import type { TopologyHostStatus } from '../local/topology-host.ts';
import { readStatus } from './ask.ts';
import type { Output } from './output.ts';

export async function statusCommand(dir: string, output: Output, clock: Clock): Promise<number> {
  const status = await readStatus(dir);
  if (output.json) {
    output.line(JSON.stringify(status));
    return 0;
  }
  const { instance, ingress, topologies } = status;
  output.line(`Sluice at ${instance.url}, pid ${instance.pid}, since ${instance.startedAt}`);
  const refused = Object.entries(ingress.refused).map(([code, count]) => `${code} ${count}`);
  output.line(
    `  ingress: ${ingress.received} received = ${ingress.accepted.kinesis} to Kinesis + ${ingress.accepted.kafka} to Kafka + refused (${refused.join(', ') || 'none'})`,
  );
  for (const topology of topologies) describeTopology(topology, output, clock.now());
  return 0;
}

function describeTopology({ file, name, state, error, restarts, job }: TopologyHostStatus, output: Output, nowMs: number): void {
  output.line('');
  output.line(`topology ${name ?? '?'} (${file}): ${state}${restarts > 0 ? `, started again ${restarts} time(s)` : ''}`);
  if (error !== null) output.line(`  ${error.message}`);
  if (job === null) return;
  const checkpoint =
    job.checkpoint === null ? 'none yet' : `${job.checkpoint.id}, ${((nowMs - job.checkpoint.completedAtMs) / 1_000).toFixed(1)} s ago`;
  output.line(
    `  attempt ${job.attempt}; last checkpoint ${checkpoint}; ${job.uncommittedRows} rows wait for one; ${job.rejected} rejected since the start`,
  );
  for (const split of job.splits) {
    const watermark = typeof split.watermark === 'number' ? new Date(split.watermark).toISOString() : (split.watermark ?? 'none');
    output.line(
      `  ${split.stream} ${split.path} ${split.split}: lag ${split.lag ?? '?'}, watermark ${watermark}${split.idle ? ', idle' : ''}`,
    );
  }
  for (const node of job.nodes) {
    const parts = Object.entries(node).filter(([key, value]) => key !== 'id' && key !== 'kind' && value !== 0);
    output.line(`  ${node.kind} ${node.id}: ${parts.map(([key, value]) => `${key} ${value}`).join(', ') || 'nothing yet'}`);
  }
}
