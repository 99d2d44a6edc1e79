/**
 * Claim checks on their way out: what a topology gets is the event with its bytes unchanged; a
 * store that cannot be asked is asked again and nothing is skipped; a claim that is missing,
 * altered or somebody else's is one rejected event under a code of its own; memory is bounded.
 */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EventAttributes } from '../../../schemas/event.ts';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import { encodeAggregate } from '../../../schemas/kpl.ts';
import { limits } from '../../../schemas/limits.ts';
import type { BlobStore } from '../../../schemas/ports/blob-store.ts';
import type { IncomingRecord } from '../../../schemas/ports/record.ts';
import type { RecordReader } from '../../../schemas/ports/record-reader.ts';
import { decodeRecord } from '../../../schemas/wire.ts';
import { createJob, schemaOf, stream, table, topology } from '../../../topology/index.ts';
import { unfoldingReader } from '../../../topology/runtime/unfold.ts';
import { event, memoryBlobs, memoryStream, put, world } from '../support.ts';

interface Store extends BlobStore {
  readonly blobs: Map<string, Uint8Array>;
  /** Every key that was asked for. */
  readonly asked: string[];
  /** Bytes that were given since the last look. */
  given: number;
  fails: boolean;
}

function storeOf(): Store {
  const memory = memoryBlobs();
  const store: Store = {
    ...memory,
    asked: [],
    given: 0,
    fails: false,
    async get(key) {
      store.asked.push(key);
      if (store.fails)
        throw new SluiceError('blob-store-failed', 'it cannot be asked', { retryable: true });
      const found = await memory.get(key);
      store.given += found?.length ?? 0;
      return found;
    },
  };
  return store;
}

const sha256 = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');

/** A record that points to `data` under `key`, which is stored. */
function pointing(
  store: Store,
  id: string,
  data: Uint8Array,
  key = `a/b/2026-01-01/${id}`,
  more: Partial<EventAttributes> = {},
): Uint8Array {
  store.blobs.set(key, data);
  const pointer = {
    dataref: `claim:${key}`,
    datasize: String(data.length),
    datasha256: sha256(data),
  };
  return event(id, null, { ...more, extensions: { ...more.extensions, ...pointer } }).value;
}

function readerOf(values: readonly Uint8Array[]): RecordReader {
  const records = values.map(
    (value, n): IncomingRecord => ({
      key: 'k',
      value,
      position: String(n + 1),
      arrivedAtMs: 1_000,
    }),
  );
  return {
    route: 'kinesis',
    splits: () => Promise.resolve([{ id: 's', parents: [] }]),
    read: (_, after, { maxRecords }) =>
      Promise.resolve({
        records: records.slice(Number(after ?? 0)).slice(0, maxRecords),
        ended: false,
      }),
    latest: () => Promise.resolve(records.at(-1)?.position),
    lag: (_, after) => Promise.resolve(records.length - Number(after ?? 0)),
    oldest: () => Promise.resolve({ position: undefined, counts: false }),
    positionAt: () => Promise.resolve(null),
    close: () => Promise.resolve(),
  };
}

const wide = { maxRecords: 1_000, maxBytes: 1e8 };

function dataOf(record: IncomingRecord): string {
  const decoded = decodeRecord(record);
  if ('problem' in decoded) throw new Error(decoded.problem);
  return Buffer.from(decoded.data).toString();
}

