/**
 * What the log says of a topology's news: each at once, an alarm loudly, and a long row of the same
 * not without end. Pure.
 */
import { deriveHealth } from '../../topology/checkpoint/health.ts';
import type { CheckpointHealth, JobNews, SplitStatus } from '../../topology/index.ts';
import { lossText } from '../../topology/index.ts';

/** Of failures in a row, those that are told: the first ones, then every tenth. */
const toldFirst = 5;
const toldEvery = 10;

/**
 * The line for a person, or undefined where there is nothing new to say. `health` is with the news.
 */
export function newsLine(
  news: JobNews,
  before: CheckpointHealth,
  health: CheckpointHealth,
): string | undefined {
  switch (news.kind) {
    case 'checkpoint-failed': {
      const { inARow, alarm } = health;
      if (inARow > toldFirst && inARow % toldEvery !== 0) return undefined;
      const { checkpoint, message, fix, againInMs } = news.failure;
      const which = checkpoint === null ? 'a checkpoint' : `checkpoint ${checkpoint}`;
      const row = alarm
        ? `ALARM: ${inARow} checkpoints failed in a row since ${new Date(health.sinceMs ?? 0).toISOString()}; `
        : '';
      const again =
        againInMs === null
          ? 'the run ends and goes on from the last one'
          : `tried again in ${(againInMs / 1_000).toFixed(1)} s`;
      return `${row}${which} failed: ${message}; ${again}${fix === null ? '' : `\n  ${fix}`}`;
    }
    case 'checkpoint-completed':
      if (before.inARow === 0) return undefined;
      return `checkpoint ${news.checkpoint} is complete, after ${before.inARow} that failed`;
    case 'splits-unheard': {
      const why = news.why === null ? '' : `: ${news.why}`;
      return `ALARM: ${splitsText(news)} ${verbs[news.hearing]} for ${secondsText(news.forMs)}${why}; time is held until it is read, or skipped: sluice skip`;
    }
    case 'records-lost':
      return `ALARM: ${lossText(news.loss)}`;
    case 'splits-heard':
      return `${splitsText(news)} can be read again, after ${secondsText(news.forMs)}`;
    case 'reading-paused':
      return `ALARM: nothing was read for ${secondsText(news.forMs)}: ${news.by.join(', ')} takes no more; time is held until it does`;
    case 'reading-resumed':
      return `reading goes on, after ${secondsText(news.forMs)} in which ${news.by.join(', ')} took no more`;
    case 'set-aside': {
      const { split, place, operator, message } = news.aside;
      const by = operator === null ? 'a sink or the checkpoint' : `'${operator}'`;
      return `${by} failed twice on the element at ${split} ${place} alone: it is set aside in the rejected table (operator-failed): ${message}`;
    }
    case 'state-damaged': {
      const fix = news.fix === null ? '' : `\n  ${news.fix}`;
      return `ALARM: a file of the state is damaged, without which no restart is possible: ${news.message}${fix}`;
    }
    case 'call-refused': {
      const { node, slot } = news.call;
      return `'${node}' (${slot}) did not return from one call, twice: what it was given is in the rejected table (function-stuck)`;
    }
  }
}

const verbs: Readonly<Record<SplitStatus['hearing'], string>> = {
  unreadable: 'could not be read',
  slow: 'was not answered',
  paused: 'was paused',
  behind: 'was behind',
  'caught-up': 'was read',
};

const secondsText = (ms: number): string => `${Math.round(ms / 1_000)} s`;

function splitsText({
  stream,
  path,
  splits,
  count,
}: Extract<JobNews, { readonly count: number }>): string {
  const more = count > splits.length ? ` and ${count - splits.length} more` : '';
  return `${stream} ${path} ${splits.join(', ')}${more}`;
}

/** Only checkpoints change how checkpoints fare. */
export function healthAfter(before: CheckpointHealth, news: JobNews): CheckpointHealth {
  return news.kind === 'checkpoint-failed' || news.kind === 'checkpoint-completed'
    ? deriveHealth(before, news)
    : before;
}
