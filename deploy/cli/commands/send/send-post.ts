/**
 * Posts events until each of them is settled: accepted, or refused permanently.
 *
 * Invariants:
 * 1. An event counts as sent only when its own result says so.
 * 2. What was asked to wait waits; an ingress that accepts nothing for the time-out ends the
 *    command.
 */
import { backoffMs } from '../../../../schemas/kernel/backoff.ts';
import type { Clock } from '../../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../../schemas/kernel/errors.ts';
import type { Random } from '../../../../schemas/kernel/random.ts';
import type { Answer, EventResult } from './send-answer.ts';
import { decideAnswer, retryAfterMs } from './send-answer.ts';
import type { InputEvent } from './send-pieces.ts';
import type { Sender } from './send-request.ts';
import type { Totals } from './send-totals.ts';
import { countRefused, countSent } from './send-totals.ts';

export interface PostContext {
  readonly sender: Sender;
  readonly target: URL;
  readonly timeoutMs: number;
  readonly totals: Totals;
  readonly clock: Clock;
  readonly random: Random;
  readonly note: (text: string) => void;
  readonly interruption: Interruption;
}

/** That the person wants the command to end. */
export interface Interruption {
  requested: boolean;
  readonly happened: Promise<void>;
}

/** What waits for another try when the command is interrupted. */
export class Interrupted extends Error {}

const retryBackoff = { baseMs: 100, maxMs: 2_000 };
/** A pause that is longer is told. */
const toldPauseMs = 5_000;

/** Throws `SluiceError` `send-refused`, `send-timeout`, what the sender throws; `Interrupted`. */
export async function postEvents(
  events: readonly InputEvent[],
  context: PostContext,
): Promise<void> {
  const { sender, target, timeoutMs, totals, clock, random, note, interruption } = context;
  let left = events;
  let failingSince: number | undefined;
  for (let attempt = 0; left.length > 0; attempt++) {
    const answer = await sender.post(left.map(({ text }) => text));
    const decision = decideAnswer(answer, left.length);
    if (decision.kind === 'stop')
      throw new SluiceError('send-refused', `${target.href} answers ${decision.message}`, {
        fix: decision.fix,
      });
    if (decision.kind === 'halve') {
      const half = Math.ceil(left.length / 2);
      await postEvents(left.slice(0, half), context);
      await postEvents(left.slice(half), context);
      return;
    }
    const again =
      decision.kind === 'all-again'
        ? left
        : left.filter((event, index) => isOpen(event, decision.results[index], totals));
    if (again.length === 0) return;
    totals.retried += again.length;
    if (again.length < left.length) failingSince = undefined;
    else if (failingSince === undefined) {
      failingSince = clock.monotonic();
      if (attempt === 0 && answer.status === 0)
        note(
          `${target.origin} does not answer (${answer.body}); trying for ${timeoutMs / 1_000} s`,
        );
    }
    left = again;
    if (failingSince !== undefined && clock.monotonic() - failingSince > timeoutMs)
      throw timedOut(target, timeoutMs, answer);
    const said = decision.kind === 'events' ? (decision.waitSeconds ?? 0) * 1_000 : 0;
    const asked = Math.max(said, retryAfterMs(answer.retryAfter, clock.now()));
    if (asked >= toldPauseMs)
      note(
        `${target.origin} answers ${answer.status} and asks to wait ${Math.ceil(asked / 1_000)} s`,
      );
    await pause(asked + backoffMs(attempt, retryBackoff, random), clock, interruption);
    if (interruption.requested) throw new Interrupted();
  }
}

/** Ends when interrupted; then no timer is left that would keep the process. */
function pause(ms: number, clock: Clock, interruption: Interruption): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.setTimer(ms, resolve);
    void interruption.happened.then(() => {
      timer.cancel();
      resolve();
    });
  });
}

/** Counts what is settled. */
function isOpen(
  { text, line }: InputEvent,
  result: EventResult | undefined,
  totals: Totals,
): boolean {
  if (result === undefined || result.kind === 'again') return true;
  if (result.kind === 'sent') countSent(totals, text.length, result.route);
  else countRefused(totals, line, result.refusal);
  return false;
}

function timedOut(target: URL, timeoutMs: number, { status, body }: Answer): SluiceError {
  const why = status === 0 ? body : `it answers ${status}`;
  return new SluiceError(
    'send-timeout',
    `${target.origin} accepted nothing for ${timeoutMs / 1_000} s: ${why}`,
    {
      fix: 'check that an ingress runs there',
      retryable: true,
    },
  );
}
