/**
 * Segment's library for browsers in headless Chromium, in a page of another origin: given nothing
 * but a write key and this host, it finds the settings, sends all its calls, one by one and in
 * batches, and takes the answers for success.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import type { Server } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { build } from 'esbuild';
import type { Browser } from 'playwright-core';
import { chromium } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RealInstance } from './support.ts';
import { realInstance } from './support.ts';

const key = 'slc_analyticsanalyticsanalyticsanaly';
const executable = '/usr/bin/chromium';
const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
];

/** What the page's script offers to the test. */
interface PageWindow {
  readonly sendAll: (
    writeKey: string,
    url: string,
    batching: boolean,
  ) => Promise<readonly string[]>;
}
declare const window: PageWindow;

/** As an author writes it, bundled for the page. */
const script = `
import { AnalyticsBrowser } from '@segment/analytics-next';
window.sendAll = async (writeKey, cdnURL, batching) => {
  const deliveryStrategy = batching ? { strategy: 'batching', config: { size: 5, timeout: 50 } } : {};
  const analytics = AnalyticsBrowser.load({ writeKey, cdnURL }, { integrations: { 'Segment.io': { deliveryStrategy } } });
  const failed = [];
  analytics.on('error', ({ code }) => failed.push(code));
  const sent = [
    await analytics.identify('u1', { plan: 'free' }),
    await analytics.track('Bought', { price: 3.5 }),
    await analytics.page('Home'),
    await analytics.group('g1', { name: 'Shop' }),
    await analytics.alias('u2', 'u1'),
  ];
  for (const context of sent) if (context.failedDelivery() !== undefined) failed.push(String(context.failedDelivery().reason));
  return failed;
};
`;

let pages: Server;
let origin: string;
let instance: RealInstance;
let browser: Browser;
let before: number;

beforeAll(async () => {
  if (!existsSync(executable))
    throw new Error(`${executable} is missing: apt-get install chromium`);
  const bundled = await build({
    stdin: { contents: script, resolveDir: process.cwd() },
    bundle: true,
    write: false,
    format: 'iife',
    platform: 'browser',
    logLevel: 'silent',
  });
  const text = bundled.outputFiles[0]?.text ?? '';
  pages = createServer((request, response) => {
    const isScript = request.url === '/page.js';
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
    response.end(
      isScript ? text : '<!doctype html><title>a shop</title><script src="/page.js"></script>',
    );
  });
  await new Promise<void>((resolve) => void pages.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`;
  instance = await realInstance(`streams: [{team: t, app: web}, {team: t, app: other}]
ingress: {port: 0}
keys:
  - {name: page, sha256: ${createHash('sha256').update(key).digest('hex')}, streams: ['t/*'], segment_stream: t/web, origins: ['${origin}']}
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
});

describe('analytics.js', () => {
  it.each([
    ['one by one', false],
    ['in batches', true],
  ])('sends all its calls, %s', async (_name, batching) => {
    const page = await browser.newPage();
    await page.goto(`${origin}/`);
    const failed = await page.evaluate(
      ([writeKey, url, inBatches]) => window.sendAll(writeKey, url, inBatches),
      [key, instance.url, batching] as const,
    );
    expect(failed).toEqual([]);
    const landed = (await instance.landedAtLeast(before + 5)).slice(before);
    const byType = new Map(landed.map((event) => [event.attributes.type, event]));
    expect([...byType.keys()].toSorted()).toEqual(
      ['alias', 'group', 'identify', 'page', 'track'].map((type) => `segment.${type}`),
    );
    const track = byType.get('segment.track');
    expect(track?.data).toMatchObject({
      event: 'Bought',
      properties: { price: 3.5 },
      userId: 'u1',
      context: { page: { url: `${origin}/` } },
    });
    expect(track?.attributes).toMatchObject({
      partitionkey: 'u1',
      id: (track?.data as { messageId: string } | undefined)?.messageId,
    });
    await page.close();
  });
});
