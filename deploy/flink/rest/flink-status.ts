/**
 * How a job is: its state and why it failed, its tasks, its checkpoints.
 */

import type { Positions } from '../positions.ts';
import { positionsOfAccumulators } from '../positions.ts';
import { flinkCause } from './flink-cause.ts';
import type { FlinkJob, FlinkJobState } from './flink-jobs.ts';
import { failureOf } from './flink-jobs.ts';
import type { FlinkRest } from './flink-rest.ts';

export interface FlinkStatus {
  readonly job: string;
  readonly topology: string;
  readonly state: FlinkJobState;
  /** Epoch ms. */
  readonly startedAtMs: number;
  readonly vertices: readonly FlinkVertex[];
  readonly checkpoints: FlinkCheckpoints;
  /** How far its sources were read at its last snapshot. */
  readonly positions: Positions;
  /** Of its last failure, also where it went on after it; null without one. */
  readonly failure: string | null;
}

/** What Flink runs as one task: operators that are chained. */
export interface FlinkVertex {
  readonly name: string;
  readonly parallelism: number;
  readonly state: string;
  /** Over all its subtasks, since the job began. */
  readonly recordsIn: number;
  readonly recordsOut: number;
}

export interface FlinkCheckpoints {
  readonly completed: number;
  readonly failed: number;
  /** Null without one. */
  readonly last: { readonly id: number; readonly atMs: number; readonly bytes: number } | null;
  /** Of the last savepoint. */
  readonly savepoint: string | null;
  /** Where this run began. */
  readonly restoredFrom: string | null;
  /** Why the last one that failed did. */
  readonly failure: string | null;
}

interface Details {
  readonly state: FlinkJobState;
  readonly 'start-time': number;
  readonly vertices?: readonly {
    readonly name: string;
    readonly parallelism: number;
    readonly status: string;
    readonly metrics?: { readonly 'read-records'?: number; readonly 'write-records'?: number };
  }[];
}

interface Statistics {
  readonly counts?: { readonly completed?: number; readonly failed?: number };
  readonly latest?: {
    readonly completed?: Completed | null;
    readonly savepoint?: Completed | null;
    readonly failed?: { readonly failure_message?: string } | null;
    readonly restored?: { readonly external_path?: string } | null;
  };
}

interface Completed {
  readonly id: number;
  readonly latest_ack_timestamp?: number;
  readonly state_size?: number;
  readonly external_path?: string;
}

export async function readFlinkStatus(rest: FlinkRest, job: FlinkJob): Promise<FlinkStatus> {
  const [details, statistics, failure, positions] = await Promise.all([
    rest.get(`/jobs/${job.id}`) as Promise<Details>,
    rest.get(`/jobs/${job.id}/checkpoints`) as Promise<Statistics>,
    failureOf(rest, job.id),
    readPositions(rest, job),
  ]);
  const { state, 'start-time': startedAtMs, vertices = [] } = details;
  return {
    ...{ job: job.id, topology: job.name, state, startedAtMs },
    vertices: vertices.map(({ name, parallelism, status, metrics = {} }) => ({
      ...{ name, parallelism, state: status },
      recordsIn: metrics['read-records'] ?? 0,
      recordsOut: metrics['write-records'] ?? 0,
    })),
    checkpoints: checkpointsOf(statistics),
    positions,
    failure: failure ?? null,
  };
}

/** How far the sources of a job were read at its last snapshot, or at its end. */
export async function readPositions(rest: FlinkRest, { id }: FlinkJob): Promise<Positions> {
  const answer = (await rest.get(`/jobs/${id}/accumulators`)) as {
    readonly 'user-task-accumulators'?: readonly {
      readonly name: string;
      readonly value: string;
    }[];
  };
  const all = answer['user-task-accumulators'] ?? [];
  return positionsOfAccumulators(all.map(({ name, value }) => [name, value]));
}

function checkpointsOf({ counts = {}, latest = {} }: Statistics): FlinkCheckpoints {
  const { completed, savepoint, failed, restored } = latest;
  const message = failed?.failure_message;
  return {
    ...{ completed: counts.completed ?? 0, failed: counts.failed ?? 0 },
    last:
      completed === undefined || completed === null
        ? null
        : {
            id: completed.id,
            atMs: completed.latest_ack_timestamp ?? 0,
            bytes: completed.state_size ?? 0,
          },
    savepoint: savepoint?.external_path ?? null,
    restoredFrom: restored?.external_path ?? null,
    failure: message === undefined ? null : flinkCause(message),
  };
}
