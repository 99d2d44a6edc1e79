/**
 * The control socket: who can reach it, wherever its folder is, and what is left of an instance
 * that died.
 */
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import { connect, createServer, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { askControl } from '../../../deploy/host/control-client.ts';
import {
  findControlSocket,
  fitsSocket,
  makeControlPlace,
  makeRuntimePlace,
} from '../../../deploy/host/control-place.ts';
import type { ControlServer } from '../../../deploy/host/control-server.ts';
import {
  controlConnectionsMax,
  controlRequestMaxBytes,
  serveControl,
} from '../../../deploy/host/control-server.ts';
import { controlPathFile, controlSocket } from '../../../deploy/host/layout.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-control-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const servers: ControlServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

let folders = 0;
/** Of a path with that many bytes in front of what is put into it; none: a short one. */
function folder(bytes = 0): string {
  const short = join(root, `f${++folders}-`);
  const dir = short.padEnd(bytes, 'x');
  mkdirSync(dir, { mode: 0o700 });
  return dir;
}

const tooLong = (): string => folder(120);
const modeOf = (path: string): number => lstatSync(path).mode & 0o777;

async function serve(dir: string): Promise<ControlServer> {
  const answer = (body: string) =>
    Promise.resolve({ status: 200, contentType: 'application/json', body });
  const server = await serveControl(dir, {
    reads: { '/_sluice/status': () => answer('{"up":true}') },
    commands: { '/_sluice/drain': answer },
  });
  servers.push(server);
  return server;
}

describe('the control socket', () => {
  it('takes their places from clients that ask nothing, or half of something', {
    timeout: 30_000,
  }, async () => {
    const dir = folder();
    const { socket } = await serve(dir);
    const held = Array.from({ length: controlConnectionsMax }, (_, n) => {
      const client = connect(socket);
      client.on('error', () => undefined);
      if (n % 2 === 1) client.write('GET /_sluice/status HTTP/1.1\r\nHost: ');
      return client;
    });
    let answer: { readonly status: number } | undefined;
    for (let tries = 0; tries < 200 && answer === undefined; tries++) {
      answer = await askControl(dir, '/_sluice/status').catch(() => undefined);
      if (answer === undefined) await sleep(100);
    }
    expect(answer).toMatchObject({ status: 200 });
    for (const client of held) client.destroy();
  });

  it('answers reads and commands, and is for its user alone', async () => {
    const dir = folder();
    const { socket } = await serve(dir);
    expect([socket, modeOf(socket)]).toEqual([controlSocket(dir), 0o600]);
    expect(await askControl(dir, '/_sluice/status')).toEqual({ status: 200, body: '{"up":true}' });
    expect(await askControl(dir, '/_sluice/drain', { topology: 't' })).toEqual({
      status: 200,
      body: '{"topology":"t"}',
    });
    expect((await askControl(dir, '/_sluice/drain')).status).toBe(404);
    expect((await askControl(dir, '/_sluice/none', {})).status).toBe(404);
  });

  it('refuses a command beyond its bound', async () => {
    const dir = folder();
    await serve(dir);
    expect(
      (await askControl(dir, '/_sluice/drain', 'x'.repeat(controlRequestMaxBytes))).status,
    ).toBe(413);
  });

  it('tells a command when whoever sent it hangs up, and not when it is answered', async () => {
    const dir = folder();
    const heard: string[] = [];
    let begun = (): void => undefined;
    const running = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const server = await serveControl(dir, {
      reads: {},
      commands: {
        '/_sluice/slow': async (_, gone) => {
          const over = new Promise<void>((resolve) =>
            gone.addEventListener('abort', () => resolve()),
          );
          begun();
          await over;
          heard.push('slow');
          return { status: 200, contentType: 'application/json', body: '{}' };
        },
        '/_sluice/quick': (_, gone) => {
          gone.addEventListener('abort', () => heard.push('quick'));
          return Promise.resolve({ status: 200, contentType: 'application/json', body: '{}' });
        },
      },
    });
    expect((await askControl(dir, '/_sluice/quick', {})).status).toBe(200);
    const asked = request({ socketPath: server.socket, path: '/_sluice/slow', method: 'POST' });
    asked.on('error', () => undefined);
    asked.end('{}');
    await running;
    asked.destroy();
    await vi.waitFor(() => expect(heard).toEqual(['slow']));
    await server.close();
    expect(heard).toEqual(['slow']);
  });

  it('is found through a symbolic link to the folder', async () => {
    const dir = folder();
    await serve(dir);
    const link = join(root, `link-${'x'.repeat(100)}`);
    symlinkSync(dir, link);
    expect((await askControl(link, '/_sluice/status')).status).toBe(200);
  });

  it('is in a private runtime folder where its own path is too long, and leaves nothing behind', async () => {
    const dir = tooLong();
    const server = await serve(dir);
    const runtime = readFileSync(controlPathFile(dir), 'utf8').trim();
    expect([server.socket, fitsSocket(server.socket)]).toEqual([controlSocket(runtime), true]);
    expect([modeOf(runtime), modeOf(server.socket), modeOf(controlPathFile(dir))]).toEqual([
      0o700, 0o600, 0o600,
    ]);
    expect((await askControl(dir, '/_sluice/status')).status).toBe(200);
    await servers.pop()?.close();
    expect([existsSync(runtime), readdirSync(dir)]).toEqual([false, []]);
  });

  it('replaces what a dead instance left, wherever that was', async () => {
    const dir = tooLong();
    const left = makeControlPlace(dir).socket;
    await new Promise<void>((resolve) => createServer().listen(left, resolve).unref());
    const { socket } = await serve(dir);
    expect([existsSync(dirname(left)), socket === left]).toEqual([false, false]);
    expect((await askControl(dir, '/_sluice/status')).status).toBe(200);

    const short = folder();
    writeFileSync(controlSocket(short), '');
    writeFileSync(controlPathFile(short), join(root, 'nowhere'));
    expect((await serve(short)).socket).toBe(controlSocket(short));
    expect((await askControl(short, '/_sluice/status')).status).toBe(200);
    expect(existsSync(controlPathFile(short))).toBe(false);
  });

  it('is in a runtime folder too where the file system of its own has no sockets', async () => {
    const dir = folder();
    const refusal = Object.assign(new Error('listen EOPNOTSUPP'), { code: 'EOPNOTSUPP' });
    vi.spyOn(Server.prototype, 'listen').mockImplementationOnce(function (this: Server) {
      queueMicrotask(() => this.emit('error', refusal));
      return this;
    });
    const { socket } = await serve(dir);
    expect(socket.startsWith(dir)).toBe(false);
    expect((await askControl(dir, '/_sluice/status')).status).toBe(200);
  });

  it('takes XDG_RUNTIME_DIR where that is private, and not where others can enter', () => {
    const runtimeDir = folder();
    const dir = tooLong();
    expect(makeRuntimePlace(dir, runtimeDir).socket.startsWith(`${runtimeDir}/sluice-`)).toBe(true);
    chmodSync(runtimeDir, 0o750);
    const { socket, remove } = makeRuntimePlace(dir, runtimeDir);
    expect(socket.startsWith(runtimeDir)).toBe(false);
    remove();
  });
});

describe('a client', () => {
  it.each([
    [
      'other users can enter it',
      (runtime: string) => chmodSync(runtime, 0o701),
      'other users can enter',
    ],
    ['it belongs to somebody else', () => undefined, 'belongs to user 0'],
    [
      'it is a link',
      (runtime: string, dir: string) => {
        symlinkSync(runtime, join(dir, 'link'));
        writeFileSync(controlPathFile(dir), join(dir, 'link'));
      },
      'is not a folder',
    ],
    [
      'it is gone',
      (runtime: string) => rmSync(runtime, { recursive: true }),
      'cannot be looked at (ENOENT)',
    ],
  ])('trusts no runtime folder when %s', (what, spoil, why) => {
    const dir = tooLong();
    const { socket, remove } = makeControlPlace(dir);
    const foreign = what.startsWith('it belongs');
    const uid = process.getuid;
    try {
      spoil(dirname(socket), dir);
      if (foreign) process.getuid = () => 12_345;
      const spoken = foreign ? why.replace('0', String(lstatSync(dirname(socket)).uid)) : why;
      expect(() => findControlSocket(dir)).toThrow(
        expect.objectContaining({
          code: 'control-not-trusted',
          message: expect.stringContaining(spoken),
        }),
      );
    } finally {
      process.getuid = uid as NonNullable<typeof uid>;
      remove();
      rmSync(dirname(socket), { recursive: true, force: true });
    }
  });

  it('is told when nobody answers', async () => {
    await expect(askControl(folder(), '/_sluice/status')).rejects.toMatchObject({
      code: 'not-reachable',
      retryable: true,
    });
  });
});
