/**
 * All that a topology says of itself, for a person who asked for it. Pure.
 */
import { limits } from '../../../../schemas/limits.ts';
import type { HeldBy, JobStatus, SplitStatus, TimeStatus } from '../../../../topology/index.ts';
import { lossText } from '../../../../topology/index.ts';
import type { TopologyHostStatus } from '../../../host/hosted-topology.ts';
import {
  asideText,
  askedText,
  checkpointText,
  lateText,
  refusedText,
  secondsText,
  stateText,
  timeText,
  waitingText,
} from './status-text.ts';

/** Splits that are told one by one, those first that are not heard. */
const splitsShown = 50;
const skipsShown = 10;
const lossesShown = 10;

/** All that a topology says of itself, line by line. */
export function topologyDetails(topology: TopologyHostStatus, nowMs: number): readonly string[] {
  const { job } = topology;
  return job === null
    ? runLines(topology)
    : [
        ...runLines(topology),
        ...jobLines(job, nowMs),
        ...splitsLines(job),
        ...lossLines(job),
        ...job.nodes.flatMap(nodeLines),
      ];
}

/** What its host knows of it, whether it runs or not. */
function runLines(topology: TopologyHostStatus): readonly string[] {
  const { file, name, state, build, refused, tablesKept, error, restarts, checkpoints } = topology;
  const { silentSinceMs } = topology;
  const of = build === null ? '' : `, build ${build}`;
  const again = restarts > 0 ? `, started again ${restarts} time(s)` : '';
  const silent =
    silentSinceMs === null || state === 'starting'
      ? ''
      : `, has not answered since ${timeText(silentSinceMs)}`;
  const lines = [`topology ${name ?? '?'} (${file}): ${stateText[state]}${silent}${of}${again}`];
  if (refused !== null) lines.push(`  ${refusedText(refused, build)}`);
  if (tablesKept.length > 0)
    lines.push(`  changed, and used from the next start: ${tablesKept.join(', ')}`);
  if (error !== null) lines.push(`  ${error.message}`);
  if (checkpoints.last !== null) lines.push(`  ${checkpointText(checkpoints)}`);
  return lines;
}

const mebiBytes = (bytes: number): string => `${(bytes / 1_048_576).toFixed(1)} MiB`;

function stateLine({
  entries,
  fileBytes,
  runs,
  writtenBytes,
  stallMs,
  restoreMs,
  restingRecords,
  restingBytes,
  folder,
}: NonNullable<JobStatus['state']>): string {
  const place = folder === null ? 'in memory' : `on disk in ${folder}`;
  const resting =
    restingRecords === 0
      ? ''
      : `; ${restingRecords} at rest take ${mebiBytes(restingBytes)} ${place}`;
  const restored = restoreMs === null ? '' : `; restored in ${secondsText(restoreMs)}`;
  return `  state: ${entries} entries, ${mebiBytes(fileBytes)} in ${runs} ${runs === 1 ? 'run' : 'runs'}; the last checkpoint wrote ${mebiBytes(writtenBytes)} and kept events waiting ${stallMs.toFixed(1)} ms at most${restored}${resting}`;
}

function jobLines(job: JobStatus, nowMs: number): readonly string[] {
  const checkpoint =
    job.checkpoint === null
      ? 'none yet'
      : `${job.checkpoint.id}, ${((nowMs - job.checkpoint.completedAtMs) / 1_000).toFixed(1)} s ago`;
  const lines = [
    `  attempt ${job.attempt}; last checkpoint ${checkpoint}; ${job.uncommittedRows} rows wait for one; ${job.rejected} rejected since the start`,
  ];
  if (job.parallelism > 1) lines.push(`  its keys are divided over ${job.parallelism} threads`);
  if (job.state !== null && job.state.entries + job.state.runs > 0)
    lines.push(stateLine(job.state));
  if (job.state !== null && job.state.damage !== null)
    lines.push(`  the state is damaged: ${job.state.damage}`);
  for (const aside of job.setAside) lines.push(`  ${asideText(aside)}`);
  if (job.pausedBy.length > 0)
    lines.push(
      `  reading is paused by ${job.pausedBy.join(', ')}, which takes no more: holds time`,
    );
  return lines;
}

