/**
 * `sluice send` against a server that throttles, breaks connections, and is interrupted: every line
 * arrives, and an interrupted send goes on.
 */
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
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
async function double(
  behave: (number: number, req: IncomingMessage, res: ServerResponse) => boolean,
): Promise<Double> {
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
  return {
    url: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`,
    taken,
    server,
  };
}

function events(
  name: string,
  count: number,
): { readonly file: string; readonly lines: readonly string[] } {
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
          res
            .writeHead(429, { 'retry-after': '0' })
            .end('{"error":{"code":"over-quota","message":"slow down"}}');
          return true;
        case 1:
          res.writeHead(503, { 'retry-after': '0' }).end('not json');
          return true;
        case 2:
          res.socket?.destroy();
          return true;
        case 3: {
          const results = Array.from({ length: 10 }, (_, index) =>
            index < 4
              ? { index, status: 200, route: 'kafka' }
              : { index, status: 503, error: { code: 'disk-full', message: 'm' } },
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
    expect([sent.code, JSON.parse(sent.out)]).toMatchObject([
      0,
      { sent: 40, refused: 0, retried: 36, byRoute: { kafka: 4, kinesis: 36 } },
    ]);
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
    const args = [
      '--dir',
      dir,
      'send',
      file,
      '--stream',
      'a/b',
      '--url',
      server.url,
      '--batch',
      '5',
      '--concurrency',
      '2',
    ];
    const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const ended = new Promise((resolve) => child.once('close', resolve));
    await until(() => server.taken.length > 100);
    child.kill('SIGINT');
    expect(await ended).toBe(130);
    expect(said).toContain('run the same command to resume');
    const before = server.taken.length;
    expect(before).toBeLessThan(400);
    const again = await sluice(args);
    expect(again).toMatchObject({
      code: 0,
      err: expect.stringMatching(/resuming after \d+ events/) as string,
    });
    server.server.close();
    expect([...new Set(server.taken)].sort()).toEqual([...lines].sort());
    expect(server.taken.length).toBeLessThan(400 + 20);
  });
});

const dir = join(root, 'c');
const key = 'slc_keykeykeykeykeykeykeykeykeykeyke';
const hostOf = (url: string): string => new URL(url).host;

/** Runs `send` with `args`, and `stdin`, and waits for its end. */
async function send(
  args: readonly string[],
  options: { stdin?: string | Buffer; env?: Record<string, string> } = {},
) {
  const child = spawn(process.execPath, [main, '--dir', dir, 'send', ...args], {
    env: { ...process.env, ...options.env },
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.stdin ?? '');
  const code = await new Promise((resolve) => child.once('close', resolve));
  return { code, out, err };
}

function file(name: string, content: string | Buffer): string {
  const path = join(root, name);
  writeFileSync(path, content);
  return path;
}

/**
 * Small files of every form; Zstandard by its raw blocks (RFC 8878, section 3.1.1.2.2), as Node 20
 * cannot make others.
 */
function zstd(text: string): Buffer {
  const data = Buffer.from(text);
  const block = Buffer.alloc(3);
  block.writeUIntLE((data.length << 3) | 1, 0, 3);
  const head = Buffer.alloc(9);
  head.writeUInt32LE(0xfd2fb528, 0);
  head[4] = 0xa0;
  head.writeUInt32LE(data.length, 5);
  return Buffer.concat([head, block, data]);
}

describe('an input of', () => {
  const one = '{"v":1}';
  const two = '{"v":2}';
  it.each([
    ['lines', `${one}\n${two}`],
    ['lines with a byte-order mark, blank ones and CRLF', `\ufeff${one}\r\n\r\n \n${two}\r\n`],
    ['an array over many lines', `[\n  ${one},\n${two}\n]\n`],
    ['an array on one line', `[${one},${two}]`],
    ['objects over many lines', `${one.replace(':', ':\n')}\n${two.replace(':', '\r\n:')}`],
    ['objects side by side', `${one}${two}`],
    ['gzip, by no name', gzipSync(`${one}\n${two}`)],
    ['gzip in two members', Buffer.concat([gzipSync(`${one}\n`), gzipSync(two)])],
    ['zstd', zstd(`[${one},\n${two}]`)],
    ['zstd in two frames', Buffer.concat([zstd(`${one}\n`), zstd(two)])],
  ])('%s is sent', async (_what, content) => {
    const server = await double(() => false);
    const args = ['--stream', 'a/b', '--url', server.url];
    const sent = [
      await send([file('input', content), ...args, '--no-resume']),
      await send(['-', ...args], { stdin: content }),
    ];
    server.server.close();
    expect(sent).toMatchObject([{ code: 0 }, { code: 0 }]);
    const blanks = (text: string): string => text.replaceAll(' ', '');
    expect(server.taken.map(blanks)).toEqual([one, two, one, two]);
  });

  it('a pipe that is slow is sent as it comes', async () => {
    const server = await double(() => false);
    const child = spawn(process.execPath, [
      main,
      '--dir',
      dir,
      'send',
      '-',
      '--stream',
      'a/b',
      '--url',
      server.url,
    ]);
    child.stdin.write('{"n":1}\n');
    await until(() => server.taken.length === 1);
    child.stdin.end('{"n":2}\n');
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(0);
    server.server.close();
    expect(server.taken).toEqual(['{"n":1}', '{"n":2}']);
  });
});

describe('the order', () => {
  it('of the file is kept without options, and of each key with a pointer, however long requests take', async () => {
    const lines = Array.from({ length: 60 }, (_, n) => `{"user":"u${n % 7}","n":${n}}`);
    const path = file('ordered.ndjson', lines.join('\n'));
    const running = { now: 0, most: 0 };
    const slow = () =>
      double((number, _req, res) => {
        running.most = Math.max(running.most, ++running.now);
        const end = res.end.bind(res) as (body: string) => ServerResponse;
        res.end = ((body: string) => {
          setTimeout(
            () => {
              running.now--;
              end(body);
            },
            (number * 37) % 50,
          );
          return res;
        }) as typeof res.end;
        return false;
      });
    const [whole, keyed] = [await slow(), await slow()];
    const args = ['--stream', 'a/b', '--batch', '3', '--no-resume'];
    expect(await send([path, ...args, '--url', whole.url])).toMatchObject({ code: 0 });
    expect(whole.taken).toEqual(lines);
    expect(running.most).toBe(1);
    expect(
      await send([
        path,
        ...args,
        '--url',
        keyed.url,
        '--concurrency',
        '4',
        '--key-pointer',
        '/user',
      ]),
    ).toMatchObject({ code: 0 });
    for (const server of [whole, keyed]) server.server.close();
    expect(running.most).toBeGreaterThan(1);
    const ofUser = (all: readonly string[], user: number): readonly string[] =>
      all.filter((line) => line.includes(`"u${user}"`));
    for (let user = 0; user < 7; user++)
      expect(ofUser(keyed.taken, user)).toEqual(ofUser(lines, user));
  });
});

describe('an interrupted send', () => {
  it.each([
    [
      'of a compressed array',
      zstd(`[${Array.from({ length: 50 }, (_, n) => `{"n":${n}}`).join(',\n')}]`),
    ],
    ['of gzipped lines', gzipSync(Array.from({ length: 50 }, (_, n) => `{"n":${n}}`).join('\n'))],
  ])('%s resumes where an ingress went away', async (_what, content) => {
    const path = file('away', content);
    const server = await double((number, _req, res) => {
      if (number < 3 || number > 3) return false;
      res.writeHead(404).end('{"error":{"code":"stream-unknown","message":"there is no stream"}}');
      return true;
    });
    const args = [path, '--stream', 'a/b', '--url', server.url, '--batch', '10'];
    const first = await send(args);
    expect([first.code, first.err]).toEqual([
      1,
      expect.stringMatching(/30 events were accepted before[^]*the same command resumes/) as string,
    ]);
    expect(await send(args)).toMatchObject({
      code: 0,
      err: expect.stringContaining('resuming after 30 events') as string,
    });
    server.server.close();
    expect(server.taken).toEqual(Array.from({ length: 50 }, (_, n) => `{"n":${n}}`));
  });
});

describe('a signal', () => {
  it.each([
    ['while it waits as it was asked to', 503, 'SIGINT', 130, 0],
    ['while it waits for more input', 200, 'SIGTERM', 143, 1],
  ] as const)('%s ends it at once', async (_what, status, signal, code, events) => {
    const server = await double((_number, _req, res) => {
      if (status === 503) res.writeHead(503, { 'retry-after': '3600' }).end('{}');
      return status === 503;
    });
    const child = spawn(process.execPath, [
      main,
      '--dir',
      dir,
      'send',
      '-',
      '--stream',
      'a/b',
      '--url',
      server.url,
    ]);
    let err = '';
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.stdin.write('1\n');
    await until(() => server.taken.length === 1 || err.includes('asks to wait 3600 s'));
    child.kill(signal);
    expect(await ended).toBe(code);
    server.server.close();
    expect(err).toMatch(/interrupted after \d events; standard input cannot be resumed/);
    expect(server.taken.length).toBe(events);
  });
});

describe('refused events', () => {
  it('are told by the first of each kind, and all of a request that is refused as a whole are not', async () => {
    const server = await double((_number, req, res) => {
      const length = Number(req.headers['content-length']);
      // A proxy with a bound of its own.
      if (length > 60) {
        res.writeHead(413).end('{"error":{"code":"body-too-large","message":"too large"}}');
        return true;
      }
      return false;
    });
    const lines = [
      '{"n":1}',
      '{"n":2}',
      `{"text":"${'x'.repeat(80)}"}`,
      '{"n":3}',
      `{"text":"${'y'.repeat(90)}"}`,
    ];
    const sent = await send([
      file('large.ndjson', lines.join('\n')),
      '--stream',
      'a/b',
      '--url',
      server.url,
    ]);
    server.server.close();
    expect(sent).toMatchObject({
      code: 1,
      out: expect.stringContaining('2 body-too-large, the first on line 3: too large') as string,
    });
    expect(server.taken).toEqual(['{"n":1}', '{"n":2}', '{"n":3}']);
  });

  it('of a document are told with their line, and the others are sent', async () => {
    const server = await double(() => false);
    const sent = await send(['-', '--stream', 'a/b', '--url', server.url], {
      stdin: '[1,\n{"a":},\ntru,\n2]',
    });
    server.server.close();
    expect(sent.code).toBe(1);
    expect(sent.out).toContain("2 not-json, the first on line 2: there is '}' on line 2");
    expect(server.taken).toEqual(['1', '2']);
  });
});

describe('what cannot be sent is one sentence and what to do', () => {
  const cases: readonly (readonly [
    what: string,
    code: number,
    says: RegExp,
    args: readonly string[],
    stdin?: string | Buffer,
  ])[] = [
    ['a file that is not there', 1, /nowhere\.ndjson does not exist/, ['nowhere.ndjson']],
    ['a folder', 1, /is a folder/, [root]],
    [
      'gzip that ends too early',
      1,
      /gzip data ends too early/,
      ['-'],
      gzipSync('{"n":1}\n'.repeat(9)).subarray(0, 24),
    ],
    [
      'zstd that ends too early',
      1,
      /zstd data ends too early/,
      ['-'],
      zstd('{"n":1}').subarray(0, 14),
    ],
    [
      'zstd that is none',
      1,
      /zstd data is damaged/,
      ['-'],
      Buffer.concat([zstd('1').subarray(0, 9), Buffer.from([0x0f, 0, 0, 1, 1, 1])]),
    ],
    ['xz', 1, /compressed with xz.*\n.*xz -dc/, ['-'], Buffer.from('fd377a585a000004', 'hex')],
    ['UTF-16', 1, /UTF-16/, ['-'], Buffer.from('\ufeff{"n":1}', 'utf16le')],
    [
      'an array that goes wrong',
      1,
      /not JSON: there is '2' at line 2, byte 3, expected ',' or '\]'.*\(1 events/,
      ['-'],
      '[\n1 2]',
    ],
    ['an array that ends too early', 1, /ends inside an array/, ['-'], '[1,2'],
    [
      'an object that ends too early',
      1,
      /ends inside the value that begins on line 1/,
      ['-'],
      '{"a":\n1',
    ],
    [
      'a stream without a slash',
      1,
      /invalid --stream 'plain': expected team\/app/,
      ['-', '--stream', 'plain'],
    ],
    ['a stream that climbs', 1, /expected team\/app/, ['-', '--stream', '../x']],
    ['an address that is none', 1, /invalid --url 'not a url'/, ['-', '--url', 'not a url']],
    ['an address of another scheme', 1, /invalid --url 'ftp:\/\/x'/, ['-', '--url', 'ftp://x']],
    ['an address with a user', 1, /names a user/, ['-', '--url', `http://u:${key}@127.0.0.1:1`]],
    ['an address with a query', 1, /has a query/, ['-', '--url', `http://127.0.0.1:1/?key=${key}`]],
    [
      'a number that is none',
      1,
      /invalid --batch 'x': expected a whole number/,
      ['-', '--batch', 'x'],
    ],
    ['a pointer that is none', 1, /invalid --key-pointer 'user'/, ['-', '--key-pointer', 'user']],
    ['a format that is none', 1, /invalid --format 'csv'/, ['-', '--format', 'csv']],
    [
      'a key with a line break',
      1,
      /the key in --key has characters/,
      ['-', '--key', `${key}\n${key}`],
    ],
    [
      'a name that nobody has',
      1,
      /sluice\.invalid cannot be resolved/,
      ['-', '--url', 'http://sluice.invalid'],
      '1',
    ],
    [
      'nobody who listens',
      1,
      /accepted nothing for 1 s/,
      ['-', '--url', 'http://127.0.0.1:1', '--give-up-after', '1'],
      '1',
    ],
  ];
  it.each(cases.map((each) => ({ what: each[0], each })))(
    '$what',
    async ({ each: [, code, says, args, stdin] }) => {
      const url = args.includes('--url') ? [] : ['--url', 'http://127.0.0.1:1'];
      const server = url.length > 0 ? await double(() => false) : undefined;
      if (server !== undefined) url[1] = server.url;
      const stream = args.includes('--stream') ? [] : ['--stream', 'a/b'];
      const sent = await send([...args, ...stream, ...url], stdin === undefined ? {} : { stdin });
      server?.server.close();
      expect(sent).toMatchObject({ code, out: '', err: expect.stringMatching(says) as string });
      expect(sent.err).not.toMatch(/ at .*\.js:|defect/);
      expect(sent.err.trim().split('\n').length).toBeLessThanOrEqual(3);
      expect(sent.err).not.toContain(key);
    },
  );

  it.skipIf(process.getuid?.() === 0)('a file that may not be read', async () => {
    const path = file('denied.ndjson', '1');
    chmodSync(path, 0);
    expect(await send([path, '--stream', 'a/b', '--url', 'http://127.0.0.1:1'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('permission denied') as string,
    });
  });

  it.each([
    [401, {}, /answers 401: no\n.*SLUICE_KEY/],
    [403, {}, /answers 403: no\n.*a key whose streams include/],
    [404, {}, /answers 404: no\n.*--stream/],
    [421, {}, /answers 421: no\n.*host name/],
    [308, { location: 'http://127.0.0.1:9/v1/a/b' }, /answers 308.*\n.*redirects are not followed/],
    [200, {}, /answers 200: with no result for each event/],
  ] as const)('an answer of %i, at once', async (status, headers, says) => {
    let asked = 0;
    const server = await double((_number, _req, res) => {
      asked++;
      res.writeHead(status, headers).end('{"error":{"code":"x","message":"no"}}');
      return true;
    });
    const sent = await send(['-', '--stream', 'a/b', '--url', server.url, '--key', key], {
      stdin: '1\n2\n',
    });
    server.server.close();
    expect(sent).toMatchObject({ code: 1, err: expect.stringMatching(says) as string });
    expect([asked, sent.err.includes(key)]).toEqual([1, false]);
  });
});

