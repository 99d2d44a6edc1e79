/**
 * Aggregates, against AWS's own implementation in both directions, and against what is none:
 * damage, other protobuf, chance.
 */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aggregateMaxRecords, decodeAggregate, encodeAggregate } from '../../schemas/kpl.ts';

interface UserRecord {
  readonly partitionKey: string;
  readonly subSequenceNumber: number;
  /** base64 */
  readonly data: string;
}

/** What is used of aws-kinesis-agg, whose own types need the whole SDK of version 2. */
interface Reference {
  readonly RecordAggregator: new () => {
    addUserRecord(record: {
      readonly partitionKey: string;
      readonly explicitHashKey?: string;
      readonly data: Buffer;
    }): void;
    build(): { readonly data: Buffer };
  };
  deaggregateSync(
    record: {
      readonly data: string;
      readonly partitionKey: string;
      readonly sequenceNumber: string;
    },
    checks: boolean,
    done: (error: Error | undefined, records: readonly UserRecord[]) => void,
  ): void;
}

const { default: reference } = (await import('aws-kinesis-agg')) as unknown as {
  readonly default: Reference;
};

interface Pair {
  readonly key: string;
  readonly text: string;
}

function encoded(pairs: readonly Pair[]): Buffer {
  return Buffer.concat(
    encodeAggregate(pairs.map(({ key, text }) => ({ key, value: [Buffer.from(text)] }))),
  );
}

function decoded(value: Uint8Array): readonly Pair[] | undefined {
  return decodeAggregate(value)?.map((record) => ({
    key: record.key,
    text: Buffer.from(record.value).toString(),
  }));
}

function byReference(value: Buffer): readonly UserRecord[] {
  let found: readonly UserRecord[] = [];
  reference.deaggregateSync(
    { data: value.toString('base64'), partitionKey: 'outer', sequenceNumber: '1' },
    true,
    (error, records) => {
      if (error !== undefined && error !== null) throw error;
      found = records;
    },
  );
  return found;
}

/** `message`, with the magic number before it and its digest behind. */
function framed(message: readonly number[]): Buffer {
  const bytes = Buffer.from(message);
  return Buffer.concat([
    Buffer.from([0xf3, 0x89, 0x9a, 0xc2]),
    bytes,
    createHash('md5').update(bytes).digest(),
  ]);
}

/**
 * Few keys, so that they come again. The reference keeps keys as properties, which JavaScript sorts
 * when they are numbers: each begins with a letter.
 */
const keys = fc.oneof(
  fc.constantFrom('k-a', 'k-b', 'k-€'),
  fc.string({ unit: 'binary', maxLength: 300 }).map((text) => `k${text}`),
);
const pairsOf = (text: fc.Arbitrary<string>) =>
  fc.array(fc.record({ key: keys, text }), { minLength: 1, maxLength: 40 });
/** Around the lengths at which a length takes a byte more. */
const texts = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom(0, 126, 127, 128, 129, 16_383, 16_384).map((length) => 'x'.repeat(length)),
);

const table = [0x0a, 1, 0x6b];
const record = [0x1a, 5, 0x08, 0, 0x1a, 1, 0x76];

