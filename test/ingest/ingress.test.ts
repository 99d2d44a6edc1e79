/**
 * The ingress over real sockets: what an answer means, and that bad input gets a clear one and
 * leaves nothing behind.
 */
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isLoopback } from '../../ingest/http/listen.ts';
import { manualClock } from '../../schemas/kernel/clock.ts';
import { limits } from '../../schemas/limits.ts';
import type { Rig } from './support.ts';
import { post, rig } from './support.ts';

let made: Rig;
const url = (stream = 'a/plain'): string => `${made.ingress.url}/v1/${stream}`;
const dataOf = (index: number, path: 'kinesis' | 'kafka' = 'kinesis'): string =>
  Buffer.from(made[path].applied[index]?.data ?? []).toString();
const ndjson = { 'content-type': 'application/x-ndjson' };

beforeEach(async () => {
  made = await rig();
});
afterEach(async () => {
  await made.ingress.shutDown();
});

describe('an accepted event', () => {
  it('is answered with its route and position, and all headers', async () => {
    const { status, json, headers } = await post(url(), '{"n":1}', {
      'x-event-id': 'e1',
      'x-request-id': 'req-1',
      'x-client-timestamp': String(Date.now() - 50),
    });
    expect([status, json]).toEqual([200, { id: 'e1', route: 'kinesis', position: 's:1' }]);
    expect(headers['x-request-id']).toBe('req-1');
    expect(headers['x-processing-latency']).toMatch(/^\d+ms$/);
    expect(Number.parseInt(String(headers['x-network-latency']), 10)).toBeGreaterThanOrEqual(50);
    expect(headers['server-timing']).toMatch(/^recv;dur=[\d.]+, check;dur=[\d.]+, bus;dur=[\d.]+$/);
    expect(headers['x-sluice-ack']).toBe('replicated');
  });

  it('is answered only once the stream has it', async () => {
    let open = (): void => undefined;
    made.kinesis.gate = new Promise((resolve) => {
      open = resolve;
    });
    const answered = post(url(), '{"n":1}').then(({ status }) =>
      made.actions.push(`answered ${status}`),
    );
    while (made.actions.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(made.actions).toEqual(['kinesis written 1']);
    open();
    await answered;
    expect(made.actions).toEqual(['kinesis written 1', 'kinesis applied', 'answered 200']);
  });

  it('has attributes from headers, with defaults for the rest', async () => {
    await post(url(), '7', {
      'x-event-id': 'i',
      'x-event-type': 't',
      'x-event-time': '2026-01-02T03:04:05Z',
      'x-partition-key': 'k',
    });
    await post(url(), '8', {
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    });
    const [first, second] = made.kinesis.applied.map((event) => event.attributes);
    expect(first).toMatchObject({
      id: 'i',
      type: 't',
      time: '2026-01-02T03:04:05Z',
      partitionkey: 'k',
      source: '/a/plain',
      team: 'a',
      app: 'plain',
    });
    expect(second).toMatchObject({
      type: 'a.plain',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    });
    expect(second?.id).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
    expect([second?.partitionkey, second?.time]).toEqual([second?.id, second?.receivedtime]);
    expect(first?.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  });

  it('has attributes from the pointers of its stream, and keeps its body as data', async () => {
    const body = '{"order":{"id":42},"at":"2026-01-01T00:00:00Z","user":"u1","kind":"bought"}';
    expect((await post(url('a/pointed'), body)).status).toBe(200);
    expect(made.kinesis.applied[0]?.attributes).toMatchObject({
      id: '42',
      time: '2026-01-01T00:00:00Z',
      partitionkey: 'u1',
      type: 'bought',
    });
    expect(dataOf(0)).toBe(body);
    expect((await post(url('a/pointed'), '{"order":{}}')).json.error).toMatchObject({
      code: 'attribute-missing',
      pointer: '/order/id',
    });
  });

  it('is taken out of its envelope, its bytes as they were', async () => {
    const body =
      '{ "id":"e", "subject":"s", "data" : {"b": 1e2 , "a":12345678901234567890} ,"type":"t"}';
    expect((await post(url('a/wrapped'), body)).status).toBe(200);
    expect(made.kinesis.applied[0]?.attributes).toMatchObject({
      id: 'e',
      subject: 's',
      partitionkey: 's',
      type: 't',
    });
    expect(dataOf(0)).toBe('{"b": 1e2 , "a":12345678901234567890}');
  });

  it.each([
    '{"__proto__":{"x":1},"constructor":1}',
    '123456789012345678901234567890',
    '{"a":1,"a":2}',
    ' "\\ud800" ',
    '{"x":"1},\\"team\\":\\"x\\""}',
  ])('keeps its bytes: %s', async (body) => {
    expect((await post(url(), body)).status).toBe(200);
    expect(dataOf(0)).toBe(body.trim());
    expect(made.kinesis.applied[0]?.attributes.team).toBe('a');
  });

  it('takes its way by the size of its data: equal to the threshold is small', async () => {
    for (const size of [999, 1_000, 1_001]) await post(url(), `"${'x'.repeat(size - 2)}"`);
    expect(made.kinesis.applied.map((event) => event.data.length)).toEqual([999, 1_000]);
    expect(made.kafka.applied.map((event) => event.data.length)).toEqual([1_001]);
  });
});

describe('a batch', () => {
  it.each([
    ['an array', '[{"n":1},{"n":2}]', {}],
    ['lines', '{"n":1}\n\n {"n":2}\r\n', ndjson],
    ['gzipped lines', gzipSync('{"n":1}\n{"n":2}'), { ...ndjson, 'content-encoding': 'gzip' }],
  ])('of %s has a result for each event', async (_what, body, headers) => {
    const { status, json } = await post(url(), body, headers as Record<string, string>);
    expect([status, json['accepted'], json['refused']]).toEqual([200, 2, 0]);
    expect(
      json.results?.map((result) => [result['index'], result['status'], result['position']]),
    ).toEqual([
      [0, 200, 's:1'],
      [1, 200, 's:2'],
    ]);
    expect([dataOf(0), dataOf(1)]).toEqual(['{"n":1}', '{"n":2}']);
  });

  it('is not sunk by one bad event', async () => {
    const { status, json } = await post(
      url('a/wrapped'),
      '{"data":1,"id":"good"}\nnot json\n{"id":"no data"}\n{"data":2,"team":"x"}\n{"data":3,"time":"yesterday"}',
      ndjson,
    );
    expect([status, json['accepted'], json['refused']]).toEqual([207, 1, 4]);
    expect(
      json.results?.map((result) => (result['error'] as { code?: string } | undefined)?.code),
    ).toEqual([undefined, 'not-json', 'envelope-invalid', 'envelope-invalid', 'attribute-invalid']);
    expect(made.kinesis.applied.map((event) => event.attributes.id)).toEqual(['good']);
  });

  it('is 400 when all of its events are refused, and names what is nested', async () => {
    const { status, json } = await post(url(), '[[1],[2]]');
    expect(status).toBe(400);
    expect(json.results?.map((result) => result['error'])).toMatchObject([
      { code: 'nested-array', pointer: '/0' },
      { code: 'nested-array', pointer: '/1' },
    ]);
  });

  it('has at most so many events', async () => {
    const { status, json } = await post(url(), `[${'1,'.repeat(limits.requestEventsMax)}1]`);
    expect([status, json.error?.['code']]).toEqual([413, 'too-many-events']);
    expect(made.kinesis.applied).toEqual([]);
  });
});

describe('bad input gets a clear answer and leaves nothing', () => {
  const cases: readonly (readonly [
    string,
    string | Uint8Array,
    Record<string, string>,
    number,
    object,
  ])[] = [
    ['not JSON', '{"a":tru}', {}, 400, { code: 'not-json', offset: 8, expected: "'true'" }],
    ['an empty body', '', {}, 400, { code: 'not-json', offset: 0 }],
    [
      'invalid UTF-8',
      Buffer.from([0x22, 0xc3, 0x28, 0x22]),
      {},
      400,
      { code: 'not-utf8', offset: 2 },
    ],
    ['an injection into the envelope', '1},"team":"x"', {}, 400, { code: 'not-json', offset: 1 }],
    ['an empty array', '[]', {}, 400, { code: 'empty-batch' }],
    ['no lines', '\n \n', ndjson, 400, { code: 'empty-batch' }],
    [
      'an unknown content type',
      '<a/>',
      { 'content-type': 'text/xml' },
      400,
      { code: 'content-type-unknown' },
    ],
    [
      'an unknown content encoding',
      '1',
      { 'content-encoding': 'zstd' },
      400,
      { code: 'content-encoding-unknown' },
    ],
    ['what is not gzip', '1', { 'content-encoding': 'gzip' }, 400, { code: 'not-inflatable' }],
    ['one id for many events', '[1,2]', { 'x-event-id': 'e' }, 400, { code: 'id-for-many' }],
    [
      'a time that is none',
      '1',
      { 'x-event-time': '2026-13-01T00:00:00Z' },
      400,
      { code: 'attribute-invalid' },
    ],
    [
      'an id too long',
      '1',
      { 'x-event-id': 'x'.repeat(3_000) },
      400,
      { code: 'attribute-invalid' },
    ],
    ['nesting too deep', '['.repeat(200) + ']'.repeat(200), {}, 400, { code: 'not-json' }],
    [
      'an event beyond every route',
      `"${'x'.repeat(8_388_608)}"`,
      {},
      413,
      { code: 'event-too-large' },
    ],
  ];
  it.each(cases)('%s', async (_what, body, headers, status, error) => {
    const answer = await post(url(), body, headers);
    expect([answer.status, answer.json.error]).toMatchObject([status, error]);
    expect([...made.kinesis.applied, ...made.kafka.applied]).toEqual([]);
    expect(made.ingress.counts().inFlightBytes).toBe(0);
  });

  it('an unknown stream, another method, another path', async () => {
    expect(await post(url('a/none'), '1')).toMatchObject({
      status: 404,
      json: { error: { code: 'stream-unknown' } },
    });
    expect(await post(url(), '', {}, 'PUT')).toMatchObject({
      status: 405,
      headers: { allow: 'POST, OPTIONS' },
    });
    expect(await post(`${made.ingress.url}/nothing`, '1')).toMatchObject({
      status: 404,
      json: { error: { code: 'not-found' } },
    });
  });

  it('a gzip bomb and a body over the limit', async () => {
    await made.ingress.shutDown();
    made = await rig({ bodyMaxBytes: 100_000, bodyDecodedMaxBytes: 200_000 });
    const bomb = gzipSync(Buffer.alloc(50_000_000, 0x20));
    expect(bomb.length).toBeLessThan(100_000);
    expect(await post(url(), bomb, { 'content-encoding': 'gzip' })).toMatchObject({
      status: 413,
      json: { error: { code: 'body-inflates-too-large' } },
    });
    expect(await post(url(), 'x'.repeat(100_001)).catch(() => ({ status: 413 }))).toMatchObject({
      status: 413,
    });
    expect(
      await post(url(), 'x'.repeat(100_001), { 'transfer-encoding': 'chunked' }).catch(() => ({
        status: 413,
      })),
    ).toMatchObject({
      status: 413,
    });
    expect(made.ingress.counts().refused['body-too-large']).toBe(2);
    expect(made.ingress.counts().inFlightBytes).toBe(0);
  });

  it('a client that hangs up in mid-body has sent nothing', async () => {
    const socket = connect(made.ingress.port, '127.0.0.1');
    socket.write(
      'POST /v1/a/plain HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"n":1}',
    );
    while (made.ingress.counts().inFlightBytes !== 7)
      await new Promise((resolve) => setTimeout(resolve, 5));
    socket.destroy();
    while (made.ingress.counts().refused['client-gone'] === undefined)
      await new Promise((resolve) => setTimeout(resolve, 5));
    expect(made.ingress.counts().inFlightBytes).toBe(0);
    expect(made.kinesis.applied).toEqual([]);
  });
});

describe('when the stream does not take it', () => {
  it('only what was refused is written again, and then the answer is 503 with Retry-After', async () => {
    made.kinesis.decide = (event) =>
      Buffer.from(event.data).toString() === '2'
        ? { kind: 'refused', code: 'disk-full', message: 'no space', retryable: true }
        : undefined;
    const { status, json } = await post(url(), '[1,2,3]');
    expect(status).toBe(207);
    expect(json.results?.map((result) => result['status'])).toEqual([200, 503, 200]);
    expect(made.kinesis.writes).toEqual([3, 1, 1, 1]);
    const alone = await post(url(), '2');
    expect(alone).toMatchObject({
      status: 503,
      headers: { 'retry-after': '1' },
      json: { error: { code: 'disk-full' } },
    });
    expect(alone.headers['x-sluice-ack']).toBeUndefined();
  });

  it('a passing refusal is not seen by the client', async () => {
    made.kinesis.decide = (_event, attempt) =>
      attempt < 3
        ? { kind: 'refused', code: 'throughput-exceeded', message: 'slow down', retryable: true }
        : undefined;
    expect((await post(url(), '1')).status).toBe(200);
    expect(made.kinesis.applied.length).toBe(1);
  });

  it('an unknown outcome is told, and never written again here', async () => {
    made.kinesis.decide = () => ({ kind: 'unknown', code: 'reply-missing', message: 'no reply' });
    expect(await post(url(), '1')).toMatchObject({
      status: 503,
      json: { error: { code: 'reply-missing', outcome: 'unknown' } },
    });
    expect(made.kinesis.writes).toEqual([1]);
  });
});

describe('the ingress', () => {
  it('refuses at once what would pass its bound of bytes in flight', async () => {
    await made.ingress.shutDown();
    made = await rig({ bodyMaxBytes: 1_000, bodyDecodedMaxBytes: 1_000, inFlightMaxBytes: 1_000 });
    let open = (): void => undefined;
    made.kinesis.gate = new Promise((resolve) => {
      open = resolve;
    });
    const first = post(url(), `"${'x'.repeat(600)}"`);
    while (made.kinesis.writes.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(await post(url(), `"${'x'.repeat(600)}"`)).toMatchObject({
      status: 503,
      headers: { 'retry-after': '1' },
      json: { error: { code: 'overloaded' } },
    });
    open();
    expect((await first).status).toBe(200);
    expect((await post(url(), `"${'x'.repeat(600)}"`)).status).toBe(200);
  });

  it('answers what is pending before it is gone, and takes nothing new', async () => {
    let open = (): void => undefined;
    made.kinesis.gate = new Promise((resolve) => {
      open = resolve;
    });
    const pending = post(url(), '1');
    while (made.kinesis.writes.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const drained = made.ingress.shutDown();
    await expect(post(url(), '2')).rejects.toThrow();
    open();
    expect(await pending).toMatchObject({ status: 200, headers: { connection: 'close' } });
    await drained;
  });

  it('answers 503 to what cannot finish in its time to shut down, and says that the outcome is unknown', async () => {
    await made.ingress.shutDown();
    const clock = manualClock(1_000_000);
    made = await rig({}, 1_000, clock);
    let open = (): void => undefined;
    made.kinesis.gate = new Promise((resolve) => {
      open = resolve;
    });
    const pending = post(url(), '1');
    while (made.kinesis.writes.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const drained = made.ingress.shutDown();
    clock.advance(limits.shutdownMaxMs / 2);
    await new Promise((resolve) => setTimeout(resolve, 20));
    clock.advance(limits.shutdownMaxMs);
    expect(await pending).toMatchObject({
      status: 503,
      headers: { 'retry-after': '1' },
      json: { error: { code: 'draining', outcome: 'unknown' } },
    });
    await drained;
    open();
    while (made.ingress.counts().received === 0)
      await new Promise((resolve) => setTimeout(resolve, 5));
    expect(made.ingress.counts()).toMatchObject({
      received: 1,
      accepted: { kinesis: 1 },
      refused: {},
    });
  });

  it('counts every event once: received is accepted by route and refused by reason', async () => {
    await Promise.all([
      post(url(), '1'),
      post(url(), '[1,[2],3]'),
      post(url(), 'x'),
      post(url('a/none'), '1'),
      post(url(), `"${'x'.repeat(2_000)}"`),
      post(url(), '1\nx\n2', ndjson),
    ]);
    const { received, accepted, refused } = made.ingress.counts();
    expect(accepted).toEqual({ kinesis: 5, kafka: 1 });
    expect(refused).toEqual({ 'nested-array': 1, 'not-json': 2, 'stream-unknown': 1 });
    expect(received).toBe(10);
    const metrics = await made.ingress.metrics();
    expect(metrics.text).toContain(
      'sluice_ingress_events_accepted_total{stream="a/plain",route="kinesis"} 5',
    );
    expect(metrics.text).toContain(
      'sluice_ingress_events_refused_total{stream="a/plain",code="not-json"} 2',
    );
  });

  it('knows which addresses are of loopback', () => {
    const inside = [
      '127.0.0.1',
      '127.9.9.9',
      '::1',
      '0000:0000:0000:0000:0000:0000:0000:0001',
      '0000:0000:0000:0000:0000:ffff:7f00:0001',
      '::ffff:127.0.0.1',
    ];
    const outside = [
      '10.0.0.1',
      '192.168.1.1',
      '2001:0db8:0000:0000:0000:0000:0000:0001',
      '0000:0000:0000:0000:0000:ffff:0a00:0001',
      '',
      '1127.0.0.1',
      '127.evil.example',
      '127.0.0.1.evil.example',
      '::ffff:127.evil.example',
    ];
    expect(inside.map(isLoopback)).toEqual(inside.map(() => true));
    expect(outside.map(isLoopback)).toEqual(outside.map(() => false));
  });

  it.each([
    ['GET', '/metrics'],
    ['HEAD', '/metrics'],
    ['OPTIONS', '/metrics'],
    ['GET', '/_sluice/status'],
    ['POST', '/_sluice/drain'],
    ['POST', '/_sluice/graph'],
  ])(
    'has nothing about its inside: %s %s is not there, and the answer does not say what would be',
    async (method, path) => {
      const answer = await post(
        `${made.ingress.url}${path}`,
        method === 'POST' ? '{"topology":"t"}' : '',
        {},
        method,
      );
      expect(answer.status).toBe(404);
      expect(answer.text).not.toMatch(/metric|status|drain|topolog|graph|pid/i);
    },
  );

  it('is alive and ready, and says that its port is taken', async () => {
    expect((await post(`${made.ingress.url}/healthz`, '', {}, 'GET')).text).toBe('ok\n');
    expect((await post(`${made.ingress.url}/readyz`, '', {}, 'GET')).status).toBe(200);
    await expect(rig({ port: made.ingress.port })).rejects.toMatchObject({ code: 'port-taken' });
  });

  it('writes what arrives together in one batch', async () => {
    let open = (): void => undefined;
    made.kinesis.gate = new Promise((resolve) => {
      open = resolve;
    });
    const answers = Array.from({ length: 60 }, (_, n) => post(url(), String(n)));
    while (made.kinesis.writes.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    while (made.ingress.counts().requests < 60)
      await new Promise((resolve) => setTimeout(resolve, 5));
    open();
    expect((await Promise.all(answers)).every((answer) => answer.status === 200)).toBe(true);
    expect(made.kinesis.writes.length).toBeLessThan(20);
    expect(made.kinesis.applied.length).toBe(60);
  });
});
