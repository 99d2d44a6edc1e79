/**
 * The section `lookups`: what a topology's `connector(name)` is bound to. Addresses and headers can
 * carry secrets: a header's value is never shown, and of an address only what the file itself says.
 */
import { inFormat } from './formats.ts';
import type { SectionRules } from './rule.ts';
import { namesOnce } from './rule.ts';
import type { ValueOf } from './setting.ts';
import { group, named, text } from './setting.ts';
import { name } from './streams.ts';

export const lookups = named({
  description: 'Look-ups over HTTP, by the name that topologies use in `connector(name)`.',
  propertyNames: name,
  examples: [{ prices: { url: 'http://prices.example/prices/{key}' } }],
  additionalProperties: group({
    description: 'One look-up: a GET for each key.',
    required: ['url'],
    properties: {
      url: text({
        ...inFormat('lookup-url'),
        description: 'Address; {key} in it is the key.',
        shown: 'written',
        examples: ['http://prices.example/prices/{key}'],
      }),
      headers: named({
        description: 'Headers of its requests.',
        propertyNames: inFormat('header-name'),
        additionalProperties: text({
          description: 'Value of the header.',
          pattern: '^[\\t\\x20-\\x7e]+$',
          expected: 'text of printable ASCII',
          writeOnly: true,
          examples: ['Bearer ${PRICES_TOKEN}'],
        }),
      }),
    },
  }),
});

type Values = ValueOf<typeof lookups>[string];
/** One look-up, told apart by what it asks. */
export type LookupConfig = HttpLookupConfig;

export interface HttpLookupConfig extends Values {
  readonly from: 'http';
  /** By name in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

export function lookupOf({ headers, ...settings }: Values): LookupConfig {
  return {
    from: 'http',
    ...settings,
    headers: Object.fromEntries(
      Object.entries(headers).map(([header, value]) => [header.toLowerCase(), value]),
    ),
  };
}

export const lookupRules: SectionRules<unknown> = {
  entries: [
    [['lookups'], [namesOnce]],
    [['lookups', '*', 'headers'], [namesOnce]],
  ],
};
