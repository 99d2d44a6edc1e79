/**
 * Messages of `application/vnd.amazon.eventstream`, written by hand after its documentation: a
 * length, a length of headers and a CRC-32 of both, headers, the payload, and a CRC-32 of all.
 * https://docs.aws.amazon.com/transcribe/latest/dg/event-stream.html,
 * https://smithy.io/2.0/aws/amazon-eventstream.html
 */
import { crc32 } from 'node:zlib';

const text = 7;

function encodeMessage(headers: Readonly<Record<string, string>>, payload: string): Buffer {
  const head = Buffer.concat(
    Object.entries(headers).map(([name, value]) => {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(Buffer.byteLength(value));
      return Buffer.concat([
        Buffer.of(Buffer.byteLength(name)),
        Buffer.from(name),
        Buffer.of(text),
        length,
        Buffer.from(value),
      ]);
    }),
  );
  const body = Buffer.from(payload);
  const message = Buffer.alloc(12 + head.length + body.length + 4);
  message.writeUInt32BE(message.length, 0);
  message.writeUInt32BE(head.length, 4);
  message.writeUInt32BE(crc32(message.subarray(0, 8)), 8);
  head.copy(message, 12);
  body.copy(message, 12 + head.length);
  message.writeUInt32BE(crc32(message.subarray(0, -4)), message.length - 4);
  return message;
}

export function encodeEvent(type: string, payload: unknown): Buffer {
  const headers = {
    ':message-type': 'event',
    ':event-type': type,
    ':content-type': 'application/x-amz-json-1.1',
  };
  return encodeMessage(headers, JSON.stringify(payload));
}

/** What ends a stream with a fault of the model. */
export function encodeException(type: string, message: string): Buffer {
  const headers = {
    ':message-type': 'exception',
    ':exception-type': type,
    ':content-type': 'application/x-amz-json-1.1',
  };
  return encodeMessage(headers, JSON.stringify({ message }));
}