describe('a reader of records that point to their data', () => {
  it('gives the events as they were sent, between the others, at their positions', async () => {
    const store = storeOf();
    const data = Buffer.from('{ "spaced" : [1e0, "\\u00e9"] }');
    const values = [
      event('e0', 0).value,
      pointing(store, 'e1', data, undefined, { extensions: { own: 'x' }, subject: 's' }),
      event('e2', 2).value,
    ];
    const { records } = await unfoldingReader(readerOf(values), 'a/b', store).read(
      's',
      undefined,
      wide,
    );
    expect(records.map(({ position }) => position)).toEqual(['1', '2', '3']);
    expect(records.map(dataOf)).toEqual(['0', data.toString(), '2']);
    const plain = event('e1', null, { extensions: { own: 'x' }, subject: 's' }).value;
    const [resolved, original] = [
      records[1] as IncomingRecord,
      { key: 'k', value: plain, position: '2', arrivedAtMs: 1_000 },
    ].map(decodeRecord);
    expect((resolved as { attributes: unknown }).attributes).toEqual(
      (original as { attributes: unknown }).attributes,
    );
  });

  it('holds, however large the data is, what a read may have and one event beyond', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 200, max: 2_000 }),
        async (sizes, maxBytes) => {
          const store = storeOf();
          // 0: an event without a claim.
          const values = sizes.map((size, n) =>
            size === 0
              ? event(`e${n}`, n).value
              : pointing(store, `e${n}`, Buffer.from(JSON.stringify('x'.repeat(size)))),
          );
          const reader = unfoldingReader(readerOf(values), 'a/b', store);
          const sent = sizes.map((size, n) =>
            size === 0 ? `${n}` : JSON.stringify('x'.repeat(size)),
          );
          const got: string[] = [];
          let after: string | undefined;
          while (got.length < values.length) {
            store.given = 0;
            const { records } = await reader.read('s', after, { maxRecords: 7, maxBytes });
            expect(records.length).toBeGreaterThan(0);
            if (records.length > 1) {
              expect(records.reduce((sum, { value }) => sum + value.length, 0)).toBeLessThanOrEqual(
                maxBytes,
              );
              expect(store.given).toBeLessThanOrEqual(maxBytes);
            }
            got.push(...records.map(dataOf));
            after = records.at(-1)?.position;
          }
          expect(got).toEqual(sent);
          // Nothing is fetched twice.
          expect(store.asked).toHaveLength(sizes.filter((size) => size > 0).length);
        },
      ),
    );
  });

  it('asks a store that failed again, and skips nothing', async () => {
    const store = storeOf();
    const values = [
      event('e0', 0).value,
      pointing(store, 'e1', Buffer.from('1')),
      event('e2', 2).value,
    ];
    const reader = unfoldingReader(readerOf(values), 'a/b', store);
    store.fails = true;
    for (let n = 0; n < 3; n++)
      await expect(reader.read('s', undefined, wide)).rejects.toMatchObject({
        code: 'blob-store-failed',
        retryable: true,
      });
    store.fails = false;
    expect((await reader.read('s', undefined, wide)).records.map(dataOf)).toEqual(['0', '1', '2']);
  });

  it('leaves what is missing, altered, or not what it says a pointer that says why, and goes on', async () => {
    const store = storeOf();
    const good = Buffer.from('"good"');
    const values = ['missing', 'longer', 'other', 'fine'].map((id) => pointing(store, id, good));
    store.blobs.delete('a/b/2026-01-01/missing');
    store.blobs.set('a/b/2026-01-01/longer', Buffer.from('"good" '));
    store.blobs.set('a/b/2026-01-01/other', Buffer.from('"bad!"'));
    const { records } = await unfoldingReader(readerOf(values), 'a/b', store).read(
      's',
      undefined,
      wide,
    );
    expect(records.map(({ unresolved }) => unresolved)).toEqual([
      expect.stringContaining('nothing is stored') as string,
      '7 bytes are stored, 6 were sent',
      expect.stringContaining('SHA-256') as string,
      undefined,
    ]);
    expect(records.map(dataOf)).toEqual(['null', 'null', 'null', '"good"']);
  });

  it('never asks for what is not under its own stream, whatever the pointer says', async () => {
    const store = storeOf();
    const secret = Buffer.from('"secret"');
    const keys = [
      'a/c/1',
      'a/bb/1',
      'x',
      '../a/b/1',
      'a/b/../c/1',
      'a/b/../../x',
      'a/b/./1',
      'a/b//1',
      'a/b/',
      'a/b',
      'A/B/1',
      '/a/b/1',
      'a/b/%2e%2e/1',
    ];
    const values = keys.map((key, n) => pointing(store, `e${n}`, secret, key));
    const { records } = await unfoldingReader(readerOf(values), 'a/b', store).read(
      's',
      undefined,
      wide,
    );
    expect(store.asked).toEqual([]);
    expect(records.map(dataOf)).toEqual(keys.map(() => 'null'));
    expect(records.every(({ unresolved }) => unresolved?.includes('claim:a/b/') === true)).toBe(
      true,
    );
  });

  it('fetches no more for one record than one event can have', async () => {
    const store = storeOf();
    const data = Buffer.from('"x"');
    const part = pointing(store, 'e', data);
    const huge = event('h', null, {
      extensions: {
        dataref: 'claim:a/b/1',
        datasize: String(limits.bodyDecodedMaxBytes),
        datasha256: sha256(data),
      },
    }).value;
    const aggregate = Buffer.concat(
      encodeAggregate(
        [part, event('plain', 1).value, huge].map((value) => ({ key: 'k', value: [value] })),
      ),
    );
    const { records } = await unfoldingReader(readerOf([aggregate, part]), 'a/b', store).read(
      's',
      undefined,
      wide,
    );
    expect(store.asked).toEqual(['a/b/2026-01-01/e']);
    expect(records.map(dataOf)).toEqual(['null', '1', 'null', '"x"']);
    expect(records.map(({ unresolved }) => unresolved?.includes('at most') ?? false)).toEqual([
      true,
      false,
      true,
      false,
    ]);
  });

  it('leaves everything as it is where there is no store', async () => {
    const value = pointing(storeOf(), 'e', Buffer.from('1'));
    const { records } = await unfoldingReader(readerOf([value]), 'a/b', undefined).read(
      's',
      undefined,
      wide,
    );
    expect(records).toEqual([{ key: 'k', value, position: '1', arrivedAtMs: 1_000 }]);
  });
});

