/**
 * A proxy in front of a broker of Apache Kafka, which advertises the proxy's address: it hands on
 * all requests, and does to each Produce what a test says. https://kafka.apache.org/protocol.html
 */
import type { AddressInfo, Socket } from 'node:net';
import { connect, createServer } from 'node:net';

export type ProduceFault =
  | { readonly kind: 'pass' }
  /** The broker does not hear of it; each partition is answered with this error. */
  | { readonly kind: 'error'; readonly code: number }
  /** The connection ends before the broker hears of it. */
  | { readonly kind: 'reset' }
  /** The broker does it, and the connection ends instead of its answer. */
  | { readonly kind: 'lost-reply' };

export interface KafkaProxy {
  readonly port: number;
  /** Where it hands on to. */
  target: number;
  /** What becomes of a Produce; `nth` counts from 0, anew when this is set. */
  decide: (nth: number) => ProduceFault;
  /** Produce requests since `decide` was set. */
  readonly produced: number;
  /** All that were ever made. */
  readonly connections: number;
  close(): Promise<void>;
}

const passes = (): ProduceFault => ({ kind: 'pass' });
const produceKey = 0;

/** Whole messages of a connection, each with its length in front. */
function framesOf(take: (frame: Buffer) => void): (chunk: Buffer) => void {
  let kept: Buffer = Buffer.alloc(0);
  return (chunk) => {
    kept = Buffer.concat([kept, chunk]);
    while (kept.length >= 4 && kept.length >= 4 + kept.readInt32BE(0)) {
      const end = 4 + kept.readInt32BE(0);
      take(kept.subarray(0, end));
      kept = kept.subarray(end);
    }
  };
}

/** The answer to a Produce of versions 3 to 8 in which every partition failed. */
function failedProduce(request: Buffer, code: number): Buffer {
  const version = request.readInt16BE(6);
  let at = 12;
  const text = (): Buffer => {
    const length = Math.max(0, request.readInt16BE(at));
    at += 2 + length;
    return request.subarray(at - length - 2, at);
  };
  text();
  text();
  at += 6;
  const parts: Buffer[] = [];
  const int = (write: 'writeInt16BE' | 'writeInt32BE', bytes: number, value: number): void => {
    const buffer = Buffer.alloc(bytes);
    buffer[write](value);
    parts.push(buffer);
  };
  const count = (): number => {
    const found = request.readInt32BE(at);
    at += 4;
    int('writeInt32BE', 4, found);
    return found;
  };
  parts.push(request.subarray(8, 12));
  for (let topics = count(); topics > 0; topics--) {
    parts.push(text());
    for (let partitions = count(); partitions > 0; partitions--) {
      parts.push(request.subarray(at, at + 4));
      at += 8 + request.readInt32BE(at + 4);
      int('writeInt16BE', 2, code);
      // Offset and time; since version 5 the first offset that is kept.
      parts.push(Buffer.alloc(version >= 5 ? 24 : 16, 0xff));
    }
  }
  int('writeInt32BE', 4, 0);
  const body = Buffer.concat(parts);
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length);
  return Buffer.concat([length, body]);
}

export async function startKafkaProxy(): Promise<KafkaProxy> {
  const sockets = new Set<Socket>();
  let decide: KafkaProxy['decide'] = passes;
  let produced = 0;
  let connections = 0;

  const serve = (client: Socket): void => {
    connections++;
    const broker = connect(proxy.target, '127.0.0.1');
    let isLost = false;
    const end = (): void => {
      client.destroy();
      broker.destroy();
    };
    for (const socket of [client, broker]) {
      sockets.add(socket);
      socket.once('error', end);
      socket.once('close', () => {
        sockets.delete(socket);
        end();
      });
    }
    broker.on('data', (chunk: Buffer) => (isLost ? end() : client.write(chunk)));
    const take = (frame: Buffer): void => {
      const fault = frame.readInt16BE(4) === produceKey ? decide(produced++) : passes();
      if (fault.kind === 'reset') return end();
      if (fault.kind === 'error') return void client.write(failedProduce(frame, fault.code));
      isLost ||= fault.kind === 'lost-reply';
      broker.write(frame);
    };
    client.on('data', framesOf(take));
  };
  const server = createServer(serve);
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const proxy: KafkaProxy = {
    port: (server.address() as AddressInfo).port,
    target: 0,
    get decide() {
      return decide;
    },
    set decide(next) {
      decide = next;
      produced = 0;
    },
    get produced() {
      return produced;
    },
    get connections() {
      return connections;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
  return proxy;
}
