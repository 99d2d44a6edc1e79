/**
 * Reports of injectors that shared a load, as one. Pure.
 *
 * Invariants:
 * 1. Only reports of one load are merged: the same plan, begun at the same instant, each part once,
 *    none missing unless that is said.
 * 2. Nothing is averaged: counts are added, and latencies are those of one histogram of all values.
 */
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';
import { addMeasures } from './measures.ts';
import type { LoadPlan, LoadReport, PartRow } from './report.ts';
import { missingParts, reportOf, scheduleOf } from './report.ts';

/** A report, and where it was found. */
export interface FoundReport {
  readonly place: string;
  readonly report: LoadReport;
}

/** A report of one part. */
interface PartReport extends FoundReport {
  readonly part: number;
}

/**
 * `isPartial`: parts may be missing; the result says which. Throws `SluiceError` `reports-mixed`,
 * `report-missing`, `report-invalid`.
 */
export function mergeReports(found: readonly FoundReport[], isPartial: boolean): LoadReport {
  const parts = requireOneLoad(found);
  const [{ report: first }] = parts;
  const reports = parts.map(({ report }) => report);
  const rows = parts.map(
    ({ part, report: { accepted, eventsPerSecond, injector } }): PartRow => ({
      part,
      accepted,
      eventsPerSecond,
      injector,
    }),
  );
  const missing = missingParts(first.plan.parts, rows);
  if (missing.length > 0 && !isPartial)
    throw new SluiceError(
      'report-missing',
      `the load had ${first.plan.parts} parts, and no report is of part ${missing.join(', ')}`,
      { fix: 'name the reports of all parts, or pass --partial to merge those that there are' },
    );
  const sum = (of: (report: LoadReport) => number): number =>
    reports.reduce((total, report) => total + of(report), 0);
  const counts = {
    sent: sum(({ sent }) => sent),
    notSent: sum(({ notSent }) => notSent),
    inFlight: 0,
    waiting: 0,
    bytes: sum(({ bytes }) => bytes),
    elapsedMs: 1_000 * Math.max(...reports.map(({ seconds }) => seconds)),
  };
  const plan = { ...first.plan, part: undefined };
  const whole = scheduleOf(plan);
  const schedule = {
    ...whole,
    count: sum(({ intended }) => intended),
    rateAt: (atMs: number) => (whole.rateAt(atMs) * rows.length) / plan.parts,
  };
  const merged = reportOf(plan, schedule, counts, measuresOf(parts), Date.parse(first.startedAt));
  const keptUp = reports.every(({ injector }) => injector.keptUp);
  return { ...merged, merged: rows, injector: { ...merged.injector, keptUp } };
}

/** In the order of the parts. */
function requireOneLoad(found: readonly FoundReport[]): readonly [PartReport, ...PartReport[]] {
  const parts = found.map(requirePart).sort((a, b) => a.part - b.part);
  const [first] = parts;
  if (first === undefined) throw new SluiceError('report-missing', 'no report to merge');
  for (const [index, other] of parts.entries()) {
    const different = differenceOf(first.report, other.report);
    if (different !== undefined)
      throw mixed(
        `${first.place} and ${other.place} are not of one load: ${different}`,
        'merge reports of parts that were started with the same options',
      );
    const before = parts[index - 1];
    if (before?.part === other.part)
      throw mixed(
        `${before.place} and ${other.place} are both of part ${other.part}`,
        'name the report of each part once',
      );
  }
  return parts as [PartReport, ...PartReport[]];
}

function requirePart({ place, report }: FoundReport): PartReport {
  const { part, parts, startAt } = report.plan;
  if (part === undefined)
    throw mixed(`${place} is merged already`, 'name the reports that it was made of');
  if (parts > 1 && startAt === undefined)
    throw mixed(
      `${place} began when it was called, not at the same instant as the other parts`,
      'start all parts with the same --start-at',
    );
  return { place, report, part };
}

/** The first setting that differs, with both values. */
function differenceOf(one: LoadReport, other: LoadReport): string | undefined {
  const names = Object.keys({ ...one.plan, ...other.plan }) as (keyof LoadPlan)[];
  const name = names.find((key) => key !== 'part' && one.plan[key] !== other.plan[key]);
  if (name === undefined) return undefined;
  const said = (value: LoadPlan[keyof LoadPlan]): string =>
    value === undefined ? 'nothing' : String(value);
  return `${name} is ${said(one.plan[name])} and ${said(other.plan[name])}`;
}

const mixed = (message: string, fix: string): SluiceError =>
  new SluiceError('reports-mixed', message, { fix });

function measuresOf(parts: readonly PartReport[]): ReturnType<typeof addMeasures> {
  for (const { place, report } of parts) {
    const held = countOf(place, report);
    if (held !== report.answered)
      throw new SluiceError(
        'report-invalid',
        `the report in ${place} has ${report.answered} answers, and ${held} in its histogram`,
        { fix: 'merge the output of `sluice --json load` as it was written' },
      );
  }
  return addMeasures(parts.map(({ report }) => report));
}

function countOf(place: string, report: LoadReport): number {
  try {
    return addMeasures([report]).summary('endToEnd').count;
  } catch (cause) {
    throw new SluiceError(
      'report-invalid',
      `a histogram of the report in ${place} cannot be read: ${messageOf(cause)}`,
      { cause, fix: 'merge the output of `sluice --json load` as it was written' },
    );
  }
}