describe('an aggregate', () => {
  it('gives back the same records in the same order', () => {
    fc.assert(
      fc.property(pairsOf(texts), (pairs) => {
        expect(decoded(encoded(pairs))).toEqual(pairs);
      }),
    );
  });

  it('is read by the reference implementation', () => {
    fc.assert(
      fc.property(pairsOf(texts), (pairs) => {
        const found = byReference(encoded(pairs));
        expect(
          found.map((one) => ({
            key: one.partitionKey,
            text: Buffer.from(one.data, 'base64').toString(),
          })),
        ).toEqual(pairs);
        expect(found.map((one) => one.subSequenceNumber)).toEqual(pairs.map((_, n) => n));
      }),
    );
  });

  it('of the reference implementation is read, with explicit hash keys or without', () => {
    fc.assert(
      fc.property(pairsOf(texts), fc.boolean(), (pairs, explicit) => {
        const aggregator = new reference.RecordAggregator();
        for (const { key, text } of pairs) {
          aggregator.addUserRecord({
            partitionKey: key,
            data: Buffer.from(text),
            ...(explicit ? { explicitHashKey: '12345' } : {}),
          });
        }
        expect(decoded(aggregator.build().data)).toEqual(pairs);
      }),
    );
  });

  it('is, with one key, byte by byte what the reference implementation makes', () => {
    const pairs = ['', 'a', 'b'.repeat(200)].map((text) => ({ key: 'one-key', text }));
    const aggregator = new reference.RecordAggregator();
    for (const { key, text } of pairs)
      aggregator.addUserRecord({ partitionKey: key, data: Buffer.from(text) });
    expect(encoded(pairs).equals(aggregator.build().data)).toBe(true);
  });

  it('takes values in pieces and holds each whole', () => {
    const value = ['{"data":', '{"n":1}', '}'].map((piece) => Buffer.from(piece));
    const pieces = encodeAggregate([
      { key: 'k', value },
      { key: 'k', value: [] },
    ]);
    for (const piece of value) expect(pieces).toContain(piece);
    expect(decoded(Buffer.concat(pieces))).toEqual([
      { key: 'k', text: '{"data":{"n":1}}' },
      { key: 'k', text: '' },
    ]);
  });

  it('is decoded without a copy, also where it is a view itself', () => {
    const around = Buffer.concat([
      Buffer.alloc(13, 0xff),
      encoded([{ key: 'k', text: 'some text' }]),
      Buffer.alloc(7, 0xff),
    ]);
    const view = new Uint8Array(around.buffer, around.byteOffset + 13, around.length - 20);
    const [only] = decodeAggregate(view) ?? [];
    expect(only?.value.buffer).toBe(around.buffer);
    expect(Buffer.from(only?.value ?? []).toString()).toBe('some text');
  });

  it('adds no more bytes than it says', () => {
    fc.assert(
      fc.property(pairsOf(texts), (pairs) => {
        const values = pairs.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
        const table = [...new Set(pairs.map(({ key }) => key))].reduce(
          (sum, key) => sum + 6 + Buffer.byteLength(key),
          0,
        );
        expect(encoded(pairs).length).toBeLessThanOrEqual(20 + values + 16 * pairs.length + table);
      }),
    );
  });

  it('has at most so many records as a turn of its readers bears', () => {
    const many = (count: number): readonly Pair[] =>
      Array.from({ length: count }, () => ({ key: 'k', text: '' }));
    expect(decoded(encoded(many(aggregateMaxRecords)))).toHaveLength(aggregateMaxRecords);
    expect(() => encoded(many(aggregateMaxRecords + 1))).toThrow('aggregateMaxRecords');
    expect(() => encoded([])).toThrow('aggregateMaxRecords');
  });

  it('may come from a later version, with fields that are passed over', () => {
    const unknownFields = [
      0x20, 0x96, 0x01, 0x2a, 2, 1, 2, 0x31, 1, 2, 3, 4, 5, 6, 7, 8, 0x3d, 1, 2, 3, 4,
    ];
    const tagged = [0x1a, 9, 0x22, 2, 0x0a, 0, 0x08, 0, 0x1a, 1, 0x77];
    expect(
      decoded(framed([...unknownFields, ...table, ...record, ...tagged, ...unknownFields])),
    ).toEqual([
      { key: 'k', text: 'v' },
      { key: 'k', text: 'w' },
    ]);
  });

  it('may have its keys behind the records, and lengths that are longer than they need be', () => {
    expect(decoded(framed([...record, ...table]))).toEqual([{ key: 'k', text: 'v' }]);
    expect(decoded(framed([0x0a, 0x81, 0x80, 0x00, 0x6b, ...record]))).toEqual([
      { key: 'k', text: 'v' },
    ]);
  });
});

