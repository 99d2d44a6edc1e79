/**
 * Rates, sizes and shares as people write them, prices from files, and what is measured.
 */
import { describe, expect, it } from 'vitest';
import { loadOfMetrics } from '../../../deploy/cost/measured-load.ts';
import {
  count,
  dollars,
  factorOf,
  price,
  rateOf,
  shareOf,
  sizeOf,
} from '../../../deploy/cost/numbers.ts';
import { priceListOf } from '../../../deploy/cost/price-list.ts';
import { prices } from './support.ts';

describe('numbers', () => {
  it.each([
    ['4500', 4_500],
    ['4.5k', 4_500],
    ['4500/s', 4_500],
    ['270k/min', 4_500],
    ['3600/h', 1],
    ['86.4M/day', 1_000],
    ['0', 0],
  ])('the rate %s is %d events a second', (text, rate) => {
    expect(rateOf(text, 'events')).toBeCloseTo(rate, 9);
  });

  it.each(['', 'x', '-1', '4500/week', '1e9', '4,500', 'Infinity', '11M'])(
    'the rate %j is refused',
    (text) => {
      expect(() => rateOf(text, 'events')).toThrow(/invalid --events '.*': expected/);
    },
  );

  it('sizes need a unit, of 1,024', () => {
    expect(['5kb', '5 KiB', '5120b', '0.5mb'].map((text) => sizeOf(text, 'size'))).toEqual([
      5_120, 5_120, 5_120, 524_288,
    ]);
    for (const text of ['5', '0b', '101mb', '5gb', '-5kb'])
      expect(() => sizeOf(text, 'size')).toThrow(/invalid --size/);
  });

  it('shares are of a hundred, and factors within their bounds', () => {
    expect([shareOf('0.1%', 'large'), shareOf('100 %', 'large')]).toEqual([0.001, 1]);
    for (const text of ['0.1', '101%', '-1%', '%'])
      expect(() => shareOf(text, 'large')).toThrow(/invalid --large/);
    expect(factorOf('1.5', 'peak', 1, 10)).toBe(1.5);
    for (const text of ['0.9', '11', 'x', ''])
      expect(() => factorOf(text, 'peak', 1, 10)).toThrow('expected a number from 1 to 10');
  });

  it('are written for a person', () => {
    expect([count(1_234.5), count(2.345, 2), count(234.5, 2)]).toEqual(['1,235', '2.35', '235']);
    expect([dollars(1_234.5), dollars(4.5), dollars(0), dollars(0.004)]).toEqual([
      '$1,235',
      '$4.50',
      '$0',
      '$0.00',
    ]);
    expect([price(0.1), price(0.0225), price(3), price(1.5)]).toEqual([
      '$0.10',
      '$0.0225',
      '$3',
      '$1.50',
    ]);
  });
});

describe('prices', () => {
  const shipped = { file: 'shipped', text: '' };
  const text = JSON.stringify({
    region: prices.region,
    currency: prices.currency,
    ...Object.fromEntries(
      (['prices', 'assumptions'] as const).map((section) => [
        section,
        Object.fromEntries(prices.lines[section].map(({ name, ...line }) => [name, line])),
      ]),
    ),
  });
  const over = (own: string) =>
    priceListOf([
      { ...shipped, text },
      { file: 'own.yaml', text: own },
    ]);

  it('each say when and where they were read', () => {
    for (const { name, unit, date, source } of [
      ...prices.lines.prices,
      ...prices.lines.assumptions,
    ])
      expect([name, unit !== '', source !== '', /^20\d\d-(0[1-9]|1[0-2])$/.test(date)]).toEqual([
        name,
        true,
        true,
        true,
      ]);
  });

  it('of a file of its own replace single lines', () => {
    const list = over('region: eu-central-1\nprices: {node_hour: {value: 0.17, date: 2027-01}}');
    expect([list.region, list.price.node_hour, list.price.nat_hour]).toEqual([
      'eu-central-1',
      0.17,
      0.045,
    ]);
    expect(list.lines.prices.find(({ name }) => name === 'node_hour')).toMatchObject({
      date: '2027-01',
      unit: '$/hour of a c7g.xlarge',
    });
  });

  it.each([
    ['prices: {node_hours: {value: 1}}', "'prices.node_hours' is not known; expected one of"],
    ['prices: {node_hour: {value: -1}}', 'has the value -1; expected a number of at least 0'],
    ['prices: {node_hour: {value: "0.1"}}', 'has the value "0.1"; expected a number'],
    ['prices: {node_hour: 0.1}', 'prices.node_hour is not a map'],
    ['assumptions: {month_hours: {value: 0}}', 'expected a number above 0'],
    ['assumptions: [1]', 'assumptions is not a map'],
    ['price: {}', "'price' is not known"],
    ['a: [', 'own.yaml is not YAML'],
  ])('%s is refused', (own, message) => {
    expect(() => over(own)).toThrow(message);
  });

  it('without a line are refused', () => {
    expect(() => priceListOf([{ file: 'f', text: 'prices: {}' }])).toThrow(
      'prices.kinesis_shard_hour is missing',
    );
  });
});

describe('what is measured', () => {
  const text = (small: number, large: number, other: number): string =>
    [
      '# HELP sluice_ingress_events_accepted_total Events accepted, by the route they take',
      `sluice_ingress_events_accepted_total{stream="a/b",path="kinesis"} ${small}`,
      `sluice_ingress_events_accepted_total{stream="a/b",path="kafka"} ${large}`,
      `sluice_ingress_events_accepted_total{stream="other/one",path="kinesis"} ${other}`,
      `sluice_ingress_event_bytes_total{stream="a/b"} ${small * 1_000 + large * 200_000}`,
      `sluice_ingress_batch_bytes_total{stream="a/b",path="kafka"} ${large * 200_000}`,
      `sluice_ingress_batch_bytes_total{stream="a/b",path="kinesis"} ${small * 1_300}`,
      // A gauge, which falls.
      `sluice_ingress_in_flight_bytes ${10_000 - small}`,
      '',
    ].join('\n');
  const from = 'http://127.0.0.1:9464/metrics';

  it('is what grew between both readings, over all instances', () => {
    const readings = [
      { from, before: text(1_000, 10, 5), after: text(2_000, 20, 500) },
      { from, before: text(0, 0, 0), after: text(1_000, 0, 0) },
    ];
    expect(loadOfMetrics(readings, 10, ['a/b', 'quiet/one'])).toEqual({
      streams: [
        { stream: 'a/b', eventsPerSecond: 200, eventBytes: 1_000 },
        { stream: 'quiet/one', eventsPerSecond: 0, eventBytes: 0 },
      ],
      large: { eventsPerSecond: 1, eventBytes: 200_000 },
    });
  });

  it('is nothing of an instance that was restarted, or of something else', () => {
    const read = (before: string, after: string) => loadOfMetrics([{ from, before, after }], 1, []);
    expect(() => read(text(5, 0, 0), text(4, 0, 0))).toThrow(`${from} was restarted`);
    expect(() => read('', 'go_threads 7\n')).toThrow(`${from} has no metrics of an ingress`);
  });
});
