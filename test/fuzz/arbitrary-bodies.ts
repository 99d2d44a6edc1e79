/**
 * Bodies as clients of all protocols send them, as they nearly send them, and as nobody does.
 */
import fc from 'fast-check';
import { segmentTypes } from '../../ingest/protocols/segment/read.ts';

/** Few, so that they come again. */
export const someId = fc.oneof(
  fc.constantFrom('one', 'two', 'three', 'ü', ' '),
  fc.uuid(),
  fc.string({ maxLength: 12 }),
);

/** Types that the writers of these tests know (support.ts), and others. */
export const someType = fc.oneof(
  { weight: 6, arbitrary: fc.string({ maxLength: 12 }) },
  { weight: 1, arbitrary: fc.constantFrom('fuzz.refused', 'fuzz.retried', 'fuzz.unknown') },
);

const hard = fc.constantFrom(
  '',
  '\u0000',
  '\ud800',
  '\udfff\ud800',
  '\u2028',
  '__proto__',
  'constructor',
  '"',
  '\\',
  '😀'.repeat(70),
);
const someText = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.string({ unit: 'binary', maxLength: 20 }),
  hard,
);
export const someTime = fc.oneof(
  fc
    .date({ noInvalidDate: true, min: new Date(0), max: new Date('9999-12-31T23:59:59Z') })
    .map((date) => date.toISOString()),
  fc.constantFrom(
    '2013-01-01T10:17:60Z',
    '0000-01-01T00:00:00-23:59',
    '2013-02-31T00:00:00Z',
    '9999-12-31T23:59:59.999999999999Z',
    'now',
    '',
  ),
);
const value = fc.oneof(
  { weight: 3, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
  { weight: 1, arbitrary: someText },
);
/** Where a member belongs, or anything. */
const or = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 8, arbitrary }, { weight: 1, arbitrary: value as fc.Arbitrary<T> });

const optional: { requiredKeys: [] } = { requiredKeys: [] };
const envelope = fc.record(
  {
    data: value,
    id: or(someId),
    type: or(someType),
    time: or(someTime),
    subject: or(someText),
    partitionkey: or(someText),
    source: or(someText),
    ref: or(fc.oneof(fc.nat(), someId)),
    more: value,
  },
  optional,
);
const cloudEvent = fc.record(
  {
    specversion: or(fc.constant('1.0')),
    id: or(someId),
    source: or(fc.constantFrom('/fuzz', 'urn:x')),
    type: or(someType),
    time: or(someTime),
    data: value,
    subject: or(someText),
    datacontenttype: or(
      fc.constantFrom('application/json', 'application/x+json', 'text/plain', 'constructor'),
    ),
    dataschema: or(someText),
    data_base64: fc.constant('AA=='),
    dataref: fc.constant('claim:x'),
    constructor: fc.constant('x'),
    extension1: value,
  },
  { requiredKeys: ['specversion', 'id', 'source', 'type'] },
);
const segmentMessage = fc.record(
  {
    type: or(fc.constantFrom(...segmentTypes)),
    userId: or(someText),
    anonymousId: or(someText),
    messageId: or(someId),
    event: or(someText),
    groupId: or(someText),
    previousId: or(someText),
    timestamp: or(someTime),
    originalTimestamp: or(someTime),
    sentAt: or(someTime),
    writeKey: or(someText),
    properties: value,
  },
  optional,
);
const pointed = fc.record(
  {
    order: or(fc.record({ id: or(someId) })),
    at: or(someTime),
    user: or(someText),
    kind: or(someType),
  },
  optional,
);

const list = (arbitrary: fc.Arbitrary<unknown>): fc.Arbitrary<unknown[]> =>
  fc.array(arbitrary, { maxLength: 6 });
const event = fc.oneof(
  value as fc.Arbitrary<unknown>,
  envelope,
  cloudEvent,
  segmentMessage,
  pointed,
);
const json = fc
  .oneof(
    { weight: 4, arbitrary: event },
    { weight: 3, arbitrary: list(event) },
    { weight: 1, arbitrary: list(cloudEvent) },
    { weight: 2, arbitrary: fc.record({ batch: or(list(segmentMessage)), sentAt: someTime }) },
  )
  .map((made) => JSON.stringify(made));
