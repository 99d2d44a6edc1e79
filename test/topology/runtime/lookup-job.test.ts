/**
 * Look-ups in a job: what a hanging or failing one holds up and what it does not, through
 * checkpoints, kills, drain and stop.
 */
import { describe, expect, it } from 'vitest';
import type { ManualClock } from '../../../schemas/kernel/clock.ts';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import type {
  AsyncLookupOptions,
  Job,
  JobOptions,
  JobStatus,
  Key,
  NodeStatus,
  Topology,
} from '../../../topology/index.ts';
import {
  asyncLookup,
  checkJob,
  connector,
  createJob,
  fileTable,
  schemaOf,
  stream,
  table,
  topology,
} from '../../../topology/index.ts';
import { saying } from '../../said.ts';
import type { World } from '../support.ts';
import { event, memoryBlobs, memoryStream, put, world } from '../support.ts';

interface Row {
  readonly id: string;
  readonly found: string;
}
const row = schemaOf<Row>({
  $id: 'https://sluice.example/test/found',
  type: 'object',
  required: ['id', 'found'],
  properties: { id: { type: 'string' }, found: { type: 'string' } },
});
const price = schemaOf<{ id: string; price: number }>({
  $id: 'https://sluice.example/test/price',
  type: 'object',
  required: ['id', 'price'],
  properties: { id: { type: 'string' }, price: { type: 'number' } },
});

function enriched(options: AsyncLookupOptions = {}): Topology {
  return topology('enriched', { version: 1, owner: 'a/b' }, (t) => {
    t.source('in', stream('a/b'))
      .lookup(
        'prices',
        connector<string>('prices'),
        { by: (e) => e.id, ...options },
        (e, found) => ({ id: e.id, found: found ?? 'none' }),
      )
      .sinkTo('table', table('enriched', row));
  });
}

function fromFile(): Topology {
  return topology('enriched', { version: 1, owner: 'a/b' }, (t) => {
    t.source('in', stream('a/b'))
      .lookup(
        'prices',
        fileTable('prices.json', price, { key: 'id' }),
        { by: (e) => e.id },
        (e, found) => ({
          id: e.id,
          found: String(found?.price ?? 'none'),
        }),
      )
      .sinkTo('table', table('enriched', row));
  });
}

interface Rig {
  readonly made: World;
  readonly clock: ManualClock;
  readonly blobs: ReturnType<typeof memoryBlobs>;
  options(topology: Topology, checkpointIntervalMs?: number): JobOptions;
  start(topology: Topology, checkpointIntervalMs?: number): Running;
}

interface Running {
  readonly job: Job;
  readonly ended: Promise<unknown>;
  /** Lets so many rounds of 50 ms pass. */
  pass(rounds: number): Promise<void>;
  until(condition: (status: JobStatus) => boolean): Promise<JobStatus>;
  stop(): Promise<unknown>;
}

function rig(count: number): Rig {
  const made = world({ 'a/b': memoryStream(['kinesis', 'shard-0'], ['kafka', 'partition-0']) });
  const target = made.streams['a/b'];
  if (target === undefined) throw new Error('no stream');
  for (let n = 0; n < count; n++) put(target, n % 2, event(`e${n}`, n));
  const blobs = memoryBlobs();
  const clock = manualClock(5_000_000);
  const options: Rig['options'] = (of, checkpointIntervalMs = 0) => ({
    topology: of,
    blobs,
    connectors: made.connectors,
    clock,
    random: seededRandom(1),
    checkpointIntervalMs,
    turnBounds: { maxRecords: 7, maxBytes: 1e6 },
  });
  return {
    made,
    clock,
    blobs,
    options,
    start(of, checkpointIntervalMs) {
      const job = createJob(options(of, checkpointIntervalMs));
      let over = false;
      const ended = job
        .open()
        .then(() => job.run())
        .then(
          () => 'ended',
          (thrown: unknown) => thrown,
        )
        .finally(() => {
          over = true;
        });
      const pass = async (rounds: number): Promise<void> => {
        for (let i = 0; i < rounds && !over; i++) {
          await new Promise((resolve) => setImmediate(resolve));
          clock.advance(50);
          await new Promise((resolve) => setImmediate(resolve));
        }
      };
      return {
        job,
        ended,
        pass,
        async until(condition) {
          for (let i = 0; i < 2_000; i++) {
            const status = await job.status();
            if (over || (status.splits.length > 0 && condition(status))) return status;
            await pass(1);
          }
          throw new Error(`waited in vain: ${JSON.stringify(await job.status())}`);
        },
        async stop() {
          job.stop();
          await pass(20);
          const outcome = await ended;
          await job.close();
          return outcome;
        },
      };
    },
  };
}

