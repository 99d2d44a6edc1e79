/**
 * `sluice send` against a server that throttles, breaks connections, and is interrupted: every line arrives, and an interrupted send goes on.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { main, sluice, until } from '../support.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-send-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

interface Double {
  readonly url: string;
  /** Lines that were answered 200, in order. */
  readonly taken: string[];
  readonly server: Server;
}

/** Answers as the ingress does; `behave` may answer a request, or break it, itself. */
async function double(behave: (number: number, req: IncomingMessage, res: ServerResponse) => boolean): Promise<Double> {
  const taken: string[] = [];
  let number = 0;
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.once('end', () => {
      if (behave(number++, req, res)) return;
      const lines = Buffer.concat(chunks)
        .toString()
        .split('\n')
        .filter((line) => line !== '');
      taken.push(...lines);
      res.setHeader('content-type', 'application/json');
      res.end(
        JSON.stringify({
          accepted: lines.length,
          refused: 0,
          results: lines.map((_, index) => ({ index, status: 200, route: 'kinesis' })),
        }),
      );
    });
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  return { url: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`, taken, server };
}

function events(name: string, count: number): { readonly file: string; readonly lines: readonly string[] } {
  const lines = Array.from({ length: count }, (_, n) => `{"id":"e${n}"}`);
  const file = join(root, name);
  writeFileSync(file, lines.join('\n'));
  return { file, lines };
}

describe('sluice send', () => {
  it('honours 429 and 503, rides out broken connections, and sends only the lines again that ask for it', async () => {
    const { file, lines } = events('throttled.ndjson', 40);
    const server = await double((number, _req, res) => {
      switch (number) {
        case 0:
          res.writeHead(429, { 'retry-after': '0' }).end('{"error":{"code":"over-quota","message":"slow down"}}');
          return true;
        case 1:
          res.writeHead(503, { 'retry-after': '0' }).end('not json');
          return true;
        case 2:
          res.socket?.destroy();
          return true;
        case 3: {
          const results = Array.from({ length: 10 }, (_, index) =>
            index < 4 ? { index, status: 200, route: 'kafka' } : { index, status: 503, error: { code: 'disk-full', message: 'm' } },
          );
          server.taken.push(...lines.slice(0, 4));
          res.writeHead(207).end(JSON.stringify({ results }));
          return true;
        }
        default:
          return false;
      }
    });
    const sent = await sluice([
      '--json',
      '--dir',
      join(root, 'a'),
      'send',
      file,
      '--stream',
      'a/b',
      '--url',
      server.url,
      '--batch',
      '10',
      '--concurrency',
      '1',
    ]);
    server.server.close();
    expect([sent.code, JSON.parse(sent.out)]).toMatchObject([0, { sent: 40, refused: 0, retried: 36, byRoute: { kafka: 4, kinesis: 36 } }]);
    expect(server.taken).toEqual(lines);
  });

  it('interrupted, goes on where it was, and misses no line', async () => {
    const { file, lines } = events('interrupted.ndjson', 400);
    const server = await double((_number, _req, res) => {
      // Every answer takes a moment, so that there is a middle to interrupt.
      const end = res.end.bind(res) as (body: string) => ServerResponse;
      res.end = ((body: string) => {
        setTimeout(() => end(body), 15);
        return res;
      }) as typeof res.end;
      return false;
    });
    const dir = join(root, 'b');
    const args = ['--dir', dir, 'send', file, '--stream', 'a/b', '--url', server.url, '--batch', '5', '--concurrency', '2'];
    const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const ended = new Promise((resolve) => child.once('close', resolve));
    await until(() => server.taken.length > 100);
    child.kill('SIGINT');
    expect(await ended).toBe(1);
    expect(said).toContain('the same command goes on from there');
    const before = server.taken.length;
    expect(before).toBeLessThan(400);
    const again = await sluice(args);
    expect(again).toMatchObject({ code: 0, err: expect.stringMatching(/going on after line \d+/) as string });
    server.server.close();
    expect([...new Set(server.taken)].sort()).toEqual([...lines].sort());
    expect(server.taken.length).toBeLessThan(400 + 20);
  });
});
