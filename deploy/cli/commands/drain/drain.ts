/**
 * `sluice drain TOPOLOGY`: has the running instance read everything, give out what waits for time,
 * and end that topology.
 */
import type { Clock } from '../../../../schemas/kernel/clock.ts';
import { sleep } from '../../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../../schemas/kernel/errors.ts';
import type { JobStatus } from '../../../../topology/index.ts';
import { commandInstance, readStatus } from '../../ask.ts';
import type { Output } from '../../output.ts';

const pollMs = 100;
const progressMs = 2_000;
const startingMaxMs = 30_000;

/**
 * Resolves when the topology is drained. Throws `SluiceError` `not-running`, `topology-unknown`,
 * `drain-refused`, `drain-failed`.
 */
export async function drainCommand(
  topology: string,
  dir: string,
  output: Output,
  clock: Clock,
): Promise<number> {
  await beginDrain(topology, dir, clock);
  for (let toldAt = clock.monotonic(); ; ) {
    const { topologies } = await readStatus(dir);
    const found = topologies.find(({ name, file }) => name === topology || file === topology);
    if (found?.state === 'drained' && found.job !== null) {
      tellDrained(found.job, output);
      return 0;
    }
    if (found?.state !== 'draining') {
      throw new SluiceError(
        'drain-failed',
        `'${topology}' ended before it was drained: ${found?.error?.message ?? found?.state ?? 'it is gone'}`,
        {
          fix: 'nothing is lost: it resumes from its last checkpoint; drain again',
          retryable: true,
        },
      );
    }
    if (clock.monotonic() - toldAt >= progressMs && !output.json) {
      toldAt = clock.monotonic();
      const lag = found.job?.splits.reduce((sum, split) => sum + (split.lag ?? 0), 0);
      output.line(`draining ${topology}: ${lag ?? '?'} records to go`);
    }
    await sleep(clock, pollMs);
  }
}

/** A topology that is starting cannot be drained yet; it is asked again for a while. */
async function beginDrain(topology: string, dir: string, clock: Clock): Promise<void> {
  const deadline = clock.monotonic() + startingMaxMs;
  for (;;) {
    try {
      await commandInstance(dir, '/_sluice/drain', { topology });
      return;
    } catch (thrown) {
      const starting = thrown instanceof SluiceError && thrown.code === 'topology-starting';
      if (!starting || clock.monotonic() > deadline) throw thrown;
    }
    await sleep(clock, pollMs);
  }
}

function tellDrained(job: JobStatus, output: Output): void {
  if (output.json) {
    output.line(JSON.stringify(job));
    return;
  }
  const rows = job.nodes
    .filter(({ kind }) => kind === 'sink')
    .map(({ id, passed }) => `${id} ${passed}`);
  output.line(
    `${job.name} is drained at checkpoint ${job.checkpoint?.id ?? '?'}: ${rows.join(', ')}; ${job.rejected} rejected`,
  );
  output.line(
    'it runs again at the next start, from where it stopped, with empty state: an event that is sent again then counts as new',
  );
}