const nodeOf = (status: JobStatus, id = 'prices'): NodeStatus => {
  const found = status.nodes.find((node) => node.id === id);
  if (found === undefined) throw new Error(`no node ${id}`);
  return found;
};
const isDry = (status: JobStatus): boolean =>
  status.uncommittedRows === 0 &&
  status.splits.every(({ lag }) => lag === 0) &&
  (nodeOf(status).waiting ?? 0) === 0;
const idsOf = (made: World): readonly string[] =>
  ((made.tables['enriched']?.visible ?? []) as Row[]).map(({ id }) => id);
const all = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, n) => `e${n}`).sort();
const balanced = (node: NodeStatus): boolean =>
  node.in ===
  node.passed + node.filtered + node.late + node.deduplicated + node.rejected + (node.waiting ?? 0);

/** A server that answers only what it is told to. */
function gate(made: World): {
  readonly open: (which?: (key: Key) => boolean) => void;
  readonly asked: Key[];
} {
  let lets = (_key: Key): boolean => false;
  const waiting: { readonly key: Key; readonly answer: () => void }[] = [];
  const asked: Key[] = [];
  made.lookups['prices'] = (key) =>
    new Promise((resolve) => {
      asked.push(key);
      const answer = (): void => resolve(`price of ${String(key)}`);
      if (lets(key)) answer();
      else waiting.push({ key, answer });
    });
  return {
    asked,
    open(which = () => true) {
      lets = which;
      for (const { key, answer } of waiting) if (lets(key)) answer();
    },
  };
}

const patient: AsyncLookupOptions = { timeout: '1h' };

describe('a table from a file', () => {
  it('is looked up without waiting, and a key that is not in it finds nothing', async () => {
    const rigged = rig(4);
    rigged.made.files['prices.json'] = [
      { id: 'e0', price: 1.5 },
      { id: 'e2', price: 2 },
    ];
    const running = rigged.start(fromFile());
    await running.until(isDry);
    expect(await running.stop()).toBe('ended');
    expect(
      ((rigged.made.tables['enriched']?.visible ?? []) as Row[])
        .map(({ id, found }) => `${id} ${found}`)
        .sort(),
    ).toEqual(['e0 1.5', 'e1 none', 'e2 2', 'e3 none']);
  });

  it('that is missing or bad is told of before anything is taken over: the older run goes on', async () => {
    const rigged = rig(4);
    rigged.made.files['prices.json'] = [];
    const older = rigged.start(fromFile());
    await older.until(isDry);
    const manifests = [...rigged.blobs.blobs.keys()];
    const connectors = {
      ...rigged.made.connectors,
      table: () => Promise.reject(new SluiceError('lookup-table-missing', 'prices.json')),
    };
    const broken = { ...rigged.options(fromFile()), connectors };
    expect(await checkJob(broken)).toMatchObject([
      { kind: 'table', node: 'prices', message: 'prices.json' },
    ]);
    await expect(createJob(broken).open()).rejects.toMatchObject({ code: 'lookup-table-missing' });
    expect(await checkJob(rigged.options(enriched()))).toMatchObject([{ kind: 'connector' }]);
    expect([...rigged.blobs.blobs.keys()]).toEqual(manifests);
    expect(await older.stop()).toBe('ended');
  });
});

