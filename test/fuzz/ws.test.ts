/**
 * The WebSocket surface under messages, frames and handshakes that nobody would think of: each
 * message gets one documented acknowledgement, whatever breaks the protocol ends its own connection
 * only, and nothing is left behind.
 */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { AnswerCheck, MessageCheck } from '../ingest/documented.ts';
import { answerCheck, isOfParser, messageCheck } from '../ingest/documented.ts';
import type { Rig } from '../ingest/support.ts';
import { mutated, someId, someMessage } from './arbitrary-bodies.ts';
import { converse } from './raw-http.ts';
import { frameBytes, readFrames, someFrame } from './raw-websocket.ts';
import {
  bodyMaxBytes,
  difference,
  expectConserved,
  fuzzRig,
  hangMs,
  parameters,
  settled,
  timeoutMs,
  totalsOf,
} from './support.ts';

let made: Rig;
let undocumented: MessageCheck;
let undocumentedAnswer: AnswerCheck;
const seen = { kinesis: 0, kafka: 0 };

beforeAll(async () => {
  made = await fuzzRig();
  const [asyncapi = '', openapi = ''] = await Promise.all(
    ['asyncapi', 'openapi'].map(async (name) =>
      (await fetch(`${made.ingress.url}/${name}.json`)).text(),
    ),
  );
  undocumented = messageCheck(asyncapi);
  undocumentedAnswer = answerCheck(openapi);
});
afterAll(async () => {
  await made.ingress.shutDown();
});

interface Acknowledgement {
  readonly ref?: string | number;
  readonly status: number;
}

interface Sent {
  readonly data: Buffer;
  readonly binary: boolean;
}

/** Sends all and listens until each is acknowledged or the connection ends. */
async function exchange(
  stream: string,
  messages: readonly Sent[],
): Promise<{ readonly acks: readonly Acknowledgement[]; readonly closed: boolean }> {
  const socket = new WebSocket(`${made.ingress.url.replace('http', 'ws')}/v1/${stream}/ws`, {
    perMessageDeflate: false,
  });
  const acks: Acknowledgement[] = [];
  let greeted = false;
  const problems: string[] = [];
  const closed = await new Promise<boolean>((resolve, reject) => {
    const hang = setTimeout(
      () => reject(new Error(`${acks.length} of ${messages.length} are acknowledged`)),
      hangMs,
    );
    const finish = (end: boolean): void => {
      clearTimeout(hang);
      resolve(end);
    };
    socket.on('message', (raw: Buffer, isBinary) => {
      const message: unknown = JSON.parse(raw.toString());
      const problem = isBinary
        ? 'a message is binary'
        : undocumented(greeted ? 'Acknowledgement' : 'Hello', message);
      if (problem !== undefined) problems.push(`${problem}: ${raw.toString().slice(0, 300)}`);
      if (greeted) acks.push(message as Acknowledgement);
      else for (const { data, binary } of messages) socket.send(data, { binary });
      greeted = true;
      if (acks.length >= messages.length) finish(false);
    });
    socket.once('error', () => undefined);
    socket.once('close', () => finish(true));
  });
  socket.terminate();
  expect(problems).toEqual([]);
  expect(greeted).toBe(true);
  return { acks, closed };
}

/**
 * The `ref` that a message's acknowledgement must carry; undefined where it has none that is read.
 */
function refOf(data: Buffer): string | number | undefined {
  if (!isUtf8(data)) return undefined;
  try {
    const { ref } = JSON.parse(data.toString()) as { ref?: unknown };
    return typeof ref === 'number' ||
      (typeof ref === 'string' && Buffer.byteLength(JSON.stringify(ref)) <= 128)
      ? ref
      : undefined;
  } catch {
    return undefined;
  }
}

function isUtf8(data: Buffer): boolean {
  return Buffer.from(data.toString()).equals(data);
}

const stream = fc.constantFrom('a/plain', 'a/wrapped', 'a/pointed');

describe('any messages', () => {
  it(
    'are each acknowledged once, with their own ref and a documented outcome, and counted as that',
    async () => {
      const message = fc.record({ data: someMessage, binary: fc.boolean() });
      const property = fc.asyncProperty(
        stream,
        fc.array(message, { minLength: 1, maxLength: 40 }),
        async (name, messages) => {
          const before = totalsOf(made.ingress.counts());
          const { acks, closed } = await exchange(name, messages);
          await settled(made);
          // Text that is not UTF-8, and what is longer than said in the greeting, ends the
          // connection (RFC 6455, sections 8.1 and 7.4.1).
          const isTaken = ({ data, binary }: Sent): boolean =>
            data.length <= bodyMaxBytes && (binary || isUtf8(data));
          expect(closed).toBe(!messages.every(isTaken));
          if (!closed) {
            const refused = acks.filter(({ status }) => status >= 400).length;
            expect(difference(totalsOf(made.ingress.counts()), before)).toMatchObject({
              received: messages.length,
              refused,
            });
            const refs = messages.flatMap(({ data }) =>
              data.toString().split('"ref"').length === 2 ? [refOf(data)] : [],
            );
            for (const ref of refs)
              if (ref !== undefined) expect(acks.map((ack) => ack.ref)).toContainEqual(ref);
          }
          expectConserved(made, seen);
        },
      );
      await fc.assert(property, parameters('messages', 150));
    },
    timeoutMs,
  );
});

