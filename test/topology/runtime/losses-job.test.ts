/**
 * Records that are gone before they were read: counted once, with their range, told at once, and
 * never passed over in silence, whether the job runs meanwhile or not.
 */
import { describe, expect, it } from 'vitest';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import { limits } from '../../../schemas/limits.ts';
import type { Route } from '../../../schemas/ports/record.ts';
import type { Job, JobNews, StartFrom } from '../../../topology/index.ts';
import { createJob, schemaOf, stream, table, topology } from '../../../topology/index.ts';
import { numbersIn } from '../../said.ts';
import type { MemorySplit, MemoryStream, World } from '../support.ts';
import { event, memoryBlobs, memoryStream, put, reshard, world } from '../support.ts';

const anyRow = schemaOf<unknown>({
  $id: 'https://sluice.example/test/any-row',
  type: 'object',
  properties: { id: { type: 'string' } },
});

const ids = topology('ids', { version: 1, owner: 'a/b' }, (t) => {
  t.source('events', stream('a/b'))
    .map((e) => ({ id: e.id }))
    .sinkTo('rows', table('rows', anyRow));
});

interface Rig {
  readonly made: World;
  readonly stream: MemoryStream;
  readonly clock: ReturnType<typeof manualClock>;
  readonly told: JobNews[];
  /** A run that is open. */
  start(from?: StartFrom): Promise<{ readonly job: Job; stop(): Promise<void> }>;
  pass(ms: number): Promise<void>;
}

function rigOf(...splits: readonly (readonly [path: Route, split: string])[]): Rig {
  const of = memoryStream(...splits);
  const made = world({ 'a/b': of });
  const clock = manualClock(5_000_000);
  const blobs = memoryBlobs();
  const told: JobNews[] = [];
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 100) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(100);
    }
    await new Promise((resolve) => setImmediate(resolve));
  };
  return {
    made,
    stream: of,
    clock,
    told,
    pass,
    async start(from) {
      const { connectors } = made;
      const random = seededRandom(1);
      const job = createJob({
        topology: ids,
        blobs,
        connectors,
        clock,
        random,
        checkpointIntervalMs: 500,
        from,
        tell: (news) => told.push(news),
      });
      await job.open();
      const running = job.run();
      return {
        job,
        async stop() {
          job.stop();
          await pass(1_000);
          await running;
          await job.close();
        },
      };
    },
  };
}

function send({ stream: to, clock }: Rig, index: number, count: number): void {
  const split = to.splits[index] as MemorySplit;
  for (let n = 0; n < count; n++)
    put(to, index, {
      ...event(`${split.split}/${split.records.length + 1}`, {}),
      arrivedAtMs: clock.now(),
    });
}

const splitOf = ({ stream: of }: Rig, index: number): MemorySplit =>
  of.splits[index] as MemorySplit;
const rowsOf = ({ made }: Rig): readonly string[] =>
  (made.tables['rows']?.visible ?? []).map((row) => (row as { id: string }).id);
const refusedOf = ({ made }: Rig): readonly { code: string; message: string }[] =>
  (made.tables['rejected']?.visible ?? []) as readonly { code: string; message: string }[];
const lossesTold = ({ told }: Rig): readonly JobNews[] =>
  told.filter(({ kind }) => kind === 'records-lost');

