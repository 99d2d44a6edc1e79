/**
 * Jobs of a Flink cluster by the name of their topology, and what is done to them: savepoints,
 * drains, cancellation, each asked for once and waited for within bounds.
 */
import type { Clock } from '../../../schemas/kernel/clock.ts';
import { sleep } from '../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import { flinkCause } from './flink-cause.ts';
import type { FlinkRest } from './flink-rest.ts';

const pollMs = 250;
/** Between two lines about the progress. */
const noteMs = 5_000;

/** https://nightlies.apache.org/flink/flink-docs-release-1.20/docs/internals/job_scheduling/ */
export type FlinkJobState =
  | 'INITIALIZING'
  | 'CREATED'
  | 'RUNNING'
  | 'FAILING'
  | 'FAILED'
  | 'CANCELLING'
  | 'CANCELED'
  | 'FINISHED'
  | 'RESTARTING'
  | 'SUSPENDED'
  | 'RECONCILING';

const ended: ReadonlySet<string> = new Set<FlinkJobState>(['FAILED', 'CANCELED', 'FINISHED']);

export interface FlinkJob {
  readonly id: string;
  readonly name: string;
  readonly state: FlinkJobState;
  /** Epoch ms. */
  readonly startedAtMs: number;
}

/** A job by its topology; `id` where several have its name. */
export interface JobChoice {
  readonly topology: string;
  readonly id: string | undefined;
}

/** How long to wait, and whom to tell meanwhile. */
export interface Waiting {
  readonly clock: Clock;
  readonly maxMs: number;
  readonly note: (text: string) => void;
}

export const isEnded = ({ state }: Pick<FlinkJob, 'state'>): boolean => ended.has(state);

/** The newest first. */
export async function listJobs(rest: FlinkRest): Promise<readonly FlinkJob[]> {
  const { jobs } = (await rest.get('/jobs/overview')) as {
    readonly jobs: readonly {
      readonly jid: string;
      readonly name: string;
      readonly state: FlinkJobState;
      readonly 'start-time': number;
    }[];
  };
  return jobs
    .map(({ jid, name, state, 'start-time': startedAtMs }) => ({
      id: jid,
      name,
      state,
      startedAtMs,
    }))
    .sort((a, b) => b.startedAtMs - a.startedAtMs);
}

/**
 * The one job of a topology that has not ended; of those that have, with `orEnded`, the newest.
 * Throws `SluiceError` `flink-job-unknown`, `flink-job-ambiguous`.
 */
export async function findJob(
  rest: FlinkRest,
  { topology, id }: JobChoice,
  { orEnded = false }: { readonly orEnded?: boolean } = {},
): Promise<FlinkJob> {
  const jobs = await listJobs(rest);
  const named = jobs.filter((job) => job.name === topology && (id === undefined || job.id === id));
  const running = named.filter((job) => !isEnded(job));
  const [job, ...others] = running;
  if (others.length > 0) {
    const ids = running.map((one) => `${one.id} (${one.state})`).join(', ');
    throw new SluiceError(
      'flink-job-ambiguous',
      `${running.length} jobs of '${topology}' run at ${rest.shown}: ${ids}`,
      { fix: 'choose one with --job, and cancel the others: they write the same rows' },
    );
  }
  const found = job ?? (orEnded ? named[0] : undefined);
  if (found !== undefined) return found;
  const [last] = named;
  const names = [...new Set(jobs.filter((one) => !isEnded(one)).map(({ name }) => `'${name}'`))];
  const rest1 = names.length === 0 ? 'nothing runs there' : `there are ${names.join(', ')}`;
  const which = id === undefined ? '' : ` with the id ${id}`;
  const was = last === undefined ? rest1 : `job ${last.id} is ${last.state}`;
  throw new SluiceError(
    'flink-job-unknown',
    `no job of '${topology}'${which} runs at ${rest.shown}: ${was}`,
    { fix: 'start it with `sluice flink submit`, or pass another cluster with --url' },
  );
}

/**
 * Takes a savepoint of a job that goes on. `directory`: where, as the cluster sees it; undefined:
 * its `execution.checkpointing.savepoint-dir`. Resolves with its path. Throws `SluiceError`
 * `flink-savepoint-failed`, `flink-timeout`.
 */
export async function takeSavepoint(
  rest: FlinkRest,
  job: FlinkJob,
  directory: string | undefined,
  waiting: Waiting,
): Promise<string> {
  const where = directory === undefined ? {} : { 'target-directory': directory };
  return savepointBy(rest, job, `/jobs/${job.id}/savepoints`, where, 'the savepoint', waiting);
}

/**
 * Ends a job with a savepoint. `drain`: the watermark goes to the maximum first, so that every
 * window and timer fires; what is started from the savepoint is then a new run of sources only.
 */
