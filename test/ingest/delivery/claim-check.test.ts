/**
 * Claim checks on their way in: data that is durable before anything points to it, a pointer that
 * gives back exactly what was sent, and blobs that are let go of when their time is over.
 */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Batcher } from '../../../ingest/delivery/batcher.ts';
import { createBreaker } from '../../../ingest/delivery/breaker.ts';
import type { ClaimCheck } from '../../../ingest/delivery/claim-check.ts';
import { createClaimCheck, sweepClaims, weightOf } from '../../../ingest/delivery/claim-check.ts';
import type { RoutedRecord } from '../../../ingest/delivery/route.ts';
import { isRefusal } from '../../../ingest/event/refusal.ts';
import { claimOf, resolveClaim } from '../../../schemas/claim.ts';
import type { EventAttributes } from '../../../schemas/event.ts';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import { decodeAggregate } from '../../../schemas/kpl.ts';
import { limits } from '../../../schemas/limits.ts';
import type { BlobStore } from '../../../schemas/ports/blob-store.ts';
import type { IncomingRecord } from '../../../schemas/ports/record.ts';
import { decodeRecord } from '../../../schemas/wire.ts';
import { memoryBlobs } from '../../topology/support.ts';
import { streamDouble, until } from './support.ts';

const attributes: EventAttributes = {
  id: 'e1',
  source: '/a/b',
  type: 'a.b',
  time: '2026-01-01T00:00:00Z',
  datacontenttype: 'application/json',
  team: 'a',
  app: 'b',
  partitionkey: 'k',
  receivedtime: '2026-01-02T03:04:05.678Z',
};
const bounds = {
  thresholdBytes: 100,
  kinesisRecordMaxBytes: limits.kinesisRecordMaxBytes,
  kafkaRecordMaxBytes: 1_000,
};
const checkOf = (store: BlobStore): ClaimCheck =>
  createClaimCheck({
    store,
    bounds,
    clock: manualClock(1_767_323_045_678),
    random: seededRandom(1),
  });

async function claimed(
  check: ClaimCheck,
  data: Uint8Array,
  more: Partial<EventAttributes> = {},
): Promise<RoutedRecord> {
  const routed = await check({ ...attributes, ...more }, data);
  if (isRefusal(routed)) throw new Error(routed.message);
  return routed;
}

function incoming({ record: { key, value, headers } }: RoutedRecord): IncomingRecord {
  return {
    key,
    value: Buffer.concat(value),
    position: '1',
    arrivedAtMs: 0,
    ...(headers === undefined ? {} : { headers }),
  };
}

