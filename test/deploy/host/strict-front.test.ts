/**
 * The strict front before an ingress: what the older binary of the HTTP server misreads is answered as it should be, on every Node.
 */
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { StrictFront } from '../../../deploy/host/strict-front.ts';
import { behindFront, openStrictFront } from '../../../deploy/host/strict-front.ts';
import type { IngressConfig } from '../../../schemas/config.ts';
import type { Conversation } from '../../fuzz/raw-http.ts';
import { converse } from '../../fuzz/raw-http.ts';
import type { Rig } from '../../ingest/support.ts';
import { rig, settings } from '../../ingest/support.ts';

const opened: { readonly front: StrictFront; readonly rig: Rig }[] = [];

afterEach(async () => {
  for (const { front, rig: behind } of opened.splice(0)) {
    front.stopListening();
    await behind.ingress.drain();
    await front.close();
  }
});

async function open(bounds: Partial<IngressConfig> = {}): Promise<{ readonly front: StrictFront; readonly rig: Rig }> {
  const { ingress: config } = settings([], bounds);
  const behind = await rig(behindFront(config));
  const both = { front: await openStrictFront(config, behind.ingress.port), rig: behind };
  opened.push(both);
  return both;
}

const post = (body: string, lines = ''): string =>
  `POST /v1/a/plain HTTP/1.1\r\nHost: 127.0.0.1\r\n${lines}Content-Length: ${body.length}\r\n\r\n${body}`;
const chunked = (lines: string, body: string): string =>
  `POST /v1/a/plain HTTP/1.1\r\nHost: 127.0.0.1\r\n${lines}Transfer-Encoding: chunked\r\n\r\n${body}`;

async function say(front: StrictFront, text: string, answers: number, pieceBytes = text.length): Promise<Conversation> {
  const bytes = Buffer.from(text, 'latin1');
  const pieces = Array.from({ length: Math.ceil(bytes.length / pieceBytes) }, (_, n) =>
    bytes.subarray(n * pieceBytes, (n + 1) * pieceBytes),
  );
  return converse(front.port, pieces, { answers, quietMs: 500, firstMs: 5_000 });
}

const statuses = ({ answers }: Conversation): number[] => answers.map(({ status }) => status);

describe('the strict front', () => {
  it.each([
    ['a request in pieces of three bytes', post('{"n":1}'), 1, 3],
    ['header names that are rare', post('{"n":1}', "X_a.b!c'd*e~f|g#h$i%j&k+l^m`n: 1\r\n"), 1, undefined],
    ['requests that are sent together', post('{"n":1}') + post('{"n":2}') + post('{"n":3}'), 3, undefined],
    ['chunks with an extension', chunked('', '7;a="b;c"\r\n{"n":1}\r\n0\r\n\r\n'), 1, undefined],
    [
      'a trailer, and a request behind it',
      chunked('Trailer: X-Sum\r\n', '7\r\n{"n":1}\r\n0\r\nX-Sum: 1\r\n\r\n') + post('{"n":2}'),
      2,
      undefined,
    ],
    ['a target in absolute form', post('{"n":1}').replace('/v1', 'http://127.0.0.1/v1'), 1, undefined],
    ['an empty line before the request line', `\r\n${post('{"n":1}')}`, 1, undefined],
  ])('lets pass %s', async (_what, text, events, pieceBytes) => {
    const { front, rig: behind } = await open();
    const heard = await say(front, text, events, pieceBytes);
    expect(statuses(heard)).toEqual(Array.from({ length: events }, () => 200));
    expect(behind.kinesis.applied.length).toBe(events);
  });

  it.each([
    ['two different lengths', post('{}', 'Content-Length: 400\r\n')],
    ['a length beside chunks', chunked('Content-Length: 7\r\n', '7\r\n{"n":1}\r\n0\r\n\r\n')],
    ['a coding that is unknown', chunked('', '').replace('chunked', 'gzip')],
    ['a control character in a value', post('{"n":1}', 'X-A: a\u0000b\r\n')],
    ['a blank before the colon', post('{"n":1}', 'X-A : b\r\n')],
    ['no Host', post('{"n":1}').replace('Host: 127.0.0.1\r\n', '')],
    ['another version', post('{"n":1}').replace('HTTP/1.1', 'HTTP/2.0')],
    ['too many header lines', post('{"n":1}', 'X-A: b\r\n'.repeat(200))],
    ['a line that is no header', post('{"n":1}', 'nothing\r\n')],
  ])('refuses %s, and runs nothing behind it', async (_what, text) => {
    const { front, rig: behind } = await open();
    const heard = await say(front, text + post('{"behind":true}'), 2);
    expect(statuses(heard)).toHaveLength(1);
    expect(heard.answers[0]?.status).toBeGreaterThanOrEqual(400);
    expect(heard.end).not.toBe('open');
    expect(behind.kinesis.applied).toEqual([]);
  });

  it('hands on an answer that comes before the body has ended', async () => {
    const { front } = await open({ bodyMaxBytes: 1_048_576 });
    const heard = await say(front, chunked('', `100000\r\n${'x'.repeat(0x10_00_00)}\r\n`.repeat(8)), 1, 65_536);
    expect(statuses(heard)).toEqual([413]);
  });

  it('says whose connection it is, whatever the client says', async () => {
    const quota = { eventsPerSecond: 1, burst: 1 };
    const { front } = await open({ addressQuota: quota });
    const from = (line: string): string => post('{"n":1}', line);
    expect(statuses(await say(front, from('X-Forwarded-For: 192.0.2.1\r\n') + from('Forwarded: for=192.0.2.2\r\n'), 2))).toEqual([
      200, 429,
    ]);
    const behindProxy = await open({ addressQuota: quota, trustedProxies: 1 });
    const two =
      from('X-Forwarded-For: 192.0.2.1\r\n') + from('Forwarded: for=192.0.2.2\r\n') + from('X-Forwarded-For: 9.9.9.9, 192.0.2.2\r\n');
    expect(statuses(await say(behindProxy.front, two, 3))).toEqual([200, 200, 429]);
  });

  it('hands a WebSocket over', async () => {
    const { front } = await open();
    const socket = new WebSocket(`ws://127.0.0.1:${front.port}/v1/a/plain/ws`);
    const [hello] = (await once(socket, 'message')) as [Buffer];
    expect(hello.toString()).toContain('"hello"');
    socket.send('{"ref":1,"data":{"n":1}}');
    const [ack] = (await once(socket, 'message')) as [Buffer];
    expect(JSON.parse(ack.toString())).toMatchObject({ ref: 1, status: 200 });
    socket.close();
    await once(socket, 'close');
  });

  it('answers what asks for the whole server, and what is for a proxy', async () => {
    const { front } = await open();
    const whole = await say(front, 'OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n', 1);
    expect(whole.answers[0]?.status).toBe(204);
    expect(statuses(await say(front, 'CONNECT x.example:443 HTTP/1.1\r\nHost: x.example\r\n\r\n', 1))).toEqual([405]);
  });

  it('refuses what comes while the ingress behind has stopped', async () => {
    const both = await open();
    await both.rig.ingress.drain();
    const heard = await say(both.front, post('{"n":1}'), 1);
    expect(statuses(heard)).toEqual([503]);
  });
});
