/**
 * A job that goes on under a changed topology, through a crash at every step: staged output of
 * sinks that are gone becomes visible once, state is dropped only by name, and another key is
 * noticed.
 */
import { describe, expect, it } from 'vitest';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import type { Misfit } from '../../../topology/checkpoint/restore-rules.ts';
import type {
  Job,
  Key,
  SluiceEvent,
  Stream,
  Topology,
  TopologyBuilder,
} from '../../../topology/index.ts';
import {
  checkJob,
  connector,
  count,
  createJob,
  schemaOf,
  settleStaged,
  stream,
  table,
  topology,
  tumbling,
  value,
} from '../../../topology/index.ts';
import { namesIn, numbersIn } from '../../said.ts';
import type { World } from '../support.ts';
import { event, memoryBlobs, memoryStream, put, world } from '../support.ts';

type Events = Stream<SluiceEvent>;

const row = schemaOf<{ id: string }>({
  $id: 'row',
  type: 'object',
  properties: { id: { type: 'string' } },
});

const of = (build: (events: Events) => void): Topology =>
  topology('t', { version: 1, owner: 'a/b' }, (t) =>
    build(
      t.source('in', stream('a/b')).eventTime('time', (e) => (e.data as { at: number }).at, {
        outOfOrderness: 0,
        idleAfter: 0,
        future: { max: 0 },
      }),
    ),
  );

interface Rig {
  readonly made: World;
  job(of: Topology, drop?: readonly string[]): Job;
  check(of: Topology): ReturnType<typeof checkJob>;
  advance(): void;
  /** More events. */
  send(count: number): void;
  settle(): Promise<number>;
  /** Runs until all is read and committed; returns the status before it stops. */
  dry(job: Job): Promise<Awaited<ReturnType<Job['status']>>>;
}

function rig(events = 6): Rig {
  const made = world({ 'a/b': memoryStream(['kinesis', 'shard-0']) });
  const target = made.streams['a/b'];
  if (target === undefined) throw new Error('no stream');
  let sent = 0;
  const send = (count: number): void => {
    for (let n = sent; n < sent + count; n++)
      put(target, 0, event(`e${n}`, { at: n, n, name: `n${n}` }));
    sent += count;
  };
  send(events);
  const blobs = memoryBlobs();
  const clock = manualClock(5_000_000);
  const common = { blobs, connectors: made.connectors };
  return {
    made,
    job: (topology, dropState = []) =>
      createJob({
        topology,
        ...common,
        clock,
        random: seededRandom(1),
        checkpointIntervalMs: 0,
        dropState,
        turnBounds: { maxRecords: 2, maxBytes: 1e6 },
      }),
    check: (topology) => checkJob({ topology, ...common }),
    advance: () => clock.advance(50),
    send,
    settle: () => settleStaged({ topology: 't', ...common, clock, random: seededRandom(1) }),
    async dry(job) {
      await job.open();
      const running = job.run();
      let failed = false;
      running.catch(() => {
        failed = true;
      });
      const settled = async (): Promise<boolean> => {
        const { splits, uncommittedRows } = await job.status();
        return uncommittedRows === 0 && splits.every(({ lag }) => lag === 0);
      };
      for (let quiet = 0, i = 0; quiet < 3 && i < 2_000 && !failed; i++) {
        for (let tick = 0; tick < 20; tick++) await Promise.resolve();
        clock.advance(50);
        await new Promise((resolve) => setImmediate(resolve));
        quiet = (await settled()) ? quiet + 1 : 0;
      }
      const status = await job.status();
      job.stop();
      clock.advance(50);
      await running;
      await job.close();
      return status;
    },
  };
}

const idsOf = (made: World, name: string): readonly string[] =>
  (made.tables[name]?.visible ?? []).map((value) => (value as { id: string }).id).sort();

const into = (id: string, name: string) => (events: Events) =>
  events.map((e) => ({ id: e.id })).sinkTo(id, table(name, row));

