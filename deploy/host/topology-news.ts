/**
 * What the log says of a topology's news: each at once, an alarm loudly, and a long row of the same not without end. Pure.
 */
import type { CheckpointHealth, JobNews } from '../../topology/index.ts';

/** Of failures in a row, those that are told: the first ones, then every tenth. */
const toldFirst = 5;
const toldEvery = 10;

/** The line for a person, or undefined where there is nothing new to say. `health` is with the news. */
export function newsLine(news: JobNews, before: CheckpointHealth, health: CheckpointHealth): string | undefined {
  switch (news.kind) {
    case 'checkpoint-failed': {
      const { inARow, alarm } = health;
      if (inARow > toldFirst && inARow % toldEvery !== 0) return undefined;
      const { checkpoint, message, fix, againInMs } = news.failure;
      const which = checkpoint === null ? 'a checkpoint' : `checkpoint ${checkpoint}`;
      const row = alarm ? `ALARM: ${inARow} checkpoints failed in a row since ${new Date(health.sinceMs ?? 0).toISOString()}; ` : '';
      const again =
        againInMs === null ? 'the run ends and goes on from the last one' : `tried again in ${(againInMs / 1_000).toFixed(1)} s`;
      return `${row}${which} failed: ${message}; ${again}${fix === null ? '' : `\n  ${fix}`}`;
    }
    case 'checkpoint-completed':
      if (before.inARow === 0) return undefined;
      return `checkpoint ${news.checkpoint} is complete, after ${before.inARow} that failed`;
  }
}
