/**
 * What a load measures: histograms of high dynamic range
 * (https://hdrhistogram.github.io/HdrHistogram/), counts, and a row a second.
 *
 * Invariant: measures of several injectors add up exactly. Percentiles of the sum are those of one
 * histogram of all values, never an average of percentiles.
 */
import type { Histogram } from 'hdr-histogram-js';
import { build, encodeIntoCompressedBase64 } from 'hdr-histogram-js';
import type { LoadAnswer } from './connection.ts';
import { highestUs, histogramDigits, readHistogram } from './read-histogram.ts';

/** ms */
export interface LatencySummary {
  readonly count: number;
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export interface SecondRow {
  /** Seconds from the start. */
  readonly at: number;
  readonly intended: number;
  readonly answered: number;
  readonly p50: number;
  readonly p99: number;
}

/** A point of the plot by percentile. */
export type PercentilePoint = readonly [percentile: number, ms: number];

export const stages = ['endToEnd', 'service', 'network', 'processing', 'bus'] as const;
export type Stage = (typeof stages)[number];

/**
 * The histograms of a load, in microseconds, each as HdrHistogram's V2 encoding, compressed, in
 * base64: what other tools of HdrHistogram read as well.
 */
export interface EncodedHistograms {
  readonly byStage: Readonly<Record<Stage, string>>;
  readonly lag: string;
  /** `endToEnd`, by the second in which events were answered. */
  readonly bySecond: readonly string[];
}

/** What one injector measured, as its report has it. */
export interface Measured {
  readonly answered: number;
  readonly unknown: number;
  readonly statuses: Readonly<Record<string, number>>;
  readonly acks: Readonly<Record<string, number>>;
  readonly routes: Readonly<Record<string, number>>;
  readonly errors: Readonly<Record<string, number>>;
  readonly histograms: EncodedHistograms;
}

export interface Measures {
  answered(atMs: number, endToEndMs: number, serviceMs: number, answer: LoadAnswer): void;
  lag(ms: number): void;
  readonly count: number;
  readonly statuses: Readonly<Record<string, number>>;
  readonly acks: Readonly<Record<string, number>>;
  readonly routes: Readonly<Record<string, number>>;
  readonly errors: Readonly<Record<string, number>>;
  readonly unknown: number;
  summary(stage: Stage): LatencySummary;
  lagSummary(): LatencySummary;
  percentiles(stage: Stage): readonly PercentilePoint[];
  seconds(rateAt: (atMs: number) => number): readonly SecondRow[];
  encoded(): EncodedHistograms;
}

const perMs = 1_000;
const plotted = [0, 10, 25, 50, 75, 90, 95, 97.5, 99, 99.5, 99.9, 99.95, 99.99, 100];

export function createMeasures(): Measures {
  return new HistogramMeasures();
}

/** The sum. Throws `Error` where a histogram cannot be decoded. */
export function addMeasures(parts: readonly Measured[]): Measures {
  const sum = new HistogramMeasures();
  for (const part of parts) sum.add(part);
  return sum;
}

class HistogramMeasures implements Measures {
  count = 0;
  unknown = 0;
  readonly statuses: Record<string, number> = {};
  readonly acks: Record<string, number> = {};
  readonly routes: Record<string, number> = {};
  readonly errors: Record<string, number> = {};
  readonly #byStage = Object.fromEntries(stages.map((stage) => [stage, newHistogram()])) as Record<
    Stage,
    Histogram
  >;
  readonly #lags = newHistogram();
  /** `endToEnd`, by the second in which events were answered. */
  readonly #bySecond: Histogram[] = [];