const anything = schemaOf<{ readonly id: string; readonly text: string }>({
  $id: 'https://sluice.example/test/anything',
  type: 'object',
  properties: { id: { type: 'string' }, text: { type: 'string' } },
});

describe('a job over records that point to their data', () => {
  const run = async (store: Store, values: readonly Uint8Array[], during?: () => void) => {
    const made = world({ 'a/b': memoryStream(['kinesis', 'shard-0']) });
    const target = made.streams['a/b'];
    if (target === undefined) throw new Error('no stream');
    for (const value of values) put(target, 0, { value });
    const clock = manualClock(5_000_000);
    const job = createJob({
      topology: topology('claims', { version: 1, owner: 'a/b' }, (t) => {
        t.source('in', stream('a/b', { dataText: true }))
          .map((e) => ({ id: e.id, text: e.dataText ?? '' }))
          .sinkTo('out', table('out', anything));
      }),
      blobs: memoryBlobs(),
      connectors: { ...made.connectors, claims: store },
      clock,
      random: seededRandom(1),
      checkpointIntervalMs: 0,
    });
    await job.open();
    const running = job.run();
    let ended = false;
    const over = running.then(
      () => (ended = true),
      () => (ended = true),
    );
    await job.drain();
    for (let round = 0; !ended && round < 5_000; round++) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(50);
      if (round === 200) during?.();
    }
    await over;
    await running;
    const { nodes } = await job.status();
    await job.close();
    return {
      out: (made.tables['out']?.visible ?? []) as readonly {
        readonly id: string;
        readonly text: string;
      }[],
      rejected: (made.tables['rejected']?.visible ?? []) as readonly Record<string, unknown>[],
      source: nodes.find(({ id }) => id === 'in'),
    };
  };

  it('lands them in their order, although the store could not be asked for a while', async () => {
    const store = storeOf();
    const data = Buffer.from(`{"n" : 1, "fill":"${'x'.repeat(50_000)}"}`);
    const values = [event('e0', 0).value, pointing(store, 'e1', data), event('e2', 2).value];
    store.fails = true;
    const { out, rejected, source } = await run(store, values, () => {
      store.fails = false;
    });
    expect(out.map(({ id, text }) => [id, text])).toEqual([
      ['e0', '0'],
      ['e1', data.toString()],
      ['e2', '2'],
    ]);
    expect(rejected).toEqual([]);
    expect(source).toMatchObject({ in: 3, passed: 3, rejected: 0 });
    expect(store.asked.length).toBeGreaterThan(1);
  });

  it('rejects what cannot be had under a code of its own, and lands the others', async () => {
    const store = storeOf();
    const data = Buffer.from('"x"');
    const values = [
      pointing(store, 'gone', data),
      pointing(store, 'fine', data),
      pointing(store, 'foreign', data, 'a/c/2026-01-01/1'),
    ];
    store.blobs.delete('a/b/2026-01-01/gone');
    const { out, rejected, source } = await run(store, values);
    expect(out.map(({ id }) => id)).toEqual(['fine']);
    expect(rejected.map(({ id, code }) => [id, code])).toEqual([
      ['gone', 'claim-unresolved'],
      ['foreign', 'claim-unresolved'],
    ]);
    expect(rejected[0]?.['message']).toMatch(/claim:a\/b\/2026-01-01\/gone.*nothing is stored/);
    expect(source).toMatchObject({ in: 3, passed: 1, rejected: 2 });
  });

  it('refuses a pointer in the name of another stream as what it is, not as that stream\u2019s event', async () => {
    const store = storeOf();
    const { rejected } = await run(store, [
      pointing(store, 'theirs', Buffer.from('1'), undefined, { team: 'other' }),
    ]);
    expect(rejected).toMatchObject([
      { id: 'kinesis/shard-0/1', team: 'a', app: 'b', code: 'undecodable-record' },
    ]);
  });
});
