/**
 * `sluice flink return`: where a job on Flink stopped, as a savepoint that the topology starts
 * from here.
 */
import { readFileSync } from 'node:fs';
import { messageOf, SluiceError } from '../../../../schemas/kernel/errors.ts';
import { encodeManifest } from '../../../../topology/checkpoint/manifest.ts';
import {
  createSavepoint,
  requireSavepointName,
} from '../../../../topology/checkpoint/savepoints.ts';
import { boundedBundle } from '../../../flink/check/evaluate.ts';
import type { Positions } from '../../../flink/positions.ts';
import { positionsManifest, positionsOfText } from '../../../flink/positions.ts';
import { findJob, isEnded } from '../../../flink/rest/flink-jobs.ts';
import { readPositions } from '../../../flink/rest/flink-status.ts';
import type { Context } from '../../command.ts';
import { withSavepoints } from '../savepoint/savepoint-store.ts';
import type { ClusterOptions } from './cluster.ts';
import { openCluster } from './cluster.ts';

export interface ReturnOptions extends ClusterOptions {
  readonly file: string;
  readonly job: string | undefined;
  readonly log: string | undefined;
  readonly name: string;
}

/**
 * Resolves with the exit code. Throws what `boundedBundle` and deploy/flink/rest throw,
 * `flink-job-running`, `flink-positions`, `savepoint-name-invalid`, `savepoint-exists`.
 */
export async function flinkReturnCommand(
  context: Context,
  options: ReturnOptions,
): Promise<number> {
  const { output, clock } = context;
  const name = requireSavepointName(options.name);
  const { source: plan } = await boundedBundle(options.file, clock);
  const positions =
    options.log === undefined
      ? await positionsOfJob(context, plan.name, options)
      : positionsOfText(readLog(options.log));
  const manifest = positionsManifest(plan, positions, clock.now());
  const place = { topology: plan.name, name };
  await withSavepoints(context, (blobs) =>
    createSavepoint(blobs, place, encodeManifest(manifest), () => false),
  );
  const splits = Object.values(positions).reduce((sum, of) => sum + Object.keys(of).length, 0);
  if (output.json) output.line(JSON.stringify({ ...place, splits, positions }));
  else {
    output.line(`savepoint '${name}' of ${plan.name}: positions of ${splits} splits, no state`);
    output.line(`start from it with --from savepoint:${plan.name}/${name}`);
  }
  return 0;
}

/** Of a job that has ended: another would go on reading. */
async function positionsOfJob(
  context: Context,
  topology: string,
  options: ReturnOptions,
): Promise<Positions> {
  const { rest } = openCluster(options, context);
  const job = await findJob(rest, { topology, id: options.job }, { orEnded: true });
  if (job.state === 'FINISHED') return readPositions(rest, job);
  if (isEnded(job))
    throw new SluiceError(
      'flink-positions',
      `job ${job.id} of '${topology}' is ${job.state}: what it read since its last checkpoint is in no table`,
      {
        fix: 'start it again with `sluice flink submit --from`, then end it with `sluice flink drain`',
      },
    );
  throw new SluiceError(
    'flink-job-running',
    `job ${job.id} of '${topology}' is ${job.state} at ${rest.shown}: it reads on`,
    { fix: `end it first with \`sluice flink drain ${topology}\`` },
  );
}

function readLog(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new SluiceError(
      'flink-positions',
      `the log ${file} cannot be read: ${messageOf(cause)}`,
      {
        cause,
        fix: 'pass a file with the log of the job with --log',
      },
    );
  }
}
