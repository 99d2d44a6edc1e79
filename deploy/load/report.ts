/**
 * What a load came to: as data, and as text for a person.
 */
import type { InjectorCounts } from './injector.ts';
import type {
  EncodedHistograms,
  LatencySummary,
  Measures,
  PercentilePoint,
  SecondRow,
  Stage,
} from './measures.ts';
import { stages } from './measures.ts';
import type { Schedule } from './schedule.ts';
import { createSchedule } from './schedule.ts';

export interface LoadPlan {
  readonly target: string;
  readonly stream: string;
  readonly protocol: 'http' | 'ws';
  readonly rate: number;
  readonly rampFrom: number | undefined;
  readonly durationSeconds: number;
  readonly sizeBytes: number;
  /** Of each injector. */
  readonly connections: number;
  readonly keys: number;
  /** RFC 3339; undefined where it began when it was called. */
  readonly startAt: string | undefined;
  /** Injectors that share the load. */
  readonly parts: number;
  /** Which of them this is, from 0; undefined where reports were merged. */
  readonly part: number | undefined;
}

/** Of the whole load. */
export function scheduleOf({ rate, durationSeconds, rampFrom }: LoadPlan): Schedule {
  return createSchedule({
    rate,
    durationMs: durationSeconds * 1_000,
    ...(rampFrom === undefined ? {} : { rampFrom }),
  });
}

/** What one of several injectors came to. */
export interface PartRow {
  readonly part: number;
  readonly accepted: number;
  readonly eventsPerSecond: number;
  readonly injector: LoadReport['injector'];
}

/** Of the form of a report: a program that reads one can rely on it. */
export const reportKind = 'sluice-load-report/1';

export interface LoadReport {
  readonly kind: typeof reportKind;
  readonly plan: LoadPlan;
  /** RFC 3339. */
  readonly startedAt: string;
  readonly endedAt: string;
  /** Where reports were merged: those. */
  readonly merged?: readonly PartRow[];
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
  readonly histograms: EncodedHistograms;
}

/** An injector that hands out requests later than this, at the 99th percentile, measures itself. */
const lagMaxMs = 20;

/** `startedMs`: when the load began, epoch ms. */
export function reportOf(
  plan: LoadPlan,
  schedule: Schedule,
  counts: InjectorCounts,
  measures: Measures,
  startedMs: number,
): LoadReport {
  const by = <T>(of: (stage: Stage) => T): Readonly<Record<Stage, T>> =>
    Object.fromEntries(stages.map((stage) => [stage, of(stage)])) as Record<Stage, T>;
  const accepted = Object.entries(measures.statuses).reduce(
    (sum, [status, count]) => sum + (status.startsWith('2') ? count : 0),
    0,
  );
  const lag = measures.lagSummary();
  const at = (ms: number): string => new Date(ms).toISOString();
  return {
    kind: reportKind,
    plan,
    startedAt: at(startedMs),
    endedAt: at(startedMs + counts.elapsedMs),
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
    histograms: measures.encoded(),
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
  const { plan, latency } = report;
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
    `${plan.target}/v1/${plan.stream} over ${plan.protocol}: ${plan.rate}/s${ramp}, ${plan.sizeBytes} bytes, ${plan.connections} connections${plan.parts > 1 ? ` in each of ${plan.parts} parts` : ''}, ${plan.durationSeconds} s`,
    ...partLines(report).map((line) => `  ${line}`),
    `  intended ${report.intended}, sent ${report.sent}, accepted ${report.accepted} (${report.eventsPerSecond.toFixed(0)}/s), not sent ${report.notSent}, unanswered ${report.unanswered}, outcome unknown ${report.unknown}`,
    `  answers: ${list(report.statuses)}; acks: ${list(report.acks)}; routes: ${list(report.routes)}; errors: ${list(report.errors)}`,
    `  ${'latency in ms'.padEnd(34)}${['p50', 'p90', 'p99', 'p99.9', 'max', 'mean'].map((name) => name.padStart(9)).join('')}`,
    ...rows,
    `  ${lagLine(report)}`,
  ];
}

/** Whose figures these are, where several injectors share the load. */
export function partLines({ plan, merged, startedAt, endedAt }: LoadReport): readonly string[] {
  if (plan.parts === 1) return [];
  const time = `from ${startedAt} to ${endedAt}`;
  if (merged === undefined) return [`part ${plan.part} of 0 to ${plan.parts - 1}, ${time}`];
  const missing = missingParts(plan.parts, merged);
  const rates = merged.map((row) => `${row.part}: ${row.eventsPerSecond.toFixed(0)}/s`).join(', ');
  return [
    `all parts together, ${time}; accepted by part ${rates}`,
    ...(missing.length === 0
      ? []
      : [`without part ${missing.join(', ')}: these figures are not the whole load`]),
  ];
}

export function missingParts(
  parts: number,
  found: readonly { readonly part: number }[],
): readonly number[] {
  return Array.from({ length: parts }, (_, part) => part).filter(
    (part) => !found.some((row) => row.part === part),
  );
}

/** Whether the figures are the server's alone. */
export function lagLine({ injector, merged }: LoadReport): string {
  const late = (ms: number): string => `${ms.toFixed(1)} ms late at p99`;
  if (injector.keptUp) return `the injector kept its schedule: ${late(injector.lag.p99)}`;
  const who =
    merged === undefined
      ? `the injector fell behind: ${late(injector.lag.p99)}`
      : `injectors fell behind: ${merged
          .filter((row) => !row.injector.keptUp)
          .map((row) => `part ${row.part} was ${late(row.injector.lag.p99)}`)
          .join(', ')}`;
  return `${who}, ${injector.lag.max.toFixed(0)} ms at worst. These figures are not the server's alone`;
}