function splitsLines({ splits, totals }: JobStatus): readonly string[] {
  const isUnheard = ({ hearing }: SplitStatus): boolean =>
    hearing === 'unreadable' || hearing === 'slow';
  const unheardFirst = splits.toSorted((a, b) => Number(isUnheard(b)) - Number(isUnheard(a)));
  const lines = unheardFirst.slice(0, splitsShown).flatMap(splitLines);
  const more = totals.splits - splitsShown;
  if (more > 0)
    lines.push(`  and ${more} more splits; --json tells ${limits.statusSplitsMax} of them`);
  return lines;
}

function splitLines(split: SplitStatus): readonly string[] {
  const { stream, path, split: id, watermark, eventLagMs, failure, waitsFor } = split;
  const { unheardSinceMs } = split;
  const idle = `${split.idle ? ', idle' : ''}${hearingText[split.hearing]}`;
  const time = eventLagMs === null ? '' : `, its latest event ${secondsText(eventLagMs)} ago`;
  const line = `  ${stream} ${path} ${id}: lag ${lagText(split)}${time}, watermark ${timeText(watermark)}${idle}`;
  const since = unheardSinceMs === null ? '' : ` since ${timeText(unheardSinceMs)}`;
  if (failure !== undefined)
    return [line, `    reading fails${since} and is tried again: ${failure}`];
  return waitsFor === undefined ? [line] : [line, `    is held back${since}: ${waitsFor}`];
}

function lossLines({ losses, skipped }: JobStatus): readonly string[] {
  return [
    ...losses.last
      .slice(-lossesShown)
      .map((loss) => `  found at ${timeText(loss.atMs)}: ${lossText(loss)}`),
    ...skipped
      .slice(-skipsShown)
      .map(
        ({ path, split, kind, to, atMs }) =>
          `  skipped by command at ${timeText(atMs)}: ${path} ${split} ${to === null ? `(${kind})` : `up to ${to}`}`,
      ),
  ];
}

function nodeLines({
  time,
  id,
  kind,
  waiting = 0,
  failure,
  lateSince,
  asked,
  since,
  partsSince = {},
  ...counts
}: JobStatus['nodes'][number]): readonly string[] {
  const parts = Object.entries(counts).filter(([, count]) => count !== 0);
  const lines = [
    `  ${kind} ${id}: ${parts.map(([key, count]) => `${key} ${count}`).join(', ') || 'nothing yet'}`,
  ];
  if (waiting > 0)
    lines.push(`    ${waitingText({ waiting, ...(failure === undefined ? {} : { failure }) })}`);
  if (asked !== undefined) lines.push(`    ${askedText(asked)}`);
  if (lateSince !== undefined) lines.push(`    ${lateText(lateSince, failure)}`);
  if (since !== undefined) lines.push(`    it began, with empty state, at ${timeText(since)}`);
  for (const [part, at] of Object.entries(partsSince))
    lines.push(`    ${part} began, empty, at ${timeText(at)}`);
  if (time !== undefined && time.open > 0) lines.push(`    ${waitText(time)}`);
  return lines;
}

/** Of what is not read to its end: it holds time, also where it was idle. */
const hearingText: Readonly<Record<SplitStatus['hearing'], string>> = {
  'caught-up': '',
  behind: '',
  slow: ', not answered for seconds: holds time',
  unreadable: ', cannot be read: holds time',
  paused: ', paused: holds time',
};

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
  const behind =
    outOfOrdernessMs === 0
      ? ''
      : `, and ${outOfOrdernessMs / 1_000} s of out-of-orderness are waited for`;
  return `held by ${split}: its latest event is of ${timeText(latest)}${behind}`;
}