export async function stopWithSavepoint(
  rest: FlinkRest,
  job: FlinkJob,
  { directory, drain }: { readonly directory: string | undefined; readonly drain: boolean },
  waiting: Waiting,
): Promise<string> {
  const where = directory === undefined ? {} : { targetDirectory: directory };
  const what = drain ? 'the drain' : 'the stop';
  const asked = { ...where, drain };
  const path = await savepointBy(rest, job, `/jobs/${job.id}/stop`, asked, what, waiting);
  await untilEnded(rest, job, waiting);
  return path;
}

/** Ends a job at once, without a savepoint. Resolves when it has. */
export async function cancelJob(rest: FlinkRest, job: FlinkJob, waiting: Waiting): Promise<void> {
  await rest.cancel(job.id);
  await untilEnded(rest, job, waiting);
}

/** Resolves with its state. Throws `SluiceError` `flink-timeout`. */
async function untilEnded(
  rest: FlinkRest,
  job: FlinkJob,
  waiting: Waiting,
): Promise<FlinkJobState> {
  return until(`job ${job.id} of '${job.name}' to end`, waiting, async () => {
    const { state } = (await rest.get(`/jobs/${job.id}`)) as Pick<FlinkJob, 'state'>;
    return isEnded({ state }) ? state : undefined;
  });
}

/**
 * Resolves when all tasks of a new job run, or it has finished. Throws `SluiceError`
 * `flink-job-failed` with Flink's cause, `flink-timeout`.
 */
export async function untilRunning(
  rest: FlinkRest,
  id: string,
  waiting: Waiting,
): Promise<FlinkJobState> {
  return until(`job ${id} to run`, waiting, async () => {
    const { state, vertices = [] } = (await rest.get(`/jobs/${id}`)) as {
      readonly state: FlinkJobState;
      readonly vertices?: readonly { readonly status: string }[];
    };
    if (state === 'FAILED' || state === 'FAILING' || state === 'RESTARTING') {
      const cause = await failureOf(rest, id);
      throw new SluiceError('flink-job-failed', `job ${id} is ${state}: ${cause ?? 'no cause'}`, {
        fix: 'look at the log of its task managers; `sluice flink cancel` ends one that restarts',
      });
    }
    if (isEnded({ state })) return state;
    const isUp = vertices.every(({ status }) => status === 'RUNNING' || status === 'FINISHED');
    return state === 'RUNNING' && isUp ? state : undefined;
  });
}

/** The cause of a job's last failure. */
export async function failureOf(rest: FlinkRest, id: string): Promise<string | undefined> {
  const { exceptionHistory } = (await rest.get(`/jobs/${id}/exceptions?maxExceptions=1`)) as {
    readonly exceptionHistory?: {
      readonly entries?: readonly { readonly stacktrace?: string }[];
    };
  };
  const trace = exceptionHistory?.entries?.[0]?.stacktrace;
  return trace === undefined ? undefined : flinkCause(trace);
}

interface Triggered {
  readonly status: { readonly id: 'IN_PROGRESS' | 'COMPLETED' };
  readonly operation?: {
    readonly location?: string;
    readonly 'failure-cause'?: { readonly class?: string; readonly 'stack-trace'?: string };
  };
}

/** Asks once, and then how far it is. */
async function savepointBy(
  rest: FlinkRest,
  job: FlinkJob,
  path: string,
  asked: object,
  what: string,
  waiting: Waiting,
): Promise<string> {
  const answer = (await rest.post(path, asked)) as { readonly 'request-id': string };
  const trigger = answer['request-id'];
  const operation = await until(`${what} of '${job.name}'`, waiting, async () => {
    const state = (await rest.get(`/jobs/${job.id}/savepoints/${trigger}`)) as Triggered;
    return state.status.id === 'COMPLETED' ? (state.operation ?? {}) : undefined;
  });
  const { location, 'failure-cause': failure } = operation;
  if (location !== undefined) return location;
  const cause = flinkCause(failure?.['stack-trace'] ?? failure?.class ?? 'no cause was given');
  throw new SluiceError('flink-savepoint-failed', `${what} of '${job.name}' failed: ${cause}`, {
    retryable: true,
    fix: 'the job goes on as before unless its status says otherwise; correct the cause and try again',
  });
}

/** Asks until there is something. Throws `SluiceError` `flink-timeout`. */
async function until<T>(
  what: string,
  { clock, maxMs, note }: Waiting,
  ask: () => Promise<T | undefined>,
): Promise<T> {
  const begun = clock.monotonic();
  let notedAt = begun;
  for (;;) {
    const found = await ask();
    if (found !== undefined) return found;
    const now = clock.monotonic();
    if (now - begun > maxMs)
      throw new SluiceError(
        'flink-timeout',
        `waited ${Math.round(maxMs / 1_000)} s for ${what}; Flink goes on with it`,
        {
          retryable: true,
          fix: 'ask again with `sluice flink status`, or wait longer with --wait',
        },
      );
    if (now - notedAt >= noteMs) {
      notedAt = now;
      note(`waiting for ${what} (${Math.round((now - begun) / 1_000)} s)`);
    }
    await sleep(clock, pollMs);
  }
}
