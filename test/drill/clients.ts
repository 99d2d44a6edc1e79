/**
 * Clients of the drill: each sends an event until it is acknowledged, under the same id, however long that takes; as a careful client does.
 */
import { Agent, request } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';

export interface Sent {
  /** Events that were sent at least once. */
  readonly sent: number;
  /** By id: what the acknowledgement said that it means. */
  readonly acknowledged: ReadonlyMap<string, string>;
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
  readonly batch?: number;
}

/** Runs the load; resolves when every event is acknowledged or given up. */
export async function runLoad(options: LoadOptions): Promise<Sent> {
  const { clients, forMs, giveUpMs, eventsPerSecond } = options;
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const acknowledged = new Map<string, string>();
  const statuses: Record<number, number> = {};
  const startedMs = performance.now();
  let next = 0;
  let sent = 0;
  let slowestMs = 0;

  const one = async (n: number): Promise<void> => {
    const id = `e${n}`;
    const bornMs = performance.now();
    sent++;
    while (performance.now() - bornMs < giveUpMs) {
      const { status, ack } = await post(
        `${options.url()}/v1/d/events`,
        options.bodyOf(n),
        { 'x-event-id': id, ...options.headersOf?.(n) },
        agent,
      );
      statuses[status] = (statuses[status] ?? 0) + 1;
      if (status === 200 || status === 202) {
        acknowledged.set(id, ack);
        slowestMs = Math.max(slowestMs, performance.now() - bornMs);
        return;
      }
      if (status >= 400 && status < 500 && status !== 429) throw new Error(`an event was refused with ${status}`);
      await wait(50 + Math.floor(bornMs % 50));
    }
  };
  const client = async (): Promise<void> => {
    for (;;) {
      const n = next++;
      const dueMs = startedMs + (n * 1_000) / eventsPerSecond;
      if (dueMs - startedMs > forMs) return;
      const aheadMs = dueMs - performance.now();
      if (aheadMs > 1) await wait(aheadMs);
      await one(n);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  agent.destroy();
  return { sent, acknowledged, statuses, slowestMs };
}

export function post(
  url: string,
  body: string,
  headers: Readonly<Record<string, string>>,
  agent: Agent,
): Promise<{ readonly status: number; readonly ack: string; readonly text: string }> {
  return new Promise((resolve) => {
    const req = request(url, { method: 'POST', agent, headers: { 'content-type': 'application/json', ...headers } }, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk: Buffer) => chunks.push(chunk));
      res.once('error', () => resolve({ status: 0, ack: '', text: '' }));
      res.once('end', () =>
        resolve({ status: res.statusCode ?? 0, ack: String(res.headers['x-sluice-ack'] ?? ''), text: Buffer.concat(chunks).toString() }),
      );
    });
    req.once('error', () => resolve({ status: 0, ack: '', text: '' }));
    req.end(body);
  });
}
