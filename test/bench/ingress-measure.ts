/**
 * The measurements of the ingress benchmark, as data: what each runs, and what it found. Nothing is
 * printed here.
 *
 * Invariant: of every run, the events that were answered with 200 are compared with the records
 * that the stub took (`isComplete`).
 */
import type { LoadOrder, LoadResult, Quantiles } from './ingress-client.ts';
import { streams } from './ingress-names.ts';
import type { Load, Server, Stub } from './ingress-processes.ts';
import { startServer, startStub } from './ingress-processes.ts';
import { startSeed } from './seed-server.ts';

/** `beside`: the ingress of another build. */
export type ServerKind = 'bare' | 'naive' | 'full' | 'beside' | 'seed';

export interface Peers {
  readonly seedWorkers: number;
  /** The folder of the other build. */
  readonly beside: string;
}

export interface Settings {
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly rounds: number;
  readonly connections: number;
}

export interface Throughput {
  readonly eventsPerSecond: number;
  /** Of the server's process, all its threads. */
  readonly cpuUsPerEvent: number;
  readonly latency: Quantiles;
  /** Records a PutRecords. */
  readonly batchFill: number;
  readonly events: number;
  readonly failed: number;
  /** The stub took as many records as events were answered with 200. */
  readonly isComplete: boolean;
}

export interface OpenLoop {
  readonly rate: number;
  readonly answeredPerSecond: number;
  /** From the intended start of a request to its answer. */
  readonly latency: Quantiles;
  /** How late the client itself was. */
  readonly lag: Quantiles;
  readonly cpuUsPerEvent: number;
  readonly batchFill: number;
  readonly failed: number;
  readonly isComplete: boolean;
}

export interface MemoryRun {
  readonly minutes: number;
  readonly rate: number;
  /** One a second. */
  readonly rssMib: readonly number[];
  readonly heapUsedMib: readonly number[];
  /** Least squares over the second half. */
  readonly rssMibPerMinute: number;
  /** Of the lowest value in each ten seconds, over the second half. */
  readonly heapMibPerMinute: number;
  readonly failed: number;
  readonly isComplete: boolean;
}

const path = '/v1/bench/events';
const smallPause = 300;

interface Subject {
  readonly server: Server;
  readonly stub: Stub;
  readonly stream: string;
}

interface Slice {
  readonly result: LoadResult;
  readonly cpuUs: number;
  readonly calls: number;
  readonly records: number;
}

/** One load on one server, with what it cost and what arrived. */
async function slice(
  load: Load,
  { server, stub, stream }: Subject,
  order: Omit<LoadOrder, 'port'>,
): Promise<Slice> {
  const countsBefore = (await stub.counts())[stream] ?? { calls: 0, records: 0 };
  const before = await server.usage();
  const result = await load.run({ ...order, port: server.port });
  const after = await server.usage();
  // Nothing is answered before it is in the stream, so that all is counted by now.
  const counts = (await stub.counts())[stream] ?? { calls: 0, records: 0 };
  return {
    result,
    cpuUs: after.cpuUs - before.cpuUs,
    calls: counts.calls - countsBefore.calls,
    records: counts.records - countsBefore.records,
  };
}

function failuresOf({ failed }: LoadResult): number {
  return Object.values(failed).reduce((sum, count) => sum + count, 0);
}

function throughputOf(
  { result, cpuUs, calls, records }: Slice,
  seconds: number,
  counted = true,
): Throughput {
  return {
    eventsPerSecond: result.okInTime / seconds,
    cpuUsPerEvent: cpuUs / result.ok,
    latency: result.latency,
    batchFill: calls === 0 ? 0 : records / calls,
    events: result.ok,
    failed: failuresOf(result),
    isComplete: !counted || records === result.ok,
  };
}

export interface Compared {
  /** By server, one a round; the rounds alternate. */
  readonly rounds: Readonly<Record<string, readonly Throughput[]>>;
}

/**
 * Servers beside each other under the same load, in turns, so that what else the machine does falls
 * on all.
 */
export async function compareServers(
  load: Load,
  kinds: readonly ServerKind[],
  eventBytes: number,
  settings: Settings,
  peers: Peers,
): Promise<Compared> {
  const stub = await startStub([]);
  const start = (kind: ServerKind): Promise<Server> => {
    if (kind === 'seed') return startSeed(stub.port, streams.seed, peers.seedWorkers);
    return kind === 'beside'
      ? startServer('full', stub.port, peers.beside)
      : startServer(kind, stub.port);
  };
  const servers = new Map<ServerKind, Server>();
  for (const kind of kinds) servers.set(kind, await start(kind));
  const rounds: Record<string, Throughput[]> = {};
  try {
    for (let round = -1; round < settings.rounds; round++) {
      for (const kind of kinds) {
        const server = servers.get(kind) as Server;
        const stream = kind === 'naive' || kind === 'seed' ? streams[kind] : streams.full;
        const seconds = round < 0 ? settings.warmUpSeconds : settings.seconds;
        const order = { path, eventBytes, seconds, connections: settings.connections };
        // A server that was idle meanwhile has given memory and code back, and pays for them again.
        if (round >= 0)
          await load.run({ ...order, seconds: settings.warmUpSeconds / 4, port: server.port });
        const measured = await slice(load, { server, stub, stream }, order);
        if (round >= 0)
          (rounds[kind] ??= []).push(throughputOf(measured, seconds, kind !== 'bare'));
      }
    }
  } finally {
    for (const server of servers.values()) await server.stop();
    await stub.stop();
  }
  return { rounds };
}

