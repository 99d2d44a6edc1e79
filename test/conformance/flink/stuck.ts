/**
 * A topology with a function in most places where authors write one, each of which does not return
 * for a value of its own.
 */
import type { SluiceEvent, StreamDefinition, Topology } from '../../../topology/index.ts';
import { aggregator, collect, stream, tumbling } from '../../../topology/index.ts';
import type { Row } from '../subjects/common.ts';
import { topologyOf } from '../subjects/common.ts';

/** By function: the value on which it does not return. */
export const stuckOn = {
  time: 1,
  map: 2,
  /** It catches what interrupts it. */
  caught: 3,
  key: 4,
  add: 5,
  result: 6,
  onElement: 7,
  join: 8,
  /** In a regular expression, which takes longer than anybody waits. */
  pattern: 9,
} as const;

/** Another element each time that the function before is called: nobody can refuse it. */
export const everOther = 10;
let calls = 0;

export const stuckSinks = ['out-sums', 'out-steps', 'out-pairs'] as const;

function spinOn(value: unknown, slot: keyof typeof stuckOn): void {
  if (value !== stuckOn[slot]) return;
  for (;;);
}

function spinCaught(value: unknown): void {
  try {
    spinOn(value, 'caught');
  } catch {
    // As if nothing had been.
  }
}

const total = aggregator<SluiceEvent<Row>, number, number>({
  create: () => 0,
  add: (before, { data: { value } }) => {
    spinOn(value, 'add');
    return before + Number(value);
  },
  merge: (a, b) => a + b,
  result: (all) => {
    spinOn(all, 'result');
    return all;
  },
});

export function stuckTopology(): Topology {
  return topologyOf((t) => {
    const rows = t
      .source('in', stream('test/in') as StreamDefinition<SluiceEvent<Row>>)
      .eventTime(
        'time',
        ({ data: { value, at } }) => {
          spinOn(value, 'time');
          return at;
        },
        { outOfOrderness: 0, future: { max: 0 } },
      )
      .map((event) => (event.data.value === everOther ? { ...event, call: ++calls } : event))
      .map((event) => {
        if (event.data.value === everOther) for (;;);
        spinOn(event.data.value, 'map');
        spinCaught(event.data.value);
        if (event.data.value === stuckOn.pattern) /^(?:(a+)\1?)+$/.test(`${'a'.repeat(40)}b`);
        return event;
      });
    const keyed = rows.keyBy(({ data: { key, value } }) => {
      spinOn(value, 'key');
      return key;
    });
    keyed.window('sums', tumbling(10)).aggregate({ total }).out.sinkTo('out-sums', collect());
    keyed
      .process('steps', {
        state: {},
        onElement: ({ data: { value } }) => {
          spinOn(value, 'onElement');
          return [value];
        },
      })
      .sinkTo('out-steps', collect());
    keyed
      .intervalJoin('pairs', keyed, { lower: 0, upper: 0 }, (l, r) => {
        spinOn(l.data.value, 'join');
        return [l.data.value, r.data.value];
      })
      .out.sinkTo('out-pairs', collect());
  });
}
