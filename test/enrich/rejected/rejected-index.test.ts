/**
 * What the rejected table costs: a start reads nothing of it and a checkpoint only what changes,
 * however large it is. Once, each start read every file, and each event asked for every file of its
 * hour twice. The index that this takes is never behind the table, whatever becomes of it or of a
 * run.
 */
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { queryLake } from '../../../enrich/lake/query.ts';
import { decodeSegment, IndexSegments } from '../../../enrich/rejected/index-segments.ts';
import type { RejectedSinkOptions } from '../../../enrich/rejected/rejected-sink.ts';
import { rejectedSink } from '../../../enrich/rejected/rejected-sink.ts';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { openLake } from '../../../schemas/ports/lake-files.ts';
import type { RejectedEvent } from '../../../schemas/rejection.ts';
import type { Sink } from '../../../topology/index.ts';
import { motoRig } from '../../deploy/stores/s3/support.ts';
import { runOf } from '../../runs.ts';
import { pythonMissing } from '../../servers/cache.ts';
import type { LakePlace } from '../support.ts';
import { batchOf, filesOf, lakeAt, rowsOf, temporaryFolders } from '../support.ts';

const folder = temporaryFolders('rejected-index');
const now = Date.parse('2026-11-23T12:00:00Z');
const clock = manualClock(now);

const rejection = (id: string, hour = 10, more: Partial<RejectedEvent> = {}): RejectedEvent => ({
  ...{
    id,
    source: '/a/b',
    type: 't',
    team: 'a',
    app: 'b',
    receivedtime: `2026-11-23T${String(hour).padStart(2, '0')}:00:00.000Z`,
  },
  ...{
    element: '0',
    topology: 'top',
    topology_version: 1,
    operator: 'op',
    code: 'schema-violation',
    message: 'm',
    pointer: '/x',
  },
  ...{
    schema: 's#',
    stream: 'a/b',
    path: 'kinesis',
    split: 'shard',
    position: '1',
    data: '{"x":1}',
    data_encoding: 'utf8',
  },
  ...more,
});

const sinkOf = (place: LakePlace, attempt: number, more: Partial<RejectedSinkOptions> = {}): Sink =>
  rejectedSink({
    lake: lakeAt(place),
    topology: 'top',
    run: runOf(attempt),
    clock,
    fileMaxBytes: 1_000,
    ...more,
  });

async function checkpoint(
  sink: Sink,
  number: number,
  ...events: readonly RejectedEvent[]
): Promise<unknown> {
  await sink.write(batchOf(events, (event) => Date.parse((event as RejectedEvent).receivedtime)));
  const state = JSON.parse(JSON.stringify(await sink.prepare(number, false))) as unknown;
  await sink.commit(number);
  return state;
}

const ids = (from: number, to: number): readonly RejectedEvent[] =>
  Array.from({ length: to - from }, (_, n) => rejection(`id-${from + n}`, (from + n) % 10));
const seenIn = async (lake: string): Promise<readonly (readonly unknown[])[]> =>
  (await queryLake(lake, 'SELECT id, sum(seen), count(*) FROM rejected GROUP BY id ORDER BY id'))
    .rows;
const indexIn = (lake: string): string => join(lake, '.tables', 'rejected-index', 'top');