export interface SeedTried extends Throughput {
  readonly workers: number;
}

/**
 * The stack of the origin with so many workers each: how many serve it best is tried, not guessed.
 * Throws when it wrote an error.
 */
export async function trySeed(
  load: Load,
  workerCounts: readonly number[],
  settings: Settings,
): Promise<readonly SeedTried[]> {
  const stub = await startStub([]);
  const tried: SeedTried[] = [];
  try {
    for (const workers of workerCounts) {
      const server = await startSeed(stub.port, streams.seed, workers);
      try {
        const subject = { server, stub, stream: streams.seed };
        const order = { path, eventBytes: 5_000, connections: settings.connections };
        await slice(load, subject, { ...order, seconds: settings.warmUpSeconds / 2 });
        tried.push({
          workers,
          ...throughputOf(
            await slice(load, subject, { ...order, seconds: settings.seconds }),
            settings.seconds,
          ),
        });
        if (server.errors !== '')
          throw new Error(
            `the server of the origin wrote errors, so that its figures say nothing: ${server.errors}`,
          );
      } finally {
        await server.stop();
      }
    }
  } finally {
    await stub.stop();
  }
  return tried;
}

/** The ingress under a load that does not wait for it. */
export async function measureOpenLoop(
  load: Load,
  options: {
    readonly rate: number;
    readonly busMs: number;
    readonly seconds: number;
    readonly warmUpSeconds: number;
    readonly ordered?: boolean;
  },
): Promise<OpenLoop> {
  const { rate, busMs, seconds, warmUpSeconds, ordered = false } = options;
  const stub = await startStub(['--delay', String(busMs), ...(ordered ? ['--parse'] : [])]);
  const server = await startServer('full', stub.port);
  try {
    const subject = { server, stub, stream: ordered ? streams.ordered : streams.full };
    const order = {
      path: ordered ? '/v1/bench/ordered' : path,
      eventBytes: 5_000,
      connections: 256,
      rate,
      ...(ordered ? { partitionKey: 'the-one-key' } : {}),
    };
    await slice(load, subject, { ...order, seconds: warmUpSeconds });
    await new Promise((resolve) => setTimeout(resolve, smallPause));
    const measured = await slice(load, subject, { ...order, seconds });
    const { result, cpuUs, calls, records } = measured;
    return {
      rate,
      answeredPerSecond: result.ok / seconds,
      latency: result.latency,
      lag: result.lag,
      cpuUsPerEvent: cpuUs / result.ok,
      batchFill: calls === 0 ? 0 : records / calls,
      failed: failuresOf(result),
      isComplete: records === result.ok,
    };
  } finally {
    await server.stop();
    await stub.stop();
  }
}

export async function measureWebSockets(load: Load, settings: Settings): Promise<Throughput> {
  const stub = await startStub([]);
  const server = await startServer('full', stub.port);
  try {
    const subject = { server, stub, stream: streams.full };
    const order = {
      path,
      eventBytes: 5_000,
      connections: 32,
      webSocketWindow: Math.ceil(settings.connections / 32),
    };
    await slice(load, subject, { ...order, seconds: settings.warmUpSeconds });
    return throughputOf(
      await slice(load, subject, { ...order, seconds: settings.seconds }),
      settings.seconds,
    );
  } finally {
    await server.stop();
    await stub.stop();
  }
}

const mebibyte = 1_048_576;

export async function measureMemory(load: Load, minutes: number, rate: number): Promise<MemoryRun> {
  const stub = await startStub(['--delay', '20']);
  const server = await startServer('full', stub.port);
  const rssMib: number[] = [];
  const heapUsedMib: number[] = [];
  try {
    const sampling = setInterval(() => {
      void server.usage().then(({ rssBytes, heapUsedBytes }) => {
        rssMib.push(rssBytes / mebibyte);
        heapUsedMib.push(heapUsedBytes / mebibyte);
      });
    }, 1_000);
    const result = await load.run({
      port: server.port,
      path,
      eventBytes: 5_000,
      connections: 256,
      rate,
      seconds: minutes * 60,
    });
    clearInterval(sampling);
    await new Promise((resolve) => setTimeout(resolve, smallPause));
    const records = (await stub.counts())[streams.full]?.records ?? 0;
    const floors = Array.from({ length: Math.floor(heapUsedMib.length / 10) }, (_, n) =>
      Math.min(...heapUsedMib.slice(n * 10, n * 10 + 10)),
    );
    return {
      minutes,
      rate,
      rssMib,
      heapUsedMib,
      rssMibPerMinute: slopeOf(rssMib.slice(rssMib.length / 2)) * 60,
      heapMibPerMinute: slopeOf(floors.slice(floors.length / 2)) * 6,
      failed: failuresOf(result),
      isComplete: records === result.ok,
    };
  } finally {
    await server.stop();
    await stub.stop();
  }
}

/** Least squares, a step. */
function slopeOf(values: readonly number[]): number {
  const n = values.length;
  if (n < 2) return 0;
  const meanX = (n - 1) / 2;
  const meanY = values.reduce((sum, value) => sum + value, 0) / n;
  let up = 0;
  let down = 0;
  for (const [x, y] of values.entries()) {
    up += (x - meanX) * (y - meanY);
    down += (x - meanX) ** 2;
  }
  return up / down;
}
