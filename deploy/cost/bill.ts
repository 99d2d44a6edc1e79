/**
 * What a design costs a month under a load, line by line. Pure.
 */
import { mebi } from '../../schemas/kernel/bytes.ts';
import type { Design, Load } from './design.ts';
import type { CostLine, ShardNeed } from './kinesis-cost.ts';
import { kinesisCost } from './kinesis-cost.ts';
import type { PriceList } from './price-list.ts';
import {
  edgeLines,
  firehoseLines,
  flinkLines,
  kafkaLines,
  lakeLines,
  machineLines,
  monthOf,
  networkLines,
} from './services-cost.ts';

const gibi = 1_024 * mebi;

export interface Bill {
  readonly lines: readonly CostLine[];
  readonly shards: readonly ShardNeed[];
  readonly dollars: number;
}

export function billOf(design: Design, load: Load, prices: PriceList): Bill {
  const month = monthOf(load, prices);
  const kinesis = kinesisCost(design, load, prices);
  const firehose = firehoseLines(design, month, prices);
  // Written once, and read by each topology.
  const kinesisGib = (kinesis.bytesPerSecond * month.seconds * (1 + design.readers)) / gibi;
  const lines = [
    ...edgeLines(design, load, month, prices),
    ...kinesis.lines,
    ...kafkaLines(design, month, prices),
    ...firehose.lines,
    ...lakeLines(design, month, prices),
    ...machineLines(design, load, month, prices),
    ...flinkLines(design, load, month, prices),
    ...networkLines(design, month, kinesisGib + firehose.gib, prices),
  ];
  return { lines, shards: kinesis.shards, dollars: sumOf(lines) };
}

function sumOf(lines: readonly CostLine[]): number {
  return lines.reduce((sum, line) => sum + line.dollars, 0);
}

/** Lines by service, the dearest service first. */
export function servicesOf({ lines }: Bill): readonly {
  readonly service: string;
  readonly dollars: number;
  readonly lines: readonly CostLine[];
}[] {
  const services = new Map<string, CostLine[]>();
  for (const line of lines)
    services.set(line.service, [...(services.get(line.service) ?? []), line]);
  return [...services]
    .map(([service, own]) => ({ service, dollars: sumOf(own), lines: own }))
    .sort((a, b) => b.dollars - a.dollars);
}
