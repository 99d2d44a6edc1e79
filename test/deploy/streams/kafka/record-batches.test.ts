/**
 * Batches of records taken apart: what compaction leaves of them, what is not known here, and what
 * is damaged. The bytes are made by kafkajs' own encoder.
 */
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { kafkaCodec } from '../../../../deploy/streams/kafka/codecs/codecs.ts';
import { CommittedRecords } from '../../../../deploy/streams/kafka/committed-records.ts';
import type { AbortedTransaction } from '../../../../deploy/streams/kafka/fetch-request.ts';
import { kafkaCompressions } from '../../../../schemas/kafka-compressions.ts';
import { SluiceError } from '../../../../schemas/kernel/errors.ts';
import type { IncomingRecord } from '../../../../schemas/ports/record.ts';
import { saying } from '../../../said.ts';

const require = createRequire(import.meta.url);

interface Encoder {
  readonly buffer: Buffer;
}
const recordOf = require('kafkajs/src/protocol/recordBatch/record/v0') as (record: {
  readonly offsetDelta: number;
  readonly timestampDelta?: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: Readonly<Record<string, Buffer | readonly Buffer[]>>;
}) => Encoder;
const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0') as {
  RecordBatch: (batch: Readonly<Record<string, unknown>>) => Promise<Encoder>;
};

interface Given {
  readonly first: number;
  /** By their difference to the first. */
  readonly texts: Readonly<Record<number, string>>;
  readonly last: number;
  readonly producerId?: number;
}

const attributesAt = 21;

async function batch({ first, texts, last, producerId }: Given): Promise<Buffer> {
  const records = Object.entries(texts).map(([delta, text]) =>
    recordOf({
      offsetDelta: Number(delta),
      timestampDelta: Number(delta),
      key: Buffer.from('k'),
      value: Buffer.from(text),
    }),
  );
  const { buffer } = await RecordBatch({
    firstOffset: first,
    firstTimestamp: 1_000,
    maxTimestamp: 9_000,
    lastOffsetDelta: last - first,
    transactional: producerId !== undefined,
    producerId: producerId ?? -1,
    records,
  });
  return buffer;
}

/** The marker of a transaction's end. */
async function marker(
  offset: number,
  producerId: number,
  type: 'abort' | 'commit',
): Promise<Buffer> {
  const key = Buffer.from([0, 0, 0, type === 'abort' ? 0 : 1]);
  const records = [recordOf({ offsetDelta: 0, key, value: Buffer.alloc(6) })];
  const { buffer } = await RecordBatch({
    firstOffset: offset,
    transactional: true,
    producerId,
    records,
  });
  buffer.writeInt16BE(buffer.readInt16BE(attributesAt) | 0x20, attributesAt);
  return buffer;
}

const of = "Kafka topic 'orders'";

async function allOf(
  batches: readonly Buffer[],
  from = 0,
  aborted: readonly AbortedTransaction[] = [],
): Promise<{ readonly read: readonly IncomingRecord[]; readonly next: bigint }> {
  const records = new CommittedRecords(
    { batches: Buffer.concat(batches), aborted },
    BigInt(from),
    of,
  );
  const read: IncomingRecord[] = [];
  for (let some = await records.batch(); some !== undefined; some = await records.batch())
    read.push(...some);
  return { read, next: records.next };
}

const textsOf = ({ read }: { readonly read: readonly IncomingRecord[] }): readonly string[] =>
  read.map(({ position, value }) => `${position} ${Buffer.from(value).toString()}`);

describe('batches of records', () => {
  it('are given from the offset that was asked for, with their times', async () => {
    const all = await allOf(
      [await batch({ first: 7, texts: { 0: 'a', 1: 'b', 2: 'c' }, last: 9 })],
      8,
    );
    expect(textsOf(all)).toEqual(['8 b', '9 c']);
    expect(all.read.map(({ arrivedAtMs }) => arrivedAtMs)).toEqual([1_001, 1_002]);
  });

  it('end where they say, whatever compaction took out of them', async () => {
    const holed = await batch({ first: 10, texts: { 1: 'b', 4: 'e' }, last: 19 });
    const empty = await batch({ first: 20, texts: {}, last: 29 });
    const all = await allOf([holed, empty]);
    expect(textsOf(all)).toEqual(['11 b', '14 e']);
    expect(all.next).toBe(30n);
    // Nothing is left of what was asked for, and the next read begins behind it.
    expect(await allOf([holed], 16)).toEqual({ read: [], next: 20n });
    expect(await allOf([empty], 25)).toEqual({ read: [], next: 30n });
  });

  it('have the time of the broker where it writes that', async () => {
    const logged = await batch({ first: 0, texts: { 0: 'a', 1: 'b' }, last: 1 });
    logged.writeInt16BE(0x08, attributesAt);
    expect((await allOf([logged])).read.map(({ arrivedAtMs }) => arrivedAtMs)).toEqual([
      9_000, 9_000,
    ]);
  });

  it('may have records without key, value and headers, and with a header several times', async () => {
    const headers = { one: Buffer.from('1'), several: [Buffer.from('first'), Buffer.from('löst')] };
    const records = [
      recordOf({ offsetDelta: 0, key: null, value: null }),
      recordOf({ offsetDelta: 1, key: Buffer.from('schlüssel'), value: Buffer.from('v'), headers }),
    ];
    const { buffer } = await RecordBatch({
      firstOffset: 0,
      lastOffsetDelta: 1,
      firstTimestamp: 5,
      records,
    });
    expect((await allOf([buffer])).read).toEqual([
      { key: '', value: new Uint8Array(0), position: '0', arrivedAtMs: 5 },
      {
        key: 'schlüssel',
        value: Buffer.from('v'),
        position: '1',
        arrivedAtMs: 5,
        headers: { one: '1', several: 'löst' },
      },
    ]);
  });

  it('that are cut at the end of an answer wait for the next one', async () => {
    const [one, two] = [
      await batch({ first: 0, texts: { 0: 'a' }, last: 0 }),
      await batch({ first: 1, texts: { 0: 'b' }, last: 1 }),
    ];
    for (let cut = 0; cut < two.length; cut++) {
      const all = await allOf([one, two.subarray(0, cut)]);
      expect([textsOf(all), all.next]).toEqual([['0 a'], 1n]);
    }
  });

  it('of a transaction that was broken off are left out, also when the answer begins within it and when only its own producer is meant', async () => {
    const batches = [
      await batch({ first: 10, texts: { 0: 'x' }, last: 10, producerId: 1 }),
      await batch({ first: 11, texts: { 0: 'a' }, last: 11, producerId: 2 }),
      await batch({ first: 12, texts: { 0: 'b' }, last: 12 }),
      await marker(13, 1, 'abort'),
      await batch({ first: 14, texts: { 0: 'c' }, last: 14, producerId: 1 }),
      await marker(15, 2, 'commit'),
      await marker(16, 1, 'commit'),
      await batch({ first: 17, texts: { 0: 'y' }, last: 17, producerId: 2 }),
      await marker(18, 2, 'abort'),
    ];
    // In no order, and the first begun before what was asked for.
    const aborted = [
      { producerId: 2n, first: 17n },
      { producerId: 1n, first: 4n },
    ];
    expect(await allOf(batches, 10, aborted).then(textsOf)).toEqual(['11 a', '12 b', '14 c']);
    expect((await allOf(batches, 10, aborted)).next).toBe(19n);
  });
});

