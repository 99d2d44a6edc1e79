/**
 * `npm run bench:smoke`: events of 5 KB a second through the ingress to the embedded log
 * (acknowledged after fdatasync), beside a bare uWebSockets.js server that only drains the body,
 * under the same client in the same run. What it does not show: test/bench/README.md.
 *
 *   --seconds N   of each measurement (default 5)
 *   --connections N (default 64)
 *   --copies N    of the example's departures, for the hourly topology (default 10)
 */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { eventOf } from './events.ts';

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '5' },
    connections: { type: 'string', default: '64' },
    copies: { type: 'string', default: '10' },
    json: { type: 'boolean', default: false },
  },
});
const seconds = Number(options.seconds);
const connections = Number(options.connections);
const body = eventOf(5_000);

interface Server {
  readonly port: number;
  /** CPU of the whole server process so far, microseconds, and what it knows of its own work. */
  usage(): Promise<{ readonly cpuUs: number; readonly parts: Readonly<Record<string, number>> }>;
  stop(): Promise<void>;
}

async function startServer(kind: 'bare' | 'sluice', dir: string): Promise<Server> {
  const child: ChildProcess = fork(
    fileURLToPath(new URL('./smoke-server.js', import.meta.url)),
    [kind, dir],
    {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    },
  );
  const next = <T>(): Promise<T> =>
    new Promise((resolve) => child.once('message', (message) => resolve(message as T)));
  const { port } = await next<{ port: number }>();
  return {
    port,
    usage() {
      const answer = next<{ cpuUs: number; parts: Record<string, number> }>();
      child.send('usage');
      return answer;
    },
    stop: () =>
      new Promise((resolve) => {
        child.once('exit', () => resolve());
        child.send('stop');
      }),
  };
}

/**
 * Posts over raw sockets, one request under way on each: the client must cost less than what it
 * measures.
 */
async function load(
  port: number,
  ms: number,
): Promise<{ readonly events: number; readonly latencies: number[] }> {
  const head = `POST /v1/bench/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
  const message = Buffer.concat([Buffer.from(head), body]);
  const until = performance.now() + ms;
  const latencies: number[] = [];
  let events = 0;
  await Promise.all(
    Array.from(
      { length: connections },
      () =>
        new Promise<void>((resolve, reject) => {
          const socket = connect(port, '127.0.0.1');
          let sentAt = 0;
          let rest = '';
          const send = (): void => {
            if (performance.now() >= until) {
              socket.end();
              resolve();
              return;
            }
            sentAt = performance.now();
            socket.write(message);
          };
          socket.setNoDelay(true);
          socket.once('connect', send);
          socket.once('error', reject);
          socket.on('data', (chunk: Buffer) => {
            rest += chunk.toString('latin1');
            const headEnd = rest.indexOf('\r\n\r\n');
            if (headEnd < 0) return;
            const length = Number(/content-length: (\d+)/i.exec(rest)?.[1] ?? 0);
            if (rest.length < headEnd + 4 + length) return;
            if (!rest.startsWith('HTTP/1.1 200')) {
              reject(new Error(rest.slice(0, 300)));
              return;
            }
            rest = '';
            events++;
            latencies.push(performance.now() - sentAt);
            send();
          });
        }),
    ),
  );
  return { events, latencies };
}

interface Measured {
  readonly eventsPerSecond: number;
  readonly cpuUsPerEvent: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly parts: Readonly<Record<string, number>>;
}

async function measure(kind: 'bare' | 'sluice'): Promise<Measured> {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
  const server = await startServer(kind, dir);
  try {
    await load(server.port, 1_500);
    const before = await server.usage();
    const startedMs = performance.now();
    const { events, latencies } = await load(server.port, seconds * 1_000);
    const tookSeconds = (performance.now() - startedMs) / 1_000;
    const after = await server.usage();
    latencies.sort((a, b) => a - b);
    const at = (quantile: number): number =>
      latencies[Math.floor(latencies.length * quantile)] ?? 0;
    const parts = Object.fromEntries(
      Object.entries(after.parts).map(([name, value]) => [name, value - (before.parts[name] ?? 0)]),
    );
    return {
      eventsPerSecond: events / tookSeconds,
      cpuUsPerEvent: (after.cpuUs - before.cpuUs) / events,
      p50Ms: at(0.5),
      p99Ms: at(0.99),
      parts,
    };
  } finally {
    await server.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** The pieces of the work on one event alone, in a loop: microseconds each. */
async function pieces(): Promise<Readonly<Record<string, number>>> {
  const { measurePieces } = await import('./pieces.ts');
  return measurePieces(body);
}

const bare = await measure('bare');
const sluice = await measure('sluice');
const alone = await pieces();
const { measureHourly } = await import('./hourly.ts');
const hourly = await measureHourly(Number(options.copies));
const rateRatio = sluice.eventsPerSecond / bare.eventsPerSecond;
const cpuRatio = sluice.cpuUsPerEvent / bare.cpuUsPerEvent;
if (options.json)
  console.log(JSON.stringify({ bare, sluice, rateRatio, cpuRatio, pieces: alone, hourly }));
else {
  const line = (name: string, of: Measured): string =>
    `${name.padEnd(34)} ${of.eventsPerSecond.toFixed(0).padStart(8)}/s  ${of.cpuUsPerEvent.toFixed(1).padStart(6)} us CPU an event  p50 ${of.p50Ms.toFixed(2)} ms  p99 ${of.p99Ms.toFixed(2)} ms`;
  console.log(
    `5 KB events, ${connections} connections, ${seconds} s each, ${cpus().length} cores for client and server together`,
  );
  console.log(line('bare uWebSockets.js, body drained', bare));
  console.log(line('Sluice, acknowledged after fdatasync', sluice));
  console.log(
    `ratio: ${rateRatio.toFixed(2)} of the bare server's events/s, ${cpuRatio.toFixed(2)} times its CPU an event`,
  );
  console.log(
    `commits: ${sluice.parts['commits']}, ${((sluice.parts['records'] ?? 0) / (sluice.parts['commits'] ?? 1)).toFixed(1)} events each`,
  );
  console.log('where the time of one event goes, each piece alone in a loop:');
  for (const [name, us] of Object.entries(alone))
    console.log(`  ${name.padEnd(52)} ${us.toFixed(2).padStart(6)} us`);
  const rate = (perSecond: number): string => `${perSecond.toFixed(0).padStart(8)}/s`;
  console.log(
    `the hourly topology from the log to Parquet, ${hourly.events} events, ${hourly.windows} windows`,
  );
  console.log(
    `  records read and decoded ${rate(hourly.readPerSecond)}, and their data parsed ${rate(hourly.parsedPerSecond)}`,
  );
  console.log(
    `  topology ${rate(hourly.topologyPerSecond)}, ${hourly.cpuUsPerEvent.toFixed(1)} us CPU an event`,
  );
  console.log(
    `  ratio: ${(hourly.topologyPerSecond / hourly.parsedPerSecond).toFixed(2)} of reading and parsing alone`,
  );
}
