/**
 * The ingress beside Node's own HTTP parser in strict mode: what one accepts and the other refuses
 * is a difference, and every difference belongs to a class with its reason (http-differences.ts).
 * One that belongs to none is made smaller and reported with what makes it again.
 *
 * Invariant: an event is in the streams if and only if its client was answered 2xx, but where bytes
 * that are no request follow it in a later segment.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from '../../ingest/protocols/json.ts';
import { matchBody } from '../../ingest/protocols/list.ts';
import type { Rig } from '../ingest/support.ts';
import { openAccess, rig } from '../ingest/support.ts';
import type { Pair } from './http-differences.ts';
import { classOf, isFollowed } from './http-differences.ts';
import type { MadeRequest } from './http-grammar.ts';
import { bytesOf, isSpoiled, makeRequest, segmentsOf } from './http-grammar.ts';
import type { Outcome } from './raw-exchange.ts';
import { exchangeRaw } from './raw-exchange.ts';

export interface ParityOptions {
  readonly seed: number;
  readonly from: number;
  readonly count: number;
  readonly parallel: number;
}

export interface ParityReport {
  readonly requests: number;
  readonly accepted: number;
  /** How many differences each class has. */
  readonly classes: ReadonlyMap<string, number>;
  /**
   * Differences of no class, and events that are stored unsaid or said and not stored; each with
   * what makes it again.
   */
  readonly unexplained: readonly string[];
}

const roundRequests = 1_000;
const unexplainedMax = 60;
/**
 * Silence counts as a refusal: first after little time, and where that makes a difference, again
 * after more.
 */
const silenceMs = 250;
const silenceAgainMs = 4_000;

export async function compare({
  seed,
  from,
  count,
  parallel,
}: ParityOptions): Promise<ParityReport> {
  const made = await rig({ bodyMaxBytes: 65_536 }, 0, undefined, {
    access: { ...openAccess, openSegmentStream: 'a/plain' },
  });
  const reference = await referenceServer();
  const classes = new Map<string, number>();
  const unexplained: string[] = [];
  let accepted = 0;
  try {
    for (
      let start = from;
      start < from + count && unexplained.length < unexplainedMax;
      start += roundRequests
    ) {
      const indexes = Array.from(
        { length: Math.min(roundRequests, from + count - start) },
        (_, n) => start + n,
      );
      const pairs = new Map<number, Pair>();
      await inParallel(indexes, parallel, async (index) => {
        pairs.set(index, await pairOf(makeRequest(seed, index), made, reference.port, silenceMs));
      });
      const stored = storedMarks(made);
      const differing: number[] = [];
      for (const [index, pair] of pairs) {
        const request = makeRequest(seed, index);
        // Of a client that left itself, its event may be stored behind it. A changed byte may be
        // one of its mark.
        if (
          pair.ours !== 'silent' &&
          pair.ingress !== stored.has(request.mark) &&
          !(pair.ingress ? isSpoiled(index) : isFollowed(request))
        )
          unexplained.push(
            `${again(seed, index)}: ${pair.ingress ? 'accepted and not stored' : 'stored and not accepted'}: ${shown(request)}`,
          );
        if (pair.ingress) accepted++;
        if (pair.ingress !== pair.node) differing.push(index);
      }
      await inParallel(differing, parallel, async (index) => {
        const request = makeRequest(seed, index);
        const pair = pairs.get(index) as Pair;
        const explained = classOf(request, pair, process.versions.modules);
        // Silence may have been a busy machine.
        const wasSilent = pair.ours === 'silent' || pair.nodes === 'silent';
        const sure =
          explained === undefined && wasSilent
            ? await pairOf(request, made, reference.port, silenceAgainMs)
            : pair;
        if (sure.ingress === sure.node) return;
        const name = explained ?? classOf(request, sure, process.versions.modules);
        if (name !== undefined) classes.set(name, (classes.get(name) ?? 0) + 1);
        else if (unexplained.length < unexplainedMax) {
          const said = `${sure.ingress ? 'the ingress accepts, Node refuses' : 'Node accepts, the ingress refuses'} (${sure.ours} and ${sure.nodes})`;
          unexplained.push(
            `${again(seed, index)}: ${said}: ${shown(await smaller(request, made, reference.port))}`,
          );
        }
      });
      storedMarks(made);
    }
    return { requests: count, accepted, classes, unexplained };
  } finally {
    reference.close();
    await made.ingress.shutDown();
  }
}

