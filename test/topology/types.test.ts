/**
 * What must not compile does not, and what must needs no annotation. The compiler is the test: an
 * expected error that is missing fails the build.
 */
import { expect, expectTypeOf, it } from 'vitest';
import type { SluiceEvent, Stream } from '../../topology/index.ts';
import {
  oneOf,
  rejected,
  schemaOf,
  stream,
  table,
  topology,
  validateTopology,
} from '../../topology/index.ts';

interface Click {
  readonly userId: string;
  readonly price: number;
}
const click = schemaOf<Click>({ $id: 'click', type: 'object', properties: {} });
const view = schemaOf<{ readonly seen: boolean }>({ $id: 'view', type: 'object', properties: {} });
const row = schemaOf<{ readonly user: string }>({
  $id: 'row',
  type: 'object',
  properties: { user: { type: 'string' } },
});

it('types flow from schema to sink without annotations, and wrong topologies do not compile', () => {
  const made = topology('types', { version: 1, owner: 'a/b' }, (t) => {
    const raw = t.source('in', stream('a/b'));
    // @ts-expect-error: the data of an event that was not validated is unknown
    raw.map((e) => e.data.price);
    const valid = raw.validate('valid', click);
    expectTypeOf(valid).toEqualTypeOf<Stream<SluiceEvent<Click>>>();
    const users = valid.map((e) => ({ user: e.data.userId }));
    users.sinkTo('rows', table('rows', row));
    // @ts-expect-error: the row has no column of this kind
    valid.map((e) => ({ user: e.data.price })).sinkTo('bad', table('bad', row));
    // @ts-expect-error: only events are validated
    users.validate('again', click);
    // @ts-expect-error: there is no such member
    valid.filter((e) => e.data.nope > 1);
    // @ts-expect-error: a key is a string, a number, a boolean or a tuple of them
    valid.deduplicate('once', { by: (e) => e.data, within: '1h' });
    // @ts-expect-error: not a duration
    valid.deduplicate('once', { by: (e) => e.id, within: '1 hour' });
    // @ts-expect-error: an event time is text or a number
    valid.eventTime('time', (e) => e.data, { outOfOrderness: '1s' });
    // @ts-expect-error: without late: 'side' there is no side output
    void valid.deduplicate('plain', { by: (e) => e.id, within: '1h' }).late;
    valid
      .deduplicate('side', { by: (e) => e.id, within: '1h', late: 'side' })
      .late.sinkTo('late', rejected());
    // @ts-expect-error: only named conditions and rest
    void valid.branch({ cheap: (e) => e.data.price < 1 }).dear;
    // @ts-expect-error the output of that name takes what no condition takes
    valid.branch({ cheap: (e) => e.data.price < 1, rest: (e) => e.data.price > 2 });
    valid.branch({ cheap: (e) => e.data.price < 1 }).rest.map((e) => e.data.userId);
    // @ts-expect-error: the old name has the same outputs
    void valid.split({ cheap: (e) => e.data.price < 1 }).dear;
    // @ts-expect-error: the text of the data is only there when the source asks for it
    raw.validate('v2', click).map((e): string => e.dataText);
    t.source('text', stream('a/b', { dataText: true }))
      .validate('v3', click)
      .map((e): string => e.dataText);
    raw
      .validate('either', oneOf(click, view))
      .map((e) => ('seen' in e.data ? e.data.seen : e.data.price));
    const numbers: Stream<number> = valid
      .map((e) => e.data.price)
      .filter((n): n is number => n > 1);
    // @ts-expect-error: a stream of numbers is none of text
    const texts: Stream<string> = numbers;
    void texts;
  });
  expect(made.plan.nodes.length).toBeGreaterThan(20);
  expect(validateTopology(made).length).toBeGreaterThan(0);
});
