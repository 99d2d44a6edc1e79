/**
 * Requests that met the ingress off guard when they were made up by fuzzing: what each of them is
 * told, and that the next one is served.
 */
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../../schemas/limits.ts';
import type { Rig } from './support.ts';
import { post, rig } from './support.ts';

let made: Rig;
const inFlightMaxBytes = 4 * 1_048_576;

beforeEach(async () => {
  made = await rig({ bodyMaxBytes: 65_536, inFlightMaxBytes });
});
afterEach(async () => {
  await made.ingress.shutDown();
});

/**
 * Sends each piece once the one before was written, and gives the status line of the first answer.
 */
function statusOf(...pieces: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port: made.ingress.port, host: '127.0.0.1', noDelay: true });
    socket.once('error', reject);
    socket.once('data', (answer) => {
      socket.destroy();
      resolve(answer.toString('latin1').split('\r\n', 1)[0] ?? '');
    });
    const [first = '', ...others] = pieces;
    socket.write(first);
    others.forEach((piece, index) => setTimeout(() => socket.write(piece), 20 * (index + 1)));
  });
}

const head = (more: string): string =>
  `POST /v1/a/plain HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`;

describe('a request without a body', () => {
  it.each([
    'Content-Length: 0\r\n',
    'Content-Length: 0\r\nContent-Type: application/x-ndjson\r\n',
    '',
  ])('is told so also when its head comes in pieces: %j', async (more) => {
    const whole = head(more);
    expect(await statusOf(whole)).toBe('HTTP/1.1 400 Bad Request');
    expect(await statusOf(whole.slice(0, 35), whole.slice(35))).toBe('HTTP/1.1 400 Bad Request');
  });
});

describe('a body that is announced to be larger than all that may be in flight', () => {
  it('is 413, as waiting does not make it smaller', async () => {
    expect(await statusOf(head(`Content-Length: ${2 * inFlightMaxBytes}\r\n`))).toBe(
      'HTTP/1.1 413 Content Too Large',
    );
    expect(made.ingress.counts().refused).toEqual({ 'body-too-large': 1 });
  });

  it('is read when it is lines', async () => {
    const line = `${JSON.stringify('x'.repeat(8_190))}\n`;
    const count = Math.ceil((inFlightMaxBytes + 1) / line.length);
    const answer = await fetch(`${made.ingress.url}/v1/a/plain`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: line.repeat(count),
    });
    expect(answer.status).toBe(207);
    expect(JSON.parse((await answer.text()).trimEnd().split('\n').at(-1) ?? '')).toEqual({
      verdict: 200,
      accepted: count,
      refused: 0,
    });
    expect(made.kafka.applied).toHaveLength(count);
  });
});

describe('many lines under one X-Event-Id', () => {
  it('are refused like few: all but the first would count as repeats', async () => {
    for (const count of [2, limits.requestEventsMax + 1]) {
      const headers = { 'content-type': 'application/x-ndjson', 'x-event-id': 'one' };
      const { status, json } = await post(
        `${made.ingress.url}/v1/a/plain`,
        '1\n'.repeat(count),
        headers,
      );
      expect([status, json.error?.['code']]).toEqual([400, 'id-for-many']);
    }
    expect(made.kinesis.applied).toEqual([]);
  });
});

describe('HEAD', () => {
  it('is answered without a body, on a connection that goes on', async () => {
    const answered = await new Promise<string>((resolve, reject) => {
      const socket = connect({ port: made.ingress.port, host: '127.0.0.1' });
      let heard = '';
      socket.once('error', reject);
      socket.on('data', (chunk) => {
        heard += chunk.toString('latin1');
        if (heard.endsWith('ok\n')) {
          socket.destroy();
          resolve(heard);
        }
      });
      const ask = (method: string, path: string): string =>
        `${method} ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
      socket.write(ask('HEAD', '/v1/a/plain'));
      setTimeout(() => socket.write(ask('HEAD', '/healthz')), 20);
      setTimeout(() => socket.write(ask('GET', '/healthz')), 40);
    });
    const [methods, health, body, ...rest] = answered.split('\r\n\r\n');
    expect(methods).toMatch(/^HTTP\/1\.1 405 .*\r\nAllow: POST, OPTIONS\r\n/s);
    expect(health).toMatch(/^HTTP\/1\.1 200 OK\r\n.*Content-Length: 3/s);
    expect(body).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(rest).toEqual(['ok\n']);
  });
});
