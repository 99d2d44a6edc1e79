/**
 * The strict front before an ingress: what the older binary of the HTTP server misreads is answered
 * as it should be, on every Node.
 */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { httpPipelinedMax } from '../../../deploy/host/front-turns.ts';
import type { StrictFront } from '../../../deploy/host/strict-front.ts';
import { behindFront, openStrictFront } from '../../../deploy/host/strict-front.ts';
import type { IngressConfig } from '../../../schemas/config.ts';
import { limits } from '../../../schemas/limits.ts';
import type { Conversation } from '../../fuzz/raw-http.ts';
import { converse } from '../../fuzz/raw-http.ts';
import type { Rig } from '../../ingest/support.ts';
import { rig, settings } from '../../ingest/support.ts';

const opened: { readonly front: StrictFront; readonly rig: Rig }[] = [];

afterEach(async () => {
  for (const { front, rig: behind } of opened.splice(0)) {
    front.stopListening();
    await behind.ingress.shutDown();
    await front.close();
  }
});

async function open(
  bounds: Partial<IngressConfig> = {},
): Promise<{ readonly front: StrictFront; readonly rig: Rig }> {
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

async function say(
  front: StrictFront,
  text: string,
  answers: number,
  pieceBytes = text.length,
): Promise<Conversation> {
  const bytes = Buffer.from(text, 'latin1');
  const pieces = Array.from({ length: Math.ceil(bytes.length / pieceBytes) }, (_, n) =>
    bytes.subarray(n * pieceBytes, (n + 1) * pieceBytes),
  );
  return converse(front.port, pieces, { answers, quietMs: 500, firstMs: 5_000 });
}

const statuses = ({ answers }: Conversation): number[] => answers.map(({ status }) => status);

/** Connections of this process, both ends. */
const openSockets = (): number =>
  process.getActiveResourcesInfo().filter((what) => what === 'TCPSocketWrap').length;
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 200));

