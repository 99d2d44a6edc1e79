/**
 * How a topology's thread is asked for its status: once, whoever asks; and nobody waits for one
 * that does not answer.
 */
import { expect, it } from 'vitest';
import {
  StatusAsker,
  statusAnswerMaxMs,
  statusFreshMs,
} from '../../../deploy/host/status-asker.ts';
import type { RunningStatus } from '../../../deploy/host/worker-protocol.ts';
import { manualClock } from '../../../schemas/kernel/clock.ts';

const answerOf = (turns: number): RunningStatus => ({
  job: { turns } as RunningStatus['job'],
  happened: {},
});

function rig() {
  const clock = manualClock(1_000_000);
  const put: number[] = [];
  const asker = new StatusAsker(clock, (id) => put.push(id));
  return { clock, put, asker };
}

it('a thousand who ask at once are one question', async () => {
  const { asker, put, clock } = rig();
  const asked = Array.from({ length: 1_000 }, () => asker.ask());
  expect(put).toEqual([1]);
  asker.answered(1, answerOf(5));
  expect(new Set((await Promise.all(asked)).map(({ answer }) => answer?.job.turns))).toEqual(
    new Set([5]),
  );
  await asker.ask();
  expect(put).toEqual([1]);
  clock.advance(statusFreshMs);
  const next = asker.ask();
  expect(put).toEqual([1, 2]);
  asker.answered(2, answerOf(6));
  expect((await next).answer?.job.turns).toBe(6);
});

it('a thread that does not answer is told as that within the bound, with its last answer, and is not asked again meanwhile', async () => {
  const { asker, put, clock } = rig();
  const first = asker.ask();
  asker.answered(1, answerOf(5));
  await first;
  clock.advance(10_000);
  const waiting = asker.ask();
  clock.advance(statusAnswerMaxMs);
  expect(await waiting).toEqual({ answer: answerOf(5), silentSinceMs: 1_010_000 });
  for (let n = 0; n < 100; n++) {
    clock.advance(1_000);
    expect(await asker.ask()).toEqual({ answer: answerOf(5), silentSinceMs: 1_010_000 });
  }
  expect(put).toEqual([1, 2]);
  asker.answered(2, answerOf(7));
  clock.advance(statusFreshMs);
  const again = asker.ask();
  asker.answered(3, answerOf(8));
  expect(await again).toEqual({ answer: answerOf(8), silentSinceMs: null });
});

it('a thread that ends leaves nobody waiting', async () => {
  const { asker } = rig();
  const waiting = asker.ask();
  asker.close();
  expect(await waiting).toEqual({ answer: undefined, silentSinceMs: null });
});
