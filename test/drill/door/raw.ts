/**
 * What attacks are made of: connections with a request's bytes, opened and left alone; bodies that
 * inflate; frames of a WebSocket.
 */
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { brotliCompressSync, constants } from 'node:zlib';
import type { Door } from './rig.ts';

export interface Connections {
  /** Opens one and writes `bytes`; what comes is read and thrown away. */
  open(...bytes: readonly (string | Uint8Array)[]): Socket;
  readonly all: readonly Socket[];
  close(): void;
}

export function connections(door: Door): Connections {
  const all: Socket[] = [];
  return {
    all,
    open(...bytes) {
      const socket = connect(door.port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.resume();
      for (const part of bytes) socket.write(part);
      all.push(socket);
      return socket;
    },
    close() {
      for (const socket of all) socket.destroy();
    },
  };
}

/** The head of a request, up to its blank line. */
export function headOf(
  door: Door,
  line: string,
  headers: Readonly<Record<string, string | number>>,
): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${line} HTTP/1.1\r\nHost: 127.0.0.1:${door.port}\r\n${lines.join('')}\r\n`;
}

/** A few dozen bytes that inflate to so many, under the largest window that there is. */
export function brotliBomb(bytes: number): Buffer {
  const params = { [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_QUALITY]: 5 };
  return brotliCompressSync(Buffer.alloc(bytes, 0x20), { params });
}

export function upgradeOf(door: Door, key: string): string {
  return headOf(door, 'GET /v1/attacker/events/ws', {
    Authorization: `Bearer ${key}`,
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Version': 13,
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
  });
}

/** A masked frame (RFC 6455, section 5.2) whose mask is zero. */
export function frameOf(opcode: number, isLast: boolean, payload: Uint8Array): Buffer {
  const first = (isLast ? 0x80 : 0) | opcode;
  const { length } = payload;
  const head = length < 126 ? Buffer.alloc(6) : Buffer.alloc(14);
  head[0] = first;
  if (length < 126) head[1] = 0x80 | length;
  else {
    head[1] = 0xff;
    head.writeBigUInt64BE(BigInt(length), 2);
  }
  return Buffer.concat([head, payload]);
}