describe('what retention took before it was read', () => {
  it('is counted once, with its range, through restarts; the split holds, and says how to go on', async () => {
    const rig = rigOf(['kafka', '0'], ['kafka', '1']);
    const run = await rig.start();
    send(rig, 0, 3);
    await rig.pass(2_000);
    await run.stop();
    send(rig, 0, 50);
    send(rig, 1, 1);
    splitOf(rig, 0).trimmed = 43;
    for (let starts = 0; starts < 2; starts++) {
      const again = await rig.start();
      await rig.pass(12_000);
      const { losses, splits } = await again.job.status();
      expect(losses).toMatchObject({ total: 1, records: 40, uncounted: 0 });
      expect(losses.last).toMatchObject([
        { kind: 'trimmed', path: 'kafka', split: '0', after: '3', before: '44', records: 40 },
      ]);
      expect(splits.find(({ split }) => split === '0')?.failure).toMatch(
        /a\/b kafka 0 lost 40 records \(after 3 and before 44, .*sluice skip ids 'events kafka 0' --to oldest; or start again with --from oldest, latest or a time/,
      );
      await again.stop();
    }
    expect(lossesTold(rig)).toHaveLength(1);
    expect(rowsOf(rig)).toEqual(['0/1', '0/2', '0/3', '1/1']);
  });

  it('grows while nobody does anything about it, and is the same loss', async () => {
    const rig = rigOf(['kafka', '0']);
    const run = await rig.start();
    send(rig, 0, 2);
    await rig.pass(2_000);
    await run.stop();
    send(rig, 0, 20);
    splitOf(rig, 0).trimmed = 12;
    const again = await rig.start();
    await rig.pass(3_000);
    expect((await again.job.status()).losses).toMatchObject({ total: 1, records: 10 });
    splitOf(rig, 0).trimmed = 15;
    await rig.pass(8_000);
    expect((await again.job.status()).losses).toMatchObject({
      total: 1,
      records: 13,
      last: [{ before: '16', records: 13 }],
    });
    expect(lossesTold(rig)).toHaveLength(1);
    await again.stop();
  });

  it('of a split of which nothing was read yet is noticed as well, also by the next run', async () => {
    const rig = rigOf(['kafka', '0']);
    const run = await rig.start();
    await rig.pass(2_000);
    await run.stop();
    send(rig, 0, 9);
    splitOf(rig, 0).trimmed = 4;
    const again = await rig.start();
    await rig.pass(3_000);
    expect((await again.job.status()).losses).toMatchObject({
      total: 1,
      records: 4,
      last: [{ after: null, before: '5' }],
    });
    expect(rowsOf(rig)).toEqual([]);
    const done = again.job.skip({ split: '0', to: 'oldest' });
    await rig.pass(2_000);
    expect(await done).toMatch(/records that are no longer kept, from its beginning up to 4/);
    expect(rowsOf(rig)).toEqual(['0/5', '0/6', '0/7', '0/8', '0/9']);
    await again.stop();
  });

  it('before a topology ever ran is none', async () => {
    const rig = rigOf(['kafka', '0']);
    send(rig, 0, 9);
    splitOf(rig, 0).trimmed = 4;
    const run = await rig.start();
    await rig.pass(2_000);
    expect((await run.job.status()).losses.total).toBe(0);
    expect(rowsOf(rig)).toHaveLength(5);
    await run.stop();
  });
});

describe('a split that lost its end, with records that were read', () => {
  const numbered = (from: number, to: number): readonly string[] =>
    Array.from({ length: to - from }, (_, n) => `0/${from + n}`);

  it.each([false, true])(
    'is read on from where it ends, and what went is a loss of its own kind (stopped meanwhile: %s)',
    async (stopped) => {
      const rig = rigOf(['kafka', '0'], ['kafka', '1']);
      const run = await rig.start();
      send(rig, 0, 10);
      await rig.pass(2_000);
      if (stopped) await run.stop();
      splitOf(rig, 0).records.length = 6;
      const then = stopped ? await rig.start() : run;
      await rig.pass(3_000);
      send(rig, 0, 6);
      await rig.pass(2_000);
      const { losses, splits } = await then.job.status();
      expect(losses).toMatchObject({
        ...{ total: 1, records: 0, uncounted: 1 },
        last: [{ kind: 'truncated', split: '0', after: '10', before: '7', records: null }],
      });
      expect(splits.map(({ failure }) => failure)).toEqual([undefined, undefined]);
      const refused = refusedOf(rig);
      expect(refused).toMatchObject([{ code: 'records-lost' }]);
      expect(numbersIn(refused[0]?.message)).toEqual([0, 10, 7]);
      expect(rowsOf(rig)).toEqual([...numbered(1, 11), ...numbered(7, 13)]);
      await then.stop();
      const last = await rig.start();
      await rig.pass(2_000);
      expect((await last.job.status()).losses.total).toBe(1);
      expect(rowsOf(rig)).toHaveLength(16);
      await last.stop();
    },
  );

  it.each([
    ['oldest', null, numbered(1, 8)],
    ['latest', '6', numbered(7, 8)],
  ] as const)('is read from %s by a start that says so', async (from, to, rest) => {
    const rig = rigOf(['kafka', '0']);
    const run = await rig.start();
    send(rig, 0, 10);
    await rig.pass(2_000);
    await run.stop();
    splitOf(rig, 0).records.length = 6;
    const again = await rig.start(from);
    await rig.pass(3_000);
    send(rig, 0, 1);
    await rig.pass(2_000);
    const { losses, skipped } = await again.job.status();
    expect(losses.last).toMatchObject([{ kind: 'truncated', after: '10', before: '7' }]);
    expect(skipped).toMatchObject([{ kind: 'start', after: '10', to, from }]);
    expect(rowsOf(rig)).toEqual([...numbered(1, 11), ...rest]);
    await again.stop();
  });

  it('ends a drain that was asked for before', async () => {
    const rig = rigOf(['kafka', '0']);
    const run = await rig.start();
    send(rig, 0, 10);
    await rig.pass(2_000);
    splitOf(rig, 0).fault = 'unreachable';
    send(rig, 0, 3);
    const draining = run.job.drain();
    await rig.pass(1_000);
    splitOf(rig, 0).records.length = 6;
    delete splitOf(rig, 0).fault;
    await rig.pass(3_000);
    await draining;
    await run.job.close();
    expect(rowsOf(rig)).toEqual(numbered(1, 11));
  });
});

describe('a split that is not there any more', () => {
  it.each([false, true])(
    'and was not read to its end is a loss, with a row of its own (stopped meanwhile: %s)',
    async (stopped) => {
      const rig = rigOf(['kinesis', '0'], ['kinesis', '1']);
      rig.stream.asksLatest = false;
      const run = await rig.start();
      send(rig, 0, 2);
      send(rig, 1, 2);
      await rig.pass(2_000);
      if (stopped) await run.stop();
      rig.stream.splits.splice(0, 1);
      const then = stopped ? await rig.start() : run;
      await rig.pass(limits.splitDiscoveryMs + 3_000);
      expect((await then.job.status()).losses).toMatchObject({
        ...{ total: 1, records: 0, uncounted: 1 },
        last: [
          {
            kind: 'gone',
            split: '0',
            after: '2',
            records: null,
            readToMs: expect.any(Number) as number,
          },
        ],
      });
      const refused = refusedOf(rig);
      expect(refused).toMatchObject([{ code: 'records-lost' }]);
      expect(numbersIn(refused[0]?.message)).toEqual([0, 2]);
      expect(lossesTold(rig)).toHaveLength(1);
      await then.stop();
      const last = await rig.start();
      await rig.pass(2_000);
      expect((await last.job.status()).losses.total).toBe(1);
      await last.stop();
    },
  );

  it.each([false, true])(
    'and was read to its end is none (stopped meanwhile: %s)',
    async (stopped) => {
      const rig = rigOf(['kinesis', '0']);
      const run = await rig.start();
      send(rig, 0, 2);
      await rig.pass(2_000);
      reshard(rig.stream, ['0'], ['1', '2']);
      send(rig, 1, 1);
      await rig.pass(2_000);
      if (stopped) await run.stop();
      rig.stream.splits.splice(0, 1);
      for (const split of rig.stream.splits)
        Object.assign(split, { parents: [], goneParents: ['0'] });
      const then = stopped ? await rig.start() : run;
      await rig.pass(limits.splitDiscoveryMs + 3_000);
      expect((await then.job.status()).losses.total).toBe(0);
      expect(rowsOf(rig)).toEqual(['0/1', '0/2', '1/1']);
      await then.stop();
    },
  );

  it('and came and went while nobody looked is known by its children', async () => {
    const rig = rigOf(['kinesis', '0']);
    const run = await rig.start();
    send(rig, 0, 1);
    await rig.pass(2_000);
    await run.stop();
    splitOf(rig, 0).closed = true;
    rig.stream.splits.push(
      {
        path: 'kinesis',
        split: '3',
        records: [],
        parents: [],
        goneParents: ['1', '2'],
        closed: false,
      },
      { path: 'kinesis', split: '4', records: [], parents: [], goneParents: ['2'], closed: false },
    );
    const again = await rig.start();
    await rig.pass(2_000);
    expect((await again.job.status()).losses.last.map(({ split }) => split)).toEqual(['1', '2']);
    await again.stop();
    const fresh = rigOf(['kinesis', '3']);
    Object.assign(splitOf(fresh, 0), { goneParents: ['1'] });
    const first = await fresh.start();
    await fresh.pass(2_000);
    expect((await first.job.status()).losses.total).toBe(0);
    await first.stop();
  });

  it.each([false, true])(
    'but as another one of its name is read from its beginning (stopped meanwhile: %s)',
    async (stopped) => {
      const rig = rigOf(['kinesis', '0'], ['kinesis', '1']);
      rig.stream.asksLatest = false;
      for (const split of rig.stream.splits) Object.assign(split, { begins: '0' });
      const run = await rig.start();
      send(rig, 0, 3);
      await rig.pass(2_000);
      if (stopped) await run.stop();
      for (const split of rig.stream.splits) {
        split.records.length = 0;
        Object.assign(split, { begins: '100' });
      }
      for (let n = 0; n < 2; n++)
        put(rig.stream, 0, { ...event(`new/${n}`, {}), position: String(101 + n) });
      const then = stopped ? await rig.start() : run;
      await rig.pass(limits.splitDiscoveryMs + 3_000);
      const { losses } = await then.job.status();
      expect(losses.last).toMatchObject([
        { kind: 'replaced', split: '0', after: '3', before: '100' },
        { kind: 'replaced', split: '1', after: null, before: '100' },
      ]);
      expect(rowsOf(rig)).toEqual(['0/1', '0/2', '0/3', 'new/0', 'new/1']);
      await then.stop();
    },
  );
});

describe('a start that says where to begin', () => {
  it.each([
    ['oldest', '43', ['44', '45', '46', '47', '48', '49', '50']],
    ['latest', '50', []],
    [5_000_000 + 600_000, '47', ['48', '49', '50']],
  ] as const)(
    'from %s goes on there where the position is not kept any more, with a record of what is left out',
    async (from, to, rest) => {
      const rig = rigOf(['kafka', '0'], ['kafka', '1']);
      const run = await rig.start();
      send(rig, 0, 3);
      send(rig, 1, 1);
      await rig.pass(2_000);
      await run.stop();
      send(rig, 0, 44);
      rig.clock.advance(600_000);
      send(rig, 0, 3);
      send(rig, 1, 1);
      splitOf(rig, 0).trimmed = 43;
      const again = await rig.start(from);
      await rig.pass(3_000);
      send(rig, 0, 1);
      await rig.pass(3_000);
      // The split whose position is there goes on from it.
      expect(rowsOf(rig)).toEqual(
        expect.arrayContaining([
          '0/1',
          '0/2',
          '0/3',
          '1/1',
          '1/2',
          ...rest.map((n) => `0/${n}`),
          '0/51',
        ]) as readonly string[],
      );
      expect(rowsOf(rig)).toHaveLength(6 + rest.length);
      const { skipped, losses } = await again.job.status();
      expect(skipped).toMatchObject([{ kind: 'start', split: '0', after: '3', to }]);
      expect(losses).toMatchObject({ total: 1, records: 40 });
      expect(refusedOf(rig)).toMatchObject([
        { code: 'skipped', message: expect.stringContaining('--from') as string },
      ]);
      // Once only: what is gone later waits for a person.
      splitOf(rig, 0).fault = 'unreachable';
      send(rig, 0, 20);
      splitOf(rig, 0).trimmed = 60;
      delete splitOf(rig, 0).fault;
      await rig.pass(8_000);
      expect((await again.job.status()).splits[0]?.hearing).toBe('unreadable');
      await again.stop();
    },
  );

  it('begins a topology that never ran there, also when it is stopped before it read anything', async () => {
    const rig = rigOf(['kafka', '0'], ['kafka', '1']);
    send(rig, 0, 5);
    const run = await rig.start('latest');
    await rig.pass(2_000);
    await run.stop();
    send(rig, 0, 2);
    send(rig, 1, 1);
    const again = await rig.start();
    await rig.pass(2_000);
    expect(rowsOf(rig)).toEqual(['0/6', '0/7', '1/1']);
    await again.stop();
  });
});
