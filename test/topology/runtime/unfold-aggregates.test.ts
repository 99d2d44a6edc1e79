/**
 * A reader that takes aggregates apart: it is a reader like any other (the contract, over embedded
 * streams), gives the events of a record together and in order, keeps to its bounds, and asks the
 * stream for nothing twice.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import {
  embeddedReader,
  openEmbeddedStreams,
} from '../../../deploy/streams/embedded/embedded-log.ts';
import { systemClock } from '../../../schemas/kernel/clock.ts';
import { encodeAggregate } from '../../../schemas/kpl.ts';
import type { IncomingRecord, Route } from '../../../schemas/ports/record.ts';
import { routes } from '../../../schemas/ports/record.ts';
import type { RecordReader } from '../../../schemas/ports/record-reader.ts';
import { decodeRecord } from '../../../schemas/wire.ts';
import { aggregateInflatedMaxBytes, unfoldingReader } from '../../../topology/runtime/unfold.ts';
import { recordReaderContract } from '../../contract/record-reader.ts';
import type { StreamHarness } from '../../contract/record-stream.ts';
import { streamConfig } from '../../ingest/support.ts';
import { event, memoryBlobs } from '../support.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-unfold-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let made = 0;

async function harness(path: Route): Promise<StreamHarness> {
  const streams = await openEmbeddedStreams({
    root: join(root, String(made++)),
    streams: [streamConfig('a', 'b')],
    local: { kinesisShards: 2, kafkaPartitions: 2, retentionMaxBytes: 1e9, retentionMaxMs: 1e9 },
    clock: systemClock,
  });
  const handle = streams.handles('a/b').find((each) => each.route === path);
  if (handle === undefined) throw new Error('no handle');
  const readers: RecordReader[] = [];
  return {
    path,
    stream: 'a/b',
    writer: streams.writer(path),
    reader() {
      const reader = unfoldingReader(embeddedReader(handle), 'a/b', undefined);
      readers.push(reader);
      return reader;
    },
    async close() {
      for (const reader of readers) await reader.close();
      await streams.close();
    },
  };
}

for (const path of routes)
  recordReaderContract(`the unfolding reader of ${path}`, () => harness(path));

/**
 * Each number: an aggregate of so many events, compressed when it is even; 0: an event as it is.
 */
type Shape = readonly number[];

function aggregate(texts: readonly string[]): Buffer {
  const bytes = Buffer.concat(
    encodeAggregate(texts.map((text) => ({ key: `key of ${text}`, value: [Buffer.from(text)] }))),
  );
  return texts.length % 2 === 0 ? gzipSync(bytes) : bytes;
}

const textsOf = (n: number, parts: number): readonly string[] =>
  parts === 0 ? [`${n}`] : Array.from({ length: parts }, (_, part) => `${n}.${part}`);

interface Counted {
  readonly reader: RecordReader;
  /** Records that the stream gave. */
  given: number;
}

/**
 * A split of these records that counts what it gives, and says with its last record that it has
 * ended.
 */
function countedReader(values: readonly Uint8Array[], path: Route = 'kinesis'): Counted {
  const records = values.map(
    (value, n): IncomingRecord => ({
      key: 'outer',
      value,
      position: String(n + 1),
      arrivedAtMs: 1_000 + n,
    }),
  );
  const counted: Counted = {
    given: 0,
    reader: {
      route: path,
      splits: () => Promise.resolve([{ id: 's', parents: [] }]),
      read(_, after, { maxRecords }) {
        const from = Number(after ?? 0);
        const found = records.slice(from, from + maxRecords);
        counted.given += found.length;
        return Promise.resolve({ records: found, ended: from + found.length === records.length });
      },
      latest: () => Promise.resolve(records.at(-1)?.position),
      lag: (_, after) => Promise.resolve(records.length - Number(after ?? 0)),
      oldest: () => Promise.resolve({ position: undefined, counts: false }),
      positionAt: () => Promise.resolve(null),
      close: () => Promise.resolve(),
    },
  };
  return counted;
}

function shaped(shape: Shape): Counted {
  return countedReader(
    shape.map((parts, n) => (parts === 0 ? Buffer.from(`${n}`) : aggregate(textsOf(n, parts)))),
  );
}

const wide = { maxRecords: 1_000, maxBytes: 1e6 };
const shapes = fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 25 });

