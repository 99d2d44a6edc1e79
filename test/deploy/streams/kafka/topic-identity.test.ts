/**
 * The bytes of Metadata, version 10, as https://kafka.apache.org/protocol#The_Messages_Metadata
 * describes them; a real broker's are read in recreated-reader.test.ts.
 */
import { expect, it } from 'vitest';
import {
  decodeTopicAnswer,
  encodeTopicRequest,
} from '../../../../deploy/streams/kafka/topic-identity.ts';

const int16 = (value: number): readonly number[] => [value >> 8, value & 255];
const int32 = (value: number): readonly number[] => [0, 0, ...int16(value)];
const text = (value: string): readonly number[] => [value.length + 1, ...Buffer.from(value)];
const none = [0];
const tags = [2, 7, 3, 1, 2, 3, 9, 0];

const partition = (id: number): readonly number[] => [
  ...int16(0),
  ...int32(id),
  ...int32(1),
  ...int32(0),
  ...[2, ...int32(1), 2, ...int32(1), 1],
  ...none,
];

/** With a broker of rack null, and fields of later versions that nobody knows. */
function answer(errorCode: number, id: Buffer, partitions: readonly number[]): Buffer {
  const broker = [...int32(1), ...text('b-1.example'), ...int32(9_098), 0, ...tags];
  const topic = [
    ...int16(errorCode),
    ...text('orders'),
    ...id,
    0,
    partitions.length + 1,
    ...partitions.flatMap(partition),
    ...int32(0),
    ...tags,
  ];
  return Buffer.from([
    ...none,
    ...int32(0),
    2,
    ...broker,
    ...text('cluster'),
    ...int32(1),
    2,
    ...topic,
    ...int32(0),
    ...tags,
  ]);
}

const id = Buffer.from('00112233445566778899aabbccddeeff', 'hex');

it('asks for one topic by its name, of any length that a topic has', () => {
  const request = encodeTopicRequest('a'.repeat(249));
  expect([...request.subarray(0, 20)]).toEqual([0, 2, ...Array(16).fill(0), 0xfa, 0x01]);
  expect(request.subarray(20).toString()).toBe(`${'a'.repeat(249)}\0\0\0\0\0`);
});

it('reads id and partitions, whatever fields come with them', () => {
  expect(decodeTopicAnswer(answer(0, id, [2, 0, 1]))).toEqual({
    id: id.toString('base64url'),
    partitions: [0, 1, 2],
  });
});

it('has no id for a topic that has none', () => {
  expect(decodeTopicAnswer(answer(0, Buffer.alloc(16), [0]))).toEqual({
    id: undefined,
    partitions: [0],
  });
});

it.each([
  [3, 'UNKNOWN_TOPIC_OR_PARTITION'],
  [5, 'LEADER_NOT_AVAILABLE'],
  [29, 'TOPIC_AUTHORIZATION_FAILED'],
  [72, 'error 72'],
])('throws error %i as %s', (errorCode, type) => {
  expect(() => decodeTopicAnswer(answer(errorCode, id, []))).toThrow(
    expect.objectContaining({ type }),
  );
});

it('does not take an answer that is cut off for one', () => {
  const whole = answer(0, id, [0, 1]);
  expect(() => decodeTopicAnswer(whole.subarray(0, whole.length - 60))).toThrow(RangeError);
});
