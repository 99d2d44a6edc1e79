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
import type { LoadConnection, LoadRequest, OpenConnection } from './connection.ts';
import type { Measures } from './measures.ts';
import type { Schedule } from './schedule.ts';

/** A load's requests that are due and wait for a connection. */
const loadBacklogMax = 200_000;

export interface InjectorOptions {
  readonly schedule: Schedule;
  readonly connections: number;
  readonly open: OpenConnection;
  readonly requestOf: (n: number) => LoadRequest;
  readonly measures: Measures;
  readonly clock: Clock;
  /** When the load begins, on the monotonic clock; connections are opened at once. Default: now. */
  readonly startMs?: number;
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

/** A request that is due. */
interface Due {
  readonly n: number;
  readonly dueMs: number;
}

export function startInjector(options: InjectorOptions): Injector {
  return new OpenLoop(options);
}

class OpenLoop implements Injector {
  readonly done: Promise<void>;
  readonly #options: InjectorOptions;
  readonly #pool: readonly LoadConnection[];
  readonly #startedMs: number;
  readonly #lastDueMs: number;
  readonly #backlog: Due[] = [];
  /** Where the backlog begins. */
  #head = 0;
  /** The request that is due next. */
  #next = 0;
  /** The connection that was given work last. */
  #turn = 0;
  #sent = 0;
  #notSent = 0;
  #inFlight = 0;
  #bytes = 0;
  #endedMs: number | undefined;
  #timer: Timer;
  #finish: () => void = () => undefined;

  constructor(options: InjectorOptions) {
    const { schedule, connections, open, clock } = options;
    this.#options = options;
    this.#startedMs = options.startMs ?? clock.monotonic();
    this.#lastDueMs = schedule.count === 0 ? 0 : (schedule.dueMs(schedule.count - 1) ?? 0);
    this.done = new Promise<void>((resolve) => {
      this.#finish = resolve;
    });
    const pool: LoadConnection[] = [];
    for (let i = 0; i < connections; i++) {
      pool.push(
        open(() => {
          const connection = pool[i];
          if (connection !== undefined) this.#give(connection);
        }),
      );
    }
    this.#pool = pool;
    this.#timer = clock.setTimer(0, () => this.#tick());
  }

  counts(): InjectorCounts {
    return {
      sent: this.#sent,
      notSent: this.#notSent,
      inFlight: this.#inFlight,
      waiting: this.#waiting,
      bytes: this.#bytes,
      elapsedMs: this.#endedMs ?? Math.max(0, this.#elapsedMs),
    };
  }

  stop(): void {
    if (this.#endedMs !== undefined) return;
    this.#endedMs = Math.max(0, this.#elapsedMs);
    this.#notSent += this.#waiting;
    this.#timer.cancel();
    for (const connection of this.#pool) connection.close();
    this.#finish();
  }

  get #elapsedMs(): number {
    return this.#options.clock.monotonic() - this.#startedMs;
  }

  get #waiting(): number {
    return this.#backlog.length - this.#head;
  }

  #tick(): void {
    const { schedule, graceMs, clock } = this.#options;
    const nowMs = this.#elapsedMs;
    this.#queueDue(nowMs);
    for (let i = 0; i < this.#pool.length && this.#waiting > 0; i++) {
      this.#turn = (this.#turn + 1) % this.#pool.length;
      this.#give(this.#pool[this.#turn] as LoadConnection);
    }
    const isAnswered = this.#next >= schedule.count && this.#waiting === 0 && this.#inFlight === 0;
    if (isAnswered || nowMs > this.#lastDueMs + graceMs) this.stop();
    else this.#timer = clock.setTimer(tickMs, () => this.#tick());
  }

  #queueDue(nowMs: number): void {
    const { schedule, measures } = this.#options;
    for (;;) {
      const dueMs = schedule.dueMs(this.#next);
      if (dueMs === undefined || dueMs > nowMs) return;
      measures.lag(nowMs - dueMs);
      if (this.#waiting >= loadBacklogMax) this.#notSent++;
      else this.#backlog.push({ n: this.#next, dueMs });
      this.#next++;
    }
  }

  /** As much of the backlog as a connection has room for. */
  #give(connection: LoadConnection): void {
    while (this.#endedMs === undefined && this.#waiting > 0 && connection.room > 0)
      this.#send(connection, this.#backlog[this.#head++] as Due);
    if (this.#waiting > 0 || this.#head === 0) return;
    this.#backlog.length = 0;
    this.#head = 0;
  }

  #send(connection: LoadConnection, { n, dueMs }: Due): void {
    const request = this.#options.requestOf(n);
    const sentMs = this.#elapsedMs;
    this.#sent++;
    this.#inFlight++;
    this.#bytes += request.body.length;
    connection.send(request, (answer) => {
      if (this.#endedMs !== undefined) return;
      this.#inFlight--;
      const nowMs = this.#elapsedMs;
      this.#options.measures.answered(nowMs, nowMs - dueMs, nowMs - sentMs, answer);
    });
  }
}
