/**
 * Tables and the rejected table in a bucket, against moto: the contract of sinks, also with S3 slow
 * and failing, and what only several machines do: a run that was taken over goes on late.
 */
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
} from '@aws-sdk/client-s3';
import { parquetReadObjects } from 'hyparquet';
import { describe, expect, it, vi } from 'vitest';
import type { S3Place } from '../../../../deploy/stores/s3/s3-objects.ts';
import { tableSink } from '../../../../enrich/parquet/table-sink.ts';
import { rejectedSink } from '../../../../enrich/rejected/rejected-sink.ts';
import { manualClock } from '../../../../schemas/kernel/clock.ts';
import { seededRandom } from '../../../../schemas/kernel/random.ts';
import { limits } from '../../../../schemas/limits.ts';
import type { JsonSchema } from '../../../../schemas/registry.ts';
import type { RejectedEvent } from '../../../../schemas/rejection.ts';
import type { Sink, SinkState } from '../../../../topology/index.ts';
import type { SinkRig } from '../../../contract/sink.ts';
import { sinkContract } from '../../../contract/sink.ts';
import { base, typedRow, typedSchema } from '../../../enrich/parquet/support.ts';
import { batchOf, lakeAt } from '../../../enrich/support.ts';
import { runOf } from '../../../runs.ts';
import { pythonMissing } from '../../../servers/cache.ts';
import type { Fault } from '../../../servers/fault-proxy.ts';
import { pass, slowDown } from '../../../servers/fault-proxy.ts';
import { motoRig } from './support.ts';

vi.setConfig({ testTimeout: 180_000 });

const hourMs = 3_600_000;
const stored = (state: SinkState): SinkState => JSON.parse(JSON.stringify(state)) as SinkState;

