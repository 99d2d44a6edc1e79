/**
 * The job as a whole, over streams in memory: order of actions, exactly-once under a crash at every
 * step, fencing, restore.
 */
import { describe, expect, it } from 'vitest';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import type { Job, Topology } from '../../../topology/index.ts';
import { createJob, rejected, schemaOf, stream, table, topology } from '../../../topology/index.ts';
import type { World } from '../support.ts';
import { event, memoryBlobs, memoryStream, put, world } from '../support.ts';

const click = schemaOf<{ n: number; at: number }>({
  $id: 'https://sluice.example/test/click',
  type: 'object',
  required: ['n', 'at'],
  properties: { n: { type: 'integer' }, at: { type: 'integer' } },
});
const row = schemaOf<{ id: string; n: number }>({
  $id: 'https://sluice.example/test/row',
  type: 'object',
  required: ['id', 'n'],
  properties: { id: { type: 'string' }, n: { type: 'integer' } },
});

function clicks(): Topology {
  return topology('clicks', { version: 1, owner: 'a/b' }, (t) => {
    t.source('clicks', stream('a/b'))
      .validate('valid', click)
      .eventTime('time', (e) => e.data.at, { outOfOrderness: '1s', future: { max: 0 } })
      .deduplicate('once', { by: (e) => e.id, within: '1h' })
      .map((e) => ({ id: e.id, n: e.data.n }))
      .sinkTo('table', table('clicks', row));
  });
}

function twoPathStream(): ReturnType<typeof memoryStream> {
  return memoryStream(['kinesis', 'shard-0'], ['kinesis', 'shard-1'], ['kafka', 'partition-0']);
}

function fill(made: World, from: number, to: number): void {
  const target = made.streams['a/b'];
  if (target === undefined) throw new Error('no stream');
  for (let n = from; n < to; n++)
    put(target, n % 2, event(`e${n}`, n % 10 === 7 ? { n: 'seven', at: n } : { n, at: n }));
}

interface Rig {
  readonly made: World;
  readonly clock: ReturnType<typeof manualClock>;
  start(topology?: Topology, dropState?: readonly string[]): Job;
}

function rig(checkpointIntervalMs = 0): Rig {
  const made = world({ 'a/b': twoPathStream() });
  const blobs = memoryBlobs();
  const clock = manualClock(5_000_000);
  return {
    made,
    clock,
    start: (of = clicks(), dropState = []) =>
      createJob({
        topology: of,
        blobs,
        connectors: made.connectors,
        clock,
        random: seededRandom(1),
        checkpointIntervalMs,
        dropState,
        turnBounds: { maxRecords: 7, maxBytes: 1e6 },
      }),
  };
}

/** Runs a job until nothing of the streams is unread and all is committed. */
async function runDry(job: Job, rigged: Rig): Promise<void> {
  await job.open();
  const running = job.run();
  let failed: unknown;
  running.catch((thrown: unknown) => {
    failed = thrown;
  });
  for (let i = 0; i < 2_000 && failed === undefined; i++) {
    for (let tick = 0; tick < 20; tick++) await Promise.resolve();
    rigged.clock.advance(50);
    await new Promise((resolve) => setImmediate(resolve));
    const { splits, uncommittedRows } = await job.status();
    if (uncommittedRows === 0 && splits.every((split) => split.lag === 0)) break;
  }
  job.stop();
  rigged.clock.advance(50);
  await running;
  await job.close();
}

const idsOf = (rows: readonly unknown[] | undefined): readonly string[] =>
  (rows ?? []).map((value) => (value as { id: string }).id).sort();
const range = (from: number, to: number, keep: (n: number) => boolean): readonly string[] =>
  Array.from({ length: to - from }, (_, i) => from + i)
    .filter(keep)
    .map((n) => `e${n}`)
    .sort();

