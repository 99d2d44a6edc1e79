/**
 * The soak: load for many minutes, a fault in each, measurements all the while; then everything is
 * drained, and what lies at the ends is compared with what was acknowledged.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import type { Cloud } from '../../servers/cloud.ts';
import { inspectable } from '../../tools/collected-memory.ts';
import type { LoadProgress, Sent } from '../clients.ts';
import { together } from '../clients.ts';
import type { Checks } from '../run-scenarios.ts';
import { largeBodyOf, smallBodyOf } from '../streams/events.ts';
import type { Rig } from '../streams/rig.ts';
import { onCloud } from '../streams/rig.ts';
import { restartsOf } from '../streams/scenarios/judged.ts';
import type { StreamsTally } from '../streams/verdict.ts';
import { conserved, streamsTally } from '../streams/verdict.ts';
import { minuteMs, planFaults } from './faults.ts';
import type { Flatness, Measured } from './flatness.ts';
import { flatnessOf } from './flatness.ts';
import type { Gauge } from './gauges.ts';
import { GaugeReader, gauges } from './gauges.ts';

export interface SoakOptions {
  readonly minutes: number;
  readonly seed: number;
  /** Of all events, a quarter of which are small and go by Kinesis. */
  readonly eventsPerSecond: number;
  /** Hears how it goes, a line at a time. */
  readonly tell: (line: string) => void;
}

export interface MeasuredGauge extends Gauge {
  /** Undefined where it could not be measured in both thirds. */
  readonly flatness: Flatness | undefined;
}

export interface SoakResult {
  readonly tally: StreamsTally;
  readonly eventsPerSecond: { readonly all: number; readonly kinesis: number };
  readonly faults: readonly {
    readonly name: string;
    readonly atMs: number;
    readonly tookMs: number;
  }[];
  /**
   * Starts of the topology after a fault that it could not go on with, beside those of its process.
   */
  readonly restarts: number;
  readonly gauges: readonly MeasuredGauge[];
  readonly checks: Checks;
}

interface Ran {
  readonly sent: Sent;
  readonly kinesisEvents: number;
  readonly tookMs: number;
  readonly faults: SoakResult['faults'];
  readonly restarts: number;
  readonly measured: readonly Measured[][];
}

/**
 * A shorter soak is no measure of what grows: what fills for five minutes (state, remembered
 * identities, files) is still filling.
 */
export const judgedFromMinutes = 15;
const measureEveryMs = 10_000;
const kinesisPart = 4;
/**
 * The emulator of Kinesis takes some milliseconds for a record, and more the more it has: small
 * events come together and share records.
 */
const kinesisBatch = 10;
/** Of what was asked for: less is the load of a machine that is too slow for it. */
const rateMin = 0.95;

export async function soak(cloud: Cloud, options: SoakOptions): Promise<SoakResult> {
  const { minutes, seed } = options;
  const { value, landed } = await onCloud(
    cloud,
    {
      name: `soak-${seed}`,
      env: inspectable,
      stream: 'when_down: spool, aggregate: kpl',
      routing: 'large_message_threshold_kb: 1',
      // All else is as users have it; files are published often enough to be many in a third of the
      // time.
      enrich: 'parquet_file_age_ms: 60000',
    },
    (rig) => running(rig, options),
  );
  const { sent, kinesisEvents, tookMs, faults, restarts, measured } = value;
  const tally = streamsTally(sent, landed);
  const rateOf = (events: number): number => Math.round((events * 10_000) / tookMs) / 10;
  const eventsPerSecond = { all: rateOf(sent.sent), kinesis: rateOf(kinesisEvents) };
  const found = gauges.map((gauge, index): MeasuredGauge => {
    const flatness = flatnessOf(measured[index] ?? [], minutes * minuteMs, gauge.slack);
    return { ...gauge, flatness };
  });
  const isLong = minutes >= judgedFromMinutes;
  const checks: Checks = [
    ...conserved(tally),
    [
      `one fault a minute happened, and healed (${faults.length})`,
      faults.length === Math.ceil(minutes),
    ],
    ...(isLong ? [rateCheck(options, eventsPerSecond), ...flatnessChecks(found)] : []),
  ];
  return { tally, eventsPerSecond, faults, restarts, gauges: found, checks };
}

function rateCheck(
  { eventsPerSecond: wanted }: SoakOptions,
  { all, kinesis }: SoakResult['eventsPerSecond'],
): Checks[number] {
  const isFast = all >= wanted * rateMin && kinesis >= (wanted / kinesisPart) * rateMin;
  return [
    `${wanted} events a second were sent, ${wanted / kinesisPart} of them by Kinesis (${all}, ${kinesis})`,
    isFast,
  ];
}