describe('a batch that cannot be read', () => {
  const good = (first: number): Promise<Buffer> =>
    batch({ first, texts: { 0: 'a', 1: 'b' }, last: first + 1 });

  it.each([5, 6, 7])(
    'of codec %i is a lasting fault with its name, told again and again once what comes before it was given',
    async (codec) => {
      const bad = await good(2);
      bad.writeInt16BE(codec, attributesAt);
      const records = new CommittedRecords(
        { batches: Buffer.concat([await good(0), bad, await good(4)]), aborted: [] },
        0n,
        of,
      );
      expect(await records.batch()).toHaveLength(2);
      for (let times = 0; times < 2; times++) {
        await expect(records.batch()).rejects.toMatchObject({
          code: 'codec-unreadable',
          retryable: false,
          details: { first: 2n, last: 3n, codec },
          message: saying({ names: ['orders'] }),
          fix: saying({ code: ['sluice skip TOPOLOGY SPLIT --to 3'] }),
        });
      }
      expect(records.next).toBe(2n);
    },
  );

  it.each([0, 1])('of form %i is one as well', async (form) => {
    const bad = await good(2);
    bad.writeInt8(form, 16);
    await expect(allOf([bad])).rejects.toMatchObject({
      code: 'records-unreadable',
      retryable: false,
    });
  });

  it('because its head is damaged says so, also of a marker', async () => {
    const [short, cut] = [await good(2), await marker(2, 1, 'abort')];
    short.writeInt32BE(-9, 8);
    cut.writeInt32BE(64 - 12, 8);
    for (const bad of [short, cut.subarray(0, 64)]) {
      await expect(allOf([bad])).rejects.toMatchObject({
        code: 'stream-corrupt',
        retryable: false,
      });
    }
  });

  it('of a transaction that was broken off is nobody’s business', async () => {
    const bad = await batch({ first: 0, texts: { 0: 'x' }, last: 0, producerId: 3 });
    bad.writeInt16BE(0x10 | 7, attributesAt);
    expect(
      await allOf([bad, await marker(1, 3, 'abort')], 0, [{ producerId: 3n, first: 0n }]),
    ).toEqual({ read: [], next: 2n });
  });

  it('because it is damaged says so, with its codec, wherever the damage is, and nothing hangs', async () => {
    const plain = Buffer.concat([
      recordOf({ offsetDelta: 0, key: Buffer.from('k'), value: Buffer.from('value '.repeat(40)) })
        .buffer,
    ]);
    for (const codec of kafkaCompressions.keys()) {
      const coding = kafkaCodec(codec);
      if ('missing' in coding) throw new Error(coding.missing);
      const packed = await coding.deflate(plain);
      const whole = await good(0);
      const head = whole.subarray(0, 61);
      head.writeInt16BE(codec, attributesAt);
      head.writeInt32BE(1, 57);
      const codes = new Set<string>();
      for (let at = 0; at < packed.length; at++) {
        for (const records of [
          Buffer.from(packed.map((byte, n) => (n === at ? byte ^ 0x55 : byte))),
          packed.subarray(0, at),
        ]) {
          head.writeInt32BE(61 - 12 + records.length, 8);
          const thrown = await allOf([Buffer.concat([head, records])]).then(
            () => undefined,
            (error: unknown) => error,
          );
          if (thrown === undefined) continue;
          expect(thrown).toBeInstanceOf(SluiceError);
          if (!(thrown instanceof SluiceError)) continue;
          codes.add(thrown.code);
          expect(thrown.details).toEqual({ first: 0n, last: 1n, codec });
        }
      }
      expect(codes).toEqual(new Set(['stream-corrupt']));
    }
  });
});