describe('aggregates', () => {
  it('come apart in order, each part under the position of its record, with its number, its key and its arrival', async () => {
    const { records } = await unfoldingReader(shaped([2, 0, 1]).reader, 'a/b', undefined).read(
      's',
      undefined,
      wide,
    );
    expect(
      records.map(({ value, ...rest }) => ({ ...rest, text: Buffer.from(value).toString() })),
    ).toEqual([
      { key: 'key of 0.0', text: '0.0', position: '1', part: 0, arrivedAtMs: 1_000 },
      { key: 'key of 0.1', text: '0.1', position: '1', part: 1, arrivedAtMs: 1_000 },
      { key: 'outer', text: '1', position: '2', arrivedAtMs: 1_001 },
      { key: 'key of 2.0', text: '2.0', position: '3', part: 0, arrivedAtMs: 1_002 },
    ]);
  });

  it('are whole in one result, which is within its bounds, and nothing is asked of the stream twice', async () => {
    await fc.assert(
      fc.asyncProperty(
        shapes,
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 40 }),
        async (shape, maxRecords, maxBytes) => {
          const counted = shaped(shape);
          const reader = unfoldingReader(counted.reader, 'a/b', undefined);
          const texts: string[] = [];
          let after: string | undefined;
          for (let ended = false; !ended; ) {
            const result = await reader.read('s', after, { maxRecords, maxBytes });
            const bytes = result.records.reduce((sum, { value }) => sum + value.length, 0);
            if (new Set(result.records.map(({ position }) => position)).size > 1) {
              expect(result.records.length).toBeLessThanOrEqual(maxRecords);
              expect(bytes).toBeLessThanOrEqual(maxBytes);
            }
            const last = result.records.at(-1);
            if (last !== undefined) {
              const parts = result.records.filter(({ position }) => position === last.position);
              expect(parts).toHaveLength(Math.max(1, shape[Number(last.position) - 1] ?? 0));
            }
            texts.push(...result.records.map(({ value }) => Buffer.from(value).toString()));
            ended = result.ended;
            after = last?.position ?? after;
          }
          expect(texts).toEqual(shape.flatMap((parts, n) => textsOf(n, parts)));
          expect(counted.given).toBe(shape.length);
        },
      ),
    );
  });

  it('are read from any position, whatever was read before', async () => {
    const shape = [2, 0, 3, 1, 0, 4];
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: shape.length }), { maxLength: 12 }),
        async (froms) => {
          const reader = unfoldingReader(shaped(shape).reader, 'a/b', undefined);
          for (const from of froms) {
            const { records } = await reader.read('s', from === 0 ? undefined : String(from), {
              maxRecords: 3,
              maxBytes: 1e6,
            });
            const texts = records.map(({ value }) => Buffer.from(value).toString());
            const expected = shape.flatMap((parts, n) => (n < from ? [] : textsOf(n, parts)));
            expect(texts).toEqual(expected.slice(0, texts.length));
            expect(texts.length > 0).toBe(expected.length > 0);
          }
        },
      ),
    );
  });

  it('of one split are not given to another', async () => {
    const reader = unfoldingReader(shaped([2, 2, 2]).reader, 'a/b', undefined);
    const one = { maxRecords: 2, maxBytes: 1e6 };
    const first = await reader.read('s', undefined, one);
    const other = await reader.read('t', undefined, one);
    expect(other).toEqual(first);
    expect((await reader.read('s', '1', one)).records.map(({ position }) => position)).toEqual([
      '2',
      '2',
    ]);
    expect((await reader.read('t', '1', one)).records.map(({ position }) => position)).toEqual([
      '2',
      '2',
    ]);
  });

  it('on the large route are bytes like any others', async () => {
    const value = aggregate(['x', 'y']);
    const { records } = await unfoldingReader(
      countedReader([value], 'kafka').reader,
      'a/b',
      undefined,
    ).read('s', undefined, wide);
    expect(records).toEqual([{ key: 'outer', value, position: '1', arrivedAtMs: 1_000 }]);
  });

  it('that were altered stay one record', async () => {
    const value = aggregate(['x', 'y']);
    value[value.length - 1] = (value.at(-1) ?? 0) ^ 1;
    const { records } = await unfoldingReader(countedReader([value]).reader, 'a/b', undefined).read(
      's',
      undefined,
      wide,
    );
    expect(records).toEqual([{ key: 'outer', value, position: '1', arrivedAtMs: 1_000 }]);
  });

  it.each([
    ['of something else', gzipSync('no aggregate')],
    ['that is broken', gzipSync('broken').subarray(0, 20)],
    ['that would take too much memory', gzipSync(Buffer.alloc(aggregateInflatedMaxBytes + 1))],
  ])('are not what is compressed and %s', async (_, value) => {
    const { records } = await unfoldingReader(countedReader([value]).reader, 'a/b', undefined).read(
      's',
      undefined,
      wide,
    );
    expect(records).toEqual([{ key: 'outer', value, position: '1', arrivedAtMs: 1_000 }]);
  });

  it('may hold events that point to their data, which is fetched once, also when it does not fit what is read first', async () => {
    const blobs = memoryBlobs();
    const pointing = (n: number): Uint8Array => {
      const data = Buffer.from(JSON.stringify({ n, fill: 'x'.repeat(500) }));
      blobs.blobs.set(`a/b/${n}`, data);
      const extensions = {
        dataref: `claim:a/b/${n}`,
        datasize: String(data.length),
        datasha256: createHash('sha256').update(data).digest('hex'),
      };
      return event(`e${n}`, null, { extensions }).value;
    };
    const fetched: string[] = [];
    const claims = {
      ...blobs,
      get: (key: string) => {
        fetched.push(key);
        return blobs.get(key);
      },
    };
    const pair = Buffer.concat(
      encodeAggregate([0, 1].map((n) => ({ key: 'k', value: [pointing(n)] }))),
    );
    const reader = unfoldingReader(
      countedReader([pair, pointing(2), event('e3', 3).value]).reader,
      'a/b',
      claims,
    );
    const within = { maxRecords: 1_000, maxBytes: 1_100 };
    const datas: unknown[] = [];
    let after: string | undefined;
    for (let ended = false; !ended; ) {
      const result = await reader.read('s', after, within);
      for (const record of result.records) {
        const decoded = decodeRecord(record);
        if ('problem' in decoded) throw new Error(decoded.problem);
        datas.push(JSON.parse(Buffer.from(decoded.data).toString()));
      }
      ended = result.ended;
      after = result.records.at(-1)?.position;
    }
    expect(datas).toMatchObject([{ n: 0 }, { n: 1 }, { n: 2 }, 3]);
    expect(fetched).toEqual(['a/b/0', 'a/b/1', 'a/b/2']);
  });
});
