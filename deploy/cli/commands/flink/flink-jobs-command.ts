/**
 * `sluice flink status|savepoint|drain|cancel`: of the job of a topology.
 */
import { SluiceError } from '../../../../schemas/kernel/errors.ts';
import type { FlinkJob } from '../../../flink/rest/flink-jobs.ts';
import {
  cancelJob,
  findJob,
  stopWithSavepoint,
  takeSavepoint,
} from '../../../flink/rest/flink-jobs.ts';
import { readFlinkStatus } from '../../../flink/rest/flink-status.ts';
import type { Context } from '../../command.ts';
import type { Output } from '../../output.ts';
import type { Cluster, ClusterOptions } from './cluster.ts';
import { openCluster } from './cluster.ts';
import { flinkStatusText } from './flink-text.ts';

export interface JobOptions extends ClusterOptions {
  readonly verb: 'status' | 'savepoint' | 'drain' | 'cancel';
  readonly topology: string;
  readonly job: string | undefined;
  readonly directory?: string | undefined;
  readonly keep?: boolean;
}

/**
 * Resolves with the exit code. Throws `SluiceError` `option-invalid`, and what deploy/flink/rest
 * throws.
 */
export async function flinkJobCommand(context: Context, options: JobOptions): Promise<number> {
  const { verb, topology, job: id, directory, keep = false } = options;
  if (verb === 'cancel' && directory !== undefined && !keep)
    throw new SluiceError(
      'option-invalid',
      `invalid --directory '${directory}': 'flink cancel' takes no savepoint`,
      {
        fix: 'add --keep to stop it with one, or leave --directory out',
      },
    );
  const cluster = openCluster(options, context);
  const { rest } = cluster;
  const job = await findJob(rest, { topology, id }, { orEnded: verb === 'status' });
  switch (verb) {
    case 'status': {
      const status = await readFlinkStatus(rest, job);
      const { output, clock } = context;
      if (output.json) output.line(JSON.stringify(status));
      else for (const line of flinkStatusText(status, clock.now())) output.line(line);
      return status.state === 'FAILED' ? 1 : 0;
    }
    case 'savepoint': {
      const path = await takeSavepoint(rest, job, directory, cluster.waiting);
      return savepointTold(context.output, job, path, 'savepoint');
    }
    case 'drain':
      return stop(context.output, cluster, job, { directory, drain: true });
    case 'cancel':
      if (keep) return stop(context.output, cluster, job, { directory, drain: false });
      await cancelJob(rest, job, cluster.waiting);
      if (context.output.json)
        context.output.line(JSON.stringify({ job: job.id, ended: 'canceled' }));
      else context.output.line(`job ${job.id} of '${job.name}' is canceled`);
      return 0;
  }
}

async function stop(
  output: Output,
  { rest, waiting }: Cluster,
  job: FlinkJob,
  how: { readonly directory: string | undefined; readonly drain: boolean },
): Promise<number> {
  const path = await stopWithSavepoint(rest, job, how, waiting);
  return savepointTold(output, job, path, how.drain ? 'drained' : 'stopped');
}

function savepointTold(
  output: Output,
  job: FlinkJob,
  path: string,
  how: 'savepoint' | 'drained' | 'stopped',
): number {
  if (output.json) {
    output.line(
      JSON.stringify({ job: job.id, ended: how === 'savepoint' ? null : how, savepoint: path }),
    );
    return 0;
  }
  if (how !== 'savepoint') output.line(`job ${job.id} of '${job.name}' is ${how}`);
  output.line(`savepoint ${path}`);
  output.line(`start from it with: sluice flink submit FILE --from ${path}`);
  return 0;
}
