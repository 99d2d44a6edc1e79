/**
 * How many partitions of a table are open is bounded, also where every row names another one: the
 * oldest are published with the next checkpoint, each row once, through restarts at any step, in a
 * folder and in a bucket.
 */
import { GetObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { parquetReadObjects } from 'hyparquet';
import { describe, expect, it } from 'vitest';
import { OpenRows } from '../../../enrich/parquet/open-rows.ts';
import { logBytes, parseRowLog } from '../../../enrich/parquet/row-log.ts';
import type { TableState } from '../../../enrich/parquet/worker-protocol.ts';
import type { Sink } from '../../../topology/index.ts';
import { sinkContract } from '../../contract/sink.ts';
import { motoRig } from '../../deploy/stores/s3/support.ts';
import { pythonMissing } from '../../servers/cache.ts';
import { batchOf, filesOf, temporaryFolders } from '../support.ts';
import { base, tableRig, typedRow } from './support.ts';

const folder = temporaryFolders('partitions');
const hourMs = 3_600_000;
const stored = (state: unknown): TableState => JSON.parse(JSON.stringify(state)) as TableState;

/** One row of each number, in the hour of that number. */
const hours = (...numbers: readonly number[]): ReturnType<typeof batchOf> =>
  batchOf(
    numbers.map((n) => typedRow(n)),
    (_row, index) => base + (numbers[index] ?? 0) * hourMs,
  );

const manyRig = (partitionsMax: number, fileMaxBytes?: number) => () => {
  const rig = tableRig(folder(), 2_000, fileMaxBytes, { partitionsMax });
  return {
    sink: (attempt: number) => rig.sink(attempt),
    batch: (n: number) => batchOf([typedRow(n)], () => base + (n % 5) * hourMs),
    visible: () => rig.numbers(),
    wait: () => rig.clock.advance(300),
  };
};

sinkContract('a table of five hours, two of which may be open', {
  make: manyRig(2),
  checkpointsMax: 8,
  runs: 6,
});
sinkContract('a table of five hours, one of which may be open, with files of a few rows', {
  make: manyRig(1, 400),
  checkpointsMax: 8,
  runs: 6,
});

describe('open partitions', () => {
  it('are at most as many as may be: the oldest are published with the next checkpoint, and counted', async () => {
    let early = 0;
    const rig = tableRig(folder(), 1e9, 1e9, {
      partitionsMax: 3,
      countEarly: (partitions) => {
        early += partitions;
      },
    });
    const sink = rig.sink(1);
    await sink.open(undefined);
    await sink.write(hours(0, 1, 2, 0));
    const before = stored(await sink.prepare(1, false));
    await sink.commit(1);
    expect([before.staged, early, await rig.numbers()]).toEqual([[], 0, []]);
    await sink.write(hours(3, 0, 4));
    const state = stored(await sink.prepare(2, false));
    // Hours 0 and 1 were the first to be open; 2, 3 and 4 still are.
    expect(state.staged.map(({ target, rows }) => [/hour=\d+/.exec(target)?.[0], rows])).toEqual([
      ['hour=10', 3],
      ['hour=11', 1],
    ]);
    expect([early, state.log?.rows, sink.pendingRows()]).toEqual([2, 3, 7]);
    await sink.commit(2);
    expect(await rig.numbers()).toEqual([0, 0, 0, 1]);
    await sink.close();

    // A run that goes on from there has open what was, and no row of the others again.
    const next = rig.sink(2);
    await next.open(state);
    expect(next.pendingRows()).toBe(3);
    await next.write(hours(0));
    await next.prepare(3, true);
    await next.commit(3);
    await next.close();
    expect(await rig.numbers()).toEqual([0, 0, 0, 0, 1, 2, 3, 4]);
    expect(early).toBe(3);
  });

  it('are bounded whatever rows name, and so is what a checkpoint logs of them', async () => {
    const rig = tableRig(folder(), 1e9, 2_000, { partitionsMax: 8 });
    const sink = rig.sink(1);
    await sink.open(undefined);
    const logs: (TableState['log'] | undefined)[] = [];
    const written: number[] = [];
    for (let checkpoint = 1; checkpoint <= 10; checkpoint++) {
      const numbers = Array.from({ length: 16 }, (_, n) => checkpoint * 16 + n);
      written.push(...numbers);
      await sink.write(hours(...numbers));
      logs.push(stored(await sink.prepare(checkpoint, false)).log);
      await sink.commit(checkpoint);
    }
    expect(Math.max(...logs.map((log) => log?.rows ?? 0))).toBe(8);
    // A log that is four times as long as a file begins again.
    expect(new Set(logs.map((log) => log?.file)).size).toBeGreaterThan(2);
    expect(Math.max(...logs.map((log) => log?.bytes ?? 0))).toBeLessThan(4 * 2_000 + 16 * 250);
    await sink.prepare(11, true);
    await sink.commit(11);
    await sink.close();
    expect(await rig.numbers()).toEqual(written);
    expect(
      filesOf(rig.lake, 'typed').filter((name) => !name.endsWith('columns~.parquet')),
    ).toHaveLength(written.length);
  });

  it('are as old as their first open row, and a log says which rows are in files', () => {
    const open = new OpenRows(1);
    for (const [partition, cell] of [
      ['a', 1],
      ['b', 2],
      ['a', 3],
      ['c', 4],
    ] as const)
      open.add(partition, [cell]);
    let log = logBytes(0, [], open.takeUnlogged());
    expect(open.takeBeyond(2).map(({ partition, cells }) => [partition, cells])).toEqual([
      ['a', [[1, 3]]],
    ]);
    open.add('a', [5]);
    expect(open.takeBeyond(2).map(({ partition }) => partition)).toEqual(['b']);
    // It was opened and closed between two logs, which never had it.
    open.add('d', [6]);
    open.add('e', [7]);
    expect(open.takeBeyond(2).map(({ partition }) => partition)).toEqual(['c', 'a']);
    expect([open.rows, open.partitions, open.bytes]).toEqual([2, 2, 16]);
    log = Buffer.concat([log, logBytes(log.length, [], open.takeUnlogged())]);
    const again = new OpenRows(1);
    for (const { partition, cells } of parseRowLog(log).rows) {
      if (cells.length === 0) again.drop(partition);
      else again.add(partition, cells);
    }
    expect(again.takeAll().map(({ partition, cells }) => [partition, cells])).toEqual([
      ['d', [[6]]],
      ['e', [[7]]],
    ]);
  });
});

describe.skipIf(pythonMissing() !== undefined)(
  'open partitions in a bucket',
  { timeout: 120_000 },
  () => {
    const rig = motoRig('partitions');

    const numbersIn = async (Prefix: string): Promise<readonly number[]> => {
      const { Contents = [] } = await rig().client.send(
        new ListObjectsV2Command({ Bucket: 'partitions', Prefix }),
      );
      const numbers: number[] = [];
      for (const { Key = '' } of Contents) {
        if (!Key.endsWith('.parquet')) continue;
        const { Body } = await rig().client.send(
          new GetObjectCommand({ Bucket: 'partitions', Key }),
        );
        const bytes = (await Body?.transformToByteArray()) ?? new Uint8Array();
        const rows = await parquetReadObjects({ file: bytes.slice().buffer as ArrayBuffer });
        numbers.push(...rows.map((row) => Number(row['n'])));
      }
      return numbers.sort((a, b) => a - b);
    };

    it('go on in another run, which has each row once', async () => {
      const place = { ...rig().place, prefix: 'lake' };
      const made = tableRig(folder(), 1e9, 1e9, { place, partitionsMax: 2 });
      let state: TableState | undefined;
      const written: number[] = [];
      for (let attempt = 1; attempt <= 3; attempt++) {
        const sink: Sink = made.sink(attempt);
        await sink.open(state);
        for (let checkpoint = 1; checkpoint <= 2; checkpoint++) {
          const numbers = [0, 1, 2, 3].map((n) => attempt * 10 + checkpoint * 3 + n);
          written.push(...numbers);
          await sink.write(hours(...numbers));
          state = stored(await sink.prepare(attempt * 10 + checkpoint, false));
          // The first one's publication is left to the next.
          if (checkpoint === 2) await sink.commit(attempt * 10 + checkpoint);
        }
        // What comes after the last checkpoint is forgotten.
        await sink.write(hours(99));
        await sink.close();
      }
      const last = made.sink(4);
      await last.open(state);
      await last.prepare(50, true);
      await last.commit(50);
      await last.close();
      expect(await numbersIn('lake/typed/')).toEqual(written.toSorted((a, b) => a - b));
    });
  },
);