const greeting = (target: string, key: string, more = ''): Buffer =>
  Buffer.from(
    `GET ${target} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n${more}\r\n`,
    'latin1',
  );
const goodKey = Buffer.alloc(16, 7).toString('base64');

describe('any frames', () => {
  it(
    'end their own connection at worst, and what is said before is well-formed',
    async () => {
      const bytes = fc.oneof(
        {
          weight: 2,
          arbitrary: fc
            .array(someFrame, { minLength: 1, maxLength: 6 })
            .map((frames) => Buffer.concat(frames.map(frameBytes))),
        },
        {
          weight: 3,
          arbitrary: mutated(
            fc
              .array(someFrame, { minLength: 1, maxLength: 6 })
              .map((frames) => Buffer.concat(frames.map(frameBytes))),
          ),
        },
        {
          weight: 1,
          arbitrary: fc
            .uint8Array({ minLength: 1, maxLength: 300 })
            .map((made) => Buffer.from(made)),
        },
      );
      const property = fc.asyncProperty(stream, bytes, async (name, sent) => {
        const { answers, rest } = await converse(
          made.ingress.port,
          [greeting(`/v1/${name}/ws`, goodKey), sent],
          {
            answers: 2,
            quietMs: 10,
            firstMs: hangMs,
            inTurns: true,
          },
        );
        expect(answers.map(({ status }) => status)).toEqual([101]);
        const [hello, ...others] = readFrames(rest).filter(({ opcode }) => opcode === 1);
        expect(undocumented('Hello', JSON.parse(String(hello?.payload)))).toBeUndefined();
        for (const { payload } of others)
          expect(undocumented('Acknowledgement', JSON.parse(payload.toString()))).toBeUndefined();
        const { acks } = await exchange(name, [
          {
            data: Buffer.from(
              '{"ref":"after","data":{"order":{"id":1},"at":"2026-01-01T00:00:00Z"}}',
            ),
            binary: false,
          },
        ]);
        expect(acks.map(({ ref, status }) => [ref, status])).toEqual([['after', 200]]);
        await settled(made);
        expectConserved(made, seen);
      });
      await fc.assert(property, parameters('frames', 150));
    },
    timeoutMs,
  );
});

describe('any handshake', () => {
  it(
    'is taken as RFC 6455 says, or refused as documented',
    async () => {
      const target = fc
        .tuple(
          fc.constantFrom('a/plain', 'a/none', 'sluice/ledger', '%61/plain'),
          fc.option(someId),
        )
        .map(
          ([name, session]) =>
            `/v1/${name}/ws${session === null ? '' : `?session=${encodeURIComponent(session.replaceAll(/\p{Surrogate}/gu, ''))}`}`,
        );
      const key = fc.oneof(
        {
          weight: 3,
          arbitrary: fc
            .uint8Array({ minLength: 16, maxLength: 16 })
            .map((bytes) => Buffer.from(bytes).toString('base64')),
        },
        { weight: 1, arbitrary: fc.stringMatching(/^[\x21-\x7e]{1,30}$/) },
      );
      const header = fc.constantFrom(
        '',
        'Sec-WebSocket-Protocol: a, b\r\n',
        'Sec-WebSocket-Protocol: ,\r\n',
        'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n',
        'Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99, x; y="\r\n',
        'Origin: https://example.com\r\n',
        'Content-Length: 5\r\n',
      );
      const property = fc.asyncProperty(target, key, header, async (path, said, more) => {
        const { answers } = await converse(made.ingress.port, [greeting(path, said, more)], {
          answers: 1,
          quietMs: hangMs,
        });
        const [answer] = answers;
        if (answer === undefined) throw new Error('no answer');
        if (answer.status !== 101) {
          if (!isOfParser(answer)) expect(undocumentedAnswer('GET', path, answer)).toBeUndefined();
          return;
        }
        // https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2
        const accept = createHash('sha1')
          .update(`${said}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
          .digest('base64');
        expect(answer.headers['sec-websocket-accept']).toBe(accept);
        expect(['a', undefined]).toContain(answer.headers['sec-websocket-protocol']);
        await settled(made);
      });
      await fc.assert(property, parameters('handshakes', 150));
    },
    timeoutMs,
  );
});