describe('a job whose sink is gone', () => {
  it('commits what the sink staged, once, wherever either run is killed', async () => {
    const calm = rig();
    await calm.dry(calm.job(of(into('out', 'old'))));
    const steps = calm.made.actions.length;
    for (let at = 1; at <= steps; at++) {
      for (const next of [into('out', 'new'), into('other', 'new'), into('renamed', 'old')]) {
        for (const second of [0, 1, 2, 3, 5, 8]) {
          const rigged = rig();
          let steps = 0;
          const crashAt = (step: number): void => {
            steps = 0;
            rigged.made.crash = () => {
              if (++steps === step) throw new SluiceError('worker-ended', `killed at step ${step}`);
            };
          };
          crashAt(at);
          await rigged.dry(rigged.job(of(into('out', 'old')))).catch(() => undefined);
          crashAt(second);
          await rigged.dry(rigged.job(of(next), ['out'])).catch(() => undefined);
          rigged.made.crash = () => undefined;
          await rigged.dry(rigged.job(of(next)));
          const landed = [...idsOf(rigged.made, 'old'), ...idsOf(rigged.made, 'new')].sort();
          expect(landed, `killed at ${at}, then at ${second}`).toEqual([
            'e0',
            'e1',
            'e2',
            'e3',
            'e4',
            'e5',
          ]);
        }
      }
    }
  });

  it('says so, and forgets the sink once its output is visible', async () => {
    const rigged = rig();
    rigged.made.crash = (step) => {
      if (step.startsWith('old commit'))
        throw new SluiceError('worker-ended', 'killed before its rows are visible');
    };
    await rigged.dry(rigged.job(of(into('out', 'old')))).catch(() => undefined);
    rigged.made.crash = () => undefined;
    expect(idsOf(rigged.made, 'old')).toEqual([]);
    const { notes } = await rigged.dry(rigged.job(of(into('out', 'new'))));
    expect(notes).toEqual([
      "the sink 'out' is no longer in the topology: what it staged is committed now",
    ]);
    const opened = rigged.made.actions.filter((step) => step === 'old open').length;
    expect((await rigged.dry(rigged.job(of(into('out', 'new'))))).notes).toEqual([]);
    expect(rigged.made.actions.filter((step) => step === 'old open')).toHaveLength(opened);
  });
});

it('what is staged of a topology that nobody runs becomes visible, once, wherever that is killed; then it goes on', async () => {
  for (let first = 1; first < 20; first++) {
    for (const second of [0, 1, 2, 3, 4, 5, 6]) {
      const rigged = rig();
      const crashAt = (step: number): void => {
        let steps = 0;
        rigged.made.crash = () => {
          if (++steps === step) throw new SluiceError('worker-ended', `killed at step ${step}`);
        };
      };
      const topology = of(into('out', 'old'));
      crashAt(first);
      await rigged.dry(rigged.job(topology)).catch(() => undefined);
      crashAt(second);
      await rigged.settle().catch(() => undefined);
      crashAt(0);
      await rigged.settle();
      expect(await rigged.settle()).toBe(0);
      const settled = idsOf(rigged.made, 'old');
      expect(new Set(settled).size, `killed at ${first}, then at ${second}`).toBe(settled.length);
      await rigged.dry(rigged.job(topology));
      expect(idsOf(rigged.made, 'old'), `killed at ${first}, then at ${second}`).toEqual([
        'e0',
        'e1',
        'e2',
        'e3',
        'e4',
        'e5',
      ]);
    }
  }
});

/** A job's keyed nodes, by a key. */
const keyedBy: Readonly<
  Record<string, (key: (e: SluiceEvent) => Key) => (events: Events) => void>
> = {
  window: (key) => (events) =>
    events
      .keyBy(key)
      .window('op', tumbling('1h'))
      .aggregate({ n: count() })
      .out.map((w) => ({ id: String(w.key) }))
      .sinkTo('out', table('rows', row)),
  deduplicate: (by) => (events) =>
    into('out', 'rows')(events.deduplicate('op', { by, within: '1h' })),
  process: (key) => (events) =>
    events
      .keyBy(key)
      .process('op', {
        state: { n: value<number>() },
        onElement: (e, { state }) => {
          state.n.set(1);
          return [{ id: e.id }];
        },
      })
      .sinkTo('out', table('rows', row)),
  join: (key) => (events) =>
    events
      .keyBy(key)
      .intervalJoin('op', events.keyBy(key), { lower: 0, upper: 1 }, (e) => ({ id: e.id }))
      .out.sinkTo('out', table('rows', row)),
};
const data = (e: SluiceEvent): { n: number; name: string } => e.data as { n: number; name: string };

