/**
 * The page docs/reference/cost.md: what the production example costs, from the same bills and
 * prices that `sluice cost` computes with.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readPrices } from '../../../deploy/cli/commands/cost/cost.ts';
import type { Bill } from '../../../deploy/cost/bill.ts';
import { billOf, servicesOf } from '../../../deploy/cost/bill.ts';
import { turnsOf } from '../../../deploy/cost/choices.ts';
import type { Design, Load } from '../../../deploy/cost/design.ts';
import { changedStreams, designOf, originDesign } from '../../../deploy/cost/design.ts';
import { dollars, price } from '../../../deploy/cost/numbers.ts';
import type { PriceLine } from '../../../deploy/cost/price-list.ts';
import { notCounted, turnText } from '../../../deploy/cost/report-text.ts';
import { loadConfig } from '../../../schemas/config-file.ts';
import { made, markdownTable } from './markdown.ts';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const example = 'docs/operating/production.yaml';

export function costPage(): string {
  const prices = readPrices(undefined);
  const config = loadConfig(join(root, example), {});
  const design = designOf(config, {
    edge: 'nlb',
    kafka: 'serverless',
    firehoseShare: undefined,
    engine: 'sluice',
  });
  const load: Load = {
    streams: config.streams.map(({ name }) => ({
      stream: name,
      eventsPerSecond: 4_500,
      eventBytes: 5_120,
    })),
    peakFactor: 1,
    large: { eventsPerSecond: 0, eventBytes: 0 },
    compression: prices.assumed.compression,
    eventsPerRequest: 1,
  };
  const plain: Design = { ...design, streams: changedStreams(design, { aggregate: 'none' }) };
  const half = { ...load, compression: load.compression / 2 };
  const columns: readonly (readonly [string, Bill])[] = [
    ['as first drawn', billOf(originDesign(design), load, prices)],
    ['example with `aggregate: none`', billOf(plain, load, prices)],
    [`example, compressed ${half.compression} times`, billOf(design, half, prices)],
    [`example, compressed ${load.compression} times`, billOf(design, load, prices)],
  ];
  return [
    made('deploy/cost/'),
    '# Cost',
    '',
    `What [the production example](../operating/production.yaml) costs on AWS in ${prices.region} at 4,500 events/s of 5 KB, in`,
    'dollars a month. `sluice cost` computes the same for your configuration and load:',
    '[Cost](../operating/cost.md) says how.',
    '',
    systemTable(columns),
    '',
    `As first drawn: API Gateway, Kinesis on-demand, rows one by one by Firehose, Managed Flink. ${load.compression} times is what`,
    '`npm run bench:aggregation` measures on events that are not alike.',
    `Not counted: ${notCounted}.`,
    '',
    '## Where each choice turns',
    '',
    'With all else as in the example, at the same sizes of events.',
    '',
    markdownTable(
      ['choice', 'when'],
      turnsOf(design, load, prices).map((turn) => [`\`${turn.label}\``, turnText(turn)]),
    ),
    '',
    '## Prices',
    '',
    pricesTable(prices.lines.prices, price),
    '',
    '## Assumptions',
    '',
    pricesTable(prices.lines.assumptions, String),
    '',
  ].join('\n');
}

/** A row a service, in the order of the first column. */
function systemTable(columns: readonly (readonly [string, Bill])[]): string {
  const services = [
    ...new Set(columns.flatMap(([, bill]) => servicesOf(bill).map(({ service }) => service))),
  ];
  const cell = (bill: Bill, service: string): string => {
    const found = servicesOf(bill).find((one) => one.service === service);
    return found === undefined ? '-' : dollars(found.dollars);
  };
  return markdownTable(
    ['service', ...columns.map(([name]) => name)],
    [
      ...services.map((service) => [service, ...columns.map(([, bill]) => cell(bill, service))]),
      ['**sum**', ...columns.map(([, bill]) => `**${dollars(bill.dollars)}**`)],
    ],
  );
}

function pricesTable(lines: readonly PriceLine[], shown: (value: number) => string): string {
  return markdownTable(
    ['line', 'value', 'unit', 'date', 'source'],
    lines.map(({ name, value, unit, date, source }) => [
      `\`${name}\``,
      shown(value),
      unit.replace(/^\$\//, 'a ').replace(/^of /, 'share of '),
      date,
      source,
    ]),
  );
}