const lines = fc
  .tuple(list(event), fc.constantFrom('\n', '\r\n', '\n\n'))
  .map(([events, end]) => events.map((one) => `${JSON.stringify(one)}${end}`).join(''));
const nested = fc.tuple(fc.integer({ min: 120, max: 140 }), fc.boolean()).map(([depth, object]) => {
  const [open, close] = object ? ['{"a":', '}'] : ['[', ']'];
  return `${open.repeat(depth)}1${close.repeat(depth)}`;
});
/** Around the threshold between the paths, and around the bound of a body. */
const long = fc
  .constantFrom(990, 1_000, 1_010, 20_000, 65_530, 65_537, 90_000)
  .map((size) => JSON.stringify('x'.repeat(size)));
const literal = fc.constantFrom(
  '',
  ' ',
  'null',
  '[]',
  '[[]]',
  '{}',
  '-',
  '1e999',
  '-0',
  '{"__proto__":1}',
  '{"a":1,"a":2}',
  '"\\ud800"',
  '\ufeff{}',
  '[1,]',
  '{"id":"x","id":"y","data":1}',
  '123456789012345678901234567890',
);

const text: fc.Arbitrary<Buffer> = fc
  .oneof(
    { weight: 8, arbitrary: json },
    { weight: 4, arbitrary: lines },
    { weight: 1, arbitrary: nested },
    { weight: 1, arbitrary: long },
    { weight: 2, arbitrary: literal },
  )
  .map((made) => Buffer.from(made));

interface Edit {
  readonly kind: 'set' | 'insert' | 'remove' | 'repeat' | 'cut';
  /** Of the whole, in parts of 65,536. */
  readonly at: number;
  readonly length: number;
  readonly byte: number;
}

const edit: fc.Arbitrary<Edit> = fc.record({
  kind: fc.constantFrom('set', 'insert', 'remove', 'repeat', 'cut'),
  at: fc.integer({ min: 0, max: 65_535 }),
  length: fc.integer({ min: 1, max: 8 }),
  byte: fc.oneof(
    fc.integer({ min: 0, max: 255 }),
    fc.constantFrom(...Buffer.from('\r\n:;,"\\{}[] \u0000%')),
  ),
});

/** `bytes` with one to four of its bytes otherwise. */
export function mutated(bytes: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> {
  return fc
    .tuple(bytes, fc.array(edit, { minLength: 1, maxLength: 4 }))
    .map(([whole, edits]) => edits.reduce(edited, whole));
}

function edited(bytes: Buffer, { kind, at, length, byte }: Edit): Buffer {
  const place = Math.floor((at * bytes.length) / 65_536);
  const [before, after] = [bytes.subarray(0, place), bytes.subarray(place)];
  switch (kind) {
    case 'set':
      return Buffer.concat([before, Buffer.from([byte]), after.subarray(1)]);
    case 'insert':
      return Buffer.concat([before, Buffer.alloc(length, byte), after]);
    case 'remove':
      return Buffer.concat([before, after.subarray(length)]);
    case 'repeat':
      return Buffer.concat([before, after.subarray(0, length), after]);
    case 'cut':
      return before;
    default:
      return bytes;
  }
}

export const someBody: fc.Arbitrary<Buffer> = fc.oneof(
  { weight: 8, arbitrary: text },
  { weight: 3, arbitrary: mutated(text) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)) },
);

/** A message of a WebSocket: mostly an envelope with a `ref`. */
export const someMessage: fc.Arbitrary<Buffer> = fc.oneof(
  { weight: 8, arbitrary: envelope.map((made) => Buffer.from(JSON.stringify(made))) },
  { weight: 3, arbitrary: mutated(envelope.map((made) => Buffer.from(JSON.stringify(made)))) },
  { weight: 2, arbitrary: someBody },
);