describe('a look-up that hangs', () => {
  it('stops no checkpoint, and a restart asks again: nothing is lost or doubled', async () => {
    const rigged = rig(20);
    const prices = gate(rigged.made);
    prices.open((key) => key !== 'e4');
    const running = rigged.start(enriched({ ...patient, order: 'unordered', capacity: 20 }));
    const status = await running.until(
      (found) => nodeOf(found).passed === 19 && found.uncommittedRows === 0,
    );
    expect(status.checkpoint?.id).toBeGreaterThan(1);
    expect(nodeOf(status)).toMatchObject({ in: 20, passed: 19, waiting: 1 });
    expect(idsOf(rigged.made).toSorted()).toEqual(all(20).filter((id) => id !== 'e4'));
    expect(status.nodes.every(balanced)).toBe(true);
    // Killed: nothing is told to stop, and a new run takes over.
    const next = rigged.start(enriched({ ...patient, order: 'unordered', capacity: 20 }));
    const again = await next.until((found) => nodeOf(found).waiting === 1);
    expect(nodeOf(again)).toMatchObject({ in: 20, passed: 19, waiting: 1 });
    expect(again.nodes.every(balanced)).toBe(true);
    prices.open();
    const dry = await next.until(isDry);
    expect(dry.nodes.every(balanced)).toBe(true);
    expect(await next.stop()).toBe('ended');
    expect(idsOf(rigged.made).toSorted()).toEqual(all(20));
    expect(prices.asked.filter((key) => key === 'e4')).toHaveLength(2);
    running.job.stop();
    await running.ended;
  });

  it('lets the job read what a turn brings beyond its places, exactly, also when all others are answered and after restarts', async () => {
    const rigged = rig(100);
    const prices = gate(rigged.made);
    const options = { ...patient, capacity: 8 };
    const positions = (status: JobStatus): number =>
      status.splits.reduce((read, { position }) => read + Number(position ?? 0), 0);
    let running = rigged.start(enriched(options));
    await running.pass(40);
    const status = await running.job.status();
    // Two turns of 7: after the first there was a place left.
    expect([nodeOf(status).in, nodeOf(status).waiting, positions(status)]).toEqual([14, 14, 14]);
    expect(prices.asked).toHaveLength(8);
    prices.open((key) => key !== 'e0');
    await running.pass(40);
    expect([nodeOf(await running.job.status()).waiting, prices.asked.length]).toEqual([14, 14]);
    for (let restarts = 0; restarts < 5; restarts++) {
      await running.stop();
      running = rigged.start(enriched(options));
      await running.pass(20);
      const restarted = await running.job.status();
      expect([nodeOf(restarted).in, nodeOf(restarted).waiting, positions(restarted)]).toEqual([
        14, 14, 14,
      ]);
    }
    prices.open();
    await running.until(isDry);
    expect(await running.stop()).toBe('ended');
    expect(idsOf(rigged.made).toSorted()).toEqual(all(100));
  });

  it('is not waited for by a stop', async () => {
    const rigged = rig(6);
    const prices = gate(rigged.made);
    const running = rigged.start(enriched(patient));
    await running.until((status) => nodeOf(status).waiting === 6);
    expect(await running.stop()).toBe('ended');
    prices.open();
    const next = rigged.start(enriched(patient));
    await next.until(isDry);
    expect(await next.stop()).toBe('ended');
    expect(idsOf(rigged.made).toSorted()).toEqual(all(6));
  });

  it('is waited for by a drain, which then gives out everything and ends', async () => {
    const rigged = rig(20);
    const prices = gate(rigged.made);
    const running = rigged.start(enriched({ ...patient, capacity: 4 }));
    await running.until((status) => nodeOf(status).waiting === 7);
    await running.job.drain();
    await running.pass(100);
    expect(await running.job.status()).toMatchObject({ drained: false });
    prices.open();
    const status = await running.until(({ drained }) => drained);
    expect(await running.ended).toBe('ended');
    await running.job.close();
    expect(nodeOf(status)).toMatchObject({ in: 20, passed: 20, waiting: 0 });
    expect(idsOf(rigged.made).toSorted()).toEqual(all(20));
  });

  it('in a drain does not keep a stop waiting, and loses nothing', async () => {
    const rigged = rig(20);
    const prices = gate(rigged.made);
    const running = rigged.start(enriched({ ...patient, capacity: 4 }));
    await running.until((status) => nodeOf(status).waiting === 7);
    await running.job.drain();
    await running.pass(20);
    expect(await running.stop()).toBe('ended');
    prices.open();
    const next = rigged.start(enriched(patient));
    await next.until(isDry);
    expect(await next.stop()).toBe('ended');
    expect(idsOf(rigged.made).toSorted()).toEqual(all(20));
  });
});

