/**
 * The faults. Each scenario starts its own server, sends through the fault, waits until everything
 * is acknowledged and drained, stops the server and reads its streams.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent } from 'node:http';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { LoadOptions, Sent } from './clients.ts';
import { post, runLoad } from './clients.ts';
import type { DrillInstance, FoundEvent } from './instance.ts';
import { drillInstance, foundIn } from './instance.ts';
import type { Checks, Outcome, Scenario } from './run-scenarios.ts';
import { smallDisk } from './small-disk.ts';
import type { Tally } from './verdict.ts';
import { disorder, tally } from './verdict.ts';

type DrillOutcome = Outcome<Tally>;

/** Small ones and, every fiftieth, one that takes the large route. */
const bodyOf = (n: number): string =>
  JSON.stringify({ n, pad: 'x'.repeat(n % 50 === 0 ? 150_000 : 800) });

interface Setup {
  readonly instance: DrillInstance;
  readonly dir: string;
  readonly load: (forMs: number, more?: Partial<LoadOptions>) => Promise<Sent>;
  /** Waits until no spool has records. */
  readonly drained: () => Promise<void>;
}

function configText(stream: string, ingress = ''): string {
  return `streams:
  - {team: d, app: events${stream === '' ? '' : `, ${stream}`}}
ingress: {host: 127.0.0.1, port: "\${DRILL_PORT:-0}"${ingress === '' ? '' : `, ${ingress}`}}
local: {kinesis_shards: 2, kafka_partitions: 2}
`;
}

