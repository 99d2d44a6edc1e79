/**
 * What the ingress benchmark found, as ratios and as text. Pure.
 */
import { cpus } from 'node:os';
import type { Quantiles } from './ingress-client.ts';
import type { MemoryRun, OpenLoop, SeedTried, Settings, Throughput } from './ingress-measure.ts';

type Rounds = Readonly<Record<string, readonly Throughput[]>>;

export interface Measured {
  readonly compared: Rounds;
  readonly small: Rounds;
  /** The stack of the origin with so many workers; the best of them is in `compared`. */
  readonly seedTried: readonly SeedTried[];
  readonly steady: OpenLoop;
  readonly ordered: OpenLoop;
  readonly webSockets: Throughput;
  readonly memory: MemoryRun | undefined;
}

export interface Ratios {
  /** CPU an event of the full path over the naive server's, one a round. */
  readonly cpuOverNaive: readonly number[];
  readonly cpuOverNaiveSmall: readonly number[];
  /** The same over another build's; none without one. */
  readonly cpuOverBeside: readonly number[];
  readonly cpuOverBesideSmall: readonly number[];
  /**
   * Events a second over those of the stack of the origin, and its CPU over ours, one a round; none
   * without it.
   */
  readonly rateOverSeed: readonly number[];
  readonly cpuSeedOver: readonly number[];
  /** Milliseconds that the 99th percentile at the steady rate is beyond the bus. */
  readonly p99BeyondBusMs: number;
}

export interface IngressReport extends Measured {
  readonly settings: Settings;
  readonly busMs: number;
  readonly ratios: Ratios;
}

const busMs = 20;

export function ratiosOf({ compared, small, steady }: Measured): Ratios {
  const seed = compared['seed'] ?? [];
  const full = compared['full'] ?? [];
  return {
    cpuOverNaive: cpuOver(compared, 'naive'),
    cpuOverNaiveSmall: cpuOver(small, 'naive'),
    cpuOverBeside: cpuOver(compared, 'beside'),
    cpuOverBesideSmall: cpuOver(small, 'beside'),
    rateOverSeed: seed.map(
      (of, round) => (full[round]?.eventsPerSecond ?? Number.NaN) / of.eventsPerSecond,
    ),
    cpuSeedOver: seed.map(
      (of, round) => of.cpuUsPerEvent / (full[round]?.cpuUsPerEvent ?? Number.NaN),
    ),
    p99BeyondBusMs: steady.latency.p99 - busMs,
  };
}

/** CPU an event of the full path over another's, one a round. */
function cpuOver(rounds: Rounds, name: string): readonly number[] {
  return (rounds[name] ?? []).map(
    (of, round) => (rounds['full']?.[round]?.cpuUsPerEvent ?? Number.NaN) / of.cpuUsPerEvent,
  );
}

const middle = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
const fixed = (value: number, digits: number, width: number): string =>
  value.toFixed(digits).padStart(width);
const spread = (values: readonly number[]): string =>
  values.length < 2
    ? ''
    : ` (${Math.min(...values).toFixed(2)} to ${Math.max(...values).toFixed(2)} in ${values.length} rounds)`;
const latencyText = ({ p50, p99, p999, max }: Quantiles): string =>
  `p50 ${p50.toFixed(1)} ms  p99 ${p99.toFixed(1)} ms  p99.9 ${p999.toFixed(1)} ms  max ${max.toFixed(0)} ms`;
const sound = (of: { readonly isComplete: boolean; readonly failed: number }): string =>
  `${of.failed === 0 ? '' : `  ${of.failed} FAILED`}${of.isComplete ? '' : '  NOT ALL IN THE STREAM'}`;

/** The round whose CPU an event is in the middle; what went wrong is said of all. */
function throughputText(name: string, rounds: readonly Throughput[] = []): readonly string[] {
  const cpu = middle(rounds.map((of) => of.cpuUsPerEvent));
  const of = rounds.find(({ cpuUsPerEvent }) => cpuUsPerEvent === cpu);
  if (of === undefined) return [];
  const fill = of.batchFill === 0 ? '' : `  ${of.batchFill.toFixed(0)} records a call`;
  const rate = `${fixed(of.eventsPerSecond, 0, 8)}/s  ${fixed(of.cpuUsPerEvent, 1, 6)} us CPU an event`;
  const wrong = new Set(rounds.map(sound).filter((text) => text !== ''));
  return [`  ${name.padEnd(30)}${rate}  ${latencyText(of.latency)}${fill}${[...wrong].join('')}`];
}

