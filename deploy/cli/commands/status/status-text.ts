/**
 * One line a topology: how it is, how far it is, and the worst of what is wrong with it. Pure.
 *
 * Invariant: a topology is one line, of bounded length, whatever it says of itself; what does not
 * fit is among its details.
 */
import { limits } from '../../../../schemas/limits.ts';
import type {
  CheckpointHealth,
  Losses,
  NodeStatus,
  SetAside,
  SplitStatus,
} from '../../../../topology/index.ts';
import type { RefusedBuild, TopologyHostStatus } from '../../../host/hosted-topology.ts';

const problemMaxChars = 240;

export function topologyLine(topology: TopologyHostStatus, nowMs: number): string {
  const { file, name, state, job } = topology;
  const shown = name ?? '?';
  const parts = [
    stateText[state],
    ...(job === null || state === 'taken-over' ? [] : progressOf(topology, job, nowMs)),
  ];
  const [first, ...more] = problemsOf(topology);
  if (first !== undefined) {
    const details =
      more.length === 0 ? '' : ` (and ${more.length} more: sluice status ${name ?? file})`;
    parts.push(`${oneLine(first)}${details}`);
  }
  return `topology ${shown} (${file}): ${parts.join('; ')}`;
}

function progressOf(
  { restarts }: TopologyHostStatus,
  job: NonNullable<TopologyHostStatus['job']>,
  nowMs: number,
): readonly string[] {
  const { totals, checkpoint, rejected, setAside, losses } = job;
  const lag =
    totals.lag === null
      ? totals.behindMs === null
        ? undefined
        : `${secondsText(totals.behindMs)} behind`
      : `lag ${totals.lag}`;
  return [
    ...(lag === undefined ? [] : [lag]),
    checkpoint === null
      ? 'no checkpoint yet'
      : `checkpoint ${checkpoint.id}, ${secondsText(nowMs - checkpoint.completedAtMs)} ago`,
    ...(rejected === 0 ? [] : [`${rejected} rejected`]),
    ...(losses.total === 0 ? [] : [lostText(losses)]),
    ...(setAside.length === 0
      ? []
      : [
          `${setAside.length === limits.setAsideShown ? 'at least ' : ''}${setAside.length} set aside`,
        ]),
    ...(restarts === 0 ? [] : [`started again ${restarts} time(s)`]),
  ];
}

/** What was gone before it was read. */
function lostText({ total, records, uncounted }: Losses): string {
  const known = total === uncounted ? [] : [`${records} records`];
  const unknown = uncounted === 0 ? [] : [`${uncounted} time(s) an unknown number`];
  return `lost ${[...known, ...unknown].join(' and ')}`;
}

/** What is wrong, worst first. */
function problemsOf({
  state,
  error,
  silentSinceMs,
  checkpoints,
  job,
  refused,
  build,
}: TopologyHostStatus): readonly string[] {
  const problems: string[] = [];
  // That it was taken over is its state.
  if (error !== null && state !== 'taken-over') problems.push(error.message);
  // One that is starting loads and restores before it answers.
  if (silentSinceMs !== null && state !== 'starting')
    problems.push(`has not answered since ${timeText(silentSinceMs)}`);
  if (checkpoints.last !== null && state !== 'taken-over')
    problems.push(checkpointText(checkpoints));
  if (job !== null && state !== 'drained' && state !== 'taken-over')
    problems.push(...readingProblems(job));
  if (refused !== null) problems.push(refusedText(refused, build));
  return problems;
}

function readingProblems({
  pausedBy,
  totals,
  splits,
  nodes,
}: NonNullable<TopologyHostStatus['job']>): readonly string[] {
  const problems: string[] = [];
  const unheard = splits.find(({ hearing }) => hearing === 'unreadable' || hearing === 'slow');
  if (unheard !== undefined) {
    const more = totals.unheard > 1 ? `, and ${totals.unheard - 1} more` : '';
    problems.push(`${unheardText(unheard)}${more}`);
  }
  for (const node of nodes) {
    if (node.lateSince !== undefined)
      problems.push(`${node.id}: ${lateText(node.lateSince, node.failure)}`);
    else if (node.failure !== undefined) problems.push(waitingText(node));
  }
  if (pausedBy.length > 0) problems.push(`reading is paused by ${pausedBy.join(', ')}: holds time`);
  return problems;
}

