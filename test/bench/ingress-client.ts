/**
 * The load of the ingress benchmark, in a process of its own: raw sockets, requests that are made
 * once, answers that are only looked at for their status and their end. Its parent sends a
 * `LoadOrder` at a time and gets a `LoadResult`.
 *
 * Closed loop: each connection sends its next request when the last one was answered. Open loop:
 * requests start by a schedule whatever the server does, and latency counts from the start that was
 * intended, so that a stall shows in all requests that it held up.
 */
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import type { Histogram } from 'hdr-histogram-js';
import { build } from 'hdr-histogram-js';
import { eventOf } from './events.ts';
import { apiKey } from './ingress-names.ts';
import { openWebSocket } from './ingress-websocket.ts';

export interface LoadOrder {
  readonly port: number;
  readonly path: string;
  readonly connections: number;
  readonly seconds: number;
  readonly eventBytes: number;
  /** Requests a second, open loop; none: closed loop. */
  readonly rate?: number;
  readonly partitionKey?: string;
  /** Events in flight on each WebSocket; none: HTTP. */
  readonly webSocketWindow?: number;
}

export interface LoadResult {
  /** Answered with 200, each one event. */
  readonly ok: number;
  /** Of those, within the time; the rest was under way when it ended. */
  readonly okInTime: number;
  readonly failed: Readonly<Record<string, number>>;
  /** Milliseconds. */
  readonly latency: Quantiles;
  /** Open loop: how late requests left, behind their schedule. Closed loop: nothing. */
  readonly lag: Quantiles;
}

export interface Quantiles {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

const connectsAtOnce = 64;
const usPerMs = 1_000;

interface Lane {
  send(): void;
  close(): void;
}

type OnAnswer = (lane: Lane, status: string) => void;

function requestOf({ path, eventBytes, partitionKey }: LoadOrder): Buffer {
  const body = eventOf(eventBytes);
  const head = [
    `POST ${path} HTTP/1.1`,
    'Host: 127.0.0.1',
    'Content-Type: application/json',
    `X-Api-Key: ${apiKey}`,
    ...(partitionKey === undefined ? [] : [`X-Partition-Key: ${partitionKey}`]),
    `Content-Length: ${body.length}`,
  ];
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]);
}

/** Opens one connection; `answered` is called with the status of each answer. */
function openHttp(order: LoadOrder, message: Buffer, answered: OnAnswer): Promise<Lane> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(order.port, '127.0.0.1');
    let rest = '';
    const lane: Lane = { send: () => void socket.write(message), close: () => socket.destroy() };
    socket.setNoDelay(true);
    socket.once('connect', () => resolve(lane));
    socket.once('error', reject);
    socket.once('close', () => answered(lane, 'closed'));
    socket.on('data', (chunk: Buffer) => {
      const text = rest === '' ? chunk.toString('latin1') : rest + chunk.toString('latin1');
      const headEnd = text.indexOf('\r\n\r\n');
      const at = headEnd < 0 ? -1 : lengthAt(text, headEnd);
      if (at < 0 || text.length < headEnd + 4 + Number.parseInt(text.slice(at, at + 8), 10)) {
        rest = text;
        return;
      }
      rest = '';
      answered(lane, text.slice(9, 12));
    });
  });
}

/** Where the number of the Content-Length header begins; both spellings that the servers have. */
function lengthAt(text: string, headEnd: number): number {
  for (const name of ['Content-Length: ', 'content-length: ']) {
    const at = text.indexOf(name);
    if (at >= 0 && at < headEnd) return at + name.length;
  }
  return -1;
}

async function openLanes(order: LoadOrder, answered: OnAnswer): Promise<readonly Lane[]> {
  const message = requestOf(order);
  const lanes: Lane[] = [];
  while (lanes.length < order.connections) {
    const missing = Math.min(connectsAtOnce, order.connections - lanes.length);
    const opening = Array.from({ length: missing }, () =>
      order.webSocketWindow === undefined
        ? openHttp(order, message, answered)
        : openWebSocket(order, eventOf(order.eventBytes), answered),
    );
    lanes.push(...(await Promise.all(opening)));
  }
  return lanes;
}

