/**
 * Identities that come again: what counts as the same event, who waits for whom, and what is
 * remembered in how many bytes.
 */
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Delivered } from '../../../ingest/delivery/delivered.ts';
import type {
  Comparable,
  Fingerprint,
  FingerprintOf,
} from '../../../ingest/delivery/fingerprint.ts';
import {
  contentParts,
  createFingerprints,
  differences,
} from '../../../ingest/delivery/fingerprint.ts';
import { IdentityTable } from '../../../ingest/delivery/identity-table.ts';
import type { Settled } from '../../../ingest/delivery/repeat-window.ts';
import { RepeatWindow, repeatChunkMaxBytes } from '../../../ingest/delivery/repeat-window.ts';
import { createRepeats } from '../../../ingest/delivery/repeats.ts';
import type { EventAttributes } from '../../../schemas/event.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';

const mebi = 1_048_576;
const position = '4'.repeat(56);
const replicated = (at: string): Settled => ({
  kind: 'replicated',
  route: 'kinesis',
  split: 'shardId-000000000000',
  position: at,
  failover: false,
});
const refused: Delivered = {
  kind: 'not-delivered',
  refusal: { status: 503, code: 'stream-down', message: 'no' },
};

let fingerprintOf: FingerprintOf;
beforeAll(async () => {
  fingerprintOf = await createFingerprints(seededRandom(1));
});

const attributes: EventAttributes = {
  id: 'i',
  source: '/t/a',
  type: 't.a',
  time: '2026-01-01T00:00:00Z',
  datacontenttype: 'application/json',
  team: 't',
  app: 'a',
  partitionkey: 'i',
  receivedtime: '2026-01-01T00:00:00Z',
};
const printOf = (
  more: Partial<EventAttributes> = {},
  data = '1',
  how: Partial<Comparable> = {},
): Fingerprint =>
  fingerprintOf(
    {
      attributes: { ...attributes, ...more },
      ownTime: false,
      ownExtensions: more.extensions,
      ...how,
    },
    Buffer.from(data),
    0,
  );

describe('an event', () => {
  it('is the same by team, app, source and id, whatever they look like when they are put together', () => {
    const names = ['team', 'app', 'source', 'id'] as const;
    const text = fc.string({ unit: fc.constantFrom('a', '/', '1', '\n'), maxLength: 4 });
    fc.assert(
      fc.property(
        fc.record({
          team: fc.constantFrom('a', 'b'),
          app: fc.constantFrom('a', 'b'),
          source: text,
          id: text,
        }),
        text,
        text,
        (one, source, id) => {
          const other = { ...one, source, id };
          const isSame = names.every((name) => one[name] === other[name]);
          expect(printOf(one).identity === printOf(other).identity).toBe(isSame);
        },
      ),
    );
  });

  it.each([
    ['data', {}, '2', {}],
    ['data', {}, '1 ', {}],
    ['type', { type: 'other' }, '1', {}],
    ['time', {}, '1', { ownTime: true }],
    ['subject', { subject: 's', partitionkey: 's' }, '1', {}],
    ['partitionkey', { partitionkey: 'k' }, '1', {}],
    ['dataschema', { dataschema: 'https://s' }, '1', {}],
    ['datacontenttype', { datacontenttype: 'application/geo+json' }, '1', {}],
    ['extensions', { extensions: { a: '1' } }, '1', {}],
  ] as const)('is another when its %s differs, and says so: %j %s %j', (name, more, data, how) => {
    expect(differences(printOf().content, printOf(more, data, how).content)).toEqual([name]);
  });

  it('is the same whatever the ingress adds, in whichever mode it comes', () => {
    const same = [
      printOf({
        receivedtime: '2027-01-01T00:00:00Z',
        time: '2027-01-01T00:00:00Z',
        traceparent: 'x',
      }),
      printOf({ extensions: { clientip: '192.0.2.1' } }, '1', { ownExtensions: undefined }),
      printOf({ datacontenttype: 'Application/JSON; charset=utf-8' }),
    ];
    for (const print of same) expect(differences(printOf().content, print.content)).toEqual([]);
    const [one, other] = [
      { a: '1', b: '2' },
      { b: '2', a: '1' },
    ].map((extensions) => printOf({ extensions }).content);
    expect(one).toEqual(other);
    expect(printOf({ extensions: { a: '1,b=1:2' } }).content).not.toEqual(one);
  });

  it('has a partition key of its own only where it is not what follows from subject and id', () => {
    const keys = [
      { subject: 's', partitionkey: 's' },
      { subject: 's', partitionkey: 'i' },
      { subject: 's', partitionkey: 'k' },
    ];
    expect(new Set(keys.map((more) => printOf(more).content.join())).size).toBe(3);
  });

  it('is compared without what its sender writes anew each time', () => {
    const body = (sentAt: string): Buffer =>
      Buffer.from(`  {"a":1,"sentAt":"${sentAt}","b":2,"n":${sentAt.length}}`);
    const print = (sentAt: string): Fingerprint => {
      const whole = body(sentAt);
      const start = whole.indexOf(sentAt);
      const last = whole.length - 2;
      const restless = [
        { start, end: start + sentAt.length },
        { start: last, end: last + 1 },
      ];
      return fingerprintOf(
        { attributes, ownTime: false, ownExtensions: undefined, restless },
        whole.subarray(2),
        2,
      );
    };
    expect(print('2026')).toEqual(print('20260'));
    const unlike = fingerprintOf(
      { attributes, ownTime: false, ownExtensions: undefined },
      body('2026').subarray(2),
      2,
    );
    expect(differences(print('2026').content, unlike.content)).toEqual(['data']);
  });
});

