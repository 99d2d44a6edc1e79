/**
 * IncrementalAlterConfigs, version 0, which kafkajs does not have: it changes the settings that it
 * names and no other. kafkajs' own AlterConfigs replaces them all, so that a setting that somebody
 * made by hand would be gone. Pure; shape-topics.ts sends it.
 * https://kafka.apache.org/protocol#The_Messages_IncrementalAlterConfigs, KIP-339
 */
import { AnswerReader, errorOfCode } from './answer-reader.ts';
import type { TopicSettings } from './decide-topic.ts';

export const alterKey = 44;

const topicResource = 2;
const setOperation = 0;

export function encodeAlterTopic(topic: string, settings: TopicSettings): Buffer {
  const entries = Object.entries(settings);
  return Buffer.concat([
    // One resource.
    int32(1),
    Buffer.of(topicResource),
    text(topic),
    int32(entries.length),
    ...entries.flatMap(([name, value]) => [text(name), Buffer.of(setOperation), text(value)]),
    // Not to be checked only.
    Buffer.of(0),
  ]);
}

/** Throws an error with a `type`, as kafkajs' have, and the broker's words. */
export function checkAlterAnswer(payload: Buffer): void {
  const read = new AnswerReader(payload);
  // For how long the client was throttled: kafkajs sees to that.
  read.skip(4);
  read.array(() => {
    const code = read.int16();
    const words = read.string();
    read.skip(1);
    read.string();
    if (code === 0) return;
    const error = errorOfCode(code);
    throw Object.assign(error, { message: words === '' ? error.message : words });
  });
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(2);
  length.writeInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}