  answered(atMs: number, endToEndMs: number, serviceMs: number, answer: LoadAnswer): void {
    this.count++;
    record(this.#byStage.endToEnd, endToEndMs);
    record(this.#byStage.service, serviceMs);
    record(this.#byStage.network, answer.networkMs);
    record(this.#byStage.processing, answer.processingMs);
    record(this.#byStage.bus, answer.busMs);
    add(this.statuses, answer.status === 0 ? 'none' : String(answer.status));
    add(this.acks, answer.ack);
    add(this.routes, answer.route);
    add(this.errors, answer.error);
    if (answer.unknown) this.unknown++;
    record(this.#second(Math.floor(atMs / 1_000)), endToEndMs);
  }

  add({ answered, unknown, statuses, acks, routes, errors, histograms }: Measured): void {
    this.count += answered;
    this.unknown += unknown;
    addAll(this.statuses, statuses);
    addAll(this.acks, acks);
    addAll(this.routes, routes);
    addAll(this.errors, errors);
    for (const stage of stages) this.#byStage[stage].add(readHistogram(histograms.byStage[stage]));
    this.#lags.add(readHistogram(histograms.lag));
    for (const [second, text] of histograms.bySecond.entries())
      this.#second(second).add(readHistogram(text));
  }

  encoded(): EncodedHistograms {
    const text = (histogram: Histogram): string => encodeIntoCompressedBase64(histogram);
    return {
      byStage: Object.fromEntries(
        stages.map((stage) => [stage, text(this.#byStage[stage])]),
      ) as Record<Stage, string>,
      lag: text(this.#lags),
      bySecond: this.#bySecond.map(text),
    };
  }

  lag(ms: number): void {
    record(this.#lags, ms);
  }

  summary(stage: Stage): LatencySummary {
    return summaryOf(this.#byStage[stage]);
  }

  lagSummary(): LatencySummary {
    return summaryOf(this.#lags);
  }

  percentiles(stage: Stage): readonly PercentilePoint[] {
    const histogram = this.#byStage[stage];
    return plotted.map((percentile) => [percentile, valueAt(histogram, percentile)]);
  }

  seconds(rateAt: (atMs: number) => number): readonly SecondRow[] {
    return this.#bySecond.map((latencies, at) => ({
      at,
      intended: Math.round(rateAt(at * 1_000 + 500)),
      answered: latencies.totalCount,
      p50: valueAt(latencies, 50),
      p99: valueAt(latencies, 99),
    }));
  }

  #second(at: number): Histogram {
    while (this.#bySecond.length <= at) this.#bySecond.push(smallHistogram());
    return this.#bySecond[at] as Histogram;
  }
}

const precision = {
  numberOfSignificantValueDigits: histogramDigits,
  useWebAssembly: false,
} as const;

function newHistogram(): Histogram {
  return build({ ...precision, lowestDiscernibleValue: 1, highestTrackableValue: highestUs });
}

/** One a second: it grows with its values. */
function smallHistogram(): Histogram {
  return build({ ...precision, autoResize: true });
}

function addAll(to: Record<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(counts))
    to[name] = (Object.hasOwn(to, name) ? (to[name] ?? 0) : 0) + count;
}

function add(to: Record<string, number>, name: string): void {
  if (name !== '') to[name] = (to[name] ?? 0) + 1;
}

function record(to: Histogram, ms: number | undefined): void {
  if (ms !== undefined) to.recordValue(Math.min(highestUs, Math.max(0, Math.round(ms * perMs))));
}

/** ms: the highest value that the histogram does not tell from the one at this percentile. */
function valueAt(histogram: Histogram, percentile: number): number {
  return histogram.totalCount === 0 ? 0 : histogram.getValueAtPercentile(percentile) / perMs;
}

function summaryOf(histogram: Histogram): LatencySummary {
  return {
    count: histogram.totalCount,
    mean: histogram.totalCount === 0 ? 0 : histogram.mean / perMs,
    p50: valueAt(histogram, 50),
    p90: valueAt(histogram, 90),
    p99: valueAt(histogram, 99),
    p999: valueAt(histogram, 99.9),
    max: valueAt(histogram, 100),
  };
}
