/**
 * What a load came to: as data, and as text for a person.
 */
import type { InjectorCounts } from './injector.ts';
import type { LatencySummary, Measures, PercentilePoint, SecondRow, Stage } from './measures.ts';
import { stages } from './measures.ts';
import type { Schedule } from './schedule.ts';

export interface LoadPlan {
  readonly target: string;
  readonly stream: string;
  readonly protocol: 'http' | 'ws';
  readonly rate: number;
  readonly rampFrom: number | undefined;
  readonly durationSeconds: number;
  readonly sizeBytes: number;
  readonly connections: number;
}

export interface LoadReport {
  readonly plan: LoadPlan;
  readonly intended: number;
  readonly sent: number;
  readonly notSent: number;
  readonly answered: number;
  /** Answered with 2xx. */
  readonly accepted: number;
  readonly unanswered: number;
  readonly unknown: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly eventsPerSecond: number;
  readonly statuses: Readonly<Record<string, number>>;
  readonly acks: Readonly<Record<string, number>>;
  readonly routes: Readonly<Record<string, number>>;
  readonly errors: Readonly<Record<string, number>>;
  /**
   * ms. `endToEnd` counts from when a request was due, `service` from when it was sent: the gap is
   * what coordinated omission would hide.
   */
  readonly latency: Readonly<Record<Stage, LatencySummary>>;
  readonly percentiles: Readonly<Record<Stage, readonly PercentilePoint[]>>;
  readonly bySecond: readonly SecondRow[];
  /** How late the injector itself was. */
  readonly injector: { readonly lag: LatencySummary; readonly keptUp: boolean };
}

/** An injector that hands out requests later than this, at the 99th percentile, measures itself. */
const lagMaxMs = 20;

export function reportOf(
  plan: LoadPlan,
  schedule: Schedule,
  counts: InjectorCounts,
  measures: Measures,
): LoadReport {
  const by = <T>(of: (stage: Stage) => T): Readonly<Record<Stage, T>> =>
    Object.fromEntries(stages.map((stage) => [stage, of(stage)])) as Record<Stage, T>;
  const accepted = Object.entries(measures.statuses).reduce(
    (sum, [status, count]) => sum + (status.startsWith('2') ? count : 0),
    0,
  );
  const lag = measures.lagSummary();
  return {
    plan,
    intended: schedule.count,
    sent: counts.sent,
    notSent: counts.notSent,
    answered: measures.count,
    accepted,
    unanswered: counts.sent - measures.count,
    unknown: measures.unknown,
    bytes: counts.bytes,
    seconds: counts.elapsedMs / 1_000,
    eventsPerSecond: accepted / Math.max(0.001, counts.elapsedMs / 1_000),
    statuses: measures.statuses,
    acks: measures.acks,
    routes: measures.routes,
    errors: measures.errors,
    latency: by((stage) => measures.summary(stage)),
    percentiles: by((stage) => measures.percentiles(stage)),
    // What came after the last whole second of the plan is in the tables, and no row of its own.
    bySecond: measures
      .seconds((atMs) => schedule.rateAt(atMs))
      .slice(0, Math.max(1, Math.floor(plan.durationSeconds))),
    injector: { lag, keptUp: lag.p99 <= lagMaxMs },
  };
}

export const stageTexts: Readonly<Record<Stage, string>> = {
  endToEnd: 'end to end, from when it was due',
  service: 'end to end, from when it was sent',
  network: 'network, as the server saw it',
  processing: 'processing, as the server says',
  bus: 'of it the stream',
};

export function reportLines(report: LoadReport): readonly string[] {
  const { plan, latency, injector } = report;
  const ramp =
    plan.rampFrom === undefined ? '' : `, rising from ${plan.rampFrom}/s over the first half`;
  const list = (counts: Readonly<Record<string, number>>): string =>
    Object.entries(counts)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ') || 'none';
  const ms = (value: number): string => value.toFixed(value < 10 ? 2 : 1).padStart(9);
  const rows = stages
    .filter((stage) => latency[stage].count > 0)
    .map((stage) => {
      const { p50, p90, p99, p999, max, mean } = latency[stage];
      return `  ${stageTexts[stage].padEnd(34)}${[p50, p90, p99, p999, max, mean].map(ms).join('')}`;
    });
  return [
    `${plan.target}/v1/${plan.stream} over ${plan.protocol}: ${plan.rate}/s${ramp}, ${plan.sizeBytes} bytes, ${plan.connections} connections, ${plan.durationSeconds} s`,
    `  intended ${report.intended}, sent ${report.sent}, accepted ${report.accepted} (${report.eventsPerSecond.toFixed(0)}/s), not sent ${report.notSent}, unanswered ${report.unanswered}, outcome unknown ${report.unknown}`,
    `  answers: ${list(report.statuses)}; acks: ${list(report.acks)}; routes: ${list(report.routes)}; errors: ${list(report.errors)}`,
    `  ${'latency in ms'.padEnd(34)}${['p50', 'p90', 'p99', 'p99.9', 'max', 'mean'].map((name) => name.padStart(9)).join('')}`,
    ...rows,
    injector.keptUp
      ? `  the injector kept its schedule: ${injector.lag.p99.toFixed(1)} ms late at p99`
      : `  the injector fell behind: ${injector.lag.p99.toFixed(1)} ms late at p99, ${injector.lag.max.toFixed(0)} ms at worst. These figures are not the server's alone`,
  ];
}