describe('an identity that comes again', () => {
  const told: unknown[] = [];
  const make = () => {
    told.length = 0;
    let now = 0;
    const repeats = createRepeats({ windowMs: 1_000, maxBytes: mebi, now: () => now });
    const meet = (name: string, print: Fingerprint): boolean =>
      repeats.meet(print, (delivered, repeated) =>
        told.push([
          name,
          delivered.kind === 'not-delivered'
            ? [delivered.refusal.status, ...(delivered.refusal.differs ?? [])]
            : delivered.kind,
          repeated,
        ]),
      );
    return { repeats, meet, pass: (ms: number) => void (now += ms) };
  };

  it('waits for the first, and is answered as that; other content is a conflict that says what differs', () => {
    const { repeats, meet } = make();
    expect(['a', 'b'].map((name) => meet(name, printOf()))).toEqual([true, false]);
    expect(meet('c', printOf({ type: 'other' }, '2'))).toBe(false);
    expect(told).toEqual([]);
    repeats.settled('k', printOf(), replicated('1'));
    meet('d', printOf());
    meet('e', printOf({}, '2'));
    expect(told).toEqual([
      ['b', 'replicated', true],
      ['c', [409, 'data', 'type'], false],
      ['d', 'replicated', true],
      ['e', [409, 'data'], false],
    ]);
  });

  it('after one that was not accepted is new, with whatever content; what waited may come again', () => {
    const { repeats, meet } = make();
    meet('a', printOf());
    meet('b', printOf());
    meet('c', printOf({}, '2'));
    repeats.settled('k', printOf(), refused);
    expect(told).toEqual([
      ['b', [503], false],
      ['c', [503], false],
    ]);
    expect(meet('d', printOf({}, '2'))).toBe(true);
  });

  it('is new when the window is over, and then its own content counts', () => {
    const { repeats, meet, pass } = make();
    meet('a', printOf());
    repeats.settled('k', printOf(), replicated('1'));
    pass(1_001);
    expect(meet('b', printOf({}, '2'))).toBe(true);
    repeats.settled('k', printOf({}, '2'), replicated('2'));
    expect(meet('c', printOf({}, '2'))).toBe(false);
    expect(meet('d', printOf())).toBe(false);
    expect(told).toEqual([
      ['c', 'replicated', true],
      ['d', [409, 'data'], false],
    ]);
  });

  it('is not remembered where nothing is', () => {
    const repeats = createRepeats({ windowMs: 0, maxBytes: mebi, now: () => 0 });
    expect(repeats.meet(printOf(), () => undefined)).toBe(true);
    repeats.settled('k', printOf(), replicated('1'));
    expect(repeats.meet(printOf(), () => undefined)).toBe(true);
  });
});

