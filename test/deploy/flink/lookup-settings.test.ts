/** What of the settings of look-ups does not fit, told without the values that may be secret. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { lookupProblems } from '../../../deploy/flink/lookup-settings.ts';
import { flinkPlan } from '../../../deploy/flink/plan.ts';
import { askedTopology } from '../../conformance/flink/asked.ts';
import { root } from '../../repo/support.ts';

const plan = flinkPlan(askedTopology({}));
const problems = (lookups: unknown): readonly string[] => lookupProblems(lookups, plan);

it('needs an address for each connector, and knows no other', () => {
  const url = 'http://prices.example/{key}';
  expect(problems({ prices: { url } })).toEqual([]);
  expect(problems(undefined)).toEqual([
    'lookups.prices: expected { "url": "http://prices.example/{key}" }, got nothing',
  ]);
  expect(problems({ prices: { url }, stock: { url } })).toEqual([
    'lookups.stock: the topology has no connector of that name; it has prices',
  ]);
  expect(problems(3)).toEqual(['lookups: expected an object, got 3']);
});

it('names what is wrong, and shows neither an address nor a header', () => {
  const secret = 'c5c1a1f0';
  const told = problems({
    prices: {
      url: `http://prices.example/${secret}`,
      headers: { host: 'a', 'x-key': `${secret}\n` },
      headersEnv: { authorization: `Bearer ${secret}` },
      more: 1,
    },
  });
  expect(told).toEqual([
    'lookups.prices.more: unknown; expected url, headers, headersEnv',
    expect.stringMatching(/^lookups\.prices\.url: expected an http or https address with \{key\}/),
    expect.stringMatching(/^lookups\.prices\.headers\.host: expected the name of a header that/),
    'lookups.prices.headers.x-key: expected printable ASCII',
    'lookups.prices.headersEnv.authorization: expected the name of a variable',
  ]);
  expect(told.join('\n')).not.toContain(secret);
});

it('is shown in the page as it is', () => {
  const page = readFileSync(join(root, 'docs/operating/flink.md'), 'utf8');
  const blocks = [...page.matchAll(/^```json\n(.*?)^```$/gms)].map(([, json = '']) => json);
  const shown = blocks.find((json) => json.includes('{key}')) ?? '';
  expect(problems(JSON.parse(shown))).toEqual([]);
});
