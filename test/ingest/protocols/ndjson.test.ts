/**
 * Long NDJSON bodies over real sockets: taken as they come, answered as they are settled, the
 * verdict last.
 */
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../../../schemas/limits.ts';
import type { Rig } from '../support.ts';
import { post, rig } from '../support.ts';

let made: Rig;
beforeEach(async () => {
  made = await rig();
});
afterEach(async () => {
  await made.ingress.shutDown();
});

interface Line {
  readonly index?: number;
  readonly status?: number;
  readonly id?: string;
  readonly verdict?: number;
  readonly accepted?: number;
  readonly refused?: number;
  readonly error?: { readonly code: string };
}

const ndjson = { 'content-type': 'application/x-ndjson' };
const linesOf = (text: string): Line[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
const url = (): string => `${made.ingress.url}/v1/a/plain`;

describe('a long NDJSON body', () => {
  it.each([
    ['plain', (text: string) => Buffer.from(text), {}],
    ['gzip', (text: string) => gzipSync(text), { 'content-encoding': 'gzip' }],
  ])('%s: has a result for every line and the verdict last', async (_name, encode, headers) => {
    const count = 30_000;
    const body = Array.from({ length: count }, (_, n) =>
      n % 1_000 === 7 ? '{"broken' : `{"n":${n},"pad":"${'x'.repeat(60)}"}`,
    ).join('\n');
    expect(body.length).toBeGreaterThan(2 * limits.ndjsonCollectedMaxBytes);
    const answer = await post(url(), encode(body), {
      ...ndjson,
      ...(headers as Record<string, string>),
    });
    expect([answer.status, answer.headers['content-type'], answer.headers['x-sluice-ack']]).toEqual(
      [207, 'application/x-ndjson', 'replicated'],
    );
    const lines = linesOf(answer.text);
    expect(lines.at(-1)).toEqual({ verdict: 207, accepted: count - 30, refused: 30 });
    const results = lines.slice(0, -1).sort((a, b) => (a.index ?? 0) - (b.index ?? 0));
    expect(results.map(({ index }) => index)).toEqual(Array.from({ length: count }, (_, n) => n));
    expect(
      results
        .filter(({ status }) => status !== 200)
        .map(({ index, error }) => [index, error?.code]),
    ).toEqual(Array.from({ length: 30 }, (_, n) => [n * 1_000 + 7, 'not-json']));
    expect(new Set(made.kinesis.applied.map(({ data }) => Buffer.from(data).toString()))).toEqual(
      new Set(body.split('\n').filter((line) => line !== '{"broken')),
    );
    expect(made.ingress.counts()).toMatchObject({ received: count, inFlightBytes: 0 });
  });

  it('has many short lines answered as a stream as well', async () => {
    const answer = await post(url(), '1\n'.repeat(limits.requestEventsMax + 5), ndjson);
    expect(linesOf(answer.text).at(-1)).toEqual({
      verdict: 200,
      accepted: limits.requestEventsMax + 5,
      refused: 0,
    });
  });

  it('is not read on while its events wait: what is in memory stays bounded, however long it is', async () => {
    let open = (): void => undefined;
    made.kafka.gate = new Promise((resolve) => {
      open = resolve;
    });
    const { hostname, port } = new URL(made.ingress.url);
    const socket: Socket = connect(Number(port), hostname);
    const line = `{"pad":"${'x'.repeat(9_990)}"}\n`;
    const total = 60_000_000;
    socket.write(
      `POST /v1/a/plain HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nContent-Length: ${line.length * Math.floor(total / line.length)}\r\n\r\n`,
    );
    let written = 0;
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
    });
    const pump = (): void => {
      while (written < Math.floor(total / line.length)) {
        written++;
        if (!socket.write(line)) return void socket.once('drain', pump);
      }
    };
    pump();
    // It stops by itself: nothing is settled, so nothing more is read.
    let before = -1;
    while (before !== made.ingress.counts().inFlightBytes || before <= 0) {
      before = made.ingress.counts().inFlightBytes;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(before).toBeLessThanOrEqual(limits.ndjsonOpenMaxBytes + 2 * 1_048_576);
    open();
    while (!text.includes('"verdict"')) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(/"verdict":200,"accepted":(\d+)/.exec(text)?.[1]).toBe(
      String(Math.floor(total / line.length)),
    );
    expect(made.ingress.counts().inFlightBytes).toBe(0);
    socket.destroy();
  });

  it('that breaks off leaves what came before, and holds nothing', async () => {
    const { hostname, port } = new URL(made.ingress.url);
    const socket = connect(Number(port), hostname);
    const line = `{"pad":"${'x'.repeat(90)}"}\n`;
    socket.write(
      'POST /v1/a/plain HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nContent-Length: 99999999\r\n\r\n',
    );
    socket.write(line.repeat(20_000));
    socket.on('data', () => undefined);
    while (made.kinesis.applied.length < 15_000)
      await new Promise((resolve) => setTimeout(resolve, 10));
    socket.destroy();
    while (made.ingress.counts().inFlightBytes > 0)
      await new Promise((resolve) => setTimeout(resolve, 10));
    const { received, accepted } = made.ingress.counts();
    expect(received).toBe(
      accepted.kinesis +
        Object.values(made.ingress.counts().refused).reduce((sum, count) => sum + count, 0),
    );
    expect((await post(url(), '1')).status).toBe(200);
  });

  it('that stops inflating says so in its verdict', async () => {
    const packed = gzipSync(
      Array.from(
        { length: 60_000 },
        (_, n) => `{"n":${n},"r":"${Math.imul(n, 2_654_435_761)}"}`,
      ).join('\n'),
    );
    const answer = await post(
      url(),
      Buffer.concat([
        packed.subarray(0, packed.length - 30),
        Buffer.from('not gzip any more, for sure'),
      ]),
      {
        ...ndjson,
        'content-encoding': 'gzip',
      },
    );
    expect(linesOf(answer.text).at(-1)).toMatchObject({
      verdict: 400,
      error: { code: 'not-inflatable' },
    });
    expect(made.ingress.counts().inFlightBytes).toBe(0);
  });

  it('skips a line that is too long, and goes on behind it', async () => {
    await made.ingress.shutDown();
    made = await rig({ bodyMaxBytes: 1_200_000 });
    const body = `1\n"${'x'.repeat(1_500_000)}"\n2\n`;
    const lines = linesOf((await post(url(), body, ndjson)).text);
    expect(
      lines
        .map(({ index, status, error }) => [index, status, error?.code])
        .slice(0, 3)
        .sort(([a = 0], [b = 0]) => Number(a) - Number(b)),
    ).toEqual([
      [0, 200, undefined],
      [1, 413, 'line-too-long'],
      [2, 200, undefined],
    ]);
    expect(lines.at(-1)).toMatchObject({ verdict: 207, accepted: 2, refused: 1 });
  });
});