describe('a claim check', () => {
  it('stores the data under its stream and its day, and gives a small record that points to it', async () => {
    const store = memoryBlobs();
    const data = Buffer.from(JSON.stringify('x'.repeat(5_000)));
    const routed = await claimed(checkOf(store), data);
    const [key] = [...store.blobs.keys()];
    expect(key).toMatch(
      /^a\/b\/2026-01-02\/[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
    expect(routed.route).toBe('kinesis');
    expect(JSON.parse(incoming(routed).value.toString())).toEqual({
      ...attributes,
      specversion: '1.0',
      dataref: `claim:${key}`,
      datasize: '5002',
      datasha256: createHash('sha256').update(data).digest('hex'),
      data: null,
    });
  });

  it('gives no record before the data is durable', async () => {
    const store = memoryBlobs();
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    let given = false;
    const checking = checkOf({
      ...store,
      createIfAbsent: async (key, bytes) => {
        await gate;
        return store.createIfAbsent(key, bytes);
      },
    })(attributes, Buffer.from('1')).then(() => {
      given = true;
    });
    for (let n = 0; n < 50; n++) await new Promise((resolve) => setImmediate(resolve));
    expect(given).toBe(false);
    release();
    await checking;
    expect(store.blobs.size).toBe(1);
  });

  it('points so that the event comes out as it was sent, whatever its attributes and bytes', async () => {
    const text = fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 2_000 });
    await fc.assert(
      fc.asyncProperty(
        fc.jsonValue(),
        fc.record({ id: text, source: text, type: text, time: text, partitionkey: text }),
        fc.option(fc.record({ subject: text, dataschema: text, traceparent: text }), { nil: {} }),
        fc.option(
          fc
            .dictionary(fc.stringMatching(/^x[a-z0-9]{1,18}$/), text, {
              minKeys: 1,
              maxKeys: 16,
              noNullPrototype: true,
            })
            .map((extensions) => ({ extensions })),
          { nil: {} },
        ),
        async (value, required, optional, extended) => {
          const store = memoryBlobs();
          const data = Buffer.from(JSON.stringify(value));
          const more = { ...required, ...optional, ...extended };
          const record = incoming(await claimed(checkOf(store), data, more));
          const claim = claimOf(record);
          const blob = store.blobs.get(claim?.ref.slice('claim:'.length) ?? '');
          expect(blob).toBe(data);
          const event = decodeRecord(resolveClaim(record, data));
          expect(event).toEqual({
            attributes: { ...attributes, ...more },
            data,
            text: data.toString(),
          });
        },
      ),
      { numRuns: 60 },
    );
  });

  it('is known beside the largest attributes that an event can have', async () => {
    const worst = '"'.repeat(limits.attributeMaxBytes);
    const extensions = { x: '"'.repeat(limits.extensionsMaxBytes) };
    const record = incoming(
      await claimed(checkOf(memoryBlobs()), Buffer.from('1'), {
        extensions,
        subject: worst,
        source: worst,
        dataschema: worst,
      }),
    );
    expect(record.value.length).toBeGreaterThan(limits.recordHeadMaxBytes);
    expect(claimOf(record)).toMatchObject({ bytes: 1 });
  });

  it('is not what only reads like one', () => {
    const record = (text: string): IncomingRecord => ({
      key: 'k',
      value: Buffer.from(text),
      position: '1',
      arrivedAtMs: 0,
    });
    const head =
      '"specversion":"1.0","id":"1","source":"/a/b","team":"a","app":"b","receivedtime":"2026-01-01T00:00:00Z"';
    for (const text of [
      '',
      '}',
      ',"data":null}',
      `{${head},"data":{"dataref":"claim:a/b/c","data":null}}`,
      `{${head},"type":"\\"dataref\\":\\"claim:a/b/c\\"","data":null}`,
      `{${head},"dataref":"claim:a/b/c","data":null}`,
      `{${head},"dataref":"claim:a/b/c","datasize":"-1","datasha256":"0","data":null}`,
      `{${head},"dataref":"claim:a/b/c","datasize":"1e9","datasha256":"0","data":null}`,
      `{${head},"dataref":"https://elsewhere","datasize":"1","datasha256":"0","data":null}`,
    ])
      expect(claimOf(record(text)), text).toBeUndefined();
    expect(
      claimOf(
        record(`{${head},"dataref":"claim:a/b/c","datasize":"1","datasha256":"0","data":null}`),
      ),
    ).toEqual({
      ref: 'claim:a/b/c',
      bytes: 1,
      sha256: '0',
    });
  });

  it('that cannot store the data says so, and gives no record', async () => {
    const store = memoryBlobs();
    const full = { ...store, createIfAbsent: () => Promise.reject(new Error('the disk is full')) };
    expect(await checkOf(full)(attributes, Buffer.from('1'))).toMatchObject({
      status: 503,
      code: 'claim-not-stored',
      message: expect.stringContaining('the disk is full') as string,
    });
    const taken = { ...store, createIfAbsent: () => Promise.resolve(false) };
    expect(await checkOf(taken)(attributes, Buffer.from('1'))).toMatchObject({
      status: 503,
      code: 'claim-not-stored',
    });
  });

  it('refuses extensions that its pointer would replace, before it stores anything', async () => {
    const store = memoryBlobs();
    for (const name of ['dataref', 'datasize', 'datasha256'])
      expect(
        await checkOf(store)({ ...attributes, extensions: { [name]: '1' } }, Buffer.from('1')),
      ).toMatchObject({
        status: 400,
        code: 'extension-reserved',
        pointer: `/${name}`,
      });
    expect(store.blobs.size).toBe(0);
  });
});