/** A split that is not heard: why, and since when. */
function unheardText({
  stream,
  path,
  split,
  hearing,
  unheardSinceMs,
  failure,
  waitsFor,
}: SplitStatus): string {
  const since = unheardSinceMs === null ? '' : ` since ${timeText(unheardSinceMs)}`;
  const why = failure ?? waitsFor;
  const slow = failure === undefined && waitsFor !== undefined ? 'is held back' : 'does not answer';
  const is = hearing === 'slow' ? slow : 'cannot be read';
  return `${stream} ${path} ${split} ${is}${since} and holds time${why === undefined ? '' : `: ${why}`}`;
}

export function waitingText({
  waiting = 0,
  failure,
}: Pick<NodeStatus, 'waiting' | 'failure'>): string {
  return `${waiting} wait for an answer${failure === undefined ? '' : `; the look-up fails and is tried again: ${failure}`}`;
}

/** How long the calls of a look-up take, and whether its target wants to be left alone. */
export function askedText({
  calls,
  failed,
  p50Ms,
  p99Ms,
  maxMs,
  waiting,
  pausedUntil,
}: NonNullable<NodeStatus['asked']>): string {
  const ms = (time: number | null): string =>
    `${(time ?? 0).toFixed(time !== null && time < 10 ? 1 : 0)} ms`;
  const took =
    calls === 0
      ? ''
      : `, half of the last ones took at most ${ms(p50Ms)}, 99 in 100 ${ms(p99Ms)}, all ${ms(maxMs)}`;
  const waits = waiting === 0 ? '' : `; ${waiting} wait to be tried again`;
  const paused =
    pausedUntil === undefined
      ? ''
      : `; the other side asks to be left alone until ${timeText(pausedUntil)}`;
  return `${calls} calls, ${failed} failed${took}${waits}${paused}`;
}

/** Of a sink whose commits are behind its checkpoints. */
export function lateText(sinceMs: number, failure: string | undefined): string {
  return `what it took since ${timeText(sinceMs)} is staged and not visible yet${failure === undefined ? '' : `; the commit fails and is tried again: ${failure}`}`;
}

/** The first line of a text, cut. */
function oneLine(text: string): string {
  const [line = ''] = text.split('\n', 1);
  return line.length > problemMaxChars ? `${line.slice(0, problemMaxChars)}...` : line;
}

/** The file as it is now, which is not what runs; `runs` is the build that does. */
export function refusedText({ build, why, sinceMs }: RefusedBuild, runs: string | null): string {
  const what = build === null ? 'its file as it is now is not used' : `build ${build} is not used`;
  const instead = runs === null ? '' : ` (build ${runs} is)`;
  return `${what}, since ${timeText(sinceMs)}${instead}: ${why.split('\n', 1)[0]}`;
}

export const stateText: Readonly<Record<TopologyHostStatus['state'], string>> = {
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
  const row =
    inARow === 1
      ? 'the last checkpoint failed'
      : `${inARow} checkpoints failed in a row since ${timeText(sinceMs ?? 'min')}`;
  const fix = last?.fix === null || last?.fix === undefined ? '' : ` (${last.fix})`;
  return `${alarm ? 'ALARM: ' : ''}${row}: ${last?.message ?? ''}${fix}`;
}

/** What the topology continued without; the rejected table has its bytes. */
export function asideText({ operator, split, place, message, atMs }: SetAside): string {
  const what = split === null ? 'what a function was given' : `the element at ${split} ${place}`;
  return `set aside at ${timeText(atMs)}: ${what}${operator === null ? '' : `, by '${operator}'`}: ${oneLine(message)}`;
}

export const secondsText = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;

export function timeText(time: number | 'min' | 'max' | null): string {
  if (typeof time === 'number') return new Date(time).toISOString();
  return time === 'min' ? 'not there yet' : time === 'max' ? 'at the end of time' : 'none';
}
