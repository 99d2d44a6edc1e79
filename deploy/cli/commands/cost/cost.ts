/**
 * `sluice cost`: reads the configuration, the prices and the load, and prints what deploy/cost
 * computes of them.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { SluiceConfig } from '../../../../schemas/config.ts';
import { loadConfig } from '../../../../schemas/config-file.ts';
import { messageOf, SluiceError } from '../../../../schemas/kernel/errors.ts';
import type { Load, Places } from '../../../cost/design.ts';
import { designOf } from '../../../cost/design.ts';
import { count, factorOf, rateOf, shareOf, sizeOf } from '../../../cost/numbers.ts';
import type { PriceList } from '../../../cost/price-list.ts';
import { priceListOf } from '../../../cost/price-list.ts';
import { costReport } from '../../../cost/report.ts';
import { costText } from '../../../cost/report-text.ts';
import type { Context } from '../../command.ts';
import { measureLoad } from './measure.ts';

export interface CostOptions {
  readonly events: string | undefined;
  readonly size: string | undefined;
  readonly peak: string;
  readonly large: string;
  readonly largeSize: string;
  readonly compression: string | undefined;
  readonly perRequest: string;
  readonly edge: string;
  readonly kafka: string;
  readonly firehose: string | undefined;
  readonly engine: string;
  /** Empty: the running instance. */
  readonly measure: readonly string[] | undefined;
  readonly for: string;
  readonly prices: string | undefined;
}

const shippedPrices = fileURLToPath(new URL('../../../cost/prices.yaml', import.meta.url));
const [peakMax, compressionMax, perRequestMax] = [1_000, 100, 10_000];

/**
 * Throws `SluiceError` `config-missing`, `config-invalid`, `option-invalid`, `load-missing`,
 * `prices-invalid`, `metrics-unreadable`.
 */
export async function costCommand(context: Context, options: CostOptions): Promise<number> {
  const { configFile, env, output } = context;
  const file = configFile();
  const config = loadConfig(file, env);
  const prices = readPrices(options.prices);
  const design = designOf(config, placesOf(options));
  const load = { ...shapeOf(options, prices), ...(await volumeOf(context, options, config)) };
  const report = costReport(design, load, prices, config.kinesis.region);
  if (output.json) output.line(JSON.stringify({ file, design, ...report }));
  else for (const line of costText(report, file)) output.line(line);
  return 0;
}

/** The shipped prices, and over them those of `own`. */
export function readPrices(own: string | undefined): PriceList {
  const files = own === undefined ? [shippedPrices] : [shippedPrices, own];
  return priceListOf(files.map((file) => ({ file, text: readText(file) })));
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new SluiceError('prices-invalid', `${file} cannot be read: ${messageOf(cause)}`, {
      cause,
      fix: 'name a file of prices with --prices',
    });
  }
}

function placesOf({ edge, kafka, firehose, engine }: CostOptions): Places {
  return {
    edge: oneOf('edge', edge, ['nlb', 'api-gateway']),
    kafka: oneOf('kafka', kafka, ['serverless', 'brokers', 'own']),
    engine: oneOf('engine', engine, ['sluice', 'managed-flink']),
    firehoseShare: firehose === undefined ? undefined : shareOf(firehose, 'firehose'),
  };
}

function oneOf<const T extends string>(option: string, text: string, words: readonly T[]): T {
  const found = words.find((word) => word === text);
  if (found !== undefined) return found;
  throw new SluiceError(
    'option-invalid',
    `invalid --${option} '${text}': expected ${words.join(' or ')}`,
  );
}

function shapeOf(
  { peak, compression, perRequest }: CostOptions,
  { assumed }: PriceList,
): Omit<Load, 'streams' | 'large'> {
  return {
    peakFactor: factorOf(peak, 'peak', 1, peakMax),
    compression:
      compression === undefined
        ? assumed.compression
        : factorOf(compression, 'compression', 1, compressionMax),
    eventsPerRequest: factorOf(perRequest, 'per-request', 1, perRequestMax),
  };
}

async function volumeOf(
  context: Context,
  options: CostOptions,
  config: SluiceConfig,
): Promise<Pick<Load, 'streams' | 'large'>> {
  const { events, size, measure } = options;
  if (measure !== undefined) {
    if (events === undefined && size === undefined)
      return measureLoad(context, { urls: measure, time: options.for, config });
    throw new SluiceError('option-invalid', '--measure measures what --events and --size say', {
      fix: 'leave out --measure, or --events and --size',
    });
  }
  if (events === undefined || size === undefined)
    throw new SluiceError(
      'load-missing',
      `--${events === undefined ? 'events' : 'size'} is missing: what does the load look like?`,
      { fix: 'pass for example --events 4500 --size 5kb, or --measure while it runs' },
    );
  return volumeGiven(options, rateOf(events, 'events'), sizeOf(size, 'size'), config);
}

/** As many events for each stream. */
function volumeGiven(
  { large, largeSize }: CostOptions,
  rate: number,
  eventBytes: number,
  { streams, routing }: SluiceConfig,
): Pick<Load, 'streams' | 'large'> {
  const { largeMessageThresholdBytes: threshold } = routing;
  const share = shareOf(large, 'large');
  const largeBytes = sizeOf(largeSize, 'large-size');
  const limit = `routing.large_message_threshold_kb (${count(threshold / 1_024)})`;
  if (eventBytes > threshold)
    throw new SluiceError('option-invalid', `--size is above ${limit}`, {
      fix: 'pass --large 100% and their size as --large-size, and in --size that of the other events',
    });
  if (share > 0 && largeBytes <= threshold)
    throw new SluiceError('option-invalid', `--large-size is not above ${limit}`, {
      fix: 'events up to the threshold count as small: leave out --large',
    });
  const each = (rate * (1 - share)) / streams.length;
  return {
    streams: streams.map(({ name }) => ({ stream: name, eventsPerSecond: each, eventBytes })),
    large: { eventsPerSecond: rate * share, eventBytes: share === 0 ? 0 : largeBytes },
  };
}
