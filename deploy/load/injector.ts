/**
 * The injector: hands out requests when they are due, to whichever connection has room, and
 * measures from when they were due.
 *
 * Invariants:
 * 1. Open loop: what is due waits in a backlog, with its time, until a connection has room; nothing
 *    slows the schedule.
 * 2. The backlog is bounded: what does not fit is counted as not sent.
 */
import type { Clock, Timer } from '../../schemas/kernel/clock.ts';
import { limits } from '../../schemas/limits.ts';
import type { LoadConnection, LoadRequest, OpenConnection } from './connection.ts';
import type { Measures } from './measures.ts';
import type { Schedule } from './schedule.ts';

export interface InjectorOptions {
  readonly schedule: Schedule;
  readonly connections: number;
  readonly open: OpenConnection;
  readonly requestOf: (n: number) => LoadRequest;
  readonly measures: Measures;
  readonly clock: Clock;
  /** How long answers are waited for after the last request was due. */
  readonly graceMs: number;
}

export interface InjectorCounts {
  readonly sent: number;
  readonly notSent: number;
  readonly inFlight: number;
  readonly waiting: number;
  readonly bytes: number;
  readonly elapsedMs: number;
}

export interface Injector {
  /** Resolves when all is answered, the grace is over, or it was stopped. */
  readonly done: Promise<void>;
  counts(): InjectorCounts;
  stop(): void;
}

const tickMs = 1;

export function startInjector({
  schedule,
  connections,
  open,
  requestOf,
  measures,
  clock,
  graceMs,
}: InjectorOptions): Injector {
  const startedMs = clock.monotonic();
  const backlog: { readonly n: number; readonly dueMs: number }[] = [];
  let head = 0;
  let next = 0;
  let sent = 0;
  let notSent = 0;
  let inFlight = 0;
  let bytes = 0;
  let endedMs: number | undefined;
  let timer: Timer;
  let finish = (): void => undefined;
  const done = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const elapsed = (): number => clock.monotonic() - startedMs;

  const give = (connection: LoadConnection): void => {
    while (endedMs === undefined && head < backlog.length && connection.room > 0) {
      const { n, dueMs } = backlog[head++] as (typeof backlog)[number];
      const request = requestOf(n);
      const sentMs = elapsed();
      sent++;
      inFlight++;
      bytes += request.body.length;
      connection.send(request, (answer) => {
        if (endedMs !== undefined) return;
        inFlight--;
        const nowMs = elapsed();
        measures.answered(nowMs, nowMs - dueMs, nowMs - sentMs, answer);
      });
    }
    if (head === backlog.length && head > 0) {
      backlog.length = 0;
      head = 0;
    }
  };

  const pool: LoadConnection[] = [];
  for (let i = 0; i < connections; i++) {
    pool.push(
      open(() => {
        const connection = pool[i];
        if (connection !== undefined) give(connection);
      }),
    );
  }
  let turn = 0;

  const tick = (): void => {
    const nowMs = elapsed();
    for (
      let dueMs = schedule.dueMs(next);
      dueMs !== undefined && dueMs <= nowMs;
      dueMs = schedule.dueMs(next)
    ) {
      measures.lag(nowMs - dueMs);
      if (backlog.length - head >= limits.loadBacklogMax) notSent++;
      else backlog.push({ n: next, dueMs });
      next++;
    }
    for (let i = 0; i < pool.length && head < backlog.length; i++) {
      turn = (turn + 1) % pool.length;
      give(pool[turn] as LoadConnection);
    }
    const lastDueMs = schedule.count === 0 ? 0 : (schedule.dueMs(schedule.count - 1) ?? 0);
    const isAnswered = next >= schedule.count && head === backlog.length && inFlight === 0;
    if (isAnswered || nowMs > lastDueMs + graceMs) end();
    else timer = clock.setTimer(tickMs, tick);
  };

  const end = (): void => {
    if (endedMs !== undefined) return;
    endedMs = elapsed();
    notSent += backlog.length - head;
    timer.cancel();
    for (const connection of pool) connection.close();
    finish();
  };

  timer = clock.setTimer(0, tick);
  return {
    done,
    counts: () => ({
      sent,
      notSent,
      inFlight,
      waiting: backlog.length - head,
      bytes,
      elapsedMs: endedMs ?? elapsed(),
    }),
    stop: end,
  };
}
