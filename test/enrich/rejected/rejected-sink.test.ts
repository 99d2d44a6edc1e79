/**
 * The rejected table against real files: one row for each identity with an exact `seen`, through
 * crashes, full files and hostile records.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { describe, expect, it } from 'vitest';
import { queryLake } from '../../../enrich/lake/query.ts';
import { decodeIdentities, decodeRows } from '../../../enrich/rejected/rejected-row.ts';
import type { RejectedSinkOptions } from '../../../enrich/rejected/rejected-sink.ts';
import { rejectedSink } from '../../../enrich/rejected/rejected-sink.ts';
import { rejectedRetentionMs } from '../../../enrich/rejected/staged-rejections.ts';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import type { RejectedEvent } from '../../../schemas/rejection.ts';
import { rejectionIdentityOf } from '../../../schemas/rejection.ts';
import type { Sink, SinkState } from '../../../topology/index.ts';
import { sinkContract } from '../../contract/sink.ts';
import { runOf } from '../../runs.ts';
import { batchOf, filesOf, lakeAt, rowsOf, temporaryFolders } from '../support.ts';

const folder = temporaryFolders('rejected');
const clock = manualClock(Date.parse('2026-11-23T12:00:00Z'));
const at = '2026-11-23T10:00:00.000Z';
const stored = (state: SinkState): SinkState => JSON.parse(JSON.stringify(state)) as SinkState;

const rejection = (id: string, more: Partial<RejectedEvent> = {}): RejectedEvent => ({
  id,
  source: '/a/b',
  type: 't',
  team: 'a',
  app: 'b',
  receivedtime: at,
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
  position: '49650000000000000000001',
  data: '{"x":1}',
  data_encoding: 'utf8',
  ...more,
});
const batch = (...events: readonly RejectedEvent[]): ReturnType<typeof batchOf> =>
  batchOf(events, (event) => Date.parse((event as RejectedEvent).receivedtime));

const sinkOf = (lake: string, attempt: number, more: Partial<RejectedSinkOptions> = {}): Sink =>
  rejectedSink({ lake: lakeAt(lake), topology: 'top', run: runOf(attempt), clock, ...more });

async function checkpoint(sink: Sink, number: number): Promise<SinkState> {
  const state = stored(await sink.prepare(number, false));
  await sink.commit(number);
  return state;
}

const seenIn = async (lake: string): Promise<Readonly<Record<string, number>>> =>
  Object.fromEntries(
    (await rowsOf(lake, 'rejected')).map((row) => [String(row['id']), Number(row['seen'])]),
  );

/**
 * Each batch repeats one identity beside a new one; the nth is visible when it and a count of n + 1
 * are.
 */
const contractRig = (more: Partial<RejectedSinkOptions>) => () => {
  const lake = folder();
  return {
    sink: (attempt: number) => sinkOf(lake, attempt, more),
    batch: (n: number) => batch(rejection('again'), rejection(`own-${n}`)),
    visible: async () => {
      const rows = await rowsOf(lake, 'rejected');
      const own = rows
        .filter((row) => row['id'] !== 'again')
        .flatMap((row) => Array<string>(Number(row['seen'])).fill(String(row['id'])));
      const again = rows.filter((row) => row['id'] === 'again');
      expect(again.map((row) => Number(row['seen']))).toEqual(own.length === 0 ? [] : [own.length]);
      return own.map((id) => Number(id.slice('own-'.length))).sort((a, b) => a - b);
    },
    wait: () => undefined,
  };
};

sinkContract('the rejected table', { make: contractRig({}), checkpointsMax: 1, runs: 30 });
sinkContract('the rejected table with small files', {
  make: contractRig({ fileMaxBytes: 500 }),
  checkpointsMax: 1,
  runs: 30,
});
sinkContract('the rejected table that stages between checkpoints', {
  make: contractRig({ fileMaxBytes: 500, pendingMaxBytes: 1 }),
  checkpointsMax: 1,
  runs: 30,
});

