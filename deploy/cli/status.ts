/**
 * `sluice status`: asks the running instance and tells a person what it says.
 */
import type { StreamPathState } from '../../ingest/delivery/path-delivery.ts';
import type { IngressCounts } from '../../ingest/telemetry/metrics.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import type { CheckpointHealth, HeldBy, SplitStatus, TimeStatus } from '../../topology/index.ts';
import type { RefusedBuild, TopologyHostStatus } from '../host/topology-host.ts';
import { readStatus } from './ask.ts';
import type { Output } from './output.ts';

export async function statusCommand(dir: string, output: Output, clock: Clock): Promise<number> {
  const status = await readStatus(dir);
  if (output.json) {
    output.line(JSON.stringify(status));
    return 0;
  }
  const { instance, ingress, configuration, paths, topologies } = status;
  output.line(`Sluice at ${instance.url}, pid ${instance.pid}, since ${instance.startedAt}; metrics at ${instance.metrics}`);
  if (ingress !== null) output.line(`  ${ingressText(ingress)}`);
  const refusal = configuration?.refusal ?? null;
  if (refusal !== null) output.line(`  the configuration file has been refused since ${timeText(refusal.sinceMs)}: ${refusal.why}`);
  for (const path of paths) if (path.breaker !== 'closed' || path.spoolRecords > 0) output.line(`  ${pathText(path)}`);
  for (const topology of topologies) describeTopology(topology, output, clock.now());
  return 0;
}

function ingressText({ received, accepted, repeated, refused }: IngressCounts): string {
  const codes = Object.entries(refused).map(([code, count]) => `${code} ${count}`);
  const again = repeated === 0 ? '' : ` + ${repeated} repeated`;
  return `ingress: ${received} received = ${accepted.kinesis} to Kinesis + ${accepted.kafka} to Kafka${again} + refused (${codes.join(', ') || 'none'})`;
}

/** What is not as it should be. */
export function pathText({ stream, path, breaker, queueBytes, spoolRecords, spoolBytes, spoolAgeMs }: StreamPathState): string {
  const spool =
    spoolRecords === 0
      ? ''
      : `; ${spoolRecords} records (${spoolBytes} bytes) in its spool, the oldest for ${Math.round(spoolAgeMs / 1_000)} s`;
  return `${stream} ${path}: breaker ${breaker}, ${queueBytes} bytes wait${spool}`;
}

function describeTopology(topology: TopologyHostStatus, output: Output, nowMs: number): void {
  const { file, name, state, build, refused, tablesKept, error, restarts, checkpoints, silentSinceMs, job } = topology;
  output.line('');
  const of = build === null ? '' : `, build ${build}`;
  const again = restarts > 0 ? `, started again ${restarts} time(s)` : '';
  const silent = silentSinceMs === null ? '' : `, does not answer since ${timeText(silentSinceMs)}`;
  output.line(`topology ${name ?? '?'} (${file}): ${stateText[state]}${silent}${of}${again}`);
  if (refused !== null) output.line(`  ${refusedText(refused)}`);
  if (tablesKept.length > 0) output.line(`  changed and used from the next start on: ${tablesKept.join(', ')}`);
  if (error !== null) output.line(`  ${error.message}`);
  if (checkpoints.last !== null) output.line(`  ${checkpointText(checkpoints)}`);
  if (job === null) return;
  const checkpoint =
    job.checkpoint === null ? 'none yet' : `${job.checkpoint.id}, ${((nowMs - job.checkpoint.completedAtMs) / 1_000).toFixed(1)} s ago`;
  output.line(
    `  attempt ${job.attempt}; last checkpoint ${checkpoint}; ${job.uncommittedRows} rows wait for one; ${job.rejected} rejected since the start`,
  );
  for (const split of job.splits) {
    const idle = `${split.idle ? ', idle' : ''}${hearingText[split.hearing]}`;
    const { stream, path, split: id, watermark, eventLagMs, failure } = split;
    const time = eventLagMs === null ? '' : `, its latest event ${secondsText(eventLagMs)} ago`;
    output.line(`  ${stream} ${path} ${id}: lag ${lagText(split)}${time}, watermark ${timeText(watermark)}${idle}`);
    if (failure !== undefined) output.line(`    reading fails and is tried again: ${failure}`);
  }
  for (const { time, id, kind, waiting = 0, failure, since, partsSince = {}, ...counts } of job.nodes) {
    const parts = Object.entries(counts).filter(([, count]) => count !== 0);
    output.line(`  ${kind} ${id}: ${parts.map(([key, count]) => `${key} ${count}`).join(', ') || 'nothing yet'}`);
    if (waiting > 0)
      output.line(`    ${waiting} wait for an answer${failure === undefined ? '' : `; the look-up fails and is tried again: ${failure}`}`);
    if (since !== undefined) output.line(`    it began, with empty state, at ${timeText(since)}`);
    for (const [name, at] of Object.entries(partsSince)) output.line(`    ${name} began, empty, at ${timeText(at)}`);
    if (time !== undefined && time.open > 0) output.line(`    ${waitText(time)}`);
  }
}

