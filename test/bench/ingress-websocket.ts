/**
 * A WebSocket of the benchmark's load (RFC 6455): frames are made once but for their `ref`, masked
 * with zero, which leaves the text as it is; of what comes back only the status of each
 * acknowledgement is looked at.
 */
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { apiKey } from './ingress-names.ts';

export interface WebSocketOrder {
  readonly port: number;
  readonly path: string;
}

interface SocketLane {
  send(): void;
  close(): void;
}

const refDigits = 10;
const headStart = '{"ref":"';
const headEnd = '","data":';
const maskedText16 = [0x81, 0xfe] as const;
const zeroMask = [0, 0, 0, 0] as const;

/** Opens one; `answered` is called with the status of each acknowledgement, or `closed`. */
export function openWebSocket(
  { port, path }: WebSocketOrder,
  data: Buffer,
  answered: (lane: SocketLane, status: string) => void,
): Promise<SocketLane> {
  const payloadBytes = headStart.length + refDigits + headEnd.length + data.length + 1;
  const start = Buffer.from([...maskedText16, payloadBytes >> 8, payloadBytes & 0xff, ...zeroMask]);
  const rest = Buffer.concat([Buffer.from(headEnd), data, Buffer.from('}')]);
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(port, '127.0.0.1');
    let ref = 0;
    let pending: Buffer = Buffer.alloc(0);
    let greeted = false;
    const lane: SocketLane = {
      send() {
        socket.cork();
        socket.write(
          Buffer.concat([start, Buffer.from(headStart + String(++ref).padStart(refDigits, '0'))]),
        );
        socket.write(rest);
        socket.uncork();
      },
      close: () => socket.destroy(),
    };
    const onFrame = (opcode: number, text: string): void => {
      if (opcode !== 1) return;
      if (greeted) return answered(lane, /"status":(\d+)/.exec(text)?.[1] ?? text.slice(0, 60));
      greeted = true;
      resolve(lane);
    };
    socket.setNoDelay(true);
    socket.once('error', reject);
    socket.once('close', () => answered(lane, 'closed'));
    socket.once('connect', () => {
      const headers = [
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==',
      ];
      socket.write(
        `GET ${path}/ws HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Api-Key: ${apiKey}\r\n${headers.join('\r\n')}\r\n\r\n`,
      );
    });
    socket.once('data', (first: Buffer) => {
      const end = first.indexOf('\r\n\r\n');
      if (!first.toString('latin1').startsWith('HTTP/1.1 101') || end < 0) {
        reject(new Error(`no WebSocket: ${first.toString('latin1', 0, 200)}`));
        return;
      }
      pending = first.subarray(end + 4);
      const read = (): void => {
        pending = readFrames(pending, onFrame);
      };
      read();
      socket.on('data', (chunk: Buffer) => {
        pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
        read();
      });
    });
  });
}

/** Hands on the frames that are whole; what is left of `bytes`. */
function readFrames(bytes: Buffer, onFrame: (opcode: number, text: string) => void): Buffer {
  let at = 0;
  while (bytes.length - at >= 2) {
    const short = (bytes[at + 1] ?? 0) & 0x7f;
    const headBytes = short === 126 ? 4 : 2;
    if (bytes.length - at < headBytes) break;
    const length = short === 126 ? bytes.readUInt16BE(at + 2) : short;
    if (bytes.length - at < headBytes + length) break;
    onFrame(
      (bytes[at] ?? 0) & 0x0f,
      bytes.toString('latin1', at + headBytes, at + headBytes + length),
    );
    at += headBytes + length;
  }
  return bytes.subarray(at);
}
