/**
 * WebSocket frames as bytes (RFC 6455, section 5.2): those of a client as wrong as one likes, those
 * of the server read by the letter.
 */
import fc from 'fast-check';
import { someMessage } from './arbitrary-bodies.ts';

export interface Frame {
  readonly fin: boolean;
  readonly reserved: number;
  readonly opcode: number;
  readonly payload: Buffer;
}

/** Mostly text in one frame; also fragments, control frames, reserved bits and opcodes. */
export const someFrame: fc.Arbitrary<Frame> = fc.record({
  fin: fc.oneof(
    { weight: 4, arbitrary: fc.constant(true) },
    { weight: 1, arbitrary: fc.boolean() },
  ),
  reserved: fc.oneof(
    { weight: 12, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 7 }) },
  ),
  opcode: fc.oneof(
    { weight: 8, arbitrary: fc.constant(1) },
    { weight: 4, arbitrary: fc.constantFrom(0, 2, 8, 9, 10) },
    { weight: 1, arbitrary: fc.nat(15) },
  ),
  payload: someMessage,
});

/** A client's frame: masked, in the shortest form of its length. */
export function frameBytes({ fin, reserved, opcode, payload }: Frame): Buffer {
  const mask = Buffer.from([0x12, 0x34, 0x56, 0x78]);
  const masked = Buffer.from(payload.map((byte, index) => byte ^ (mask[index % 4] ?? 0)));
  const first = (fin ? 0x80 : 0) | (reserved << 4) | opcode;
  if (payload.length < 126)
    return Buffer.concat([Buffer.from([first, 0x80 | payload.length]), mask, masked]);
  const head = Buffer.alloc(payload.length < 65_536 ? 4 : 10);
  head[0] = first;
  if (head.length === 4) {
    head[1] = 0x80 | 126;
    head.writeUInt16BE(payload.length, 2);
  } else {
    head[1] = 0x80 | 127;
    head.writeBigUInt64BE(BigInt(payload.length), 2);
  }
  return Buffer.concat([head, mask, masked]);
}

/**
 * The server's frames in `bytes`, the last one left out when it is not whole. Throws when one is
 * none that a server may send.
 */
export function readFrames(bytes: Buffer): readonly Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at + 2 <= bytes.length; ) {
    const [first = 0, second = 0] = bytes.subarray(at, at + 2);
    if ((second & 0x80) !== 0) throw new Error('a frame of the server is masked');
    const short = second & 0x7f;
    const head = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (at + head > bytes.length) break;
    const length =
      short < 126
        ? short
        : short === 126
          ? bytes.readUInt16BE(at + 2)
          : Number(bytes.readBigUInt64BE(at + 2));
    const end = at + head + length;
    if (end > bytes.length) break;
    const frame: Frame = {
      fin: (first & 0x80) !== 0,
      reserved: (first >> 4) & 7,
      opcode: first & 15,
      payload: bytes.subarray(at + head, end),
    };
    if (frame.reserved !== 0 || ![0, 1, 2, 8, 9, 10].includes(frame.opcode))
      throw new Error(`a frame begins with ${first.toString(16)}`);
    if (frame.opcode >= 8 && (!frame.fin || length > 125))
      throw new Error('a control frame is in pieces or too long');
    frames.push(frame);
    at = end;
  }
  return frames;
}