async function pairOf(
  request: MadeRequest,
  { ingress }: Rig,
  nodePort: number,
  quietMs: number,
): Promise<Pair> {
  const segments = segmentsOf(request);
  const [ours, nodes] = await Promise.all([
    exchangeRaw(ingress.port, segments, quietMs),
    exchangeRaw(nodePort, segments, quietMs),
  ]);
  const isOk = (outcome: Outcome): boolean =>
    typeof outcome === 'number' && outcome >= 200 && outcome < 300;
  return { ingress: isOk(ours), node: isOk(nodes), ours, nodes };
}

/** The marks of what the streams hold, which is let go of. */
function storedMarks({ kinesis, kafka }: Rig): ReadonlySet<string> {
  const marks = new Set<string>();
  for (const { data } of [...kinesis.applied.splice(0), ...kafka.applied.splice(0)]) {
    const found = /m(\d+)x\1y/.exec(Buffer.from(data).toString('latin1'));
    if (found !== null) marks.add(found[0]);
  }
  return marks;
}

/** Leaves out line after line, and the cuts, as long as the two still differ. */
async function smaller(request: MadeRequest, made: Rig, nodePort: number): Promise<MadeRequest> {
  let best = request;
  const tries: ((from: MadeRequest) => MadeRequest)[] = [(from) => ({ ...from, cuts: [] })];
  for (let at = request.lines.length - 1; at > 0; at--)
    tries.push((from) => ({ ...from, lines: from.lines.filter((_, index) => index !== at) }));
  for (const change of tries) {
    const next = change(best);
    const pair = await pairOf(next, made, nodePort, silenceAgainMs);
    if (pair.ingress !== pair.node) best = next;
  }
  return best;
}

const again = (seed: number, index: number): string => `--seed ${seed} --from ${index} --count 1`;

function shown(request: MadeRequest): string {
  const text = JSON.stringify(bytesOf(request).toString('latin1')).replaceAll(
    /[\x7f-\xff]/g,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `${text}${request.cuts.length === 0 ? '' : ` cut at ${request.cuts.join(', ')}`}`;
}

async function inParallel<T>(
  items: readonly T[],
  workers: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  let at = 0;
  const one = async (): Promise<void> => {
    for (let item = items[at++]; item !== undefined; item = items[at++]) await work(item);
  };
  await Promise.all(Array.from({ length: workers }, one));
}

/** A server that takes what the ingress takes: one route, one method, a body of JSON. */
async function referenceServer(): Promise<{ readonly port: number; close(): void }> {
  const server = createServer(
    { insecureHTTPParser: false, requireHostHeader: true, maxHeaderSize: 16_384 },
    (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('error', () => undefined);
      request.on('end', () => {
        const isRoute =
          request.method === 'POST' &&
          /^(?:http:\/\/[^/]+)?\/v1\/a\/plain(?:\?|$)/.test(request.url ?? '');
        const isTyped = matchBody(request.headers['content-type'] ?? '', undefined) === json;
        response.statusCode = !isRoute ? 404 : isTyped && isJson(Buffer.concat(chunks)) ? 200 : 400;
        response.end();
      });
    },
  );
  server.on('clientError', (_error, socket) =>
    socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

function isJson(body: Buffer): boolean {
  try {
    JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
    return true;
  } catch {
    return false;
  }
}
