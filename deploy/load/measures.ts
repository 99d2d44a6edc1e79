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
  const histogram = (): Histogram =>
    build({
      lowestDiscernibleValue: 1,
      highestTrackableValue: highestUs,
      numberOfSignificantValueDigits: 3,
      useWebAssembly: false,
    });
  const byStage = Object.fromEntries(stages.map((stage) => [stage, histogram()])) as Record<
    Stage,
    Histogram
  >;
  const lags = histogram();
  const bySecond: number[][] = [];
  const [statuses, acks, routes, errors]: Record<string, number>[] = [{}, {}, {}, {}];
  let unknown = 0;
  let count = 0;
  const add = (to: Record<string, number> | undefined, name: string): void => {
    if (to !== undefined && name !== '') to[name] = (to[name] ?? 0) + 1;
  };
  const record = (to: Histogram, ms: number | undefined): void => {
    if (ms !== undefined) to.recordValue(Math.min(highestUs, Math.max(0, Math.round(ms * perMs))));
  };
  return {
    answered(atMs, endToEndMs, serviceMs, answer) {
      count++;
      record(byStage.endToEnd, endToEndMs);
      record(byStage.service, serviceMs);
      record(byStage.network, answer.networkMs);
      record(byStage.processing, answer.processingMs);
      record(byStage.bus, answer.busMs);
      add(statuses, answer.status === 0 ? 'none' : String(answer.status));
      add(acks, answer.ack);
      add(routes, answer.route);
      add(errors, answer.error);
      if (answer.unknown) unknown++;
      const second = Math.floor(atMs / 1_000);
      while (bySecond.length <= second) bySecond.push([]);
      bySecond[second]?.push(endToEndMs);
    },
    lag: (ms) => record(lags, ms),
    get count() {
      return count;
    },
    statuses: statuses ?? {},
    acks: acks ?? {},
    routes: routes ?? {},
    errors: errors ?? {},
    get unknown() {
      return unknown;
    },
    summary: (stage) => summaryOf(byStage[stage]),
    lagSummary: () => summaryOf(lags),
    percentiles: (stage) =>
      plotted.map((percentile) => [
        percentile,
        byStage[stage].getValueAtPercentile(percentile) / perMs,
      ]),
    seconds: (rateAt) =>
      bySecond.map((latencies, at) => {
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
      }),
  };
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
