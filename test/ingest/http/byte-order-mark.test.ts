/**
 * A byte-order mark before a body is dropped by every route, also when it shows only after
 * inflation or its bytes come apart; the data behind it stays as it was.
 */
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { limits } from '../../../schemas/limits.ts';
import type { Rig } from '../support.ts';
import { openAccess, post, rig } from '../support.ts';

let made: Rig;
beforeAll(async () => {
  made = await rig({}, 100_000, undefined, {
    access: { ...openAccess, openSegmentStream: 'a/plain' },
  });
});
afterAll(() => made.ingress.shutDown());

const mark = '\uFEFF';
const url = (): string => `${made.ingress.url}/v1/a/plain`;
const taken = (from: number): string[] =>
  made.kinesis.applied.slice(from).map(({ data }) => Buffer.from(data).toString());

describe('a byte-order mark before', () => {
  it.each<[string, string, string, readonly string[], Record<string, string>]>([
    ['a value', '', `{"a": "${mark}x"}`, [`{"a": "${mark}x"}`], {}],
    ['a text that itself begins with one', '', `"${mark}x"`, [`"${mark}x"`], {}],
    ['an array', '', '[1, {"b":2}]', ['1', '{"b":2}'], {}],
    [
      'lines',
      '',
      '{"l":1}\n{"l":2}\n',
      ['{"l":1}', '{"l":2}'],
      { 'content-type': 'application/x-ndjson' },
    ],
    [
      'a CloudEvent',
      '',
      '{"specversion":"1.0","id":"bom","source":"/s","type":"t","data":[1]}',
      ['[1]'],
      { 'content-type': 'application/cloudevents+json' },
    ],
    [
      'the data of a CloudEvent',
      '',
      '[2]',
      ['[2]'],
      { 'ce-specversion': '1.0', 'ce-id': '', 'ce-source': '/s', 'ce-type': 't' },
    ],
    [
      "a message of Segment's",
      'segment',
      '{"userId":"u","event":"e"}',
      ['{"userId":"u","event":"e"}'],
      {},
    ],
  ])('%s is dropped', async (_name, route, body, expected, headers) => {
    const target = route === 'segment' ? `${made.ingress.url}/v1/track` : url();
    for (const encode of [(text: string) => Buffer.from(text), gzipSync]) {
      const from = made.kinesis.applied.length;
      // Each event has an id of its own: a repeat would not be written.
      const nth = encode === gzipSync ? '-packed' : '-plain';
      const encoded = encode(mark + body.replace('"bom"', `"bom${nth}"`));
      const own = {
        ...('ce-id' in headers ? { 'ce-id': `data${nth}` } : {}),
        ...(encode === gzipSync ? { 'content-encoding': 'gzip' } : {}),
      };
      expect((await post(target, encoded, { ...headers, ...own })).status).toBe(200);
      expect(taken(from)).toEqual(expected);
    }
  });

  it('the first of very many lines is dropped, and before another line is refused', async () => {
    const line = `{"pad":"${'x'.repeat(100)}"}`;
    const count = Math.ceil((2 * limits.ndjsonCollectedMaxBytes) / line.length);
    const lines = Array.from({ length: count }, (_, n) => (n === 1 ? mark + line : line));
    const answer = await post(url(), mark + lines.join('\n'), {
      'content-type': 'application/x-ndjson',
    });
    expect(answer.text).toContain(`"accepted":${count - 1},"refused":1`);
  });

  it('between values, or twice, is refused', async () => {
    for (const body of [`${mark}${mark}1`, `[${mark}1]`, `1${mark}`, ` ${mark}1`])
      expect((await post(url(), body)).status).toBe(400);
  });

  it('a WebSocket message is dropped', async () => {
    const socket = new WebSocket(`${url().replace('http', 'ws')}/ws`);
    const messages: string[] = [];
    await new Promise<void>((resolve, reject) => {
      socket.on('message', (message: Buffer) => {
        if (messages.push(message.toString()) === 1)
          socket.send(`${mark}{"ref":1,"data":"${mark}w"}`);
        else resolve();
      });
      socket.once('error', reject);
    });
    expect(messages[1]).toContain('"ref":1,"status":200');
    expect(taken(-1)).toEqual([`"${mark}w"`]);
    socket.close();
  });
});
