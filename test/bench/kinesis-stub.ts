/**
 * A Kinesis endpoint that costs little, in a process of its own: `node kinesis-stub.js [--delay MS]
 * [--refuse-every N] [--parse]`. It drains the body, counts its records without parsing it, and
 * answers PutRecords after the delay with as many results; it also answers DescribeStreamSummary
 * and ListShards. It checks no signature and keeps nothing. Sends `{ port }` to its parent, and its
 * counts when asked.
 *
 * A body may be JSON, as the SDK for JavaScript sends it, or CBOR; the answer is of the same kind.
 * Records are counted by the head of their array, in JSON by their opening braces: neither base64
 * nor the keys of a benchmark have one. With `--parse` the CBOR body is parsed instead, and the
 * records inside aggregated ones are counted.
 */
import uws from 'uWebSockets.js';
import { parseArgs } from 'node:util';
import { cbor } from '@smithy/core/cbor';
import { decodeAggregate } from '../../schemas/kpl.ts';

export interface StubCounts {
  readonly calls: number;
  /** Records that were taken, those inside aggregated ones when bodies are parsed. */
  readonly records: number;
  readonly refused: number;
  readonly bytes: number;
}

const { values: options } = parseArgs({
  options: {
    delay: { type: 'string', default: '0' },
    'refuse-every': { type: 'string', default: '0' },
    parse: { type: 'boolean', default: false },
  },
});
const delayMs = Number(options.delay);
const refuseEvery = Number(options['refuse-every']);

const openingBrace = 0x7b;
const shards = [
  'shardId-000000000000',
  'shardId-000000000001',
  'shardId-000000000002',
  'shardId-000000000003',
];
const taken = (nth: number): unknown => ({
  SequenceNumber: '49590338271490256608559692538361571095921575989136588898',
  ShardId: shards[nth % shards.length],
});
const throttled = {
  ErrorCode: 'ProvisionedThroughputExceededException',
  ErrorMessage: 'Rate exceeded for shard shardId-000000000000',
};
type Encoding = 'json' | 'cbor';
const wholeReplies = new Map<string, Uint8Array | string>();
const counts = new Map<
  string,
  { calls: number; records: number; refused: number; bytes: number }
>();
let seen = 0;

/** The reply to `records` of them, and how many it refuses. */
function replyOf(
  encoding: Encoding,
  records: number,
): { readonly body: Uint8Array | string; readonly refused: number } {
  const encode = (value: unknown): Uint8Array | string =>
    encoding === 'json' ? JSON.stringify(value) : cbor.serialize(value);
  if (refuseEvery > 0) {
    let refused = 0;
    const results = Array.from({ length: records }, (_, nth) => {
      if (++seen % refuseEvery !== 0) return taken(nth);
      refused++;
      return throttled;
    });
    return { body: encode({ FailedRecordCount: refused, Records: results }), refused };
  }
  const name = `${encoding} ${records}`;
  let body = wholeReplies.get(name);
  if (body === undefined) {
    body = encode({
      FailedRecordCount: 0,
      Records: Array.from({ length: records }, (_, nth) => taken(nth)),
    });
    wholeReplies.set(name, body);
  }
  return { body, refused: 0 };
}

function countBraces(chunk: Buffer): number {
  let count = 0;
  for (let at = chunk.indexOf(openingBrace); at >= 0; at = chunk.indexOf(openingBrace, at + 1))
    count++;
  return count;
}

/** Items of the array at the start of a CBOR body, behind the map's head and `Records`. */
function countOf(body: Buffer): number {
  const at = 9;
  const size = body.readUInt8(at) & 0x1f;
  if (size < 24) return size;
  return size === 24 ? body.readUInt8(at + 1) : body.readUInt16BE(at + 1);
}

function eventsOf(body: Buffer): number {
  const { Records: records } = cbor.deserialize(body) as { Records: { Data: Uint8Array }[] };
  return records.reduce(
    (sum, { Data: data }) => sum + (decodeAggregate(Buffer.from(data))?.length ?? 1),
    0,
  );
}

const tailBytes = 512;

uws
  .App()
  .post('/*', (res, req) => {
    const target = req.getHeader('x-amz-target');
    const contentType = req.getHeader('content-type');
    const encoding: Encoding = contentType.includes('cbor') ? 'cbor' : 'json';
    const chunks: Buffer[] = [];
    let braces = 0;
    let records = 0;
    let bytes = 0;
    let tail = '';
    let open = true;
    res.onAborted(() => {
      open = false;
    });
    const answer = (body: Uint8Array | string): void => {
      if (!open) return;
      res.cork(() => {
        res.writeHeader('Content-Type', contentType).writeHeader('x-amzn-RequestId', 'stub');
        res.end(body);
      });
    };
    const answerPut = (): void => {
      const name = /(?:"StreamName": ?"|StreamName.)([\w-]*)/.exec(tail)?.[1] ?? '';
      if (encoding === 'json') records = braces - 1;
      const reply = replyOf(encoding, records);
      const count = counts.get(name) ?? { calls: 0, records: 0, refused: 0, bytes: 0 };
      count.calls++;
      count.bytes += bytes;
      count.refused += reply.refused;
      count.records += options.parse ? eventsOf(Buffer.concat(chunks)) : records - reply.refused;
      counts.set(name, count);
      if (delayMs === 0) answer(reply.body);
      else setTimeout(answer, delayMs, reply.body);
    };
    res.onData((part, isLast) => {
      const chunk = Buffer.from(part);
      bytes += chunk.length;
      if (encoding === 'json') braces += countBraces(chunk);
      else if (bytes === chunk.length && bytes > 0) records = countOf(chunk);
      tail = (tail + chunk.toString('latin1', Math.max(0, chunk.length - tailBytes))).slice(
        -tailBytes,
      );
      // The chunk is only valid in this callback.
      if (options.parse) chunks.push(Buffer.from(new Uint8Array(part)));
      if (!isLast) return;
      if (target.endsWith('PutRecords')) answerPut();
      else if (target.endsWith('ListShards'))
        answer(JSON.stringify({ Shards: shards.map((ShardId) => ({ ShardId })) }));
      else answer('{"StreamDescriptionSummary":{"StreamStatus":"ACTIVE"}}');
    });
  })
  .listen('127.0.0.1', 0, (socket) => {
    process.send?.({ port: socket === false ? 0 : uws.us_socket_local_port(socket) });
  });

process.on('message', () => process.send?.(Object.fromEntries(counts)));
process.once('disconnect', () => process.exit(0));