describe('a job whose key is another', () => {
  it.each(Object.entries(keyedBy))('is refused: %s', async (kind, keyed) => {
    const slot = kind === 'join' ? 'leftKey' : kind === 'deduplicate' ? 'by' : 'key';
    const rigged = rig();
    await rigged.dry(rigged.job(of(keyed((e) => data(e).name))));
    const numbers = of(keyed((e) => data(e).n));
    const refusal = await rigged
      .job(numbers)
      .open()
      .then(
        () => undefined,
        (thrown: unknown) => thrown as SluiceError,
      );
    expect(refusal).toMatchObject({
      code: 'restore-refused',
      details: {
        misfits: [
          { node: 'op', option: slot, was: 'a string', is: 'a number', drop: 'op' },
          ...(kind === 'join' ? [{ option: 'rightKey' }] : []),
        ],
      },
    });
    expect(refusal?.fix?.split(' ').slice(-2)).toEqual(['--drop-state', 'op']);
    expect(await rigged.check(numbers)).toMatchObject([
      { kind: 'state', node: 'op' },
      ...(kind === 'join' ? [{ node: 'op' }] : []),
    ]);
    // Another value of the same type is another key as well.
    await expect(rigged.job(of(keyed((e) => e.id))).open()).rejects.toMatchObject({
      code: 'restore-refused',
    });
    // The same key, written otherwise, is the same; so is it after a restart without an element.
    for (let restarts = 0; restarts < 2; restarts++)
      await rigged.dry(rigged.job(of(keyed((e) => String(data(e).name)))));
    await expect(rigged.job(numbers).open()).rejects.toMatchObject({ code: 'restore-refused' });
    await rigged.dry(rigged.job(numbers, ['op']));
  });

  it('is taken where the elements have another form: nothing can be said then', async () => {
    const rigged = rig();
    const keyed = keyedBy['deduplicate'];
    if (keyed === undefined) throw new Error('no such kind');
    await rigged.dry(rigged.job(of(keyed((e) => data(e).name))));
    await rigged.dry(
      rigged.job(
        of((events) =>
          keyed((e) => (e.data as { m: number }).m)(
            events.map((e) => ({ ...e, data: { m: data(e).n } }) as SluiceEvent),
          ),
        ),
      ),
    );
  });
});

async function misfitsOf(job: Job): Promise<readonly Misfit[]> {
  const refusal = await job.open().catch((thrown: unknown) => thrown);
  expect(refusal).toMatchObject({ code: 'restore-refused' });
  return (refusal as SluiceError).details['misfits'] as readonly Misfit[];
}

