/**
 * Fetch beside kafkajs' own: what is asked is byte for byte what it asks, in both versions, and its
 * answers are taken apart with what it leaves out.
 */
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import type { FetchVersion } from '../../../../deploy/streams/kafka/fetch-request.ts';
import {
  decodeFetch,
  encodeFetch,
  fetchVersionOf,
} from '../../../../deploy/streams/kafka/fetch-request.ts';
import { deriveKafkaFailure } from '../../../../deploy/streams/kafka/kafka-failure.ts';

const require = createRequire(import.meta.url);

interface Encoder {
  readonly buffer: Buffer;
  writeInt16(value: number): Encoder;
  writeInt32(value: number): Encoder;
  writeInt64(value: number): Encoder;
  writeString(value: string): Encoder;
  writeBytes(value: Buffer): Encoder;
  writeArray(value: readonly Encoder[]): Encoder;
}
const Encoder = require('kafkajs/src/protocol/encoder') as new () => Encoder;

const versions: readonly FetchVersion[] = [4, 11];

interface Answered {
  readonly partition: number;
  readonly code?: number;
  readonly aborted?: readonly (readonly [producerId: number, first: number])[] | null;
  readonly batches?: Buffer;
}

function answerOf(version: FetchVersion, partitions: readonly Answered[], code = 0): Buffer {
  const answer = new Encoder().writeInt32(0);
  if (version === 11) answer.writeInt16(code).writeInt32(0);
  const encoded = partitions.map(
    ({ partition, code: own = 0, aborted = [], batches = Buffer.alloc(0) }) => {
      const head = new Encoder()
        .writeInt32(partition)
        .writeInt16(own)
        .writeInt64(90)
        .writeInt64(70);
      if (version === 11) head.writeInt64(3);
      if (aborted === null) head.writeInt32(-1);
      else
        head.writeArray(
          aborted.map(([producerId, first]) =>
            new Encoder().writeInt64(producerId).writeInt64(first),
          ),
        );
      if (version === 11) head.writeInt32(-1);
      return head.writeBytes(batches);
    },
  );
  return answer.writeArray([new Encoder().writeString('orders').writeArray(encoded)]).buffer;
}

describe.each(versions)('Fetch, version %i', (version) => {
  it('is asked for as kafkajs asks', async () => {
    const request = require(`kafkajs/src/protocol/requests/fetch/v${version}/request`) as (
      given: object,
    ) => { encode(): Promise<Encoder> };
    const wanted = [
      { partition: 0, offset: 0n, maxBytes: 1_000 },
      { partition: 7, offset: 9_007_199_254_740_993n, maxBytes: 8_388_608 },
    ];
    const { buffer } = await request({
      replicaId: -1,
      isolationLevel: 1,
      maxWaitTime: 0,
      minBytes: 0,
      maxBytes: 5_000_000,
      topics: [
        {
          topic: 'bestellungen-ü',
          partitions: wanted.map(({ partition, offset, maxBytes }) => ({
            partition,
            fetchOffset: String(offset),
            maxBytes,
          })),
        },
      ],
    }).encode();
    expect(encodeFetch(version, 'bestellungen-ü', wanted, 5_000_000).equals(buffer)).toBe(true);
  });

  it('is answered by partition, each with its own error', () => {
    const batches = Buffer.from('batches');
    const found = decodeFetch(
      version,
      answerOf(version, [
        {
          partition: 0,
          aborted: [
            [5, 60],
            [4, 50],
          ],
          batches,
        },
        { partition: 1, code: 1 },
        { partition: 2, code: 3 },
        { partition: 3, code: 76 },
        { partition: 4, code: 4_711 },
        { partition: 5, aborted: null },
      ]),
    );
    const aborted = [
      { producerId: 5n, first: 60n },
      { producerId: 4n, first: 50n },
    ];
    expect(found[0]).toEqual({
      partition: 0,
      error: undefined,
      highWatermark: 90n,
      lastStable: 70n,
      aborted,
      batches,
    });
    expect(
      found.map(({ error }) => (error === undefined ? undefined : deriveKafkaFailure(error))),
    ).toEqual([undefined, 'out-of-range', 'topic-missing', 'codec-refused', 'unclear', undefined]);
    expect(found[4]?.error).toMatchObject({ type: 'error 4711' });
  });

  it('that ends too soon is an error, wherever it does', () => {
    const whole = answerOf(version, [
      { partition: 0, aborted: [[5, 60]], batches: Buffer.from('batches') },
    ]);
    for (let cut = 0; cut < whole.length; cut++)
      expect(() => decodeFetch(version, whole.subarray(0, cut))).toThrow(RangeError);
  });
});

it('a Fetch that failed as a whole is an error, and the version is the newest that both know', () => {
  expect(() => decodeFetch(11, answerOf(11, [], 71))).toThrow(
    expect.objectContaining({ type: 'error 71' }),
  );
  expect([0, 4, 10, 11, 17].map(fetchVersionOf)).toEqual([4, 4, 4, 11, 11]);
});
