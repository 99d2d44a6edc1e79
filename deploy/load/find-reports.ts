/**
 * Finds the reports in a text: one of `sluice --json load`, or the logs of several, whose other
 * lines are passed over. Pure.
 */
import { SluiceError } from '../../schemas/kernel/errors.ts';
import { stages } from './measures.ts';
import type { FoundReport } from './merge.ts';
import { histogramMaxChars } from './read-histogram.ts';
import type { LoadReport } from './report.ts';
import { reportKind } from './report.ts';

/** Throws `SluiceError` `report-invalid`, also where there is none. */
export function findReports(text: string, name: string): readonly FoundReport[] {
  const found = text.split('\n').flatMap((line, index): FoundReport[] => {
    const value = line.includes(reportKind) ? parsed(line) : undefined;
    if (!isMap(value) || value['kind'] !== reportKind) return [];
    const place = `${name}:${index + 1}`;
    const fault = faultOf(value);
    if (fault !== undefined)
      throw new SluiceError('report-invalid', `the report in ${place} has ${fault}`, {
        fix: 'merge the output of `sluice --json load` as it was written',
      });
    return [{ place, report: value as unknown as LoadReport }];
  });
  if (found.length > 0) return found;
  throw new SluiceError('report-invalid', `no report of a load found in ${name}`, {
    fix: 'expected what `sluice --json load` prints, a line for each report',
  });
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

type Map = Readonly<Record<string, unknown>>;

const isMap = (value: unknown): value is Map =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0;
const isAmount = (value: unknown): boolean => Number.isFinite(value) && Number(value) >= 0;
const isText = (value: unknown): boolean => typeof value === 'string';
const isHistogram = (value: unknown): boolean =>
  isText(value) && String(value).length <= histogramMaxChars;
const isTally = (value: unknown): boolean => isMap(value) && Object.values(value).every(isCount);

/** What is relied on when reports are merged. */
const expected: Readonly<Record<string, (value: unknown) => boolean>> = {
  plan: (value) => isMap(value) && isPlan(value),
  startedAt: (value) =>
    isText(value) && /^\d{4}-/.test(String(value)) && !Number.isNaN(Date.parse(String(value))),
  ...Object.fromEntries(
    ['intended', 'sent', 'notSent', 'answered', 'accepted', 'unknown', 'bytes'].map((name) => [
      name,
      isCount,
    ]),
  ),
  seconds: (value) => isAmount(value) && Number(value) <= loadSecondsMax + lateMaxSeconds,
  eventsPerSecond: isAmount,
  ...Object.fromEntries(['statuses', 'acks', 'routes', 'errors'].map((name) => [name, isTally])),
  injector: (value) =>
    isMap(value) &&
    typeof value['keptUp'] === 'boolean' &&
    isMap(value['lag']) &&
    isAmount(value['lag']['p99']),
  histograms: (value) =>
    isMap(value) &&
    isHistogram(value['lag']) &&
    isMap(value['byStage']) &&
    stages.every((stage) => isHistogram((value['byStage'] as Map)[stage])) &&
    Array.isArray(value['bySecond']) &&
    value['bySecond'].every(isHistogram),
};

/** An answer may come after the end of the plan. */
const lateMaxSeconds = 3_600;
const lateMaxRows = 60;

/** `durationSeconds` bounds the schedule, `parts` the list of what is missing. */
function isPlan(plan: Map): boolean {
  const { parts, part, rate, rampFrom, durationSeconds, startAt, protocol } = plan;
  const isPart = part === undefined || (isCount(part) && Number(part) < Number(parts));
  return (
    isCount(parts) &&
    Number(parts) >= 1 &&
    Number(parts) <= loadPartsMax &&
    isPart &&
    [rate, durationSeconds, rampFrom === undefined ? 0 : rampFrom].every(isAmount) &&
    Number(durationSeconds) <= loadSecondsMax &&
    [plan['sizeBytes'], plan['connections'], plan['keys']].every(isCount) &&
    [plan['target'], plan['stream'], startAt ?? ''].every(isText) &&
    (protocol === 'http' || protocol === 'ws')
  );
}

/** A row a second, and some that came late: each takes memory when reports are merged. */
function hasRowsOfPlan({ plan, histograms }: Map): boolean {
  const { length } = (histograms as { readonly bySecond: readonly unknown[] }).bySecond;
  const { durationSeconds } = plan as { readonly durationSeconds: number };
  return length <= Math.ceil(durationSeconds) + lateMaxRows;
}

/** Injectors that may share a load. */
export const loadPartsMax = 1_000;
/** A load takes memory for each second. */
export const loadSecondsMax = 86_400;

function faultOf(report: Map): string | undefined {
  const [name] = Object.entries(expected).find(([key, holds]) => !holds(report[key])) ?? [];
  if (name === undefined)
    return hasRowsOfPlan(report) ? undefined : 'more seconds in its histograms than in its plan';
  return report[name] === undefined ? `no '${name}'` : `a '${name}' that is not as it was written`;
}