async function scenario(
  stream: string,
  ingress: string,
  during: (setup: Setup) => Promise<{ readonly sent: Sent; readonly checks?: Checks }>,
  then?: (found: readonly FoundEvent[]) => Checks,
  at?: string,
): Promise<DrillOutcome> {
  const dir = mkdtempSync(join(at ?? tmpdir(), 'sluice-drill-'));
  const instance = await drillInstance(dir, configText(stream, ingress));
  try {
    const load: Setup['load'] = (forMs, more = {}) =>
      runLoad({
        url: () => instance.url,
        clients: 32,
        forMs,
        giveUpMs: 90_000,
        eventsPerSecond: 500,
        bodyOf,
        ...more,
      });
    const drained = async (): Promise<void> => {
      while (/^sluice_ingress_spool_records\{[^}]*\} [1-9]/m.test(await instance.metrics()))
        await wait(100);
    };
    const { sent, checks = [] } = await during({ instance, dir, load, drained });
    await instance.stop();
    const found = await foundIn(dir);
    const all = tally(sent, found, bodyOf);
    const more: Checks = [
      ['nothing acknowledged is lost', all.lost === 0],
      ['no data is altered', all.altered === 0],
      ['every event is acknowledged in the end', sent.acknowledged.size === sent.sent],
      ...checks,
      ...(then?.(found) ?? []),
    ];
    return { tally: all, checks: more };
  } finally {
    await instance.end();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function killed(stream: string, scale: number): Promise<DrillOutcome> {
  return scenario(stream, '', async ({ instance, load, drained }) => {
    const sending = load(12_000 * scale);
    for (const at of [3_000, 3_000, 3_000]) {
      await wait(at * scale);
      await instance.kill();
      await instance.start();
    }
    const sent = await sending;
    await drained();
    return { sent };
  });
}

export const scenarios: readonly Scenario<Tally>[] = [
  {
    name: 'kill-replicated',
    what: 'kill -9 three times under load, ack: replicated',
    run: (scale) => killed('', scale),
  },
  {
    name: 'kill-spooled',
    what: 'kill -9 three times under load, ack: spooled',
    run: (scale) => killed('ack: spooled', scale),
  },
  {
    name: 'bus-down-refuse',
    what: 'the bus is down for 60 s, ack: replicated: 503 until it is back',
    run: (scale) =>
      scenario('', '', async ({ instance, load }) => {
        const sending = load(70_000 * scale, { eventsPerSecond: 200 });
        await wait(5_000 * scale);
        await instance.tell({ fault: { kind: 'down' } });
        await wait(60_000 * scale);
        await instance.tell({ fault: { kind: 'none' } });
        const sent = await sending;
        return {
          sent,
          checks: [['the answer is 503 while it is down', (sent.statuses[503] ?? 0) > 0]],
        };
      }),
  },
  {
    name: 'bus-down-spool',
    what: 'the bus is down for 60 s, when_down: spool: 202, drained in order, through a kill',
    run: (scale) =>
      scenario(
        'when_down: spool, order: key',
        '',
        async ({ instance, load, drained }) => {
          const sending = load(70_000 * scale, {
            eventsPerSecond: 300,
            headersOf: (n) => ({ 'x-partition-key': `k${n % 7}` }),
            clients: 1,
          });
          await wait(5_000 * scale);
          await instance.tell({ fault: { kind: 'down' } });
          await wait(30_000 * scale);
          // What is spooled survives; the server that comes back finds the bus down, too.
          await instance.kill();
          await instance.start();
          await instance.tell({ fault: { kind: 'down' } });
          await wait(30_000 * scale);
          await instance.tell({ fault: { kind: 'none' } });
          const sent = await sending;
          await drained();
          return {
            sent,
            checks: [['some were spooled', [...sent.acknowledged.values()].includes('spooled')]],
          };
        },
        (found) => [
          [`each key in order on each path (${disorder(found)} out of it)`, disorder(found) === 0],
        ],
      ),
  },
  {
    name: 'bus-slow',
    what: 'every write takes 500 ms',
    run: (scale) =>
      scenario('', '', async ({ instance, load }) => {
        await instance.tell({ fault: { kind: 'slow', ms: 500 } });
        const sent = await load(10_000 * scale, { clients: 64 });
        return {
          sent,
          checks: [
            [
              'nothing is refused for it',
              Object.keys(sent.statuses).every((status) => status === '200'),
            ],
          ],
        };
      }),
  },
  {
    name: 'bus-part',
    what: 'every third record of each write is refused',
    run: (scale) =>
      scenario('', '', async ({ instance, load }) => {
        await instance.tell({ fault: { kind: 'part', every: 3 } });
        const sent = await load(10_000 * scale);
        await instance.tell({ fault: { kind: 'none' } });
        return { sent };
      }),
  },
  {
    name: 'disk-full',
    what: 'the file system is full for a while: 503, nothing torn, and it goes on',
    async run(scale) {
      const disk = await smallDisk(96 * 1_024 * 1_024);
      try {
        return await scenario(
          '',
          '',
          async ({ load }) => {
            const sending = load(12_000 * scale, { eventsPerSecond: 150 });
            await wait(3_000 * scale);
            await disk.fill();
            await wait(4_000 * scale);
            await disk.free();
            const sent = await sending;
            return {
              sent,
              checks: [['the answer is 503 while it is full', (sent.statuses[503] ?? 0) > 0]],
            };
          },
          undefined,
          disk.dir,
        );
      } finally {
        await disk.remove();
      }
    },
  },
  {
    name: 'slow-clients',
    what: 'slowloris, half-closed clients and 10,000 idle WebSockets beside the load',
    run: (scale) =>
      scenario('', 'address_websockets_max: 10000', async ({ instance, load }) => {
        const { hostname, port } = new URL(instance.url);
        const idle = await idleWebSockets(instance.url, Math.round(10_000 * Math.max(scale, 0.02)));
        const slow = Array.from({ length: 200 }, () => slowloris(hostname, Number(port)));
        const half = Array.from({ length: 200 }, () => halfClosed(hostname, Number(port)));
        const sent = await load(15_000 * scale);
        const held = /^sluice_ingress_websockets_open (\d+)/m.exec(await instance.metrics())?.[1];
        const memory = /^sluice_ingress_in_flight_bytes (\d+)/m.exec(await instance.metrics())?.[1];
        for (const socket of [...slow, ...half]) socket.destroy();
        for (const ws of idle) ws.terminate();
        return {
          sent,
          checks: [
            [`idle WebSockets are held (${held})`, Number(held) === idle.length],
            [`what slow clients began holds little (${memory} bytes)`, Number(memory) < 4_000_000],
            ...(scale < 1
              ? []
              : [
                  [
                    `the slowest event took ${sent.slowestMs.toFixed(0)} ms`,
                    sent.slowestMs < 5_000,
                  ] as const,
                ]),
          ],
        };
      }),
  },
  {
    name: 'hot-key',
    what: 'one key at 1,000 events a second with order: key, every fifth record refused',
    run: (scale) =>
      scenario(
        'order: key',
        '',
        async ({ instance }) => {
          await instance.tell({ fault: { kind: 'part', every: 5 } });
          const sent = await oneKey(instance.url, 10_000 * scale);
          await instance.tell({ fault: { kind: 'none' } });
          return {
            sent,
            checks:
              scale < 1 ? [] : [[`${sent.sent} events of one key in 10 s`, sent.sent >= 9_000]],
          };
        },
        (found) => [[`in order (${disorder(found)} out of it)`, disorder(found) === 0]],
      ),
  },
  {
    name: 'clock-back',
    what: 'the wall clock steps back an hour, and forward two',
    run: (scale) =>
      scenario('', '', async ({ instance, load }) => {
        const sending = load(9_000 * scale);
        await wait(3_000 * scale);
        await instance.tell({ stepMs: -3_600_000 });
        await wait(3_000 * scale);
        await instance.tell({ stepMs: 7_200_000 });
        return { sent: await sending };
      }),
  },
];

/** Batches of one key, one after the other as its order asks, 1,000 events a second. */
async function oneKey(url: string, forMs: number): Promise<Sent> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const acknowledged = new Map<string, string>();
  const statuses: Record<number, number> = {};
  const size = 20;
  const startedMs = performance.now();
  let n = 1;
  while (performance.now() - startedMs < forMs) {
    const aheadMs = startedMs + n - performance.now();
    if (aheadMs > 1) await wait(aheadMs);
    const first = n;
    const lines = Array.from(
      { length: size },
      (_, index) =>
        `{"id":"e${first + index}","partitionkey":"hot","specversion":"1.0","source":"/d","type":"t","data":${bodyOf(first + index)}}`,
    );
    let open = true;
    while (open) {
      const { status, text } = await post(
        `${url}/v1/d/events`,
        `[${lines.join(',')}]`,
        { 'content-type': 'application/cloudevents-batch+json' },
        agent,
      );
      statuses[status] = (statuses[status] ?? 0) + 1;
      open = status !== 200;
      if (status === 400) throw new Error(text.slice(0, 300));
    }
    for (let index = 0; index < size; index++) acknowledged.set(`e${first + index}`, 'replicated');
    n += size;
  }
  agent.destroy();
  return { sent: n - 1, acknowledged, refused: new Set(), statuses, slowestMs: 0 };
}

async function idleWebSockets(url: string, count: number): Promise<readonly WebSocket[]> {
  const open: WebSocket[] = [];
  const at = `${url.replace('http', 'ws')}/v1/d/events/ws`;
  while (open.length < count) {
    const some = Array.from(
      { length: Math.min(200, count - open.length) },
      () => new WebSocket(at, { perMessageDeflate: false }),
    );
    await Promise.all(
      some.map(
        (ws) => new Promise((resolve, reject) => ws.once('open', resolve).once('error', reject)),
      ),
    );
    open.push(...some);
  }
  return open;
}

/** A request whose body never comes to its end, a byte a second. */
function slowloris(host: string, port: number): Socket {
  const socket = connect(port, host, () =>
    socket.write(
      'POST /v1/d/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n{',
    ),
  );
  const drip = setInterval(() => socket.writable && socket.write(' '), 1_000);
  socket.on('error', () => undefined);
  socket.on('close', () => clearInterval(drip));
  return socket;
}

/** Sends half a request and closes its own side. */
function halfClosed(host: string, port: number): Socket {
  const socket = connect({ port, host, allowHalfOpen: true }, () =>
    socket.end('POST /v1/d/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"n":'),
  );
  socket.on('error', () => undefined);
  return socket;
}
