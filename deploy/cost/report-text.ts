/**
 * The report of `sluice cost` for a person. Pure.
 */
import { servicesOf } from './bill.ts';
import type { Turn } from './choices.ts';
import type { ShardNeed } from './kinesis-cost.ts';
import { count, dollars } from './numbers.ts';
import type { CostReport } from './report.ts';

/** What no line has. */
export const notCounted =
  'Neo4j, logs, KMS, questions (Athena), data that leaves AWS, traffic between zones, taxes';
const originText = 'API Gateway, Kinesis on-demand, rows one by one by Firehose, Managed Flink';

export function* costText(report: CostReport, file: string): Iterable<string> {
  const { bill, region, priceDates, month, changes, turns, warnings } = report;
  yield `${file} on AWS in ${region}: list prices of ${priceDates.join(' to ')}, ${month.hours} hours a month`;
  yield* loadText(report);
  yield '';
  yield 'Kinesis shards';
  yield* aligned(bill.shards.map((shard) => [`  ${shard.stream}`, shardText(shard)]));
  yield '';
  yield 'Dollars a month';
  yield* aligned(
    servicesOf(bill).flatMap(({ service, dollars: sum, lines }) => [
      [`  ${service}`, dollars(sum), ''],
      ...lines.map((line) => [`    ${line.what}`, dollars(line.dollars), line.arithmetic]),
    ]),
  );
  yield `  sum ${dollars(bill.dollars)}`;
  yield '';
  yield* comparisons(report);
  yield '';
  if (changes.length === 0) yield 'None of the choices below would cost less';
  else yield 'What would cost less, each by itself';
  yield* aligned(
    changes.map(({ label, note, savesDollars }, n) => [
      `  ${n + 1}. ${label}`,
      `saves ${dollars(savesDollars)}`,
      note,
    ]),
  );
  yield '';
  yield 'Where each choice turns, with all else as it is';
  yield* aligned(turns.map((turn) => [`  ${turn.label}`, turnText(turn)]));
  yield '';
  for (const warning of warnings) yield `! ${warning}`;
  yield `Not counted: ${notCounted}`;
}

function* loadText({ load, month, bill }: CostReport): Iterable<string> {
  const { streams, large, peakFactor } = load;
  const rate = streams.reduce((sum, { eventsPerSecond }) => sum + eventsPerSecond, 0);
  const bytes = streams.reduce((sum, one) => sum + one.eventsPerSecond * one.eventBytes, 0);
  const size = rate === 0 ? '' : ` of ${count(Math.round(bytes / rate))} bytes`;
  const largeText =
    large.eventsPerSecond === 0
      ? ''
      : `, and ${count(large.eventsPerSecond, 2)}/s of ${count(Math.round(large.eventBytes))} bytes`;
  yield `Load: ${count(rate, 2)} events/s${size}${largeText}: ${count(month.events / 1e6, 1)} million events, ${count(month.gib, 1)} GB a month`;
  yield peakFactor === 1
    ? '  the peak is the average (--peak says otherwise)'
    : `  the peak is ${count(peakFactor, 2)} times the average`;
  if (bill.shards.length > 2) yield `  over ${bill.shards.length - 1} streams`;
}

function shardText({ mode, needed, configured, arithmetic }: ShardNeed): string {
  if (mode === 'on-demand') return `on-demand; provisioned ${count(needed)} (${arithmetic})`;
  const given =
    configured === undefined || configured === needed
      ? ''
      : `${configured} configured; the load needs `;
  return `${given}${count(needed)} (${arithmetic})`;
}

function* comparisons({ halfAsSmall, origin }: CostReport): Iterable<string> {
  if (halfAsSmall !== undefined)
    yield `If events compress half as well (${count(halfAsSmall.compression, 2)} times): ${dollars(halfAsSmall.dollars)}`;
  yield `As first drawn (${originText}): ${dollars(origin.dollars)}`;
}

export function turnText({ than, kind, value = 0, unit }: Turn): string {
  switch (kind) {
    case 'always':
      return `always costs less than ${than}`;
    case 'never':
      return `never costs less than ${than}`;
    case 'above':
    case 'below':
      return `costs less than ${than} ${kind} about ${count(value, value < 10 ? 2 : 0)} ${unit}`;
  }
}

/** Columns, as wide as their widest text; the last one as it is. */
function* aligned(rows: readonly (readonly string[])[]): Iterable<string> {
  const widths = rows.reduce<readonly number[]>(
    (widest, row) => row.map((text, index) => Math.max(widest[index] ?? 0, text.length)),
    [],
  );
  for (const row of rows)
    yield row
      .map((text, at) => {
        if (at === row.length - 1) return text;
        const width = widths[at] ?? 0;
        return text.includes('$') ? text.padStart(width) : text.padEnd(width);
      })
      .join('  ')
      .trimEnd();
}