describe.skipIf(pythonMissing() !== undefined)('a lake in S3', () => {
  const rig = motoRig('lake');
  let lakes = 0;
  const newPlace = (): S3Place => ({ ...rig().place, prefix: `lake-${lakes++}` });
  /** About every tenth request goes wrong, each in another way. */
  const failing = (): void => {
    const random = seededRandom(lakes + 1);
    const faults: readonly Fault[] = [
      slowDown,
      { kind: 'reset' },
      { kind: 'lost-reply' },
      { kind: 'half-reply' },
      { kind: 'late', ms: 30 },
    ];
    rig().proxy.decide = () =>
      random.next() < 0.9 ? pass : (faults[Math.floor(random.next() * faults.length)] ?? pass);
  };

  const keysOf = async ({ bucket, prefix }: S3Place, below: string): Promise<readonly string[]> => {
    const root = `${prefix}/${below}`;
    const { Contents = [] } = await rig().client.send(
      new ListObjectsV2Command({ Bucket: bucket, Prefix: root }),
    );
    return Contents.map(({ Key = '' }) => Key.slice(prefix.length + 1));
  };
  type Rows = readonly Readonly<Record<string, unknown>>[];
  const rowsOfFile = async (Bucket: string, Key: string): Promise<Rows> => {
    const { Body } = await rig().client.send(new GetObjectCommand({ Bucket, Key }));
    const bytes = (await Body?.transformToByteArray()) ?? new Uint8Array();
    const file = bytes.buffer.slice(
      bytes.byteOffset,
      bytes.byteOffset + bytes.byteLength,
    ) as ArrayBuffer;
    return parquetReadObjects({ file });
  };
  /** By key and tag: what is in the bucket is listed each time, and a content is read once. */
  const contents = new Map<string, Rows>();
  const rowsIn = async ({ bucket, prefix }: S3Place, table: string): Promise<Rows> => {
    const rows: Readonly<Record<string, unknown>>[] = [];
    const { Contents = [] } = await rig().client.send(
      new ListObjectsV2Command({ Bucket: bucket, Prefix: `${prefix}/${table}/` }),
    );
    for (const { Key = '', ETag = '' } of Contents) {
      if (!Key.endsWith('.parquet')) continue;
      const name = `${Key} ${ETag}`;
      const found = contents.get(name) ?? (await rowsOfFile(bucket, Key));
      contents.set(name, found);
      rows.push(...found);
    }
    return rows;
  };

  const table = (
    place: S3Place,
    attempt: number,
    {
      clock = manualClock(1_000_000),
      fileMaxAgeMs = 0,
      schema = typedSchema,
      lineage,
    }: {
      clock?: ReturnType<typeof manualClock>;
      fileMaxAgeMs?: number;
      schema?: JsonSchema;
      lineage?: string;
    } = {},
  ): Sink =>
    tableSink({
      lake: lakeAt(place),
      table: 'typed',
      schema,
      partitionBy: ['date', 'hour', 'team', 'app'],
      owner: { team: 'own', app: 'er' },
      topology: 't',
      run: runOf(attempt, lineage),
      fileMaxBytes: 1e9,
      fileMaxAgeMs,
      clock,
    });
  const numbersIn = async (place: S3Place): Promise<readonly number[]> =>
    (await rowsIn(place, 'typed')).map((row) => Number(row['n'])).sort((a, b) => a - b);
  const rows = (...numbers: readonly number[]): ReturnType<typeof batchOf> =>
    batchOf(
      numbers.map((n) => typedRow(n)),
      (_row, index) => base + ((numbers[index] ?? 0) % 2) * hourMs,
    );

  const rejection = (id: string): RejectedEvent => ({
    id,
    source: '/a/b',
    type: 't',
    team: 'a',
    app: 'b',
    receivedtime: '2026-11-23T10:00:00.000Z',
    element: '0',
    topology: 'top',
    topology_version: 1,
    operator: 'op',
    code: 'schema-violation',
    message: 'm',
    pointer: '/x',
    schema: 's#',
    stream: 'a/b',
    path: 'kinesis',
    split: 'shard',
    position: '1',
    data: '{}',
    data_encoding: 'utf8',
  });
  const rejected = (place: S3Place, attempt: number, lineage?: string): Sink =>
    rejectedSink({
      lake: lakeAt(place),
      topology: 'top',
      run: runOf(attempt, lineage),
      clock: manualClock(Date.parse('2026-11-23T12:00:00Z')),
      fileMaxBytes: 500,
    });
  const rejections = (...ids: readonly string[]): ReturnType<typeof batchOf> =>
    batchOf(ids.map(rejection), () => base);
  const seenIn = async (place: S3Place): Promise<Readonly<Record<string, number>>> =>
    Object.fromEntries(
      (await rowsIn(place, 'rejected')).map((row) => [String(row['id']), Number(row['seen'])]),
    );

  const tableContract = (fileMaxAgeMs: number, prepare: () => void) => (): SinkRig => {
    const place = newPlace();
    const clock = manualClock(1_000_000);
    prepare();
    return {
      sink: (attempt) => table(place, attempt, { clock, fileMaxAgeMs }),
      batch: (n) => rows(n),
      visible: () => numbersIn(place),
      wait: () => clock.advance(600),
    };
  };
  const rejectedContract = (prepare: () => void) => (): SinkRig => {
    const place = newPlace();
    prepare();
    return {
      sink: (attempt) => rejected(place, attempt),
      batch: (n) => rejections('again', `own-${n}`),
      visible: async () => {
        const { again = 0, ...own } = await seenIn(place);
        const numbers = Object.entries(own).flatMap(([id, seen]) =>
          Array<number>(seen).fill(Number(id.slice('own-'.length))),
        );
        expect(again).toBe(numbers.length);
        return numbers.sort((a, b) => a - b);
      },
      wait: () => undefined,
    };
  };

  sinkContract('a table in S3 that publishes at every checkpoint', {
    make: tableContract(0, () => undefined),
    checkpointsMax: 1,
    runs: 3,
  });
  sinkContract('a table in S3 whose files stay open', {
    make: tableContract(1_000, () => undefined),
    checkpointsMax: 3,
    runs: 3,
  });
  sinkContract('a table in failing S3 whose files stay open', {
    make: tableContract(1_000, failing),
    checkpointsMax: 3,
    runs: 2,
  });
  sinkContract('the rejected table in failing S3', {
    make: rejectedContract(failing),
    checkpointsMax: 1,
    runs: 3,
  });

  it('keeps nothing that a checkpoint names outside the bucket, and leaves nothing staged behind', async () => {
    const place = newPlace();
    const clock = manualClock(1_000_000);
    const first = table(place, 1, { clock, fileMaxAgeMs: 1_000 });
    await first.open(undefined);
    await first.write(rows(0, 1));
    await first.prepare(1, false);
    await first.write(rows(2));
    const state = stored(await first.prepare(2, false));
    await first.write(rows(7));
    await first.prepare(3, false);
    await first.close();
    expect(await keysOf(place, '.staging/')).toHaveLength(3);
    const second = table(place, 2, { clock, fileMaxAgeMs: 1_000 });
    await second.open(state);
    expect(second.pendingRows()).toBe(3);
    await second.write(rows(3));
    await second.prepare(4, true);
    await second.commit(4);
    await second.close();
    expect(await numbersIn(place)).toEqual([0, 1, 2, 3]);
    expect(await keysOf(place, '.staging/')).toEqual([]);
  });

  it('says so when a part of a log, or a staged file, that the checkpoint names is gone', async () => {
    const place = newPlace();
    for (const fileMaxAgeMs of [1_000, 0]) {
      const first = table(place, 1, { fileMaxAgeMs });
      await first.open(undefined);
      await first.write(rows(0));
      const state = stored(await first.prepare(1, false));
      await first.close();
      for (const key of await keysOf(place, '.staging/')) {
        await rig().client.send(
          new DeleteObjectCommand({ Bucket: place.bucket, Key: `${place.prefix}/${key}` }),
        );
      }
      const second = table(place, 2);
      await expect(second.open(state)).rejects.toMatchObject({ code: 'staged-file-missing' });
      await second.close();
    }
  });

  it('does not let a run that was taken over remove or hide what its successor wrote', async () => {
    const place = newPlace();
    const clock = manualClock(1_000_000);
    const older = table(place, 1, { clock, fileMaxAgeMs: 1_000 });
    await older.open(undefined);
    await older.write(rows(0, 1));
    clock.advance(1_000);
    const state = stored(await older.prepare(1, false));
    // Its commit comes late: after its successor has published the same and written on.
    const newer = table(place, 2, { clock, fileMaxAgeMs: 1_000 });
    await newer.open(state);
    await newer.write(rows(2));
    const kept = stored(await newer.prepare(3, false));
    await older.commit(1);
    await older.close();
    await newer.close();
    const last = table(place, 3, { clock, fileMaxAgeMs: 1_000 });
    await last.open(kept);
    await last.prepare(5, true);
    await last.commit(5);
    await last.close();
    expect(await numbersIn(place)).toEqual([0, 1, 2]);
  });

  it('does not let a run that was taken over write into the log of its successor', async () => {
    const place = newPlace();
    const clock = manualClock(1_000_000);
    const older = table(place, 1, { clock, fileMaxAgeMs: 1_000 });
    await older.open(undefined);
    await older.write(rows(0));
    const state = stored(await older.prepare(1, false));
    const newer = table(place, 2, { clock, fileMaxAgeMs: 1_000 });
    await newer.open(state);
    await newer.write(rows(2));
    const kept = stored(await newer.prepare(3, false));
    await newer.close();
    await older.write(rows(4));
    await older.prepare(2, false);
    await older.close();
    const last = table(place, 3, { clock, fileMaxAgeMs: 1_000 });
    await last.open(kept);
    await last.prepare(5, true);
    await last.commit(5);
    await last.close();
    expect(await numbersIn(place)).toEqual([0, 2]);
  });

  it('does not let a run that was taken over put an older content over a newer one', async () => {
    const place = newPlace();
    const older = rejected(place, 1);
    await older.open(undefined);
    await older.write(rejections('a'));
    const state = stored(await older.prepare(1, false));
    const newer = rejected(place, 2);
    await newer.open(state);
    await newer.write(rejections('a', 'a'));
    await newer.prepare(3, false);
    await newer.commit(3);
    expect(await seenIn(place)).toEqual({ a: 3 });
    await expect(older.commit(1)).rejects.toMatchObject({ code: 'lake-taken-over' });
    expect(await seenIn(place)).toEqual({ a: 3 });
  });

  it('replaces a file under its tag: what another run published between the look and the put stays', async () => {
    const place = newPlace();
    const older = rejected(place, 1);
    await older.open(undefined);
    await older.write(rejections('a'));
    const state = stored(await older.prepare(1, false));
    const newer = rejected(place, 2);
    let release: () => void = () => undefined;
    const until = new Promise<void>((resolve) => {
      release = resolve;
    });
    // The older run has looked and found nothing; while its put is on the way the newer one
    // publishes.
    let holding = false;
    const held = new Promise<void>((resolve) => {
      rig().proxy.decide = ({ method, path }) => {
        if (holding || method !== 'PUT' || !path.includes('top.parquet')) return pass;
        holding = true;
        resolve();
        return { kind: 'held', until };
      };
    });
    const late = older.commit(1).catch((thrown: unknown) => thrown);
    await held;
    await newer.open(state);
    await newer.write(rejections('a'));
    await newer.prepare(3, false);
    await newer.commit(3);
    release();
    expect(await late).toMatchObject({ code: 'lake-taken-over' });
    expect(await seenIn(place)).toEqual({ a: 2 });
  });

  it('makes calls that do not need each other side by side: no look waits for a copy, nor a file for another', async () => {
    const place = newPlace();
    const sink = table(place, 1);
    await sink.open(undefined);
    await sink.write(rows(0, 1));
    await sink.prepare(1, false);
    // None of the four is answered before all were asked: one after the other would never end.
    let asked = 0;
    let release: () => void = () => undefined;
    const all = new Promise<void>((resolve) => {
      release = resolve;
    });
    rig().proxy.decide = ({ method }) => {
      if (method !== 'HEAD' && method !== 'GET') return pass;
      if (++asked === 4) release();
      return { kind: 'held', until: all };
    };
    await sink.commit(1);
    expect(await numbersIn(place)).toEqual([0, 1]);
    await sink.close();
  });

  it('publishes on while what it lets go of is not removed yet, and has removed it when it is closed', async () => {
    const place = newPlace();
    const sink = table(place, 1);
    await sink.open(undefined);
    let release: () => void = () => undefined;
    const until = new Promise<void>((resolve) => {
      release = resolve;
    });
    rig().proxy.decide = ({ method }) => (method === 'DELETE' ? { kind: 'held', until } : pass);
    for (const checkpoint of [1, 2, 3]) {
      await sink.write(rows(checkpoint));
      await sink.prepare(checkpoint, false);
      await sink.commit(checkpoint);
    }
    expect(await numbersIn(place)).toEqual([1, 2, 3]);
    expect(await keysOf(place, '.staging/')).toHaveLength(3);
    release();
    await sink.close();
    expect(await keysOf(place, '.staging/')).toEqual([]);
  });

  it('outlasts a bucket that asks to slow down more often than a call has tries', async () => {
    const place = newPlace();
    const sink = table(place, 1);
    await sink.open(undefined);
    await sink.write(rows(0));
    const answers = limits.s3AttemptsMax + 2;
    rig().proxy.decide = (_asked, nth) => (nth < answers ? slowDown : pass);
    await sink.prepare(1, false);
    expect(rig().proxy.asked.length).toBeGreaterThan(answers);
    await sink.commit(1);
    await sink.close();
    expect(await numbersIn(place)).toEqual([0]);
  });

  it('refuses with what is missing: the bucket', async () => {
    const sink = table({ ...newPlace(), bucket: 'none' }, 1);
    await expect(sink.open(undefined)).rejects.toMatchObject({ code: 'bucket-missing' });
    await sink.close();
  });

  it('marks what is published with what was staged for it', async () => {
    const place = newPlace();
    const sink = table(place, 4);
    await sink.open(undefined);
    await sink.write(rows(0));
    await sink.prepare(9, false);
    await sink.commit(9);
    await sink.close();
    const [key = ''] = (await keysOf(place, 'typed/')).filter((path) =>
      /[^~]\.parquet$/.test(path),
    );
    expect(key).toMatch(
      /typed\/date=2013-01-01\/hour=10\/team=own\/app=er\/t-9-4-[0-9a-f]{16}\.parquet$/,
    );
    const { Metadata } = await rig().client.send(
      new HeadObjectCommand({ Bucket: place.bucket, Key: `${place.prefix}/${key}` }),
    );
    expect(Metadata).toEqual({
      'sluice-mark': expect.stringMatching(/^4-[0-9a-f]{16}-0$/) as string,
    });
  });
});
