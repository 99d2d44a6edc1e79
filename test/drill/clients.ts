/**
 * Clients of the drill: each sends an event until it is acknowledged, under the same id, however
 * long that takes; as a careful client does.
 */
import { Agent, request } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';

export interface Sent {
  /** Events that were sent at least once. */
  readonly sent: number;
  /** By id: what the acknowledgement said that it means. */
  readonly acknowledged: ReadonlyMap<string, string>;
  /** Ids of events that were refused for good, of those that may be. */
  readonly refused: ReadonlySet<string>;
  /** Requests that were answered with each status; 0: no answer. */
  readonly statuses: Readonly<Record<number, number>>;
  readonly slowestMs: number;
}

export interface LoadOptions {
  /** Asked before each request: a server that was started again may be elsewhere. */
  readonly url: () => string;
  readonly clients: number;
  /** New events begin until then; what was begun is sent until it is acknowledged. */
  readonly forMs: number;
  /** After that time without an acknowledgement an event is given up. */
  readonly giveUpMs: number;
  readonly eventsPerSecond: number;
  readonly bodyOf: (n: number) => string;
  readonly headersOf?: (n: number) => Readonly<Record<string, string>>;
  /** Events of one request, as a batch of CloudEvents; default 1, as the data alone. */
  readonly batch?: number;
  /** The partition key of all events of a batch. Default: each has its own. */
  readonly batchKey?: string;
  /**
   * The number of the `k`th event of this load, where several loads run beside each other. Default:
   * `k`.
   */
  readonly numberOf?: (k: number) => number;
  /** Events that may be refused for good; another one that is ends the load. */
  readonly mayBeRefused?: (n: number) => boolean;
  /** Counted up as it goes. */
  readonly progress?: LoadProgress;
}

export interface LoadProgress {
  sent: number;
  acknowledged: number;
}

/** Runs the load; resolves when every event is acknowledged or given up. */
export async function runLoad(options: LoadOptions): Promise<Sent> {
  const {
    clients,
    forMs,
    giveUpMs,
    eventsPerSecond,
    batch = 1,
    numberOf = (k: number) => k,
  } = options;
  const { mayBeRefused = () => false, progress = { sent: 0, acknowledged: 0 } } = options;
  // In turns: connections that a burst made are all used afterwards, so that how many are open does
  // not tell of the last burst.
  const agent = new Agent({ keepAlive: true, maxSockets: clients, scheduling: 'fifo' });
  const acknowledged = new Map<string, string>();
  const refused = new Set<string>();
  const statuses: Record<number, number> = {};
  const startedMs = performance.now();
  let next = 0;
  let sent = 0;
  let slowestMs = 0;

  const one = async (numbers: readonly number[]): Promise<void> => {
    const bornMs = performance.now();
    sent += numbers.length;
    progress.sent += numbers.length;
    const [body, headers] =
      batch === 1 ? single(options, numbers[0] ?? 0) : batched(options, numbers);
    while (performance.now() - bornMs < giveUpMs) {
      const { status, ack } = await post(`${options.url()}/v1/d/events`, body, headers, agent);
      statuses[status] = (statuses[status] ?? 0) + 1;
      if (status === 200 || status === 202) {
        for (const n of numbers) acknowledged.set(idOf(n), ack);
        progress.acknowledged += numbers.length;
        slowestMs = Math.max(slowestMs, performance.now() - bornMs);
        return;
      }
      if (status >= 400 && status < 500 && status !== 429) {
        if (!numbers.every(mayBeRefused)) throw new Error(`an event was refused with ${status}`);
        for (const n of numbers) refused.add(idOf(n));
        return;
      }
      await wait(50 + Math.floor(bornMs % 50));
    }
  };
  const client = async (): Promise<void> => {
    for (;;) {
      const first = next++ * batch;
      const dueMs = startedMs + (first * 1_000) / eventsPerSecond;
      if (dueMs - startedMs > forMs) return;
      const aheadMs = dueMs - performance.now();
      if (aheadMs > 1) await wait(aheadMs);
      await one(Array.from({ length: batch }, (_, index) => numberOf(first + index)));
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  agent.destroy();
  return { sent, acknowledged, refused, statuses, slowestMs };
}

/** What several loads came to. */
export function together(...loads: readonly Sent[]): Sent {
  const statuses: Record<number, number> = {};
  for (const [status, count] of loads.flatMap((load) => Object.entries(load.statuses))) {
    statuses[Number(status)] = (statuses[Number(status)] ?? 0) + count;
  }
  return {
    sent: loads.reduce((sum, load) => sum + load.sent, 0),
    acknowledged: new Map(loads.flatMap(({ acknowledged }) => [...acknowledged])),
    refused: new Set(loads.flatMap(({ refused }) => [...refused])),
    statuses,
    slowestMs: Math.max(...loads.map(({ slowestMs }) => slowestMs)),
  };
}

export const idOf = (n: number): string => `e${n}`;

type Message = readonly [body: string, headers: Readonly<Record<string, string>>];

function single({ bodyOf, headersOf }: LoadOptions, n: number): Message {
  return [bodyOf(n), { 'x-event-id': idOf(n), ...headersOf?.(n) }];
}

function batched({ bodyOf, batchKey }: LoadOptions, numbers: readonly number[]): Message {
  const key = batchKey === undefined ? '' : `"partitionkey":"${batchKey}",`;
  const events = numbers.map(
    (n) =>
      `{"specversion":"1.0","id":"${idOf(n)}","source":"/d","type":"t",${key}"data":${bodyOf(n)}}`,
  );
  return [`[${events.join(',')}]`, { 'content-type': 'application/cloudevents-batch+json' }];
}

export function post(
  url: string,
  body: string,
  headers: Readonly<Record<string, string>>,
  agent: Agent,
): Promise<{ readonly status: number; readonly ack: string; readonly text: string }> {
  return new Promise((resolve) => {
    const req = request(
      url,
      { method: 'POST', agent, headers: { 'content-type': 'application/json', ...headers } },
      (res) => {
        const chunks: Buffer[] = [];
        res.on('data', (chunk: Buffer) => chunks.push(chunk));
        res.once('error', () => resolve({ status: 0, ack: '', text: '' }));
        res.once('end', () =>
          resolve({
            status: res.statusCode ?? 0,
            ack: String(res.headers['x-sluice-ack'] ?? ''),
            text: Buffer.concat(chunks).toString(),
          }),
        );
      },
    );
    req.once('error', () => resolve({ status: 0, ack: '', text: '' }));
    req.end(body);
  });
}