describe('the rejected table', () => {
  it('has one row for an identity, however often and however much later it comes, also after a restart', async () => {
    const lake = folder();
    const first = sinkOf(lake, 1);
    await first.open(undefined);
    await first.write(
      batch(rejection('a'), rejection('b'), rejection('a'), rejection('a', { operator: 'other' })),
    );
    expect(first.pendingRows()).toBe(4);
    await checkpoint(first, 1);
    expect(first.pendingRows()).toBe(0);
    await first.write(
      batch(rejection('a', { receivedtime: '2026-11-23T11:30:00.000Z', position: '9' })),
    );
    const state = await checkpoint(first, 2);
    const second = sinkOf(lake, 2);
    await second.open(state);
    await second.write(batch(rejection('b', { receivedtime: '2026-11-23T09:30:00.000Z' })));
    await checkpoint(second, 3);
    const select =
      'SELECT id, operator, code, seen, first_seen, last_seen, receivedtime, position, hour FROM rejected ORDER BY id, operator';
    const position = '49650000000000000000001';
    expect((await queryLake(lake, select)).rows).toEqual([
      ['a', 'op', 'schema-violation', 3, at, '2026-11-23T11:30:00.000Z', at, position, '10'],
      ['a', 'other', 'schema-violation', 1, at, at, at, position, '10'],
      ['b', 'op', 'schema-violation', 2, at, at, at, position, '10'],
    ]);
  });

  it('has a row for each element of an event, and takes a repeat of one for that one', async () => {
    const lake = folder();
    const first = sinkOf(lake, 1);
    await first.open(undefined);
    await first.write(
      batch(rejection('a', { element: '1' }), rejection('a'), rejection('a', { element: '0.1' })),
    );
    const state = await checkpoint(first, 1);
    const second = sinkOf(lake, 2);
    await second.open(state);
    await second.write(batch(rejection('a', { element: '1' })));
    await checkpoint(second, 2);
    expect(
      (await queryLake(lake, 'SELECT element, seen FROM rejected ORDER BY element')).rows,
    ).toEqual([
      ['0', 1],
      ['0.1', 1],
      ['1', 2],
    ]);
  });

  it('takes the rows of files without that column for the events themselves, and what a row says of its team before what its folder says', async () => {
    const place = 'rejected/date=2026-11-23/hour=10/team=other/app=b/top.parquet';
    const { element: _, ...event } = rejection('a');
    const columnData = Object.entries(event).map(([name, data]) => ({
      name,
      data: [typeof data === 'number' ? BigInt(data) : data],
    }));
    const written = new Uint8Array(parquetWriteBuffer({ columnData }));
    expect(await decodeIdentities(written, place)).toEqual([rejectionIdentityOf(rejection('a'))]);
    expect([...(await decodeRows(written, place)).keys()]).toEqual([
      rejectionIdentityOf(rejection('a')),
    ]);
  });

  it('keeps every column as it came', async () => {
    const lake = folder();
    const sink = sinkOf(lake, 1);
    await sink.open(undefined);
    const event = rejection('naïve 日本', {
      pointer: null,
      schema: null,
      data: '{"ü": "\\ud800"}\n',
      message: 'x'.repeat(500),
    });
    await sink.write(batch(event));
    await checkpoint(sink, 1);
    const again = sinkOf(lake, 2);
    await again.open(undefined);
    await again.write(batch(event));
    await checkpoint(again, 2);
    const [row] = await rowsOf(lake, 'rejected');
    const time = new Date(at);
    const { team: _team, app: _app, ...stored } = event;
    expect(row).toEqual({
      ...stored,
      receivedtime: time,
      topology_version: 1n,
      seen: 2n,
      first_seen: time,
      last_seen: time,
    });
  });

  it('goes on in further files when one is large, rewrites only the file that an identity lies in, and finds them all after a restart', async () => {
    const lake = folder();
    const options = { fileMaxBytes: 2_000 };
    const first = sinkOf(lake, 1, options);
    await first.open(undefined);
    const ids = Array.from({ length: 40 }, (_, n) => `id-${n}`);
    await first.write(batch(...ids.slice(0, 20).map((id) => rejection(id))));
    await checkpoint(first, 1);
    await first.write(batch(...ids.slice(20).map((id) => rejection(id))));
    const state = await checkpoint(first, 2);
    const files = filesOf(lake, 'rejected');
    expect(files.length).toBeGreaterThan(2);
    expect(files).toContain('date=2026-11-23/hour=10/team=a/app=b/top.parquet');
    expect(files).toContain('date=2026-11-23/hour=10/team=a/app=b/top~2.parquet');

    const second = sinkOf(lake, 2, options);
    await second.open(state);
    const inodes = (): readonly bigint[] =>
      files.map((path) => statSync(join(lake, 'rejected', path), { bigint: true }).ino);
    const before = inodes();
    await second.write(batch(rejection('id-0')));
    await checkpoint(second, 3);
    expect(inodes().filter((ino, index) => ino !== before[index])).toHaveLength(1);
    await second.write(batch(...ids.map((id) => rejection(id))));
    await checkpoint(second, 4);
    expect(await seenIn(lake)).toEqual({
      ...Object.fromEntries(ids.map((id) => [id, 2])),
      'id-0': 3,
    });
    expect(filesOf(lake, 'rejected')).toEqual(files);
  });

  it('does not take the files of a topology with a similar name for its own', async () => {
    const lake = folder();
    const names = ['top', 'top-2', 'top.2', 'to'];
    for (const round of [1, 2]) {
      for (const topology of names) {
        const sink = sinkOf(lake, round, { topology, fileMaxBytes: 1 });
        await sink.open(undefined);
        await sink.write(batch(rejection('a', { topology }), rejection('b', { topology })));
        await checkpoint(sink, round);
      }
    }
    const rows = await rowsOf(lake, 'rejected');
    const found = rows.map(
      (row) => `${String(row['topology'])} ${String(row['id'])} ${Number(row['seen'])}`,
    );
    expect(found.sort()).toEqual(names.flatMap((name) => [`${name} a 2`, `${name} b 2`]).sort());
  });

  it('stages between checkpoints when much is pending, and forgets it in a crash', async () => {
    const lake = folder();
    const first = sinkOf(lake, 1, { pendingMaxBytes: 1_000 });
    await first.open(undefined);
    for (let n = 0; n < 10; n++)
      await first.write(batch(rejection(`id-${n}`, { data: 'x'.repeat(500) }), rejection('again')));
    const staging = join(lake, '.staging', 'rejected', 'top');
    expect(readdirSync(staging)).toHaveLength(1);
    expect([first.pendingRows(), filesOf(lake, 'rejected')]).toEqual([20, []]);
    const second = sinkOf(lake, 2);
    await second.open(undefined);
    expect(readdirSync(staging)).toEqual([]);
    await second.write(batch(rejection('again')));
    await checkpoint(second, 1);
    expect(await seenIn(lake)).toEqual({ again: 1 });
  });

  it('takes whatever a foreign record says of itself, and finds it again', async () => {
    const lake = folder();
    const hostile = [
      rejection('no time', { receivedtime: 'yesterday' }),
      rejection('far', { receivedtime: '+012345-01-01T00:00:00Z' }),
      rejection('long', { team: 't'.repeat(2_000) }),
      rejection('half', { app: 'half \ud83d', source: '\udc00' }),
      rejection('path', { team: '../..', app: '' }),
    ];
    let state: SinkState | undefined;
    for (const attempt of [1, 2]) {
      const sink = sinkOf(lake, attempt);
      await sink.open(state);
      expect(await sink.write(batch(...hostile))).toEqual([]);
      state = await checkpoint(sink, attempt);
    }
    const select = 'SELECT id, seen, date, team, app FROM rejected ORDER BY id';
    const date = '2026-11-23';
    const digest = (value: string): string => createHash('sha256').update(value).digest('hex');
    expect((await queryLake(lake, select)).rows).toEqual([
      ['far', 2, date, 'a', 'b'],
      ['half', 2, date, 'a', 'half \ufffd'],
      ['long', 2, date, digest('t'.repeat(2_000)), 'b'],
      ['no time', 2, date, 'a', 'b'],
      ['path', 2, date, '../..', digest('')],
    ]);
    expect(readdirSync(lake).sort()).toEqual(['.staging', '.tables', 'rejected']);
  });

  it('lets the oldest identities go when its index is full, and those older than the retention at a restart', async () => {
    const lake = folder();
    const first = sinkOf(lake, 1, { indexMax: 2 });
    await first.open(undefined);
    for (const [n, id] of ['a', 'b', 'c', 'a'].entries()) {
      await first.write(batch(rejection(id, { receivedtime: `2026-11-23T0${n}:00:00.000Z` })));
      await checkpoint(first, n + 1);
    }
    const counts = async (): Promise<readonly unknown[]> =>
      (await queryLake(lake, 'SELECT hour, id, seen FROM rejected ORDER BY hour')).rows.map((row) =>
        row.join(' '),
      );
    expect(await counts()).toEqual(['00 a 1', '01 b 1', '02 c 1', '03 a 1']);

    const second = sinkOf(lake, 2, { indexMax: 2 });
    await second.open(undefined);
    await second.write(
      batch(
        rejection('a'),
        rejection('c'),
        rejection('b', { receivedtime: '2026-11-23T04:00:00.000Z' }),
      ),
    );
    await checkpoint(second, 5);
    expect(await counts()).toEqual(['00 a 1', '01 b 1', '02 c 2', '03 a 2', '04 b 1']);

    const other = folder();
    const one = sinkOf(other, 1);
    await one.open(undefined);
    await one.write(batch(rejection('a'), rejection('b'), rejection('c')));
    await checkpoint(one, 1);
    const two = sinkOf(other, 2, { indexMax: 2 });
    await two.open(undefined);
    const hour4 = { receivedtime: '2026-11-23T04:00:00.000Z' };
    await two.write(batch(rejection('b', hour4), rejection('c', hour4), rejection('a', hour4)));
    await checkpoint(two, 2);
    expect(
      (await queryLake(other, 'SELECT hour, id, seen FROM rejected ORDER BY hour, id')).rows.map(
        (row) => row.join(' '),
      ),
    ).toEqual(['04 a 1', '10 a 1', '10 b 2', '10 c 2']);

    const later = manualClock(clock.now() + rejectedRetentionMs + 3 * 86_400_000);
    const third = sinkOf(lake, 3, { clock: later });
    await third.open(undefined);
    await third.write(batch(rejection('a')));
    await checkpoint(third, 6);
    expect(await counts()).toEqual(['00 a 1', '01 b 1', '02 c 2', '03 a 2', '04 b 1', '10 a 1']);
  });

  it('finishes a publication that was cut off between two files', async () => {
    const lake = folder();
    const first = sinkOf(lake, 1);
    await first.open(undefined);
    await first.write(batch(rejection('a'), rejection('b', { team: 'other' })));
    const state = stored(await first.prepare(1, false)) as {
      readonly staged: readonly { readonly staged: string; readonly target: string }[];
    };
    const [done] = state.staged;
    if (done === undefined) throw new Error('nothing was staged');
    mkdirSync(dirname(join(lake, done.target)), { recursive: true });
    renameSync(join(lake, done.staged), join(lake, done.target));
    const second = sinkOf(lake, 2);
    await second.open(state);
    expect(await seenIn(lake)).toEqual({ a: 1, b: 1 });
    await second.write(batch(rejection('a'), rejection('b', { team: 'other' })));
    await checkpoint(second, 2);
    expect(await seenIn(lake)).toEqual({ a: 2, b: 2 });
  });

  it('reports damage and loss as faults that name the table', async () => {
    const lake = folder();
    const first = sinkOf(lake, 1);
    await first.open(undefined);
    await first.write(batch(rejection('a')));
    const state = await checkpoint(first, 1);
    const [path = ''] = filesOf(lake, 'rejected');
    writeFileSync(join(lake, 'rejected', path), 'PAR1 damaged');
    const second = sinkOf(lake, 2);
    await second.open(state);
    await second.write(batch(rejection('a')));
    await expect(second.prepare(2, false)).rejects.toMatchObject({
      code: 'lake-write-failed',
      message: expect.stringContaining("'rejected'") as string,
    });
    const lost = {
      staged: [
        {
          staged: '.staging/rejected/top/9-9.parquet',
          target: 'rejected/date=2026-11-23/none.parquet',
        },
      ],
    };
    await expect(sinkOf(lake, 3).open(lost)).rejects.toMatchObject({ code: 'staged-file-missing' });
  });
});
