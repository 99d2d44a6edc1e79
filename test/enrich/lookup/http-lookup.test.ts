/**
 * The look-up over HTTP against a real server on loopback: what is asked, what each answer means,
 * and what faults tell.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { lookupAnswerMaxBytes } from '../../../enrich/lookup/http-answer.ts';
import { httpLookup } from '../../../enrich/lookup/http-lookup.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import type { Key } from '../../../topology/index.ts';
import { saying } from '../../said.ts';

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

interface Served {
  readonly host: string;
  readonly asked: { readonly url: string; readonly headers: IncomingMessage['headers'] }[];
}

async function serve(
  answer: (response: ServerResponse, request: IncomingMessage) => void,
): Promise<Served> {
  const asked: Served['asked'] = [];
  const server = createServer((request, response) => {
    asked.push({ url: request.url ?? '', headers: request.headers });
    answer(response, request);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { host: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

const ask = (
  url: string,
  key: Key,
  headers: Readonly<Record<string, string>> = {},
  signal = new AbortController().signal,
): Promise<unknown> => httpLookup('prices', { url, headers })(key, { signal });

const faultOf = async (asked: Promise<unknown>): Promise<SluiceError> => {
  const thrown = await asked.then(
    (answer) => new Error(`it answered ${JSON.stringify(answer)}`),
    (fault: unknown) => fault,
  );
  if (!(thrown instanceof SluiceError)) throw thrown;
  return thrown;
};

describe('the request', () => {
  it('names the key in the path or the query, encoded, and the parts of a tuple by slashes', async () => {
    const { host, asked } = await serve((response) => response.end('{}'));
    const keys: readonly Key[] = ['JFK', 7, true, ['a/b', 'c d'], "é?#&='%{key}$&", '', 'a..b'];
    for (const key of keys) await ask(`${host}/prices/{key}/of`, key);
    await ask(`${host}/prices?id={key}&again={key}`, "a'b &c");
    await ask(`${host}/prices?id={key}`, '..');
    expect(asked.map(({ url }) => url)).toEqual([
      '/prices/JFK/of',
      '/prices/7/of',
      '/prices/true/of',
      '/prices/a%2Fb/c%20d/of',
      '/prices/%C3%A9%3F%23%26%3D%27%25%7Bkey%7D%24%26/of',
      '/prices//of',
      '/prices/a..b/of',
      '/prices?id=a%27b%20%26c&again=a%27b%20%26c',
      '/prices?id=..',
    ]);
  });

  it('never leaves the place of the key: what an address cannot carry there has nothing, and is not asked', async () => {
    const { host, asked } = await serve((response) => response.end('{"other":1}'));
    for (const key of ['.', '..', ['a', '..', '..'], '\ud800'] as const)
      expect(await ask(`${host}/prices/{key}`, key)).toBeUndefined();
    expect(asked).toEqual([]);
  });

  it('carries the configured headers, and asks for JSON unless they say otherwise', async () => {
    const { host, asked } = await serve((response) => response.end('1'));
    await ask(`${host}/{key}`, 'k', { authorization: 'Bearer secret' });
    await ask(`${host}/{key}`, 'k', { accept: 'application/vnd.prices+json' });
    expect(asked.map(({ headers }) => [headers.accept, headers.authorization])).toEqual([
      ['application/json', 'Bearer secret'],
      ['application/vnd.prices+json', undefined],
    ]);
  });
});

describe('the answer', () => {
  it('200 is parsed JSON, also compressed', async () => {
    const { host } = await serve((response, { url }) => {
      if (url === '/gz')
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('{"price":2}'));
      else response.end('{"price":1,"name":"é"}');
    });
    expect(await ask(`${host}/{key}`, 'plain')).toEqual({ price: 1, name: 'é' });
    expect(await ask(`${host}/{key}`, 'gz')).toEqual({ price: 2 });
  });

  it('404 and 204 say that there is nothing, and connections are used again', async () => {
    const ports = new Set<number | undefined>();
    const { host } = await serve((response, request) => {
      ports.add(request.socket.remotePort);
      if (request.url === '/204') response.writeHead(204).end();
      else response.writeHead(404).end('there is no such thing');
    });
    for (let i = 0; i < 20; i++)
      for (const key of ['404', '204']) expect(await ask(`${host}/{key}`, key)).toBeUndefined();
    // A second one is opened when the first has only just become free.
    expect(ports.size).toBeLessThanOrEqual(2);
  });

  it('every other status is a fault that may pass, and says which; a redirect is not followed', async () => {
    const { host, asked } = await serve((response, { url }) => {
      response.writeHead(Number(url?.slice(1)), { location: '/elsewhere' }).end('secret details');
    });
    for (const status of [201, 302, 400, 401, 403, 429, 500, 503]) {
      const fault = await faultOf(ask(`${host}/{key}`, status));
      expect([fault.code, fault.retryable, fault.message]).toEqual([
        'lookup-refused',
        true,
        `the look-up 'prices': the server answered ${status}`,
      ]);
    }
    expect(asked).toHaveLength(8);
  });

  it('what is not JSON in UTF-8 is a fault that may pass', async () => {
    const { host } = await serve((response, { url }) =>
      response.end(url === '/bytes' ? Buffer.from([0x22, 0xff, 0x22]) : '<html>'),
    );
    for (const key of ['html', 'bytes']) {
      expect(await faultOf(ask(`${host}/{key}`, key))).toMatchObject({
        code: 'lookup-answer-invalid',
        retryable: true,
        message: saying({ names: ['prices'], numbers: [200] }),
      });
    }
  });

  it('is read to its bound and no further, as it arrives and after decompression', async () => {
    const most = lookupAnswerMaxBytes;
    const text = (bytes: number): string => `"${'x'.repeat(bytes - 2)}"`;
    const { host } = await serve((response, { url }) => {
      if (url === '/fits') response.end(text(most));
      else if (url === '/gz')
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(text(64 * most)));
      else {
        const more = (): void => {
          while (!response.destroyed && response.write('x'.repeat(65_536)));
        };
        response.on('drain', more);
        more();
      }
    });
    expect(await ask(`${host}/{key}`, 'fits')).toHaveLength(most - 2);
    for (const key of ['endless', 'gz']) {
      expect(await faultOf(ask(`${host}/{key}`, key))).toMatchObject({
        code: 'lookup-answer-invalid',
        message: saying({ names: ['prices'], numbers: [200, most] }),
      });
    }
  });
});

describe('no answer', () => {
  it('a server that is not there, or hangs up half-way, is a fault that may pass', async () => {
    const { host } = await serve((response, { url }) => {
      if (url === '/cut') {
        response.writeHead(200, { 'content-length': '100' });
        response.write('{"half"', () => response.destroy());
      } else response.destroy();
    });
    for (const key of ['cut', 'none']) {
      const fault = await faultOf(ask(`${host}/{key}`, key));
      expect([fault.code, fault.retryable]).toEqual(['lookup-unreachable', true]);
    }
    const closed = servers.pop();
    closed?.closeAllConnections();
    await new Promise((resolve) => closed?.close(resolve));
    expect(await faultOf(ask(`${host}/{key}`, 'k'))).toMatchObject({
      code: 'lookup-unreachable',
      message: saying({ names: ['prices'], end: '(ECONNREFUSED)' }),
    });
  });

  it('the signal ends it while it waits for headers and while it reads the body', async () => {
    let hungUp = 0;
    const { host } = await serve((response, { url }) => {
      response.on('close', () => void hungUp++);
      if (url === '/body') response.writeHead(200).write('{');
    });
    for (const key of ['headers', 'body']) {
      const abort = new AbortController();
      const fault = faultOf(ask(`${host}/{key}`, key, {}, abort.signal));
      setTimeout(() => abort.abort(), 50);
      expect((await fault).code).toBe('lookup-unreachable');
    }
    for (let tries = 0; hungUp < 2 && tries < 100; tries++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    expect(hungUp).toBe(2);
  });

  it('no fault tells the address or a header', async () => {
    const { host } = await serve((response) => response.writeHead(500).end());
    const secrets = { authorization: 'Bearer secret', 'x-key': 'secret\nvalue' };
    const faults = [
      await faultOf(ask(`${host}/{key}?token=secret`, 'k', { authorization: 'Bearer secret' })),
      await faultOf(ask(`${host}/{key}?token=secret`, 'k', secrets)),
      await faultOf(ask('http://127.0.0.1:1/{key}?token=secret', 'k')),
    ];
    for (const fault of faults) {
      expect(`${fault.message} ${fault.stack} ${JSON.stringify(fault.cause)}`).not.toContain(
        'secret',
      );
      expect(fault.retryable).toBe(true);
    }
  });
});

describe('an answer that says when to ask again', () => {
  const nowMs = Date.parse('2026-01-02T03:04:05Z');
  const afterOf = async (
    headers: Readonly<Record<string, string>>,
    status = 503,
  ): Promise<unknown> => {
    const { host } = await serve((response) => {
      response.sendDate = false;
      response.writeHead(status, headers).end();
    });
    const asked = httpLookup(
      'prices',
      { url: `${host}/{key}`, headers: {} },
      { now: () => nowMs },
    )('k', { signal: new AbortController().signal });
    return ((await faultOf(asked)) as { readonly retryAfterMs?: number }).retryAfterMs;
  };

  it('is obeyed whatever its status: in seconds, or as a date of any of the three forms', async () => {
    for (const status of [302, 429, 500, 503])
      expect(await afterOf({ 'retry-after': '120' }, status)).toBe(120_000);
    expect(await afterOf({ 'retry-after': '0' })).toBe(0);
    for (const date of [
      'Fri, 02 Jan 2026 03:05:05 GMT',
      'Friday, 02-Jan-26 03:05:05 GMT',
      'Fri Jan  2 03:05:05 2026',
    ])
      expect(await afterOf({ 'retry-after': date }), date).toBe(60_000);
    expect(await afterOf({ 'retry-after': 'Fri, 02 Jan 2026 01:00:00 GMT' })).toBe(0);
  });

  it("counts a date from the answer's own, as the server's clock is not ours", async () => {
    expect(
      await afterOf({
        date: 'Fri, 02 Jan 2026 13:00:00 GMT',
        'retry-after': 'Fri, 02 Jan 2026 13:00:07 GMT',
      }),
    ).toBe(7_000);
  });

  it('says nothing where that cannot be read, or where the answer is none of failing', async () => {
    for (const text of [
      'soon',
      '-5',
      '1.5',
      '1e3',
      '2026-01-02T03:05:05Z',
      'Fri, 02 Jan 2026 03:05:05 CET',
      '5, 6',
    ])
      expect(await afterOf({ 'retry-after': text }), text).toBeUndefined();
    expect(await afterOf({})).toBeUndefined();
  });

  it('names it in the fault', async () => {
    const { host } = await serve((response) =>
      response.writeHead(429, { 'retry-after': '7' }).end(),
    );
    expect(await faultOf(ask(`${host}/{key}`, 'k'))).toMatchObject({
      code: 'lookup-refused',
      retryAfterMs: 7_000,
    });
  });
});