function openText(name: string, of: OpenLoop): readonly string[] {
  return [
    `${name}: ${latencyText(of.latency)}${sound(of)}`,
    `  answered ${of.answeredPerSecond.toFixed(0)}/s, ${of.cpuUsPerEvent.toFixed(1)} us CPU an event, ${of.batchFill.toFixed(1)} events a call; the client was late by p99 ${of.lag.p99.toFixed(1)} ms`,
  ];
}

function memoryText({
  minutes,
  rate,
  rssMib,
  heapUsedMib,
  rssMibPerMinute,
  heapMibPerMinute,
  ...rest
}: MemoryRun): readonly string[] {
  const at = (values: readonly number[], share: number): string =>
    (values[Math.floor((values.length - 1) * share)] ?? 0).toFixed(0);
  return [
    `memory over ${minutes} minutes at ${rate}/s: rss ${at(rssMib, 0.1)} MiB after a tenth, ${at(rssMib, 0.5)} at half, ${at(rssMib, 1)} at the end; heap ${at(heapUsedMib, 1)} MiB${sound(rest)}`,
    `  slope of the second half: rss ${rssMibPerMinute.toFixed(2)} MiB a minute, heap (lowest of each 10 s) ${heapMibPerMinute.toFixed(2)} MiB a minute`,
  ];
}

export function textOf(report: IngressReport): string {
  const { settings, ratios, compared, small, seedTried, steady, ordered, webSockets, memory } =
    report;
  const lines = [
    `ratio: ${middle(ratios.cpuOverNaive).toFixed(2)} of the naive server's CPU an event of 5 KB, the whole path${spread(ratios.cpuOverNaive)}; at most 1.0`,
    `ratio: ${middle(ratios.cpuOverNaiveSmall).toFixed(2)} of the naive server's CPU an event of 200 B${spread(ratios.cpuOverNaiveSmall)}`,
    ...(ratios.cpuOverBeside.length === 0
      ? []
      : [
          `ratio: ${middle(ratios.cpuOverBeside).toFixed(2)} of the other build's CPU an event of 5 KB${spread(ratios.cpuOverBeside)}, ${middle(ratios.cpuOverBesideSmall).toFixed(2)} of 200 B${spread(ratios.cpuOverBesideSmall)}`,
        ]),
    ...(ratios.rateOverSeed.length === 0
      ? []
      : [
          `ratio: ${middle(ratios.rateOverSeed).toFixed(1)} times the events/s of FastAPI and boto3${spread(ratios.rateOverSeed)}, which takes ${middle(ratios.cpuSeedOver).toFixed(1)} times the CPU an event; at least 8`,
        ]),
    `p99 at ${steady.rate}/s of 5 KB, open loop: ${ratios.p99BeyondBusMs.toFixed(1)} ms beyond a bus of ${report.busMs} ms; at most 15`,
    '',
    `closed loop, 5 KB, ${settings.connections} connections, the middle of ${settings.rounds} rounds of ${settings.seconds / 2} s, ${cpus().length} cores for client, server and stub together`,
    ...throughputText('bare drain', compared['bare']),
    ...throughputText('naive: drain and SDK', compared['naive']),
    ...throughputText('Sluice, the whole path', compared['full']),
    ...throughputText('Sluice, the other build', compared['beside']),
    ...throughputText('FastAPI, boto3', compared['seed']),
    ...seedTried.flatMap((of) => throughputText(`  tried: ${of.workers} workers`, [of])),
    ...throughputText('Sluice over WebSockets', [webSockets]),
    'closed loop, 200 B',
    ...throughputText('naive: drain and SDK', small['naive']),
    ...throughputText('Sluice, the whole path', small['full']),
    ...throughputText('Sluice, the other build', small['beside']),
    '',
    ...openText(`open loop, ${steady.rate}/s of 5 KB, bus ${report.busMs} ms`, steady),
    ...openText(
      `open loop, one key in order, ${ordered.rate}/s of 5 KB, bus ${report.busMs} ms`,
      ordered,
    ),
    ...(memory === undefined ? [] : memoryText(memory)),
    '',
    'not shown: a network, TLS, a real Kinesis and its throttling, Kafka, spools, more than one stream, a client on another machine;',
    'client and stub share the cores, so that events/s are a floor and CPU an event is the figure to compare',
  ];
  return lines.join('\n');
}
