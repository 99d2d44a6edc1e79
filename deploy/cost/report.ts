/**
 * Everything that `sluice cost` says, as data: for `--json`, for the lines of report-text.ts and
 * for the page of the reference. Pure.
 */
import type { Bill } from './bill.ts';
import { billOf } from './bill.ts';
import type { Change, Turn } from './choices.ts';
import { changesOf, turnsOf } from './choices.ts';
import type { Design, Load } from './design.ts';
import { originDesign } from './design.ts';
import { count } from './numbers.ts';
import type { PriceList } from './price-list.ts';
import { monthOf } from './services-cost.ts';

/** Changes that are shown. */
const changesShown = 3;

export interface CostReport {
  readonly region: string;
  readonly currency: string;
  /** Of the oldest and the newest price. */
  readonly priceDates: readonly [string, string];
  readonly load: Load;
  readonly month: { readonly hours: number; readonly events: number; readonly gib: number };
  readonly bill: Bill;
  /** Undefined where no stream is compressed. */
  readonly halfAsSmall: { readonly compression: number; readonly dollars: number } | undefined;
  readonly origin: Bill;
  readonly changes: readonly Change[];
  readonly turns: readonly Turn[];
  /** What deserves a look, in sentences. */
  readonly warnings: readonly string[];
}

/** `region`: that of the configuration, where it names one. */
export function costReport(
  design: Design,
  load: Load,
  prices: PriceList,
  region: string | undefined,
): CostReport {
  const { hours, events, gib } = monthOf(load, prices);
  const dates = prices.lines.prices.map(({ date }) => date).sort();
  const bill = billOf(design, load, prices);
  const compression = Math.max(1, load.compression / 2);
  const half = billOf(design, { ...load, compression }, prices).dollars;
  const elsewhere =
    region === undefined || region === prices.region
      ? []
      : [`the prices are those of ${prices.region}, and the configuration is in ${region}`];
  return {
    region: prices.region,
    currency: prices.currency,
    priceDates: [dates[0] ?? '', dates.at(-1) ?? ''],
    load,
    month: { hours, events, gib },
    bill,
    halfAsSmall: half === bill.dollars ? undefined : { compression, dollars: half },
    origin: billOf(originDesign(design), load, prices),
    changes: changesOf(design, load, prices).slice(0, changesShown),
    turns: turnsOf(design, load, prices),
    warnings: [...warningsOf(bill, events), ...elsewhere],
  };
}

function warningsOf({ shards }: Bill, events: number): readonly string[] {
  const few = shards.flatMap(({ stream, mode, needed, configured }) =>
    mode === 'provisioned' && configured !== undefined && configured < needed
      ? [
          `${stream} is configured with ${configured} shards, and the load needs ${count(needed)}: writes would be throttled`,
        ]
      : [],
  );
  return events === 0 ? [...few, 'there is no load: this is what stands idle'] : few;
}