describe('a record that points', () => {
  it('leaves alone in a stream with order, from a request and from a spool', async () => {
    const check = checkOf(memoryBlobs());
    for (const spooled of [false, true]) {
      const clock = manualClock();
      const stream = streamDouble('kinesis');
      const shapes: number[][] = [];
      const writer = {
        ...stream,
        write: async (name: string, records: Parameters<typeof stream.write>[1]) => {
          shapes.push(
            records.map(({ value }) => decodeAggregate(Buffer.concat(value))?.length ?? 1),
          );
          await gate;
          return stream.write(name, records);
        },
      };
      let release: () => void = () => undefined;
      const gate = new Promise<void>((resolve) => {
        release = resolve;
      });
      const random = seededRandom(1);
      const breaker = createBreaker(
        { failuresToOpen: 5, pauseBaseMs: 500, pauseMaxMs: 15_000 },
        random,
      );
      const batcher = new Batcher({
        writer,
        stream: 'a/b',
        order: 'key',
        aggregate: 'none',
        breaker,
        clock,
        random,
      });
      let settled = 0;
      const add = (record: RoutedRecord['record'], bytes: number): void =>
        batcher.add(record, bytes, () => settled++);
      const small = { key: 'k', value: [Buffer.from('small')] };
      // Behind the first, the others wait and would leave together.
      add(small, 10);
      await until(() => shapes.length === 1, clock);
      for (const pointing of [false, true, true, false, false]) {
        if (!pointing) add(small, weightOf(small, 10));
        else {
          const routed = await claimed(check, Buffer.from('1'));
          const whole = { key: 'k', value: [Buffer.concat(routed.record.value)] };
          if (spooled) add(whole, weightOf(whole, whole.value[0]?.length ?? 0));
          else add(routed.record, routed.bytes);
        }
      }
      release();
      await until(() => settled === 6, clock);
      expect(shapes).toEqual([[1], [1], [1], [1], [2]]);
    }
  });
});

describe('the sweep of claims', () => {
  const dayMs = 86_400_000;
  const now = Date.parse('2026-01-10T12:00:00Z');

  it('deletes the blobs whose day ended longer ago than they are kept, and nothing else', async () => {
    const store = memoryBlobs();
    for (const key of [
      'a/b/2026-01-06/1',
      'a/b/2026-01-06/2',
      'c/d/2025-12-31/1',
      'a/b/2026-01-07/1',
      'a/b/2026-01-10/1',
      'a/b/other/1',
      'x',
    ])
      await store.createIfAbsent(key, Buffer.from('1'));
    expect(await sweepClaims(store, now, 3 * dayMs)).toBe(3);
    expect([...store.blobs.keys()].sort()).toEqual([
      'a/b/2026-01-07/1',
      'a/b/2026-01-10/1',
      'a/b/other/1',
      'x',
    ]);
    // Not a moment before its last one is over.
    expect(await sweepClaims(store, Date.parse('2026-01-11T00:00:00Z') - 1, 3 * dayMs)).toBe(0);
    expect(await sweepClaims(store, Date.parse('2026-01-11T00:00:00Z'), 3 * dayMs)).toBe(1);
  });

  it('goes on behind a blob that cannot be deleted, and says so in the end', async () => {
    const store = memoryBlobs();
    for (const key of ['a/b/2026-01-01/1', 'a/b/2026-01-01/2', 'a/b/2026-01-01/3'])
      await store.createIfAbsent(key, Buffer.from('1'));
    const stuck = {
      ...store,
      delete: (key: string) =>
        key.endsWith('1') ? Promise.reject(new Error('stuck')) : store.delete(key),
    };
    await expect(sweepClaims(stuck, now, dayMs)).rejects.toThrow('stuck');
    expect([...store.blobs.keys()]).toEqual(['a/b/2026-01-01/1']);
  });
});
