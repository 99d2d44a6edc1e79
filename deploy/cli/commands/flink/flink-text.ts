/**
 * A job on Flink for a person. Pure.
 */
import type { FlinkStatus } from '../../../flink/rest/flink-status.ts';

const mebi = 1_048_576;
/** Tasks of a name that chains a dozen operators. */
const nameMaxChars = 100;

export function* flinkStatusText(status: FlinkStatus, nowMs: number): Iterable<string> {
  const { topology, job, state, startedAtMs, vertices, checkpoints, positions, failure } = status;
  const since = new Date(startedAtMs).toISOString();
  yield `topology ${topology}: ${state}, job ${job}, started ${since}`;
  const { last, completed, failed, savepoint, restoredFrom } = checkpoints;
  const failures = failed === 0 ? '' : `, ${failed} failed`;
  yield last === null
    ? `  no checkpoint yet${failures}`
    : `  checkpoint ${last.id}, ${ageOf(nowMs - last.atMs)} ago, ${(last.bytes / mebi).toFixed(1)} MiB; ${completed} completed${failures}`;
  if (checkpoints.failure !== null) yield `  last failed checkpoint: ${checkpoints.failure}`;
  if (restoredFrom !== null) yield `  restored from ${restoredFrom}`;
  if (savepoint !== null) yield `  savepoint ${savepoint}`;
  for (const { name, parallelism, state: task, recordsIn, recordsOut } of vertices) {
    const shown = name.length > nameMaxChars ? `${name.slice(0, nameMaxChars)}...` : name;
    yield `  ${task} ${shown} x${parallelism}: ${recordsIn} in, ${recordsOut} out`;
  }
  for (const [source, splits] of Object.entries(positions))
    for (const [split, position] of Object.entries(splits))
      yield `  ${source} read up to ${split} ${position}`;
  if (failure !== null) yield `  last failure: ${failure}`;
}

function ageOf(ms: number): string {
  return `${Math.max(0, Math.round(ms / 1_000))} s`;
}
