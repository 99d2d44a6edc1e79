/**
 * What a load measures: histograms of high dynamic range
 * (https://hdrhistogram.github.io/HdrHistogram/), counts, and a row a second.
 */
import type { Histogram } from 'hdr-histogram-js';
import { build } from 'hdr-histogram-js';
import type { LoadAnswer } from './connection.ts';

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
}

const perMs = 1_000;
const highestUs = 3_600_000_000;
const plotted = [0, 10, 25, 50, 75, 90, 95, 97.5, 99, 99.5, 99.9, 99.95, 99.99, 100];

export function createMeasures(): Measures {
  return new HistogramMeasures();
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
  /** Latencies, ms, by the second in which they were answered. */
  readonly #bySecond: number[][] = [];

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
    const second = Math.floor(atMs / 1_000);
    while (this.#bySecond.length <= second) this.#bySecond.push([]);
    this.#bySecond[second]?.push(endToEndMs);
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
    return plotted.map((percentile) => [
      percentile,
      histogram.getValueAtPercentile(percentile) / perMs,
    ]);
  }

  seconds(rateAt: (atMs: number) => number): readonly SecondRow[] {
    return this.#bySecond.map((latencies, at) => {
      const sorted = latencies.toSorted((a, b) => a - b);
      const value = (share: number): number =>
        sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
      return {
        at,
        intended: Math.round(rateAt(at * 1_000 + 500)),
        answered: sorted.length,
        p50: value(0.5),
        p99: value(0.99),
      };
    });
  }
}

function newHistogram(): Histogram {
  return build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: highestUs,
    numberOfSignificantValueDigits: 3,
    useWebAssembly: false,
  });
}

function add(to: Record<string, number>, name: string): void {
  if (name !== '') to[name] = (to[name] ?? 0) + 1;
}

function record(to: Histogram, ms: number | undefined): void {
  if (ms !== undefined) to.recordValue(Math.min(highestUs, Math.max(0, Math.round(ms * perMs))));
}

function summaryOf(histogram: Histogram): LatencySummary {
  const at = (percentile: number): number => histogram.getValueAtPercentile(percentile) / perMs;
  return {
    count: histogram.totalCount,
    mean: histogram.totalCount === 0 ? 0 : histogram.mean / perMs,
    p50: at(50),
    p90: at(90),
    p99: at(99),
    p999: at(99.9),
    max: histogram.totalCount === 0 ? 0 : histogram.maxValue / perMs,
  };
}
