/**
 * Routes for this machine only: what `sluice status`, `drain` and the like ask of the running instance.
 *
 * Invariants:
 * 1. Whoever is not on loopback gets 404, and so does what a proxy of this machine hands on from elsewhere.
 * 2. A command (POST) is taken only as `application/json` and for a loopback host name: a web page that the user has open can send neither
 *    without asking first, and it is never allowed to.
 * 3. A command's body is bounded.
 */
import type { HttpRequest, HttpResponse, TemplatedApp } from 'uWebSockets.js';
import { limits } from '../../schemas/limits.ts';
import { isLoopback } from './listen.ts';
import type { PlainAnswer } from './plain-answer.ts';
import { serve } from './plain-answer.ts';

export interface LocalRoutes {
  /** GET, by path. */
  readonly reads?: Readonly<Record<string, () => Promise<PlainAnswer>>>;
  /** POST, by path; `body` is the JSON text. */
  readonly commands?: Readonly<Record<string, (body: string) => Promise<PlainAnswer>>>;
}

const localHost = /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/;

export function mountLocal(app: TemplatedApp, { reads = {}, commands = {} }: LocalRoutes): void {
  for (const [path, read] of Object.entries(reads)) {
    app.get(path, (res, req) => serve(res, fromHere(res, req) ? read : refuse(404, 'only on loopback')));
  }
  for (const [path, command] of Object.entries(commands)) {
    app.post(path, (res, req) => {
      const refusal = refusalOf(res, req);
      if (refusal !== undefined) serve(res, refusal);
      else serve(res, async () => command(await readBody(res)));
    });
  }
}

const handedOn = ['x-forwarded-for', 'x-real-ip', 'forwarded', 'via'] as const;

/** Whether it comes from this machine, as far as a proxy on it lets on. */
export function fromHere(res: HttpResponse, req: HttpRequest): boolean {
  if (handedOn.some((name) => req.getHeader(name) !== '')) return false;
  return isLoopback(Buffer.from(res.getRemoteAddressAsText()).toString());
}

function refusalOf(res: HttpResponse, req: HttpRequest): (() => Promise<PlainAnswer>) | undefined {
  if (!fromHere(res, req)) return refuse(404, 'only on loopback');
  if (!localHost.test(req.getHeader('host'))) return refuse(403, 'a command needs a loopback host name');
  if (req.getHeader('content-type') !== 'application/json') return refuse(415, 'a command is application/json');
  if (req.getHeader('origin') !== '') return refuse(403, 'web pages give no commands');
  return undefined;
}

function refuse(status: number, why: string): () => Promise<PlainAnswer> {
  return () => Promise.resolve({ status, contentType: 'text/plain', body: `${why}\n` });
}

function readBody(res: HttpResponse): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  return new Promise((resolve, reject) => {
    res.onData((chunk, isLast) => {
      bytes += chunk.byteLength;
      if (bytes > limits.localCommandMaxBytes) return reject(new Error(`a command has at most ${limits.localCommandMaxBytes} bytes`));
      // The chunk is only valid in this callback.
      chunks.push(Buffer.from(new Uint8Array(chunk)));
      if (isLast) resolve(Buffer.concat(chunks).toString('utf8'));
    });
  });
}