describe('a key', () => {
  it('is sent from the option, else from the environment, and only to the address that was named', async () => {
    const seen: (string | undefined)[] = [];
    const server = await double((_number, req) => {
      seen.push(req.headers.authorization);
      return false;
    });
    const args = ['-', '--stream', 'a/b', '--url', server.url];
    await send(args, { stdin: '1' });
    await send(args, { stdin: '1', env: { SLUICE_KEY: `${key}\n` } });
    const sent = await send([...args, '--key', 'other'], { stdin: '1', env: { SLUICE_KEY: key } });
    server.server.close();
    expect(seen).toEqual([undefined, `Bearer ${key}`, 'Bearer other']);
    expect(sent.out + sent.err).not.toContain('other');
  });
});

describe('over TLS', () => {
  it('sends to a certificate that is trusted, and says what is wrong with another', async () => {
    const tls = join(root, 'tls');
    mkdirSync(tls);
    const made = [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '1',
      '-subj',
      '/CN=localhost',
      '-addext',
      'subjectAltName=DNS:localhost',
    ];
    const maker = 'openssl';
    expect(
      spawnSync(maker, [...made, '-keyout', join(tls, 'key.pem'), '-out', join(tls, 'cert.pem')])
        .status,
    ).toBe(0);
    const plain = await double(() => false);
    const server = createTlsServer(
      { key: readFileSync(join(tls, 'key.pem')), cert: readFileSync(join(tls, 'cert.pem')) },
      (req, res) => {
        plain.server.emit('request', req, res);
      },
    ).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const address = server.address();
    const host = `localhost:${typeof address === 'object' && address !== null ? address.port : 0}`;
    const to = (url: string, env = {}) =>
      send(['-', '--stream', 'a/b', '--url', url], { stdin: '1', env });
    const trusted = await to(`https://${host}/`, { NODE_EXTRA_CA_CERTS: join(tls, 'cert.pem') });
    const [unknown, otherName, notTls] = [
      await to(`https://${host}`),
      await to(`https://${host.replace('localhost', '127.0.0.1')}`, {
        NODE_EXTRA_CA_CERTS: join(tls, 'cert.pem'),
      }),
      await to(`https://${hostOf(plain.url)}`),
    ];
    server.close();
    plain.server.close();
    expect(trusted).toMatchObject({ code: 0 });
    expect(plain.taken).toEqual(['1']);
    expect(unknown).toMatchObject({
      code: 1,
      err: expect.stringMatching(
        /certificate .* is not trusted.*\n.*NODE_EXTRA_CA_CERTS/,
      ) as string,
    });
    expect(otherName).toMatchObject({
      code: 1,
      err: expect.stringContaining('is not trusted') as string,
    });
    expect(notTls).toMatchObject({
      code: 1,
      err: expect.stringContaining('does not speak TLS') as string,
    });
  });
});