describe('elements in state under an evolved schema', () => {
  const schema = (required: readonly string[]) =>
    schemaOf<{ at: number; n: number }>({
      $id: 'event',
      type: 'object',
      required,
      properties: { at: { type: 'integer' }, n: { type: 'integer' }, more: { type: 'string' } },
    });
  const source = (t: TopologyBuilder, required: readonly string[], dataText: boolean) =>
    t
      .source('in', stream('a/b', { dataText } as { readonly dataText: false }))
      .validate('valid', schema(required))
      .eventTime('time', (e) => e.data.at, { outOfOrderness: 0, idleAfter: 0, future: { max: 0 } })
      .filter(() => true);
  const joined = (required: readonly string[], dataText = false): Topology =>
    topology('t', { version: 1, owner: 'a/b' }, (t) => {
      const events = source(t, required, dataText);
      events
        .keyBy((e) => e.id)
        .intervalJoin(
          'join',
          events.map((e) => ({ id: e.id })).keyBy((e) => e.id),
          { lower: 0, upper: '1h' },
          (e) => ({ id: e.id }),
        )
        .out.sinkTo('out', table('rows', row));
    });
  const lookedUp = (required: readonly string[], name = 'users'): Topology =>
    topology('t', { version: 1, owner: 'a/b' }, (t) => {
      source(t, required, false)
        .lookup('look', connector<string>(name), { by: (e) => e.id, capacity: 1 }, (e) => ({
          id: e.id,
        }))
        .sinkTo('out', table('rows', row));
    });

  it('that it refuses refuse the restore, with their number and the first reason', async () => {
    const rigged = rig();
    await rigged.dry(rigged.job(joined(['at'])));
    // Another schema that takes them all is no reason; one that has lost its text is.
    await rigged.dry(rigged.job(joined(['at', 'n'])));
    const stricter = joined(['at', 'n', 'more']);
    const [misfit, ...more] = await misfitsOf(rigged.job(stricter));
    expect([misfit, more]).toMatchObject([
      { node: 'join', kind: 'intervalJoin', drop: 'join' },
      [],
    ]);
    expect(numbersIn(misfit?.why)).toEqual([6]);
    expect(namesIn(misfit?.why)).toEqual(['valid', '/more', 'more']);
    const [found, ...others] = await rigged.check(stricter);
    expect([found, others]).toMatchObject([{ kind: 'state', node: 'join' }, []]);
    expect(found?.fix?.split(' ').slice(-2)).toEqual(['--drop-state', 'join']);
    const [textless, ...rest] = await misfitsOf(rigged.job(joined(['at', 'n'], true)));
    expect([textless, rest]).toMatchObject([{ node: 'join', drop: 'join' }, []]);
    expect(textless?.why).toMatch(/\bdataText\b/);
    await rigged.dry(rigged.job(stricter, ['join']));
  });

  it('that wait for a look-up are found as well', async () => {
    const rigged = rig(1);
    rigged.made.lookups['users'] = () => new Promise(() => undefined);
    const job = rigged.job(lookedUp(['at']));
    await job.open();
    const running = job.run();
    for (let turns = 0; turns < 20; turns++) {
      rigged.advance();
      await new Promise((resolve) => setImmediate(resolve));
    }
    job.stop();
    rigged.advance();
    await running;
    await job.close();
    const [misfit, ...more] = await misfitsOf(rigged.job(lookedUp(['at', 'more'])));
    expect([misfit, more]).toMatchObject([{ node: 'look', kind: 'lookup', drop: 'look' }, []]);
    expect(numbersIn(misfit?.why)).toEqual([1]);
    rigged.made.lookups['users'] = () => Promise.resolve('ann');
    await rigged.dry(rigged.job(lookedUp(['at', 'n'])));
    expect(idsOf(rigged.made, 'rows')).toEqual(['e0']);
  });
});

it('a part of state that was dropped begins empty, and what is written of it before stays gone', async () => {
  const counting = (names: readonly ('n' | 'm')[]): Topology =>
    of((events) =>
      events
        .keyBy(() => 'k')
        .process('op', {
          state: Object.fromEntries(names.map((name) => [name, value<number>()])),
          onElement: (e, { state }) => {
            const counts = names.map((name) => {
              const of = state[name];
              const next = (of?.get() ?? 0) + 1;
              of?.set(next);
              return `${name}${next}`;
            });
            return [{ id: `${e.id} ${counts.join(' ')}` }];
          },
        })
        .sinkTo('out', table('rows', row)),
    );
  const rigged = rig(3);
  await rigged.dry(rigged.job(counting(['n', 'm'])));
  rigged.send(1);
  await rigged.dry(rigged.job(counting(['n', 'm']), ['op#m']));
  // Nothing is written under the layout without m.
  await rigged.dry(rigged.job(counting(['n']), ['op#m']));
  rigged.send(1);
  await rigged.dry(rigged.job(counting(['n', 'm'])));
  expect(idsOf(rigged.made, 'rows')).toEqual([
    'e0 n1 m1',
    'e1 n2 m2',
    'e2 n3 m3',
    'e3 n4 m1',
    'e4 n5 m1',
  ]);
});

it('an aggregate that comes to a job counts from then on, and the status says so', async () => {
  const windowed = (more: boolean): Topology =>
    of((events) =>
      events
        .keyBy(() => 'k')
        .window('w', tumbling('1h'))
        .aggregate({ n: count(), ...(more ? { later: count() } : {}) })
        .out.map((w) => ({ id: String(w.n) }))
        .sinkTo('out', table('rows', row)),
    );
  const rigged = rig();
  await rigged.dry(rigged.job(windowed(false)));
  const since = (await rigged.dry(rigged.job(windowed(true)))).nodes.find(
    ({ id }) => id === 'w',
  )?.partsSince;
  expect(since).toEqual({ later: expect.any(Number) as number });
  expect(
    (await rigged.dry(rigged.job(windowed(true)))).nodes.find(({ id }) => id === 'w')?.partsSince,
  ).toEqual(since);
});