describe('the index of the rejected table', () => {
  it('makes files of it that did not change stay as they are, and no start read them', async () => {
    const lake = folder();
    const first = sinkOf(lake, 1);
    await first.open(undefined);
    const state = await checkpoint(first, 1, ...ids(0, 200));
    const files = filesOf(lake, 'rejected').filter((name) => !name.endsWith('columns~.parquet'));
    expect(files.length).toBeGreaterThan(25);
    // Nobody could read them.
    const damaged = files.filter((name) => name.includes('hour=03'));
    for (const name of damaged) writeFileSync(join(lake, 'rejected', name), 'damaged');
    const second = sinkOf(lake, 2);
    await second.open(state);
    const inodes = (): readonly bigint[] =>
      files.map((name) => statSync(join(lake, 'rejected', name), { bigint: true }).ino);
    const before = inodes();
    await checkpoint(second, 2, rejection('id-7', 11), rejection('new', 5));
    const changed = files.filter((_name, at) => before[at] !== inodes()[at]);
    expect(changed).toHaveLength(changed.some((name) => name.includes('hour=05')) ? 2 : 1);
    expect(changed.every((name) => name.includes('hour=07') || name.includes('hour=05'))).toBe(
      true,
    );
    await second.close();
  });

  it('knows an identity whichever run wrote it, in as few files as the logarithm of its checkpoints', async () => {
    const lake = folder();
    let number = 1;
    for (let attempt = 1; attempt <= 4; attempt++) {
      const sink = sinkOf(lake, attempt);
      await sink.open(undefined);
      for (let n = 0; n < 16; n++)
        await checkpoint(
          sink,
          number++,
          ...ids((attempt - 1) * 32 + 2 * n, (attempt - 1) * 32 + 2 * n + 2),
        );
      await sink.close();
    }
    expect(readdirSync(indexIn(lake)).length).toBeLessThan(10);
    const last = sinkOf(lake, 5);
    await last.open(undefined);
    await checkpoint(
      last,
      number,
      ...ids(0, 128).map((event) => ({ ...event, receivedtime: '2026-11-23T11:00:00.000Z' })),
    );
    expect(await seenIn(lake)).toEqual(
      ids(0, 128)
        .map(({ id }) => [id, 2, 1])
        .toSorted((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1)),
    );
  });

  it('is made again of the files where it is lost, damaged or of a version that had none', async () => {
    for (const spoil of [
      (dir: string) => rmSync(dir, { recursive: true }),
      (dir: string) => {
        for (const name of readdirSync(dir)) writeFileSync(join(dir, name), 'no index\n');
      },
      (dir: string) => {
        const [name = ''] = readdirSync(dir).sort().reverse();
        writeFileSync(join(dir, name), readFileSync(join(dir, name)).subarray(0, -3));
      },
    ]) {
      const lake = folder();
      const first = sinkOf(lake, 1);
      await first.open(undefined);
      for (let n = 0; n < 3; n++) await checkpoint(first, n + 1, ...ids(n * 5, n * 5 + 5));
      spoil(indexIn(lake));
      const second = sinkOf(lake, 2);
      await second.open(undefined);
      await checkpoint(second, 4, ...ids(0, 15));
      expect((await seenIn(lake)).every(([, seen, rows]) => seen === 2 && rows === 1)).toBe(true);
      expect(
        decodeSegment(readFileSync(join(indexIn(lake), readdirSync(indexIn(lake))[0] ?? ''))),
      ).toHaveLength(15);
    }
  });

  it('may say of a row that it is where it never came: it goes to its own hour', async () => {
    const lake = folder();
    const first = sinkOf(lake, 1);
    await first.open(undefined);
    await first.write(batchOf([rejection('a', 3), rejection('b', 3)], () => now));
    await first.prepare(1, false);
    // The run ends before its checkpoint: its rows are forgotten, the index has them.
    await first.close();
    const second = sinkOf(lake, 2);
    await second.open(undefined);
    await checkpoint(second, 1, rejection('a', 8), rejection('c', 3));
    await checkpoint(second, 2, rejection('a', 9), rejection('b', 9));
    const { rows } = await queryLake(lake, 'SELECT id, hour, seen FROM rejected ORDER BY id');
    expect(rows).toEqual([
      ['a', '08', 2],
      ['b', '09', 1],
      ['c', '03', 1],
    ]);
    // Also where the table was moved away.
    rmSync(join(lake, 'rejected'), { recursive: true });
    const third = sinkOf(lake, 3);
    await third.open(undefined);
    await checkpoint(third, 3, rejection('a', 11));
    expect((await rowsOf(lake, 'rejected')).map((row) => [row['id'], row['seen']])).toEqual([
      ['a', 1n],
    ]);
    expect(filesOf(lake, 'rejected').some((name) => name.includes('hour=11'))).toBe(true);
  });

  it('forgets what is older than the retention, its files too', async () => {
    const lake = folder();
    const first = sinkOf(lake, 1);
    await first.open(undefined);
    await checkpoint(first, 1, rejection('old'));
    const later = manualClock(now + 30 * 86_400_000);
    const at = { receivedtime: new Date(later.now()).toISOString() };
    const second = sinkOf(lake, 2, { clock: later });
    await second.open(undefined);
    await checkpoint(second, 2, rejection('old', 10, at), rejection('young', 10, at));
    expect(await seenIn(lake)).toEqual([
      ['old', 2, 2],
      ['young', 1, 1],
    ]);
    const third = sinkOf(lake, 3, { clock: later });
    await third.open(undefined);
    await checkpoint(third, 3, rejection('young', 10, at));
    const kept = readdirSync(indexIn(lake)).flatMap(
      (name) => decodeSegment(readFileSync(join(indexIn(lake), name))) ?? [],
    );
    expect(new Set(kept.map(([, file]) => /date=[^/]*/.exec(file)?.[0]))).toEqual(
      new Set(['date=2026-12-23']),
    );
    expect((await seenIn(lake))[1]).toEqual(['young', 2, 1]);
  });

  it.each([
    [30_000, [60_000]],
    [40_000, [40_000, 40_000]],
  ])('merges files up to a bound, and not beyond: twice %i entries', async (count, sizes) => {
    const dir = folder();
    const lake = await openLake(lakeAt(dir), runOf(1));
    const written = new IndexSegments(lake, 'top', runOf(1), clock);
    await written.begin([]);
    for (const first of [0, count])
      await written.add(
        Array.from({ length: count }, (_, n) => [`${first + n}`.padStart(16, '0'), 'a'] as const),
      );
    await lake.close();
    const at = join(dir, '.tables', 'rejected-index', 'top');
    expect(
      readdirSync(at).map((name) => decodeSegment(readFileSync(join(at, name)))?.length),
    ).toEqual(sizes);
  });

  it('has every entry once it was added, in order, however it is merged, and refuses what it did not write', async () => {
    const entry = fc.tuple(
      fc.stringMatching(/^[\w-]{16}$/),
      fc.constantFrom(
        'rejected/date=2026-11-23/a b',
        'rejected/date=2026-11-24/ü',
        'rejected/date=2026-11-25/c',
      ),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(entry, { minLength: 1, maxLength: 8 }), { maxLength: 20 }),
        async (batches) => {
          const lake = await openLake(lakeAt(folder()), runOf(1));
          const written = new IndexSegments(lake, 'top', runOf(1), clock);
          expect(await written.read('')).toBeUndefined();
          await written.begin([]);
          for (const batch of batches) await written.add(batch);
          expect(await new IndexSegments(lake, 'top', runOf(2), clock).read('')).toEqual(
            batches.flat(),
          );
          await lake.close();
        },
      ),
      { numRuns: 10 },
    );
    for (const bad of [
      '',
      '[]',
      '["a"]\nkey 1\n',
      '["a"]\nkey\n',
      '["a"]\nkey 0',
      '{}\nkey 0\n',
      'x\n',
    ])
      expect(decodeSegment(Buffer.from(bad))).toBeUndefined();
  });
});

