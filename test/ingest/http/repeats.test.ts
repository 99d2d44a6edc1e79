/**
 * An event that comes again, over every protocol: the same one is answered as the first, another
 * one of its identity is a conflict.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { limits } from '../../../schemas/limits.ts';
import type { Rig } from '../support.ts';
import { openAccess, post, rig } from '../support.ts';

let made: Rig;
beforeEach(async () => {
  made = await rig({}, 1_000, undefined, {
    access: { ...openAccess, openSegmentStream: 'a/plain' },
  });
});
afterEach(async () => {
  await made.ingress.shutDown();
});

const send = (
  path: string,
  body: string,
  headers: Readonly<Record<string, string>> = {},
  method = 'POST',
) => post(`${made.ingress.url}${path}`, body, headers, method);
const lines = { 'content-type': 'application/x-ndjson' };

describe('an event of an id that was accepted with other content', () => {
  it('is refused with what differs, and counted as one that is refused', async () => {
    const first = {
      'x-event-id': 'i',
      'x-event-type': 't',
      'x-event-time': '2026-01-01T00:00:00Z',
    };
    expect(await send('/v1/a/plain', '{"n":1}', first)).toMatchObject({ status: 200 });
    const other = await send('/v1/a/plain', '{"n": 1}', { ...first, 'x-event-type': 'u' });
    expect(other).toMatchObject({
      status: 409,
      json: { error: { code: 'conflict', differs: ['data', 'type'] } },
    });
    expect(
      await send('/v1/a/plain', '{"n":1}', { ...first, 'x-event-time': '2026-01-02T00:00:00Z' }),
    ).toMatchObject({
      status: 409,
      json: { error: { differs: ['time'] } },
    });
    expect(await send('/v1/a/plain', '{"n":1}', first)).toMatchObject({
      status: 200,
      json: { repeated: true },
    });
    expect(made.kinesis.applied).toHaveLength(1);
    const { received, accepted, repeated, refused } = made.ingress.counts();
    expect([received, accepted.kinesis, repeated, refused]).toEqual([4, 1, 1, { conflict: 2 }]);
    const { json } = await send('/v1/a/plain/warnings', '', {}, 'GET');
    expect(json).toMatchObject({ warnings: [{ code: 'conflict', status: 409, count: 2 }] });
  });

  it('says so of its own place in a batch, and of a batch in which all are', async () => {
    const event = (id: number, data: number): string => `{"id":"${id}","data":${data}}`;
    const batch = `[${event(1, 1)},${event(1, 2)},${event(1, 1)},${event(2, 1)}]`;
    expect((await send('/v1/a/wrapped', batch)).json).toMatchObject({
      accepted: 3,
      refused: 1,
      results: [
        { status: 200 },
        { status: 409, error: { differs: ['data'] } },
        { status: 200, repeated: true },
        { status: 200 },
      ],
    });
    expect(await send('/v1/a/wrapped', `[${event(1, 3)},${event(2, 3)}]`)).toMatchObject({
      status: 409,
      json: { refused: 2 },
    });
    expect(await send('/v1/a/wrapped', `[${event(1, 3)},{}]`)).toMatchObject({ status: 400 });
    expect(await send('/v1/a/wrapped', `${event(1, 3)}\n${event(1, 1)}`, lines)).toMatchObject({
      status: 207,
    });
    const long = await send(
      '/v1/a/wrapped',
      `${event(1, 3)}\n`.repeat(limits.requestEventsMax + 1),
      lines,
    );
    expect(JSON.parse(long.text.trimEnd().split('\n').at(-1) ?? '')).toMatchObject({
      verdict: 409,
      accepted: 0,
    });
  });

  it('is refused in whichever mode of CloudEvents it comes, and the same one is a repeat in each', async () => {
    const binary = (data: string, more = {}) =>
      send('/v1/a/plain', data, {
        'ce-specversion': '1.0',
        'ce-id': 'c',
        'ce-source': '/s',
        'ce-type': 't',
        'ce-x': '1',
        ...more,
      });
    const whole = (data: string) =>
      `{"specversion":"1.0","x":1,"type":"t","source":"/s","id":"c","data":${data}}`;
    const structured = (data: string) =>
      send('/v1/a/plain', whole(data), { 'content-type': 'application/cloudevents+json' });
    const batched = (data: string) =>
      send('/v1/a/plain', `[${whole(data)}]`, {
        'content-type': 'application/cloudevents-batch+json',
      });
    expect((await binary('{"n":1}')).json).not.toHaveProperty('repeated');
    expect(await structured('{"n":1}')).toMatchObject({ status: 200, json: { repeated: true } });
    expect(await batched(' {"n":1} ')).toMatchObject({
      status: 200,
      json: { results: [{ repeated: true }] },
    });
    expect(
      await binary('{"n":1}', { 'content-type': 'application/json; charset=UTF-8' }),
    ).toMatchObject({ json: { repeated: true } });
    expect(await structured('{"n":2}')).toMatchObject({ status: 409 });
    expect(await batched('{"n":2}')).toMatchObject({ status: 409 });
    expect(await binary('{"n":1}', { 'ce-x': '2', 'ce-subject': 's' })).toMatchObject({
      status: 409,
      json: { error: { differs: ['subject', 'extensions'] } },
    });
    expect(made.kinesis.applied).toHaveLength(1);
  });

  it('is refused as a pixel', async () => {
    const pixel = (query: string) => send(`/v1/a/plain/pixel.gif?${query}`, '', {}, 'GET');
    expect([
      (await pixel('id=p&a=1')).status,
      (await pixel('id=p&a=1')).status,
      (await pixel('id=p&a=2')).status,
    ]).toEqual([200, 200, 409]);
  });

  it('is refused as a message of Segment, unless only what its library writes at each try differs', async () => {
    const track = (event: string, sentAt: number, retryCount: number) =>
      JSON.stringify({
        type: 'track',
        userId: 'u',
        messageId: 'm',
        event,
        timestamp: '2026-01-01T00:00:00Z',
        sentAt: new Date(sentAt),
        _metadata: { retryCount },
      });
    expect(await send('/v1/track', track('e', 1e12, 0))).toMatchObject({ status: 200 });
    expect(await send('/v1/track', track('e', 2e12, 1))).toMatchObject({ status: 200 });
    expect(await send('/v1/batch', `{"batch":[${track('e', 3e12, 2)}]}`)).toMatchObject({
      status: 200,
      json: { success: true },
    });
    expect(made.kinesis.applied).toHaveLength(1);
    expect(await send('/v1/track', track('f', 1e12, 0))).toMatchObject({
      status: 409,
      json: { error: { differs: ['data'] } },
    });
    expect(await send('/v1/batch', `{"batch":[${track('f', 1e12, 0)}]}`)).toMatchObject({
      status: 409,
      json: { success: false },
    });
  });

  it('is refused over a WebSocket, under its ref', async () => {
    const socket = new WebSocket(`${made.ingress.url.replace('http', 'ws')}/v1/a/plain/ws`);
    const acks: Record<string, unknown>[] = [];
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.on('message', (data: Buffer) => {
        const message = JSON.parse(data.toString()) as Record<string, unknown>;
        if ('hello' in message)
          for (const [ref, n] of ['a', 'b', 'a'].entries())
            socket.send(`{"ref":${ref},"id":"w","data":"${n}"}`);
        else if (acks.push(message) === 3) resolve();
      });
    });
    socket.close();
    expect(acks.toSorted((one, other) => Number(one['ref']) - Number(other['ref']))).toMatchObject([
      { ref: 0, status: 200 },
      { ref: 1, status: 409, error: { code: 'conflict', differs: ['data'] } },
      { ref: 2, status: 200, repeated: true },
    ]);
  });
});

describe('an event of an id in flight', () => {
  it('with other content may come again when the first is not accepted', async () => {
    let open = (): void => undefined;
    made.kinesis.gate = new Promise((resolve) => {
      open = resolve;
    });
    made.kinesis.decide = (event) =>
      event.data.toString() === '1'
        ? { kind: 'refused', code: 'stream-refused', message: 'never', retryable: false }
        : undefined;
    const first = send('/v1/a/plain', '1', { 'x-event-id': 'f' });
    while (made.kinesis.writes.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const other = send('/v1/a/plain', '2', { 'x-event-id': 'f' });
    await new Promise((resolve) => setTimeout(resolve, 50));
    open();
    expect([await first, await other]).toMatchObject([
      { status: 400 },
      { status: 503, json: { error: { code: 'id-in-flight' } } },
    ]);
    expect(await send('/v1/a/plain', '2', { 'x-event-id': 'f' })).toMatchObject({ status: 200 });
  });

  it('of which nobody knows whether it was accepted is tried anew, and counts from then on', async () => {
    made.kinesis.decide = (_event, attempt) =>
      attempt === 1 ? { kind: 'unknown', code: 'stream-refused', message: 'perhaps' } : undefined;
    expect(await send('/v1/a/plain', '1', { 'x-event-id': 'u' })).toMatchObject({
      status: 503,
      json: { error: { outcome: 'unknown' } },
    });
    expect((await send('/v1/a/plain', '1', { 'x-event-id': 'u' })).json).not.toHaveProperty(
      'repeated',
    );
    expect(await send('/v1/a/plain', '2', { 'x-event-id': 'u' })).toMatchObject({ status: 409 });
  });
});