/** The file as it is now, which is not what runs. */
function refusedText({ build, why, sinceMs }: RefusedBuild): string {
  const what = build === null ? 'its file does not compile' : `build ${build} is not used`;
  return `${what}, since ${timeText(sinceMs)}: ${why.split('\n', 1)[0]}`;
}

const stateText: Readonly<Record<TopologyHostStatus['state'], string>> = {
  starting: 'starting',
  running: 'running',
  failed: 'failed',
  draining: 'draining',
  drained: 'drained',
  'taken-over': 'taken over by another instance, which runs it now',
  stopped: 'stopped',
};

/** What a person has to know of checkpoints that fail. */
export function checkpointText({ inARow, sinceMs, last, alarm }: CheckpointHealth): string {
  const row = inARow === 1 ? 'the last checkpoint failed' : `${inARow} checkpoints failed in a row since ${timeText(sinceMs ?? 'min')}`;
  const fix = last?.fix === null || last?.fix === undefined ? '' : ` (${last.fix})`;
  return `${alarm ? 'ALARM: ' : ''}${row}: ${last?.message ?? ''}${fix}`;
}

/** Of what is not read to its end: it holds time, also where it was idle. */
const hearingText: Readonly<Record<SplitStatus['hearing'], string>> = {
  'caught-up': '',
  behind: '',
  slow: ', not answered for seconds: holds time',
  unreadable: ', cannot be read: holds time',
  paused: ', paused by a look-up that is full: holds time',
};

const secondsText = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;

/** In records, where the stream can count them, else in time. */
function lagText({ lag, behindMs }: SplitStatus): string {
  if (lag !== null) return String(lag);
  return behindMs === null ? '?' : secondsText(behindMs);
}

/** Why nothing comes out yet, in a sentence. */
function waitText({ open, next, watermark, heldBy }: TimeStatus): string {
  if (next === null) return `holds ${open}, none of which waits for time`;
  const needs = `holds ${open}; the next is due when the watermark reaches ${timeText(next)}`;
  return `${needs}; the watermark is ${timeText(watermark)}${heldBy === null ? '' : `, ${heldText(heldBy)}`}`;
}

function heldText({ split, latest, outOfOrdernessMs, eventTime, unheard }: HeldBy): string {
  if (split === null) return `because every split of ${eventTime} is idle`;
  if (unheard) return `held by ${split}, which was idle and could not be read since`;
  if (latest === null) return `held by ${split}, which had no event yet and is not idle`;
  const behind = outOfOrdernessMs === 0 ? '' : `, and ${outOfOrdernessMs / 1_000} s of out-of-orderness are waited for`;
  return `held by ${split}: its latest event is of ${timeText(latest)}${behind}`;
}

function timeText(time: number | 'min' | 'max' | null): string {
  if (typeof time === 'number') return new Date(time).toISOString();
  return time === 'min' ? 'not there yet' : time === 'max' ? 'at the end of time' : 'none';
}