describe.skipIf(pythonMissing() !== undefined)('in a bucket', { timeout: 240_000 }, () => {
  const rig = motoRig('unused');

  /**
   * How often a start asks, and then each of four checkpoints, of a table that has `count` files in
   * the hour of what is rejected.
   */
  async function asked(bucket: string, count: number): Promise<readonly number[]> {
    await rig().client.send(new CreateBucketCommand({ Bucket: bucket }));
    const place = { ...rig().place, bucket, prefix: 'lake' };
    const first = sinkOf(place, 1);
    await first.open(undefined);
    await checkpoint(
      first,
      1,
      ...Array.from({ length: count }, (_, n) =>
        rejection(`id-${n}`, 0, { data: 'x'.repeat(1_000) }),
      ),
    );
    const state = await checkpoint(first, 2, rejection('last', 0));
    await first.close();
    const taken: number[] = [];
    const take = (): void => void taken.push(rig().proxy.asked.splice(0).length);
    take();
    const second = sinkOf(place, 2);
    await second.open(state);
    take();
    for (const [n, ...events] of [
      [3, rejection('new', 0)],
      [4, rejection('newer', 0)],
      [5, rejection('id-1', 0)],
      [6],
    ] as const) {
      await checkpoint(second, n, ...events);
      take();
    }
    await second.close();
    return taken.slice(1);
  }

  it('a start and a checkpoint ask as often whatever the table has', async () => {
    const [small, large] = [await asked('small', 5), await asked('large', 60)];
    // What is let go of is removed beside what comes, so that one more or less falls into the next.
    const slack = 4;
    for (const [at, requests] of large.entries())
      expect(requests).toBeLessThanOrEqual((small[at] ?? 0) + slack);
    const [start = 0, , later = 0, repeat = 0, nothing = 0] = large;
    expect([start < 10, later < 20, repeat < 20, nothing < 10]).toEqual([true, true, true, true]);
  });
});