describe('a job', () => {
  it('lands good events in their table and refused ones in the rejected table, from every split', async () => {
    const rigged = rig();
    fill(rigged.made, 0, 50);
    await runDry(rigged.start(), rigged);
    expect(idsOf(rigged.made.tables['clicks']?.visible)).toEqual(range(0, 50, (n) => n % 10 !== 7));
    expect(idsOf(rigged.made.tables['rejected']?.visible)).toEqual(
      range(0, 50, (n) => n % 10 === 7),
    );
    const [first] = (rigged.made.tables['rejected']?.visible ?? []) as {
      code: string;
      pointer: string;
      operator: string;
      data: string;
      position: string;
    }[];
    expect(first).toMatchObject({
      code: 'schema-violation',
      pointer: '/n',
      operator: 'valid',
      data: '{"n":"seven","at":7}',
      split: 'shard-1',
      position: '4',
    });
  });

  it('stages, then creates the manifest, then commits: in that order for every checkpoint', async () => {
    const rigged = rig();
    fill(rigged.made, 0, 5);
    await runDry(rigged.start(), rigged);
    const steps = rigged.made.actions.filter((step) => step.startsWith('clicks'));
    expect(steps[0]).toBe('clicks open');
    const prepared = steps.findIndex((step) => step.startsWith('clicks prepare'));
    const committed = steps.findIndex((step) => step.startsWith('clicks commit'));
    expect(steps.findIndex((step) => step.startsWith('clicks write'))).toBeLessThan(prepared);
    expect(prepared).toBeLessThan(committed);
  });

  it('loses nothing and repeats nothing when it is killed at any step and started again', async () => {
    const calm = rig();
    fill(calm.made, 0, 60);
    await runDry(calm.start(), calm);
    const steps = calm.made.actions.length;
    expect(steps).toBeGreaterThan(20);
    for (let at = 1; at < steps; at++) {
      const rigged = rig();
      fill(rigged.made, 0, 60);
      let count = 0;
      rigged.made.crash = () => {
        if (++count === at) throw new SluiceError('worker-ended', `killed at step ${at}`);
      };
      await runDry(rigged.start(), rigged).catch((thrown: unknown) =>
        expect((thrown as SluiceError).code).toBe('worker-ended'),
      );
      expect(count).toBeGreaterThanOrEqual(at);
      await runDry(rigged.start(), rigged);
      expect(idsOf(rigged.made.tables['clicks']?.visible), `killed at step ${at}`).toEqual(
        range(0, 60, (n) => n % 10 !== 7),
      );
      expect(idsOf(rigged.made.tables['rejected']?.visible), `killed at step ${at}`).toEqual(
        range(0, 60, (n) => n % 10 === 7),
      );
    }
  });

  it('keeps the ids it has seen across a restart', async () => {
    const rigged = rig();
    fill(rigged.made, 0, 20);
    await runDry(rigged.start(), rigged);
    fill(rigged.made, 0, 30);
    await runDry(rigged.start(), rigged);
    expect(idsOf(rigged.made.tables['clicks']?.visible)).toEqual(range(0, 30, (n) => n % 10 !== 7));
  });

  it('fences an older run: it can commit nothing once a newer one has begun', async () => {
    const rigged = rig(1_000);
    fill(rigged.made, 0, 10);
    const old = rigged.start();
    await old.open();
    const newer = rigged.start();
    await newer.open();
    const running = old.run();
    const outcome = running.then(
      () => 'done',
      (thrown: unknown) => (thrown as SluiceError).code,
    );
    for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
    old.stop();
    rigged.clock.advance(5_000);
    expect(await outcome).toBe('fenced');
    expect(rigged.made.tables['clicks']?.visible).toEqual([]);
    await newer.close();
  });

  it('counts every element once: in = passed + filtered + late + deduplicated + rejected at every node', async () => {
    const rigged = rig();
    fill(rigged.made, 0, 40);
    fill(rigged.made, 0, 10);
    const job = rigged.start();
    await runDry(job, rigged);
    const { nodes } = await job.status();
    for (const node of nodes)
      expect(node.in, node.id).toBe(
        node.passed + node.filtered + node.late + node.deduplicated + node.rejected,
      );
    expect(nodes.find((node) => node.id === 'clicks')).toMatchObject({ in: 50, passed: 50 });
    expect(nodes.find((node) => node.id === 'valid')).toMatchObject({
      in: 50,
      passed: 45,
      rejected: 5,
    });
    expect(nodes.find((node) => node.id === 'once')).toMatchObject({
      in: 45,
      passed: 36,
      deduplicated: 9,
    });
    expect(nodes.find((node) => node.id === 'table')).toMatchObject({ in: 36, passed: 36 });
  });

  it('rejects the event whose function throws, and goes on', async () => {
    const rigged = rig();
    fill(rigged.made, 0, 5);
    const throwing = topology('throwing', { version: 3, owner: 'a/b' }, (t) => {
      t.source('clicks', stream('a/b'))
        .map((e) => {
          if (e.id === 'e3') throw new Error('no threes');
          return { id: e.id, n: 1 };
        })
        .sinkTo('table', table('clicks', row));
    });
    await runDry(rigged.start(throwing), rigged);
    expect(idsOf(rigged.made.tables['clicks']?.visible)).toEqual(['e0', 'e1', 'e2', 'e4']);
    expect(rigged.made.tables['rejected']?.visible).toMatchObject([
      {
        id: 'e3',
        code: 'function-threw',
        message: 'no threes',
        operator: 'clicks/map',
        topology_version: 3,
      },
    ]);
  });

  it('rejects a record that is no event by its place, and goes on', async () => {
    const rigged = rig();
    const target = rigged.made.streams['a/b'];
    if (target === undefined) throw new Error('no stream');
    put(target, 0, { value: Buffer.from([0xff, 0x00, 0x41]) });
    put(target, 0, event('e1', { n: 1, at: 1 }, { team: 'x' }));
    put(target, 0, { value: Buffer.from('{'), arrivedAtMs: 1e300 });
    put(target, 0, event('e2', { n: 2, at: 2 }));
    await runDry(rigged.start(), rigged);
    expect(idsOf(rigged.made.tables['clicks']?.visible)).toEqual(['e2']);
    const refused = rigged.made.tables['rejected']?.visible as {
      code: string;
      data: string;
      data_encoding: string;
      id: string;
    }[];
    expect(refused.map((event) => event.code)).toEqual([
      'undecodable-record',
      'undecodable-record',
      'undecodable-record',
    ]);
    expect(refused[0]).toMatchObject({
      id: 'kinesis/shard-0/1',
      data: Buffer.from([0xff, 0x00, 0x41]).toString('base64'),
      data_encoding: 'base64',
    });
  });

  it('sends late elements where the topology says', async () => {
    const rigged = rig();
    const target = rigged.made.streams['a/b'];
    if (target === undefined) throw new Error('no stream');
    for (let i = 0; i < 3; i++) put(target, i, event(`new${i}`, { n: 1, at: 10_000_000 }));
    const late = topology('late', { version: 1, owner: 'a/b' }, (t) => {
      const once = t
        .source('clicks', stream('a/b'))
        .validate('valid', click)
        .eventTime('time', (e) => e.data.at, { outOfOrderness: 0, future: { max: 0 } })
        .deduplicate('once', { by: (e) => e.id, within: 1_000, late: 'side' });
      once.out.map((e) => ({ id: e.id, n: e.data.n })).sinkTo('table', table('clicks', row));
      once.late.sinkTo('late-clicks', rejected());
    });
    const job = rigged.start(late);
    await job.open();
    const running = job.run();
    // Time goes on once every split was read.
    const isPast = async (): Promise<boolean> =>
      (await job.status()).nodes.some(
        ({ id, time }) => id === 'once' && time?.watermark === 9_999_999,
      );
    for (let i = 0; i < 200 && !(await isPast()); i++) {
      rigged.clock.advance(50);
      await new Promise((resolve) => setImmediate(resolve));
    }
    put(target, 0, event('old', { n: 1, at: 5 }));
    for (let i = 0; i < 40; i++) {
      rigged.clock.advance(50);
      await new Promise((resolve) => setImmediate(resolve));
    }
    job.stop();
    await running;
    await job.close();
    expect(rigged.made.tables['rejected']?.visible).toMatchObject([
      { id: 'old', code: 'late', operator: 'late-clicks' },
    ]);
    expect(idsOf(rigged.made.tables['clicks']?.visible)).toEqual(['new0', 'new1', 'new2']);
  });

  it('sends to the rejected table what the topology says, under a code of its own', async () => {
    const rigged = rig();
    fill(rigged.made, 0, 4);
    const picky = topology('picky', { version: 1, owner: 'a/b' }, (t) => {
      const parts = t
        .source('clicks', stream('a/b'))
        .branch({ odd: (e) => Number(e.id.slice(1)) % 2 === 1 });
      parts.odd.sinkTo('unwanted', rejected());
      parts.rest.map((e) => ({ id: e.id, n: 1 })).sinkTo('table', table('clicks', row));
    });
    await runDry(rigged.start(picky), rigged);
    expect(idsOf(rigged.made.tables['clicks']?.visible)).toEqual(['e0', 'e2']);
    expect(rigged.made.tables['rejected']?.visible).toMatchObject([
      { id: 'e1', code: 'rejected-by-topology', operator: 'unwanted' },
      { id: 'e3', code: 'rejected-by-topology', operator: 'unwanted' },
    ]);
  });

  it('branches by condition and drops nothing', async () => {
    const rigged = rig();
    fill(rigged.made, 0, 6);
    const branched = topology('branched', { version: 1, owner: 'a/b' }, (t) => {
      const parts = t
        .source('clicks', stream('a/b'))
        .map((e) => ({ id: e.id, n: Number(e.id.slice(1)) }))
        .flatMap((value) => [value, { ...value, id: `${value.id}+` }])
        .filter((value) => value.n !== 5)
        .branch({ low: (value) => value.n < 2 });
      parts.low.sinkTo('low', table('low', row));
      parts.rest.sinkTo('high', table('high', row));
    });
    await runDry(rigged.start(branched), rigged);
    expect(idsOf(rigged.made.tables['low']?.visible)).toEqual(['e0', 'e0+', 'e1', 'e1+']);
    expect(idsOf(rigged.made.tables['high']?.visible)).toEqual([
      'e2',
      'e2+',
      'e3',
      'e3+',
      'e4',
      'e4+',
    ]);
  });

  it('refuses a checkpoint of another plan, names what is gone, and lets go of it only when told', async () => {
    const rigged = rig();
    fill(rigged.made, 0, 5);
    await runDry(rigged.start(), rigged);
    const renamed = topology('clicks', { version: 2, owner: 'a/b' }, (t) => {
      t.source('clicks', stream('a/b'))
        .map((e) => ({ id: e.id, n: 1 }))
        .sinkTo('table-2', table('clicks', row));
    });
    await expect(rigged.start(renamed).open()).rejects.toMatchObject({
      code: 'restore-refused',
      details: { misfits: [{ node: 'time' }, { node: 'once' }] },
    });
    await runDry(rigged.start(renamed, ['time', 'once']), rigged);
  });

  it('tells every problem of a topology at once', async () => {
    const broken = topology('broken topology', { version: 0, owner: 'nobody' as never }, (t) => {
      const source = t.source('s', stream('a/b'));
      source
        .deduplicate('s', { by: (e) => e.id, within: '5x' as never, late: 'side' })
        .out.sinkTo('t', table('Bad-Name', row as never));
    });
    const opened = rig().start(broken).open();
    await expect(opened).rejects.toMatchObject({ code: 'topology-invalid' });
    const message = await opened.catch((thrown: unknown) => (thrown as Error).message);
    for (const part of [
      'within must be',
      'a topology name',
      'version must',
      "owner must be 'team/app'",
      'used twice',
      "'late' is not used",
      'a table name must be',
      'put eventTime()',
    ]) {
      expect(message).toContain(part);
    }
  });
});