const flatnessChecks = (found: readonly MeasuredGauge[]): Checks =>
  found
    .filter(({ isJudged }) => isJudged)
    .map((gauge) => [gaugeLine(gauge), gauge.flatness?.isFlat === true]);

/** What was measured, in words. */
export function gaugeLine({ name, unit, flatness }: MeasuredGauge): string {
  if (flatness === undefined) return `${name}: not measured in both thirds`;
  const { second, last, change } = flatness;
  const shown = (value: number): string => value.toFixed(unit === 'MB' ? 1 : 0);
  return `${name}: ${shown(second)}, then ${shown(last)} ${unit} (${change < 0 ? '' : '+'}${(change * 100).toFixed(1)} %)`;
}

async function running(rig: Rig, options: SoakOptions): Promise<Ran> {
  const { minutes, seed, eventsPerSecond, tell } = options;
  const forMs = minutes * minuteMs;
  const startedMs = performance.now();
  const sinceMs = (): number => performance.now() - startedMs;
  const progress: LoadProgress = { sent: 0, acknowledged: 0 };
  const say = (line: string): void => tell(`${clockText(sinceMs())}  ${line}`);
  let isOver = false;
  const loads = [
    rig.load(forMs, {
      progress,
      eventsPerSecond: eventsPerSecond / kinesisPart,
      batch: kinesisBatch,
      bodyOf: smallBodyOf,
      numberOf: (k) => k * kinesisPart,
    }),
    rig.load(forMs, {
      progress,
      eventsPerSecond: eventsPerSecond - eventsPerSecond / kinesisPart,
      clients: 64,
      bodyOf: largeBodyOf,
      numberOf: (k) => k + Math.floor(k / (kinesisPart - 1)) + 1,
    }),
  ] as const;
  const loaded = Promise.all(loads).finally(() => {
    isOver = true;
  });
  const [[small, large], { faults, restarts }, measured] = await Promise.all([
    loaded,
    faultsIn(rig, minutes, seed, startedMs, say),
    measuring(rig, () => isOver, sinceMs, progress, say),
  ]);
  return {
    sent: together(small, large),
    kinesisEvents: small.sent,
    tookMs: sinceMs(),
    faults,
    restarts,
    measured,
  };
}

async function faultsIn(
  rig: Rig,
  minutes: number,
  seed: number,
  startedMs: number,
  say: (line: string) => void,
): Promise<Pick<Ran, 'faults' | 'restarts'>> {
  const random = seededRandom(seed);
  const faults: Ran['faults'][number][] = [];
  let restarts = 0;
  for (const { atMs, fault } of planFaults(minutes, random)) {
    await wait(Math.max(0, startedMs + atMs - performance.now()));
    const { name, what } = fault;
    const before = await restartsOf(rig);
    const beganMs = performance.now();
    say(`${name}: ${what}`);
    await fault.happen(rig, random);
    const tookMs = performance.now() - beganMs;
    say(`${name}: healed after ${(tookMs / 1_000).toFixed(1)} s`);
    faults.push({ name, atMs: Math.round(beganMs - startedMs), tookMs: Math.round(tookMs) });
    restarts += Math.max(0, (await restartsOf(rig)) - before);
  }
  return { faults, restarts };
}

/** By gauge. */
async function measuring(
  rig: Rig,
  isOver: () => boolean,
  sinceMs: () => number,
  progress: LoadProgress,
  say: (line: string) => void,
): Promise<Measured[][]> {
  const reader = new GaugeReader(rig);
  const measured: Measured[][] = gauges.map(() => []);
  while (!isOver()) {
    await wait(measureEveryMs - (sinceMs() % measureEveryMs));
    if (isOver()) break;
    const atMs = sinceMs();
    const values = await reader.read();
    for (const [index, value] of values.entries()) {
      if (value !== undefined) measured[index]?.push({ atMs, value });
    }
    const shown = values.map((value) => (value === undefined ? '-' : Math.round(value)));
    const [ingest, enrich, ingestFiles, enrichFiles, spools, staging] = shown;
    say(
      `sent ${progress.sent}, acknowledged ${progress.acknowledged}; ingest ${ingest} MB, ${ingestFiles} open files; ` +
        `enrich ${enrich} MB, ${enrichFiles} open files; files in spools ${spools}, in staging ${staging}`,
    );
  }
  return measured;
}

/** `mm:ss`. */
function clockText(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  return `${String(Math.floor(seconds / 60)).padStart(2, '0')}:${String(seconds % 60).padStart(2, '0')}`;
}
