/**
 * Headless Chromium with a page of another origin: what the browser lets it send, and what of it
 * lands.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import type { Server } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import { chromium } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RealInstance } from './support.ts';
import { realInstance } from './support.ts';

const key = 'slc_browserbrowserbrowserbrowserbrow';
const executable = '/usr/bin/chromium';
const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

// What the page has, and this process does not.
declare const navigator: { sendBeacon(url: string, body: string): boolean };
declare function addEventListener(name: string, then: () => void): void;
declare const Image: new () => {
  src: string;
  naturalWidth: number;
  onload: () => void;
  onerror: () => void;
};

let pages: Server;
let origin: string;
let instance: RealInstance;
let browser: Browser;
let page: Page;
let before: number;

const fresh = async (count: number) => (await instance.landedAtLeast(before + count)).slice(before);

beforeAll(async () => {
  if (!existsSync(executable))
    throw new Error(`${executable} is missing: apt-get install chromium`);
  pages = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html');
    response.end('<!doctype html><title>a shop</title><body>hello</body>');
  });
  await new Promise<void>((resolve) => void pages.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`;
  instance = await realInstance(`streams: [{team: t, app: web}]
ingress: {port: 0}
keys:
  - {name: page, sha256: ${createHash('sha256').update(key).digest('hex')}, streams: [t/web], origins: ['${origin}']}
`);
  browser = await chromium.launch({ executablePath: executable, args: flags });
}, 60_000);

afterAll(async () => {
  await browser?.close();
  await instance?.stop();
  pages?.close();
});

beforeEach(async () => {
  before = (await instance.landed()).length;
  page = await browser.newPage();
  await page.goto(`${origin}/`);
});

describe('a page of another origin', () => {
  it('sends JSON by fetch, after a preflight, and reads the answer with its headers', async () => {
    const answer = await page.evaluate(
      async ([url, bearer]) => {
        const response = await fetch(`${url}/v1/t/web`, {
          method: 'POST',
          headers: {
            'Content-Type': 'application/json',
            Authorization: `Bearer ${bearer}`,
            'X-Event-Id': 'fetched',
          },
          body: '{"by": "fetch"}',
        });
        return {
          status: response.status,
          ack: response.headers.get('x-sluice-ack'),
          body: (await response.json()) as unknown,
        };
      },
      [instance.url, key] as const,
    );
    expect(answer).toMatchObject({
      status: 200,
      ack: 'replicated',
      body: { id: 'fetched', route: 'kinesis' },
    });
    const [landed] = await fresh(1);
    expect([landed?.attributes.id, landed?.text]).toEqual(['fetched', '{"by": "fetch"}']);
  });

  it('sends without a preflight what a form could send, and packed what it packs itself', async () => {
    const statuses = await page.evaluate(
      async ([url, queryKey]) => {
        const target = `${url}/v1/t/web?key=${queryKey}`;
        const simple = await fetch(target, {
          method: 'POST',
          body: '[{"by":"plain text"},{"by":"plain text"}]',
        });
        const packed = await new Response(
          new Blob(['{"by":"gzip"}']).stream().pipeThrough(new CompressionStream('gzip')),
        ).arrayBuffer();
        const zipped = await fetch(target, {
          method: 'POST',
          headers: { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' },
          body: packed,
        });
        return [simple.status, zipped.status];
      },
      [instance.url, key] as const,
    );
    expect(statuses).toEqual([200, 200]);
    expect((await fresh(3)).map(({ text }) => text)).toEqual([
      '{"by":"plain text"}',
      '{"by":"plain text"}',
      '{"by":"gzip"}',
    ]);
  });

  it('sends a CloudEvent in headers, its own attributes among them', async () => {
    const status = await page.evaluate(
      async ([url, bearer]) => {
        const headers = {
          ...{
            'ce-specversion': '1.0',
            'ce-id': 'ce-page',
            'ce-source': '/page',
            'ce-type': 'seen',
            'ce-campaign': 'Fr%C3%BChling',
          },
          ...{ 'Content-Type': 'application/json', Authorization: `Bearer ${bearer}` },
        };
        return (await fetch(`${url}/v1/t/web`, { method: 'POST', headers, body: '{"by":"ce"}' }))
          .status;
      },
      [instance.url, key] as const,
    );
    expect(status).toBe(200);
    const [landed] = await fresh(1);
    expect(landed?.attributes).toMatchObject({
      id: 'ce-page',
      source: '/page',
      type: 'seen',
      extensions: { campaign: 'Frühling' },
    });
    expect(landed?.text).toBe('{"by":"ce"}');
  });

  it('reads why it was refused', async () => {
    const told = await page.evaluate(
      async ([url, queryKey]) => {
        const answer = await fetch(`${url}/v1/t/web?key=${queryKey}`, {
          method: 'POST',
          body: '{"by":',
        });
        return [answer.status, ((await answer.json()) as { error: { code: string } }).error.code];
      },
      [instance.url, key] as const,
    );
    expect(told).toEqual([400, 'not-json']);
  });

  it('sends by sendBeacon, which can set no header, also while it is left', async () => {
    await page.evaluate(
      ([url, queryKey]) => {
        addEventListener('pagehide', () =>
          navigator.sendBeacon(`${url}/v1/t/web?key=${queryKey}`, '{"by":"pagehide"}'),
        );
        return navigator.sendBeacon(`${url}/v1/t/web?key=${queryKey}`, '{"by":"beacon"}');
      },
      [instance.url, key] as const,
    );
    await page.goto('about:blank');
    const landed = await fresh(2);
    expect(landed.map(({ text }) => text).sort()).toEqual(['{"by":"beacon"}', '{"by":"pagehide"}']);
  });

  it('sends by WebSocket and gets an acknowledgement for each event with its own reference', async () => {
    const acks = await page.evaluate(
      ([url, queryKey]) =>
        new Promise<unknown[]>((resolve, reject) => {
          const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/t/web/ws?key=${queryKey}`);
          const got: unknown[] = [];
          socket.onerror = () => reject(new Error('the WebSocket failed'));
          socket.onmessage = ({ data }) => {
            const frame = JSON.parse(String(data)) as { hello?: unknown };
            if (frame.hello !== undefined)
              for (const n of [1, 2, 3])
                socket.send(JSON.stringify({ ref: `r${n}`, id: `ws${n}`, data: { n } }));
            else if (got.push(frame) === 3) resolve(got);
          };
        }),
      [instance.url, key] as const,
    );
    expect(acks).toMatchObject(
      [1, 2, 3].map((n) => ({ ref: `r${n}`, id: `ws${n}`, status: 200, route: 'kinesis' })),
    );
    expect((await fresh(3)).map(({ attributes, data }) => [attributes.id, data])).toEqual(
      [1, 2, 3].map((n) => [`ws${n}`, { n }]),
    );
  });

  it('sends by an image', async () => {
    const size = await page.evaluate(
      ([url, queryKey]) =>
        new Promise<number>((resolve, reject) => {
          const image = new Image();
          image.onload = () => resolve(image.naturalWidth);
          image.onerror = () => reject(new Error('the image failed'));
          image.src = `${url}/v1/t/web/pixel.gif?key=${queryKey}&id=shown&campaign=spring&item=a&item=b`;
        }),
      [instance.url, key] as const,
    );
    expect(size).toBe(1);
    const [landed] = await fresh(1);
    expect([landed?.attributes.id, landed?.data]).toEqual([
      'shown',
      { campaign: 'spring', item: ['a', 'b'] },
    ]);
  });

  it('of an origin that the key does not name is refused before it sends', async () => {
    const other = origin.replace('127.0.0.1', 'localhost');
    await page.goto(`${other}/`);
    const outcome = await page.evaluate(
      ([url, bearer]) =>
        fetch(`${url}/v1/t/web`, {
          method: 'POST',
          headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${bearer}` },
          body: '1',
        }).then(
          () => 'answered',
          () => 'blocked',
        ),
      [instance.url, key] as const,
    );
    expect(outcome).toBe('blocked');
    expect(await instance.landed()).toHaveLength(before);
  });
});
