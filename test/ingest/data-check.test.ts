/**
 * Schemas at the door: what does not fit is refused alone, with its place, by every protocol, or
 * taken with a warning; a schema that cannot be used ends the start.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { checkedDataMaxBytes, loadDataCheck } from '../../ingest/data-check.ts';
import { saying } from '../said.ts';
import type { Rig } from './support.ts';
import { openAccess, post, rig, streamConfig } from './support.ts';

const dir = mkdtempSync(join(tmpdir(), 'sluice-data-check-'));
const file = (name: string, text: string): string => {
  writeFileSync(join(dir, name), text);
  return join(dir, name);
};
const schemaFile = file(
  'order.schema.json',
  JSON.stringify({
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'https://sluice.example/test/order',
    type: 'object',
    required: ['orderId', 'amount'],
    properties: {
      orderId: { type: 'string' },
      amount: { type: 'number', minimum: 0 },
      at: { type: 'string', format: 'date-time' },
    },
  }),
);
const reject = { mode: 'reject', schemaFile } as const;
const good = '{"orderId": "o", "amount": 1e2}';
const bad = '{"orderId":"o","amount":-1}';

let made: Rig;
beforeAll(async () => {
  made = await rig({}, 100_000, undefined, {
    streams: [
      streamConfig('a', 'strict', { validate: reject }),
      streamConfig('a', 'wrapped', { validate: reject, envelope: 'sluice' }),
      streamConfig('a', 'lenient', { validate: { mode: 'warn', schemaFile } }),
      streamConfig('a', 'free'),
    ],
    access: { ...openAccess, openSegmentStream: 'a/strict' },
  });
});
afterAll(async () => {
  await made.ingress.shutDown();
  rmSync(dir, { recursive: true });
});

const url = (app: string): string => `${made.ingress.url}/v1/a/${app}`;
const taken = (from: number): string[] =>
  made.kinesis.applied.slice(from).map(({ data }) => Buffer.from(data).toString());

describe('a stream that rejects', () => {
  it('takes what fits, byte for byte', async () => {
    const from = made.kinesis.applied.length;
    expect((await post(url('strict'), good)).status).toBe(200);
    expect(taken(from)).toEqual([good]);
  });

  it.each([
    [bad, '/amount', /must be >= 0, found -1/],
    ['{"orderId":"o"}', '/amount', /'amount' is missing/],
    ['[[]]', '/0', /itself an array/],
    ['"text"', '', /must be object/],
    ['{"orderId":"o","amount":1,"at":"2024-02-30T00:00:00Z"}', '/at', /RFC 3339/],
  ])('refuses %s and says where and why', async (body, pointer, reason) => {
    const from = made.kinesis.applied.length;
    const answer = await post(url('strict'), body);
    const error =
      answer.json.error ?? (answer.json.results?.[0]?.['error'] as Record<string, unknown>);
    expect([answer.status, error['pointer'], error['message']]).toEqual([
      400,
      pointer,
      expect.stringMatching(reason) as string,
    ]);
    expect(taken(from)).toEqual([]);
  });

  it('says which part of which schema was not met', async () => {
    expect((await post(url('strict'), bad)).json.error).toMatchObject({
      code: 'schema-invalid',
      expected: saying({ end: ' https://sluice.example/test/order#/properties/amount/minimum' }),
    });
  });

  it.each([
    ['an array', `[${good},${bad}]`, {}],
    ['lines', `${good}\n${bad}\n`, { 'content-type': 'application/x-ndjson' }],
  ])('refuses in %s only what does not fit', async (_name, body, headers) => {
    const from = made.kinesis.applied.length;
    const answer = await post(url('strict'), body, headers as Record<string, string>);
    expect(answer).toMatchObject({
      status: 207,
      json: {
        accepted: 1,
        refused: 1,
        results: [
          { status: 200 },
          { status: 400, error: { code: 'schema-invalid', pointer: '/amount' } },
        ],
      },
    });
    expect(taken(from)).toEqual([good]);
  });

  it('checks the data of envelopes and CloudEvents, not what is around it', async () => {
    const envelope = (data: string): string => `{"data":${data}}`;
    const cloudEvent = (data: string): string =>
      `{"specversion":"1.0","id":"${data.length}","source":"/s","type":"t","data":${data}}`;
    const structured = { 'content-type': 'application/cloudevents+json' };
    const binary = (id: string) => ({
      'ce-specversion': '1.0',
      'ce-id': id,
      'ce-source': '/b',
      'ce-type': 't',
    });
    const told = async (app: string, body: string, headers: Record<string, string> = {}) => {
      const { status, json } = await post(url(app), body, headers);
      return [status, json.error?.['pointer']];
    };
    expect(await told('wrapped', envelope(good))).toEqual([200, undefined]);
    expect(await told('wrapped', envelope(bad))).toEqual([400, '/data/amount']);
    expect(await told('strict', cloudEvent(good), structured)).toEqual([200, undefined]);
    expect(await told('strict', cloudEvent(bad), structured)).toEqual([400, '/data/amount']);
    expect(
      await told(
        'strict',
        '{"specversion":"1.0","id":"none","source":"/s","type":"t"}',
        structured,
      ),
    ).toEqual([400, '/data']);
    expect(await told('strict', good, binary('g'))).toEqual([200, undefined]);
    expect(await told('strict', bad, binary('b'))).toEqual([400, '/amount']);
  });

  it('checks a pixel and a message of Segment', async () => {
    expect(
      (await fetch(`${url('strict')}/pixel.gif?data=${encodeURIComponent(good)}`)).status,
    ).toBe(200);
    expect((await fetch(`${url('strict')}/pixel.gif?orderId=o`)).status).toBe(400);
    const message = '{"userId":"u","orderId":"o"}';
    expect(await post(`${made.ingress.url}/v1/p`, message)).toMatchObject({
      status: 400,
      json: { error: { pointer: '/amount' } },
    });
  });

  it('refuses a message of a WebSocket with its reference', async () => {
    const socket = new WebSocket(`${url('strict').replace('http', 'ws')}/ws`);
    const answers = await new Promise<Record<string, unknown>[]>((resolve, reject) => {
      const got: Record<string, unknown>[] = [];
      socket.on('message', (message: Buffer) => {
        if (got.push(JSON.parse(message.toString()) as Record<string, unknown>) === 1) {
          socket.send(`{"ref":1,"data":${bad}}`);
          socket.send(`{"ref":2,"data":${good}}`);
        } else if (got.length === 3) resolve(got.slice(1));
      });
      socket.once('error', reject);
    });
    socket.close();
    expect(answers.find(({ ref }) => ref === 1)).toMatchObject({
      status: 400,
      error: { code: 'schema-invalid', pointer: '/data/amount' },
    });
    expect(answers.find(({ ref }) => ref === 2)).toMatchObject({ status: 200 });
  });

  it('refuses what would take too much room once it is parsed', () => {
    const check = loadDataCheck(streamConfig('a', 'x', { validate: reject }));
    const large = Buffer.from(
      JSON.stringify({ orderId: 'x'.repeat(checkedDataMaxBytes), amount: 1 }),
    );
    expect(check?.misfit({ isWrapped: false }, large)).toMatchObject({
      status: 413,
      code: 'schema-data-too-large',
      pointer: '',
    });
    expect(check?.misfit({ isWrapped: false }, large.subarray(0, 0x10).fill('1'))).toMatchObject({
      status: 400,
    });
  });

  it('forgets what it refused: under the same id it may come again, mended', async () => {
    expect((await post(url('strict'), bad, { 'x-event-id': 'mended' })).status).toBe(400);
    expect(await post(url('strict'), good, { 'x-event-id': 'mended' })).toMatchObject({
      status: 200,
      json: { id: 'mended' },
    });
  });
});

describe('a stream that warns', () => {
  it('takes what does not fit, and tells its sender and the operator', async () => {
    const from = made.kinesis.applied.length;
    expect(await post(url('lenient'), bad)).toMatchObject({ status: 200 });
    expect(await post(url('lenient'), good)).toMatchObject({ status: 200 });
    expect(taken(from)).toEqual([bad, good]);
    const { warnings } = (await (await fetch(`${url('lenient')}/warnings`)).json()) as {
      warnings: readonly object[];
    };
    expect(warnings).toMatchObject([
      { code: 'schema-warning', status: 200, count: 1, pointer: '/amount', sample: bad },
    ]);
    expect(made.ingress.counts().byStream['a/lenient']).toMatchObject({ received: 2, refused: {} });
    expect((await made.ingress.metrics()).text).toContain(
      'sluice_ingress_events_warned_total{stream="a/lenient"} 1',
    );
  });
});

describe('a schema that cannot be used', () => {
  it.each([
    ['missing.json', undefined, /cannot be read.*ENOENT/],
    ['text.json', '{"type":', /cannot be read/],
    ['list.json', '[]', /is not a schema/],
    ['typo.json', '{"type":"objekt"}', /does not compile/],
    [
      'keyword.json',
      '{"$id":"https://sluice.example/k","requird":[]}',
      /does not compile.*requird/,
    ],
    [
      'ref.json',
      '{"$id":"https://sluice.example/r","$ref":"other.json"}',
      /does not compile.*other.json/,
    ],
    [
      'draft.json',
      '{"$schema":"http://json-schema.org/draft-07/schema#"}',
      /does not compile.*draft-07/,
    ],
  ])('ends the start with its file and the reason: %s', async (name, text, reason) => {
    const path = text === undefined ? join(dir, name) : file(name, text);
    const streams = [streamConfig('a', 'x', { validate: { mode: 'warn', schemaFile: path } })];
    await expect(rig({}, 1_000, undefined, { streams })).rejects.toThrow(reason);
    await expect(rig({}, 1_000, undefined, { streams })).rejects.toThrow(path);
  });

  it('for some data refuses that data: a recursive schema on data as deep as may be', () => {
    const recursive = file(
      'deep.json',
      '{"$id":"https://sluice.example/d","type":"array","items":{"$ref":"#"}}',
    );
    const check = loadDataCheck(
      streamConfig('a', 'x', { validate: { mode: 'reject', schemaFile: recursive } }),
    );
    const nested = (levels: number, inner: string): Buffer =>
      Buffer.from('['.repeat(levels) + inner + ']'.repeat(levels));
    expect(check?.misfit({ isWrapped: false }, nested(100, ''))).toBeUndefined();
    expect(check?.misfit({ isWrapped: false }, nested(100, '1'))).toMatchObject({
      pointer: '/0'.repeat(100),
    });
    expect(check?.misfit({ isWrapped: true }, nested(200_000, ''))).toMatchObject({
      code: 'schema-invalid',
      pointer: '/data',
    });
  });
});