describe('a look-up that fails', () => {
  it('holds everything, is told of in the status, and goes on by itself when the outage is over', async () => {
    const rigged = rig(30);
    let outage = true;
    rigged.made.lookups['prices'] = (key) =>
      outage
        ? Promise.reject(new Error('the registry is away'))
        : Promise.resolve(`price of ${String(key)}`);
    const running = rigged.start(enriched({ capacity: 4 }));
    const status = await running.until((found) => nodeOf(found).failure !== undefined);
    expect(nodeOf(status)).toMatchObject({
      in: 7,
      passed: 0,
      rejected: 0,
      waiting: 7,
      failure: 'the registry is away',
    });
    await running.pass(400);
    expect(nodeOf(await running.job.status())).toMatchObject({ in: 7, rejected: 0, waiting: 7 });
    outage = false;
    const dry = await running.until(isDry);
    expect(nodeOf(dry)).toMatchObject({ in: 30, passed: 30, rejected: 0, waiting: 0 });
    expect(nodeOf(dry).failure).toBeUndefined();
    expect(await running.stop()).toBe('ended');
    expect(idsOf(rigged.made).toSorted()).toEqual(all(30));
  });

  it('makes no split idle that merely was not read, so that nothing becomes late by an outage', async () => {
    const rigged = rig(0);
    const target = rigged.made.streams['a/b'];
    if (target === undefined) throw new Error('no stream');
    for (let n = 0; n < 20; n++) {
      put(target, 0, event(`new${n}`, { at: 1_000_000 }));
      put(target, 1, event(`old${n}`, { at: 5 }));
    }
    const timed = topology('timed', { version: 1, owner: 'a/b' }, (t) => {
      const once = t
        .source('in', stream('a/b'))
        .eventTime('time', (e) => (e.data as { at: number }).at, {
          outOfOrderness: 0,
          idleAfter: '30s',
        })
        .lookup(
          'prices',
          connector<string>('prices'),
          { by: (e) => e.id, capacity: 4 },
          (e, found) => ({
            id: e.id,
            found: found ?? 'none',
          }),
        )
        .deduplicate('once', { by: (e) => e.id, within: 1_000, late: 'side' });
      once.out.sinkTo('table', table('enriched', row));
      once.late.sinkTo('late', table('late', row));
    });
    let outage = true;
    rigged.made.lookups['prices'] = () =>
      outage ? Promise.reject(new Error('away')) : Promise.resolve('1');
    const running = rigged.start(timed);
    await running.pass(2_000);
    expect(nodeOf(await running.job.status())).toMatchObject({ in: 7, waiting: 7 });
    outage = false;
    await running.until(isDry);
    expect(await running.stop()).toBe('ended');
    expect(rigged.made.tables['late']?.visible).toEqual([]);
    expect(rigged.made.tables['enriched']?.visible).toHaveLength(40);
  });

  it('with `reject` sends the event to the rejected table under the code lookup-failed, and the others on', async () => {
    const rigged = rig(10);
    rigged.made.lookups['prices'] = (key) =>
      key === 'e3' ? Promise.reject(new Error('no such shelf')) : Promise.resolve('1');
    const running = rigged.start(enriched({ whenFailing: 'reject', retry: { attempts: 2 } }));
    await running.until(isDry);
    expect(await running.stop()).toBe('ended');
    expect(idsOf(rigged.made).toSorted()).toEqual(all(10).filter((id) => id !== 'e3'));
    expect(rigged.made.tables['rejected']?.visible).toMatchObject([
      {
        id: 'e3',
        code: 'lookup-failed',
        operator: 'prices',
        message: saying({ numbers: [2], end: ': no such shelf' }),
        data: '3',
      },
    ]);
  });
});