describe('what is no aggregate', () => {
  const whole = encoded([
    { key: 'a', text: 'first' },
    { key: 'b', text: 'second' },
  ]);

  it('is every record with any byte of it changed', () => {
    for (let at = 0; at < whole.length; at++) {
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] ?? 0) ^ 0x41;
      expect(decodeAggregate(changed), `byte ${at}`).toBeUndefined();
    }
  });

  it('is every record that was cut or grew', () => {
    for (let end = 0; end < whole.length; end++)
      expect(decodeAggregate(whole.subarray(0, end)), `cut at ${end}`).toBeUndefined();
    expect(decodeAggregate(Buffer.concat([whole, Buffer.from([0])]))).toBeUndefined();
  });

  it('is an event as it is', () => {
    expect(decodeAggregate(Buffer.from('{"specversion":"1.0","id":"1"}'))).toBeUndefined();
    expect(decodeAggregate(Buffer.alloc(0))).toBeUndefined();
  });

  it.each([
    ['without a record', table],
    ['without anything', []],
    ['with a record whose key is not in the table', [...table, 0x1a, 5, 0x08, 1, 0x1a, 1, 0x76]],
    ['with a record that names no key', [...table, 0x1a, 3, 0x1a, 1, 0x76]],
    ['with a record that has no data', [...table, 0x1a, 2, 0x08, 0]],
    ['with a record that ends in its data', [...table, 0x1a, 5, 0x08, 0, 0x1a, 2, 0x76]],
    ['with a length beyond its end', [...table, ...record, 0x1a, 200, 1]],
    ['with a length that does not end', [...table, ...record, 0x1a, 0xff]],
    [
      'with a number of more than ten bytes',
      [...table, ...record, 0x20, ...Array.from({ length: 10 }, () => 0x80), 0],
    ],
    ['with a fixed field beyond its end', [...table, ...record, 0x31, 1, 2, 3]],
    ['with a group', [...table, ...record, 0x23, 0x24]],
    ['with field 0', [...table, ...record, 0x00, 1]],
    [
      'with a length that no number of JavaScript can hold',
      [...table, 0x1a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
    ],
  ])('is a message of the right digest %s', (_, message) => {
    expect(decodeAggregate(framed(message))).toBeUndefined();
  });

  it('is one with more records, or more keys, than a turn bears', () => {
    const records = Array.from({ length: aggregateMaxRecords + 1 }, () => record).flat();
    expect(decodeAggregate(framed([...table, ...records]))).toBeUndefined();
    const tables = Array.from({ length: aggregateMaxRecords + 1 }, () => table).flat();
    expect(decodeAggregate(framed([...tables, ...record]))).toBeUndefined();
  });

  it('is told apart from one by every reader alike, whatever the message', () => {
    const bytes = fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 60 });
    const fields = [
      table,
      record,
      [0x20, 1],
      [0x31, 1, 2, 3, 4, 5, 6, 7, 8],
      [0x1a, 7, 0x08, 1, 0x08, 0, 0x1a, 1, 0x77],
      [0x1a, 2],
      [0x12, 0],
    ];
    const likely = fc
      .array(fc.constantFrom(...fields), { maxLength: 8 })
      .map((parts) => parts.flat());
    fc.assert(
      fc.property(fc.oneof(bytes, likely), (message) => {
        const value = framed(message);
        const ours = decodeAggregate(value);
        if (ours === undefined) return;
        const theirs = byReference(value).map((one) => ({ key: one.partitionKey, text: one.data }));
        expect(
          ours.map((one) => ({ key: one.key, text: Buffer.from(one.value).toString('base64') })),
        ).toEqual(theirs);
      }),
      { numRuns: 2_000 },
    );
  });
});