class Tally {
  readonly latency = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 600_000_000,
    numberOfSignificantValueDigits: 3,
  });
  readonly lag = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 600_000_000,
    numberOfSignificantValueDigits: 3,
  });
  ok = 0;
  okInTime = 0;
  readonly failed: Record<string, number> = {};

  answered(status: string, sinceMs: number, untilMs: number): void {
    const nowMs = performance.now();
    if (status !== '200') {
      this.failed[status] = (this.failed[status] ?? 0) + 1;
      return;
    }
    this.ok++;
    if (nowMs <= untilMs) this.okInTime++;
    this.latency.recordValue(Math.max(1, Math.round((nowMs - sinceMs) * usPerMs)));
  }

  result(): LoadResult {
    const { ok, okInTime, failed } = this;
    return { ok, okInTime, failed, latency: quantilesOf(this.latency), lag: quantilesOf(this.lag) };
  }
}

function quantilesOf(histogram: Histogram): Quantiles {
  const at = (percentile: number): number => histogram.getValueAtPercentile(percentile) / usPerMs;
  return { p50: at(50), p99: at(99), p999: at(99.9), max: histogram.maxValue / usPerMs };
}

async function closedLoop(order: LoadOrder): Promise<LoadResult> {
  const tally = new Tally();
  const window = order.webSocketWindow ?? 1;
  const sentAt = new Map<Lane, number[]>();
  let open = 0;
  let untilMs = Number.POSITIVE_INFINITY;
  let finish = (): void => undefined;
  const send = (lane: Lane, times: number[]): void => {
    times.push(performance.now());
    open++;
    lane.send();
  };
  const answered: OnAnswer = (lane, status) => {
    const times = sentAt.get(lane);
    const sinceMs = times?.shift();
    if (times === undefined || sinceMs === undefined) return;
    open--;
    tally.answered(status, sinceMs, untilMs);
    if (status !== 'closed' && performance.now() < untilMs) send(lane, times);
    else if (open === 0) finish();
  };
  const lanes = await openLanes(order, answered);
  untilMs = performance.now() + order.seconds * 1_000;
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  for (const lane of lanes) {
    const times: number[] = [];
    sentAt.set(lane, times);
    for (let n = 0; n < window; n++) send(lane, times);
  }
  await finished;
  for (const lane of lanes) lane.close();
  return tally.result();
}

async function openLoop(order: LoadOrder, rate: number): Promise<LoadResult> {
  const tally = new Tally();
  const intended = new Map<Lane, number>();
  // First in, first out, so that no connection waits long enough for the server to close it.
  const idle = new Set<Lane>();
  const backlog: number[] = [];
  let done = false;
  let finish = (): void => undefined;
  const untilMs = Number.POSITIVE_INFINITY;
  const send = (lane: Lane, dueMs: number): void => {
    intended.set(lane, dueMs);
    tally.lag.recordValue(Math.max(1, Math.round((performance.now() - dueMs) * usPerMs)));
    lane.send();
  };
  const answered: OnAnswer = (lane, status) => {
    const dueMs = intended.get(lane);
    idle.delete(lane);
    if (dueMs === undefined) return;
    intended.delete(lane);
    tally.answered(status, dueMs, untilMs);
    if (status !== 'closed') {
      const next = backlog.shift();
      if (next === undefined) idle.add(lane);
      else send(lane, next);
    }
    if (done && intended.size === 0 && backlog.length === 0) finish();
  };
  const lanes = await openLanes(order, answered);
  for (const lane of lanes) idle.add(lane);
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const startMs = performance.now();
  const total = Math.round(rate * order.seconds);
  let started = 0;
  const tick = (): void => {
    const nowMs = performance.now();
    for (; started < total; started++) {
      const dueMs = startMs + (started * 1_000) / rate;
      if (dueMs > nowMs) break;
      const [lane] = idle;
      if (lane === undefined) {
        backlog.push(dueMs);
        continue;
      }
      idle.delete(lane);
      send(lane, dueMs);
    }
    if (started < total) setTimeout(tick, 1);
    else done = true;
  };
  tick();
  await finished;
  for (const lane of lanes) lane.close();
  return tally.result();
}

process.on('message', (order: LoadOrder) => {
  const running = order.rate === undefined ? closedLoop(order) : openLoop(order, order.rate);
  running.then(
    (result) => process.send?.(result),
    (thrown: unknown) => {
      console.error(thrown);
      process.exit(1);
    },
  );
});
process.once('disconnect', () => process.exit(0));
process.send?.({ port: 0 });