describe('exactly once', () => {
  /** Answers after a while, in any order; some keys fail once. */
  const slow = (rigged: Rig): void => {
    const random = seededRandom(7);
    const failed = new Set<Key>();
    rigged.made.lookups['prices'] = (key) =>
      new Promise((resolve, reject) => {
        rigged.clock.setTimer(random.next() * 200, () => {
          if (String(key).endsWith('3') && !failed.has(key)) {
            failed.add(key);
            reject(new Error('once'));
          } else resolve(`price of ${String(key)}`);
        });
      });
  };

  for (const order of ['ordered', 'unordered'] as const) {
    it(`${order}: through a kill at every step, nothing is lost or doubled, and every count is right`, async () => {
      const options: AsyncLookupOptions = {
        order,
        capacity: 5,
        cache: { maxEntries: 3, ttl: '1s' },
      };
      const calm = rig(40);
      slow(calm);
      const first = calm.start(enriched(options));
      await first.until(isDry);
      await first.stop();
      const steps = calm.made.actions.length;
      expect(steps).toBeGreaterThan(20);
      for (let at = 1; at < steps; at++) {
        const rigged = rig(40);
        slow(rigged);
        let count = 0;
        rigged.made.crash = () => {
          if (++count === at) throw new SluiceError('worker-ended', `killed at step ${at}`);
        };
        const killed = rigged.start(enriched(options));
        await killed.until(isDry);
        await killed.stop();
        const next = rigged.start(enriched(options));
        const status = await next.until(isDry);
        expect(status.nodes.every(balanced), `killed at step ${at}`).toBe(true);
        expect(nodeOf(status), `killed at step ${at}`).toMatchObject({ in: 40, passed: 40 });
        expect(await next.stop()).toBe('ended');
        expect(idsOf(rigged.made).toSorted(), `killed at step ${at}`).toEqual(all(40));
      }
    });
  }

  it("an author's own function is asked as a connector is", async () => {
    const rigged = rig(5);
    const own = topology('own', { version: 1, owner: 'a/b' }, (t) => {
      t.source('in', stream('a/b'))
        .lookup(
          'prices',
          asyncLookup(async (key: string) => Promise.resolve(key.length)),
          { by: (e) => e.id },
          (e, found) => ({
            id: e.id,
            found: String(found),
          }),
        )
        .sinkTo('table', table('enriched', row));
    });
    const running = rigged.start(own);
    await running.until(isDry);
    expect(await running.stop()).toBe('ended');
    expect(rigged.made.tables['enriched']?.visible).toHaveLength(5);
  });
});

describe('a target that asks to be left alone', () => {
  const twice = topology('enriched', { version: 1, owner: 'a/b' }, (t) => {
    const ids = t.source('in', stream('a/b'));
    const pick = (id: string, events: typeof ids) =>
      events.lookup(
        id,
        connector<string>('prices'),
        { by: (e) => `${id} ${e.id}` },
        (e, found) => ({ id: e.id, found: found ?? 'none' }),
      );
    pick('one', ids).sinkTo('table', table('enriched', row));
    pick('two', ids).sinkTo('other', table('others', row));
  });

  it('is, by every look-up of its connector, which its status says, with how long calls take; then nothing is missing', async () => {
    const made = rig(20);
    const asked: number[] = [];
    made.made.lookups['prices'] = (key) => {
      asked.push(made.clock.now());
      if (asked.length > 5) return Promise.resolve(`price of ${String(key)}`);
      return Promise.reject(Object.assign(new Error('429'), { retryAfterMs: 60_000 }));
    };
    const running = made.start(twice);
    await running.pass(400);
    // What was under way when the first answer came; then nobody.
    const before = asked.length;
    expect(asked.every((at) => at < made.clock.now() - 15_000)).toBe(true);
    const status = await running.job.status();
    for (const id of ['one', 'two']) {
      const node = status.nodes.find((each) => each.id === id);
      expect(node?.asked?.pausedUntil, id).toBeGreaterThan(made.clock.now());
      expect(node?.asked?.failed, id).toBe(5);
      expect(node?.asked?.maxMs, id).toBeGreaterThanOrEqual(0);
    }
    await running.pass(2_000);
    expect(asked.length).toBeGreaterThan(before);
    expect(await running.stop()).toBe('ended');
    for (const name of ['enriched', 'others'])
      expect(made.made.tables[name]?.visible).toHaveLength(20);
  });
});
