/**
 * A topology as a job on a Flink cluster of processes: submitted by the command line, watched by
 * the REST API, its task managers killed while it runs.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { jobJar } from '../../deploy/flink/jar.ts';
import { findJob, isEnded } from '../../deploy/flink/rest/flink-jobs.ts';
import { FlinkRest } from '../../deploy/flink/rest/flink-rest.ts';
import type { FlinkStatus } from '../../deploy/flink/rest/flink-status.ts';
import { readFlinkStatus } from '../../deploy/flink/rest/flink-status.ts';
import type { FlinkSettings } from '../../deploy/flink/settings.ts';
import { systemClock } from '../../schemas/kernel/clock.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { FlinkProcesses } from '../servers/flink-processes.ts';
import { runSluice } from './service-process.ts';

const pollMs = 100;
/** Of each wait of a command: a drain writes a file a folder of each table, hundreds of them. */
const waitMax = '600s';

export interface FlightsJob {
  status(): Promise<FlinkStatus>;
  /** Resolves with the first status that is as asked; rejects when the job failed, or in `maxMs`. */
  until(what: string, isSo: (status: FlinkStatus) => boolean, maxMs: number): Promise<FlinkStatus>;
  /** Ends it with all windows and timers fired. */
  drain(): Promise<void>;
}

/** `name`: the topology's. */
export async function submitFlights(
  flink: FlinkProcesses,
  topology: string,
  name: string,
  settings: FlinkSettings,
  env: Readonly<Record<string, string>> = {},
): Promise<FlightsJob> {
  const path = join(flink.dir, 'settings.json');
  writeFileSync(path, JSON.stringify(settings));
  const command = async (...args: readonly string[]): Promise<void> => {
    const cluster = ['--url', flink.url, '--wait', waitMax];
    const { code, said } = await runSluice(['flink', ...args, ...cluster], env);
    if (code !== 0) throw new Error(`flink ${args[0]} ended with ${code}: ${said}\n${flink.log}`);
  };
  await command(
    'submit',
    topology,
    '--settings',
    path,
    '--jar',
    await jobJar({ engine: settings.engine }),
  );
  const url = new URL(flink.url);
  const rest = new FlinkRest({ url, authorization: undefined, clock: systemClock });
  const job = await findJob(rest, { topology: name, id: undefined }, { orEnded: true });
  const status = (): Promise<FlinkStatus> => readFlinkStatus(rest, job);
  const until: FlightsJob['until'] = async (what, isSo, maxMs) => {
    for (const deadline = performance.now() + maxMs; ; await sleep(pollMs)) {
      const now = await status().catch(unanswered);
      if (now !== undefined && isSo(now)) return now;
      if (now !== undefined && isEnded(now))
        throw new Error(`${what}: the job is ${now.state}: ${now.failure}`);
      if (performance.now() > deadline)
        throw new Error(`${what}: not in ${maxMs} ms\n${JSON.stringify(now)}\n${flink.log}`);
    }
  };
  return {
    ...{ status, until },
    async drain() {
      // Flink refuses a savepoint of a job whose tasks are not all up again after a kill.
      const areUp = ({ vertices }: FlinkStatus): boolean =>
        vertices.every(({ state }) => state === 'RUNNING');
      await until('all tasks running', areUp, recoveryMaxMs);
      await command('drain', name);
    },
  };
}

/** While a job starts again the JobManager answers some questions about it with an error. */
function unanswered(thrown: unknown): undefined {
  if (thrown instanceof SluiceError && thrown.retryable) return undefined;
  throw thrown;
}

/** What a kill may take, from one checkpoint to the first after it. */
const recoveryMaxMs = 240_000;

/**
 * SIGKILL to one task manager after the other while the job runs: each time after a checkpoint that
 * is newer than the last kill, so that every kill undoes something that a restore has to bring back.
 * `reached` resolves when a part of all that is to be written was, from 0 to 1: kills are spread over it.
 */
export async function killTaskManagers(
  flink: FlinkProcesses,
  job: FlightsJob,
  kills: number,
  reached: (part: number) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  let known = 0;
  for (let nth = 0; nth < kills; nth++) {
    await reached((nth + 1) / (kills + 1));
    const before = await job.until(
      `a checkpoint before kill ${nth + 1}`,
      ({ checkpoints }) => checkpoints.completed > known,
      recoveryMaxMs,
    );
    const index = nth % flink.taskManagers.length;
    await flink.killTaskManager(index);
    known = before.checkpoints.completed;
    const { checkpoints } = await job.until(
      `the restore after kill ${nth + 1}`,
      (status) => status.checkpoints.restoredFrom !== null && status.failure !== null,
      recoveryMaxMs,
    );
    console.log(
      `      task manager ${index + 1} killed after ${known} checkpoints, restored from ${checkpoints.restoredFrom?.split('/').at(-1)}`,
    );
  }
}