describe('the table of identities', () => {
  it('finds what was put and not what was deleted, however the places collide', () => {
    const word = fc.constantFrom(0, 1, 2, 6, 7, 15, 4_294_967_295);
    const step = fc.record({ kind: fc.constantFrom('put', 'delete'), word, name: fc.nat(3) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const entries: { word: number; identity: string }[] = [{ word: 0, identity: '' }];
        const table = new IdentityTable(32, {
          wordOf: (reference) => entries[reference]?.word ?? 0,
          holds: (reference, identity) => entries[reference]?.identity === identity,
        });
        const model = new Map<string, number>();
        for (const { kind, word: first, name } of steps) {
          const identity = `${first}/${name}`;
          if (kind === 'put') {
            entries.push({ word: first, identity });
            table.put(first, identity, entries.length - 1);
            model.set(identity, entries.length - 1);
          } else {
            for (let reference = 1; reference < entries.length; reference++)
              if (entries[reference]?.identity === identity)
                expect(table.delete(reference)).toBe(
                  model.get(identity) === reference && model.delete(identity),
                );
          }
          expect(table.size).toBe(model.size);
          for (const entry of entries.slice(1))
            expect(table.find(entry.word, entry.identity)).toBe(model.get(entry.identity) ?? 0);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('the window', () => {
  const print = (name: string): Fingerprint => ({
    ...printOf({ id: name }),
    content: contentParts.map((_part, at) => ((name.length * 7_919 + at) * 1_000_003) | 0),
  });
  const outcome = fc.oneof(
    fc.record({
      kind: fc.constant('replicated' as const),
      route: fc.constantFrom('kinesis' as const, 'kafka' as const),
      split: fc.string({ unit: 'grapheme', maxLength: 30 }),
      position: fc.string({ maxLength: 70 }),
      failover: fc.boolean(),
    }),
    fc.record({
      kind: fc.constantFrom('spooled' as const, 'buffered' as const),
      route: fc.constantFrom('kinesis' as const, 'kafka' as const),
    }),
  );

  it('gives back what was remembered, the latest of an identity, until its time is over', () => {
    const step = fc.record({ id: fc.nat(20), share: fc.nat(3), outcome, passMs: fc.nat(400) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        let now = 0;
        const window = new RepeatWindow({ windowMs: 1_000, maxBytes: mebi, now: () => now });
        const model = new Map<string, { readonly atMs: number; readonly delivered: Settled }>();
        for (const { id, share, outcome: delivered, passMs } of steps) {
          now += passMs;
          window.remember(`k${share}`, print(`e${id}`), delivered);
          model.set(`e${id}`, { atMs: now, delivered });
          for (const [name, known] of model) {
            const expected =
              now - known.atMs > 1_000
                ? undefined
                : { content: print(name).content, delivered: known.delivered };
            expect(window.find(print(name))).toEqual(expected);
          }
        }
        expect([window.evicted, window.bytes <= mebi]).toEqual([0, true]);
      }),
      { numRuns: 100 },
    );
  });

  it('is bounded in bytes: a sender that floods pushes out its own oldest entries, and none of the others', () => {
    const window = new RepeatWindow({ windowMs: 1e9, maxBytes: mebi, now: () => 0 });
    const few = Array.from({ length: 500 }, (_, n) => print(`few${n}`));
    for (const one of few) window.remember('few', one, replicated(position));
    let most = 0;
    for (let n = 0; n < 30_000; n++) {
      window.remember('flood', print(`flood${n}`), replicated(position));
      most = Math.max(most, window.bytes);
    }
    expect(most).toBeLessThanOrEqual(mebi);
    expect(few.filter((one) => window.find(one) === undefined)).toEqual([]);
    const kept = Array.from(
      { length: 30_000 },
      (_, n) => window.find(print(`flood${n}`)) !== undefined,
    );
    const oldest = kept.indexOf(true);
    expect([kept.lastIndexOf(false), oldest > 20_000, window.evicted]).toEqual([
      oldest - 1,
      true,
      oldest,
    ]);
    expect(window.entries).toBe(few.length + 30_000 - oldest);
  });

  it('divides what there is among those that want more than their part', () => {
    const window = new RepeatWindow({ windowMs: 1e9, maxBytes: 2 * mebi, now: () => 0 });
    const shares = ['a', 'b', 'c', 'd'];
    for (let n = 0; n < 20_000; n++)
      for (const share of shares)
        window.remember(share, print(`${share}${n}`), replicated(position));
    const counts = shares.map(
      (share) =>
        Array.from({ length: 20_000 }, (_, n) => window.find(print(`${share}${n}`))).filter(
          (found) => found !== undefined,
        ).length,
    );
    // By a chunk or two more or less.
    const chunk = Math.ceil(repeatChunkMaxBytes / 144);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(2 * chunk);
  });

  it('frees the shares of senders that went away, and takes any number of them', () => {
    let now = 0;
    const window = new RepeatWindow({ windowMs: 1_000, maxBytes: mebi, now: () => now });
    const empty = window.bytes;
    for (let n = 0; n < 5_000; n++)
      window.remember(`gone${n}`, print(`gone${n}`), replicated(position));
    expect(window.bytes).toBeLessThanOrEqual(mebi);
    now = 2_000;
    for (let n = 0; n < 5_000; n++)
      window.remember('here', print(`here${n % 10}`), replicated(position));
    expect(window.entries).toBe(10);
    now = 4_000;
    for (let n = 0; n < 3_000; n++)
      window.remember('here', print(`here${n % 10}`), replicated(position));
    expect(window.entries).toBe(10);
    expect(window.bytes - empty).toBeLessThan(600_000);
  });
});
