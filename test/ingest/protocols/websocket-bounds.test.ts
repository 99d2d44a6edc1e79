/**
 * What a WebSocket may take, pay and be told: a close says why, with its code (RFC 6455, section
 * 7.4.1) and a reason.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { limits } from '../../../schemas/limits.ts';
import { until } from '../../deploy/support.ts';
import type { Rig } from '../support.ts';
import { keyConfig, openAccess, post, rig } from '../support.ts';

let made: Rig;
const open: WebSocket[] = [];
afterEach(async () => {
  for (const socket of open.splice(0)) socket.terminate();
  await made.ingress.shutDown();
});

const access = {
  ...openAccess,
  keys: [
    keyConfig('one'),
    keyConfig('other'),
    keyConfig('slow', { quota: { eventsPerSecond: 1, burst: 5 } }),
  ],
};

interface Opened {
  readonly socket: WebSocket;
  readonly messages: {
    readonly ref?: unknown;
    readonly status?: number;
    readonly hello?: { readonly maxBytes: number };
  }[];
  closed: readonly [number, string] | undefined;
  /** Of the handshake. */
  status: number;
}

function openSocket(key: string, more: Readonly<Record<string, string>> = {}): Promise<Opened> {
  const socket = new WebSocket(`${made.ingress.url.replace('http', 'ws')}/v1/a/plain/ws`, {
    headers: { authorization: `Bearer ${key}`, ...more },
  });
  open.push(socket);
  const opened: Opened = { socket, messages: [], closed: undefined, status: 101 };
  return new Promise((resolve) => {
    socket.on('message', (data: Buffer) => {
      opened.messages.push(JSON.parse(data.toString()) as Opened['messages'][number]);
      if (opened.messages.length === 1) resolve(opened);
    });
    socket.on('unexpected-response', (_request, response) => {
      opened.status = response.statusCode ?? 0;
      resolve(opened);
    });
    socket.on('error', () => undefined);
    socket.on('close', (code, reason) => {
      opened.closed = [code, reason.toString()];
    });
  });
}

const closing = async (opened: Opened): Promise<readonly [number, string]> => {
  await until(() => opened.closed !== undefined);
  return opened.closed as readonly [number, string];
};

describe('a message that is too big', () => {
  it('closes with 1009, whole or in fragments; one at the bound is taken', async () => {
    made = await rig({}, 1_000, undefined, { access });
    const at = await openSocket('one');
    expect(at.messages[0]?.hello?.maxBytes).toBe(limits.wsMessageMaxBytes);
    const event = (length: number): string => `{"ref":1,"data":"${'x'.repeat(length - 19)}"}`;
    at.socket.send(event(limits.wsMessageMaxBytes));
    await until(() => at.messages[1]?.status === 200);
    at.socket.send(event(limits.wsMessageMaxBytes + 1));
    expect(await closing(at)).toEqual([1009, expect.stringMatching(/1048576 bytes/)]);
    const parts = await openSocket('one');
    for (let n = 0; n < 4; n++)
      parts.socket.send('x'.repeat(limits.wsMessageMaxBytes / 3), { fin: n === 3 });
    expect((await closing(parts))[0]).toBe(1009);
    await until(() => made.ingress.counts().refused['message-too-big'] === 2);
  });
});

describe('a quota', () => {
  it('is paid for every message, good or not', async () => {
    made = await rig({}, 1_000, undefined, { access });
    const { socket, messages } = await openSocket('slow');
    for (const text of ['nope', '', '7', '{}', '{"ref":[]}', '{"data":1}']) socket.send(text);
    await until(() => messages.length === 7);
    expect(messages.slice(1).map(({ status }) => status)).toEqual([400, 400, 400, 400, 400, 429]);
    expect(
      (await post(`${made.ingress.url}/v1/a/plain`, '1', { authorization: 'Bearer slow' })).status,
    ).toBe(429);
  });

  it('closes a connection that goes on and on beyond it with 1008, once what came before is acknowledged', async () => {
    made = await rig({}, 1_000, undefined, { access });
    const opened = await openSocket('slow');
    for (let n = 0; n < limits.wsOverQuotaMax + 20; n++)
      opened.socket.send(`{"ref":${n},"data":1}`);
    expect(await closing(opened)).toEqual([1008, expect.stringMatching(/over the quota/)]);
    expect(opened.messages.filter(({ status }) => status === 429)).toHaveLength(
      limits.wsOverQuotaMax + 1,
    );
  });
});

describe('control frames', () => {
  it('are answered, and too many of them close with 1008', async () => {
    made = await rig({}, 1_000, undefined, { access });
    const opened = await openSocket('one');
    let pongs = 0;
    opened.socket.on('pong', () => pongs++);
    for (let n = 0; n < limits.wsControlsPerMinute; n++) opened.socket.ping();
    await until(() => pongs === limits.wsControlsPerMinute);
    opened.socket.ping();
    expect(await closing(opened)).toEqual([1008, expect.stringMatching(/pings and pongs/)]);
  });
});

describe('WebSockets of one address', () => {
  it('are bounded, by IPv6 network as well, and leave room when they close', async () => {
    made = await rig({ addressWebSocketsMax: 2, trustedProxies: 1 }, 1_000, undefined, { access });
    const from = (address: string) => openSocket('one', { 'x-forwarded-for': address });
    const [first, second, third] = [
      await from('2001:db8::1'),
      await from('2001:db8::2'),
      await from('2001:db8::3'),
    ];
    expect([first.status, second.status, third.status]).toEqual([101, 101, 503]);
    expect((await from('2001:db8:0:1::1')).status).toBe(101);
    first.socket.close();
    await closing(first);
    await sleep(20);
    expect((await from('2001:db8::3')).status).toBe(101);
  });
});

describe('acknowledgements that are not read', () => {
  it('count like everything that is held, and end the connection before they take the room of others', async () => {
    made = await rig(
      { bodyMaxBytes: 1_000_000, bodyDecodedMaxBytes: 1_000_000, inFlightMaxBytes: 8_000_000 },
      1_000,
      undefined,
      {
        access,
      },
    );
    const opened = await openSocket('one');
    opened.socket.pause();
    const id = 'i'.repeat(2_000);
    let highest = 0;
    for (
      let round = 0;
      round < 200 && made.ingress.counts().inFlightBytes < limits.wsUnreadMaxBytes;
      round++
    ) {
      for (let n = 0; n < 200; n++) opened.socket.send(`{"id":"${round}-${n}${id}","data":1}`);
      await sleep(5);
      highest = Math.max(highest, made.ingress.counts().inFlightBytes);
      if (highest > 100_000) break;
    }
    expect(highest).toBeGreaterThan(100_000);
    opened.socket.terminate();
    await until(() => made.ingress.counts().inFlightBytes === 0);
  });
});
