/**
 * A Kinesis endpoint in memory, over real HTTP: it checks each signature, keeps what is put, and
 * does with a call what a test says. It reads JSON and CBOR, and answers in the same.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cbor } from '@smithy/core/cbor';
import type { RecordReader } from '../../../../schemas/ports/record-reader.ts';
import { isSigned } from './sigv4.ts';

export const credentials = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  sessionToken: 'a token',
};

interface PutRecord {
  readonly Data: Uint8Array;
  readonly PartitionKey: string;
}

interface Stored {
  readonly key: string;
  readonly value: Buffer;
  readonly position: string;
}

export interface KinesisServer {
  readonly endpoint: string;
  readonly stream: string;
  /** Bodies of PutRecords, as they came. */
  readonly bodies: Buffer[];
  /** Sockets that were accepted. */
  readonly connections: () => number;
  /** The error code of a record, `undefined` to take it. */
  decide: (key: string, nth: number) => string | undefined;
  /** Answers instead of the server; true when it did. */
  intercept: (target: string, res: ServerResponse, body: Buffer) => boolean;
  /** `MaxRecordSizeInKiB`, when the endpoint says one. */
  recordMaxKib: number | undefined;
  /** Shards of one page of ListShards. */
  pageShards: number;
  reader(): RecordReader;
  close(): Promise<void>;
}

const shardOf = (key: string, shards: number): number =>
  (createHash('md5').update(key).digest()[0] ?? 0) % shards;

export async function kinesisServer(shardCount = 3): Promise<KinesisServer> {
  const shards = Array.from({ length: shardCount }, (_, n) => ({
    id: `shardId-00000000000${n}`,
    records: [] as Stored[],
  }));
  let sequence = 49_590_338_271_490_256_608n * 10n ** 36n;
  let nth = 0;
  let connections = 0;

  const put = (records: readonly PutRecord[]): unknown => {
    let failed = 0;
    const results = records.map(({ Data: data, PartitionKey: key }) => {
      const code = server.decide(key, nth++);
      const shard = shards[shardOf(key, shards.length)];
      if (code !== undefined || shard === undefined) {
        failed++;
        return {
          ErrorCode: code,
          ErrorMessage: 'Rate exceeded for shard shardId-000000000000 under account 111111111111.',
        };
      }
      const position = String(++sequence);
      shard.records.push({ key, value: Buffer.from(data), position });
      return { SequenceNumber: position, ShardId: shard.id };
    });
    return { FailedRecordCount: failed, Records: results };
  };

  const listShards = (token: string | undefined): unknown => {
    const from = Number(token ?? 0);
    const closed = {
      ShardId: 'shardId-closed',
      SequenceNumberRange: { StartingSequenceNumber: '1', EndingSequenceNumber: '2' },
    };
    const page = shards
      .slice(from, from + server.pageShards)
      .map(({ id }) => ({ ShardId: id, SequenceNumberRange: { StartingSequenceNumber: '1' } }));
    const next = from + server.pageShards;
    return {
      Shards: from === 0 ? [closed, ...page] : page,
      ...(next < shards.length ? { NextToken: String(next) } : {}),
    };
  };

  const answer = (
    target: string,
    req: IncomingMessage,
    res: ServerResponse,
    body: Buffer,
  ): void => {
    const type = String(req.headers['content-type']);
    const binary = type === 'application/x-amz-cbor-1.1';
    const reply = (status: number, value: unknown): void => {
      const encoded = binary ? cbor.serialize(value) : JSON.stringify(value);
      res.writeHead(status, { 'content-type': type, 'x-amzn-requestid': 'r' }).end(encoded);
    };
    const signed = { method: req.method ?? '', path: req.url ?? '', headers: req.headers, body };
    if (!isSigned(signed, credentials.accessKeyId, credentials.secretAccessKey)) {
      return reply(400, {
        __type: 'InvalidSignatureException',
        message: 'the signature does not match',
      });
    }
    if (target === 'PutRecords') server.bodies.push(body);
    if (server.intercept(target, res, body)) return;
    const input = (binary ? cbor.deserialize(body) : JSON.parse(body.toString())) as {
      StreamName?: string;
      Records?: PutRecord[];
      NextToken?: string;
    };
    if (input.StreamName !== undefined && input.StreamName !== server.stream) {
      return reply(400, {
        __type: 'ResourceNotFoundException',
        message: `Stream ${input.StreamName} under account 111111111111 not found.`,
      });
    }
    if (target === 'PutRecords') reply(200, put(input.Records ?? []));
    else if (target === 'ListShards') reply(200, listShards(input.NextToken));
    else {
      const maximum =
        server.recordMaxKib === undefined ? {} : { MaxRecordSizeInKiB: server.recordMaxKib };
      reply(200, {
        StreamDescriptionSummary: { StreamName: server.stream, StreamStatus: 'ACTIVE', ...maximum },
      });
    }
  };

  const http = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.once('end', () =>
      answer(
        String(req.headers['x-amz-target']).replace('Kinesis_20131202.', ''),
        req,
        res,
        Buffer.concat(chunks),
      ),
    );
  });
  http.on('connection', () => {
    connections++;
  });
  await new Promise<void>((resolve) => {
    http.listen(0, '127.0.0.1', resolve);
  });

  const server: KinesisServer = {
    endpoint: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    stream: 'physical-stream',
    bodies: [],
    connections: () => connections,
    decide: () => undefined,
    intercept: () => false,
    recordMaxKib: undefined,
    pageShards: 100,
    reader: () => readerOf(shards),
    close: () =>
      new Promise((resolve) => {
        http.close(() => resolve());
        http.closeAllConnections();
      }),
  };
  return server;
}

function readerOf(
  shards: readonly { readonly id: string; readonly records: readonly Stored[] }[],
): RecordReader {
  const of = (split: string): readonly Stored[] =>
    shards.find(({ id }) => id === split)?.records ?? [];
  const after = (split: string, position: string | undefined): readonly Stored[] =>
    position === undefined
      ? of(split)
      : of(split).slice(of(split).findIndex((stored) => stored.position === position) + 1);
  return {
    route: 'kinesis',
    splits: () => Promise.resolve(shards.map(({ id }) => ({ id, parents: [] }))),
    read(split, position, { maxRecords, maxBytes }) {
      let bytes = 0;
      const records = after(split, position)
        .slice(0, maxRecords)
        .filter((stored, index) => {
          bytes += stored.value.length;
          return index === 0 || bytes <= maxBytes;
        })
        .map((stored) => ({ ...stored, arrivedAtMs: 0 }));
      return Promise.resolve({ records, ended: false });
    },
    latest: (split) => Promise.resolve(of(split).at(-1)?.position),
    lag: (split, position) => Promise.resolve(after(split, position).length),
    oldest: () => Promise.resolve({ position: undefined, counts: false }),
    positionAt: () => Promise.resolve(null),
    close: () => Promise.resolve(),
  };
}
