/**
 * A load and the designs that tests price, from a configuration's text and the shipped prices.
 */
import { readPrices } from '../../../deploy/cli/commands/cost/cost.ts';
import type { Design, Load, Places } from '../../../deploy/cost/design.ts';
import { designOf } from '../../../deploy/cost/design.ts';
import { parseConfig } from '../../../schemas/config-file.ts';

export const prices = readPrices(undefined);

const places: Places = {
  edge: 'nlb',
  kafka: 'serverless',
  firehoseShare: undefined,
  engine: 'sluice',
};

export function design(text: string, of: Partial<Places> = {}): Design {
  const read = parseConfig(text, { file: 'sluice.yaml', env: {}, baseDir: '.' });
  if (!read.ok) throw new Error(JSON.stringify(read.problems));
  return designOf(read.config, { ...places, ...of });
}

/** `eventsPerSecond` of the stream shop/clicks. */
export function load(eventsPerSecond: number, eventBytes: number, of: Partial<Load> = {}): Load {
  return {
    streams: [{ stream: 'shop/clicks', eventsPerSecond, eventBytes }],
    peakFactor: 1,
    large: { eventsPerSecond: 0, eventBytes: 0 },
    compression: 2.7,
    eventsPerRequest: 1,
    ...of,
  };
}