describe('the strict front', () => {
  it.each([
    ['a request in pieces of three bytes', post('{"n":1}'), 1, 3],
    [
      'header names that are rare',
      post('{"n":1}', "X_a.b!c'd*e~f|g#h$i%j&k+l^m`n: 1\r\n"),
      1,
      undefined,
    ],
    [
      'requests that are sent together',
      post('{"n":1}') + post('{"n":2}') + post('{"n":3}'),
      3,
      undefined,
    ],
    ['chunks with an extension', chunked('', '7;a="b;c"\r\n{"n":1}\r\n0\r\n\r\n'), 1, undefined],
    [
      'a trailer, and a request behind it',
      chunked('Trailer: X-Sum\r\n', '7\r\n{"n":1}\r\n0\r\nX-Sum: 1\r\n\r\n') + post('{"n":2}'),
      2,
      undefined,
    ],
    [
      'a target in absolute form',
      post('{"n":1}').replace('/v1', 'http://127.0.0.1/v1'),
      1,
      undefined,
    ],
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

  it('reads or refuses a request with about as many header lines as the server behind reads, and leaves none without an answer', async () => {
    const { front, rig: behind } = await open();
    const lines = Array.from({ length: 8 }, (_, n) => limits.httpHeadMaxLines - 5 + n);
    // Two of them are Host and Content-Length.
    const heard = await Promise.all(
      lines.map((count) => say(front, post('{"n":1}', 'X-A: b\r\n'.repeat(count - 2)), 1)),
    );
    expect(heard.map((one) => statuses(one))).toEqual([
      [200],
      [200],
      [200],
      [200],
      [431],
      [431],
      [431],
      [431],
    ]);
    expect(behind.kinesis.applied.length).toBe(4);
  });

  it('hands on an answer that comes before the body has ended', async () => {
    const { front } = await open({ bodyMaxBytes: 1_048_576 });
    const heard = await say(
      front,
      chunked('', `100000\r\n${'x'.repeat(0x10_00_00)}\r\n`.repeat(8)),
      1,
      65_536,
    );
    expect(statuses(heard)).toEqual([413]);
  });

  it('hands on all lines of a body whose answer is streamed while they come', async () => {
    const { front, rig: behind } = await open();
    const line = `{"pad":"${'x'.repeat(1_000)}"}\n`;
    const answer = await fetch(`${front.url}/v1/a/plain`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: line.repeat(4_000),
    });
    const text = await answer.text();
    expect(JSON.parse(text.trim().split('\n').at(-1) ?? '')).toMatchObject({
      verdict: 200,
      accepted: 4_000,
      refused: 0,
    });
    expect(behind.kinesis.applied.length + behind.kafka.applied.length).toBe(4_000);
  });

  it('says whose connection it is, whatever the client says', async () => {
    const quota = { eventsPerSecond: 1, burst: 1 };
    const { front } = await open({ addressQuota: quota });
    const from = (line: string): string => post('{"n":1}', line);
    expect(
      statuses(
        await say(
          front,
          from('X-Forwarded-For: 192.0.2.1\r\n') + from('Forwarded: for=192.0.2.2\r\n'),
          2,
        ),
      ),
    ).toEqual([200, 429]);
    const behindProxy = await open({ addressQuota: quota, trustedProxies: 1 });
    const two =
      from('X-Forwarded-For: 192.0.2.1\r\n') +
      from('Forwarded: for=192.0.2.2\r\n') +
      from('X-Forwarded-For: 9.9.9.9, 192.0.2.2\r\n');
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

  it('never runs what is sent behind a handshake, or behind an Upgrade to something else, past the strict parser', async () => {
    const { front, rig: behind } = await open({ addressQuota: { eventsPerSecond: 1, burst: 1 } });
    const forged =
      post('{"n":2}', 'X-Forwarded-For: 203.0.113.9\r\n') +
      post('{"n":3}', 'X-Forwarded-For: 203.0.113.10\r\n');
    const other = post('{"n":1}', 'Connection: Upgrade\r\nUpgrade: h2c\r\n') + forged;
    expect(statuses(await say(front, other, 2))).toEqual([200, 429]);
    const handshake =
      'GET /v1/a/none/ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n';
    const refused = await say(front, `${handshake}Sec-WebSocket-Version: 1\r\n\r\n${forged}`, 2);
    expect(statuses(refused)).toEqual([426]);
    expect(refused.end).not.toBe('open');
    expect(behind.kinesis.applied.length).toBe(1);
  });

  it('answers a request with an Upgrade that it does not know as one without, chunks and all', async () => {
    const { front, rig: behind } = await open();
    const upgrade =
      'Connection: keep-alive, Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n';
    const text =
      post('{"n":1}') +
      chunked(upgrade, '7\r\n{"n":2}\r\n0\r\n\r\n') +
      post('{"n":3}', upgrade) +
      post('{"n":4}');
    for (const pieceBytes of [text.length, 7])
      expect(statuses(await say(front, text, 4, pieceBytes))).toEqual([200, 200, 200, 200]);
    expect(behind.kinesis.applied.length).toBe(8);
  });

  it('runs nothing behind an answer that ends the connection', async () => {
    const { front, rig: behind } = await open();
    const heard = await say(
      front,
      chunked('', '0\r\n\r\n').replace('chunked', 'gzip, chunked') + post('{"behind":true}'),
      2,
    );
    expect(statuses(heard)).toEqual([501]);
    await settled();
    expect(behind.kinesis.applied).toEqual([]);
  });

  it('answers what came before bytes that are no request, and says what they are behind that', async () => {
    const { front, rig: behind } = await open();
    const heard = await say(front, `${post('{"n":1}')}${post('{"n":2}')}nonsense\r\n\r\n`, 3);
    expect(statuses(heard)).toEqual([200, 200, 400]);
    expect(behind.kinesis.applied.length).toBe(2);
    const broken = await say(
      front,
      `${post('{"n":3}')}${chunked('', '7\r\n{"n":4}\r\nZ\r\n')}${post('{"n":5}')}`,
      3,
    );
    expect(statuses(broken)).toEqual([200, 400]);
    expect(behind.kinesis.applied.length).toBe(3);
  });

  it('answers what says no length, whatever the number of header lines is', async () => {
    const { front } = await open({ trustedProxies: 1 });
    for (let lines = 92; lines <= 99; lines++) {
      const text = `POST /v1/a/plain HTTP/1.1\r\nHost: 127.0.0.1\r\nForwarded: for=192.0.2.1\r\n${'X-A: b\r\n'.repeat(lines - 2)}\r\n`;
      expect(statuses(await say(front, text, 1))).toEqual([
        expect.toSatisfy((status) => status === 400 || status === 431),
      ]);
    }
  });

  it('answers a request whose connection behind ends without an answer', async () => {
    const silent = createServer((socket) =>
      socket.on('error', () => undefined).once('data', () => socket.destroy()),
    );
    await once(silent.listen(0, '127.0.0.1'), 'listening');
    const front = await openStrictFront(
      settings([]).ingress,
      (silent.address() as AddressInfo).port,
    );
    const { answers } = await say(front, post('{"n":1}'), 1);
    expect(answers[0]?.status).toBe(503);
    expect(String(answers[0]?.body)).toContain('unknown');
    await front.close();
    silent.close();
  });

  it('answers a client that ends its side behind what it sent', async () => {
    const { front, rig: behind } = await open();
    for (const [text, expected] of [
      [post('{"n":1}') + post('{"n":2}'), [200, 200]],
      [post('{"n":3}').slice(0, -1), [400]],
    ] as const) {
      const socket = connect({ port: front.port, host: '127.0.0.1', allowHalfOpen: true });
      socket.end(text);
      const heard = (await socket.setEncoding('latin1').toArray()).join('');
      expect([...heard.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status))).toEqual(
        expected,
      );
    }
    expect(behind.kinesis.applied.length).toBe(2);
  });

  it('ends with the instance, whatever clients hold open', async () => {
    const { front } = await open();
    const held = [
      'CONNECT x.example:443 HTTP/1.1\r\nHost: x.example\r\n\r\n',
      'nonsense\r\n\r\n',
      post('{"n":1}'),
      post('{"n":1}').slice(0, -1),
    ];
    const sockets = held.map((text) => {
      const socket = connect({ port: front.port, host: '127.0.0.1', allowHalfOpen: true }).on(
        'error',
        () => undefined,
      );
      socket.write(text);
      return socket;
    });
    await settled();
    front.stopListening();
    await front.close();
    for (const socket of sockets) socket.destroy();
  });

  it('hands on what is sent together one after the other, over one connection', async () => {
    const { front } = await open();
    const before = openSockets();
    const many = say(front, 'GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'.repeat(300), 300);
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, openSockets() - before);
    }, 1);
    const heard = await many;
    clearInterval(watch);
    expect(statuses(heard)).toEqual(Array.from({ length: 300 }, () => 200));
    // The client's, its other end, and both ends of the one behind.
    expect(most).toBeLessThanOrEqual(6);
  });

  it('ends a connection on which too many requests wait', async () => {
    const { front } = await open();
    const heard = await say(
      front,
      'GET / HTTP/1.1\r\nHost:a\r\n\r\n'.repeat(2 * httpPipelinedMax),
      2 * httpPipelinedMax,
    );
    expect(heard.end).not.toBe('open');
    expect(heard.answers.length).toBeLessThanOrEqual(httpPipelinedMax + 2);
    expect(statuses(await say(front, post('{"n":1}'), 1))).toEqual([200]);
  });

  it('answers what asks for the whole server, and what is for a proxy', async () => {
    const { front } = await open();
    const whole = await say(front, 'OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n', 1);
    expect(whole.answers[0]?.status).toBe(204);
    expect(
      statuses(await say(front, 'CONNECT x.example:443 HTTP/1.1\r\nHost: x.example\r\n\r\n', 1)),
    ).toEqual([405]);
  });

  it('refuses what comes while the ingress behind has stopped', async () => {
    const both = await open();
    await both.rig.ingress.shutDown();
    const heard = await say(both.front, post('{"n":1}'), 1);
    expect(statuses(heard)).toEqual([503]);
  });
});
