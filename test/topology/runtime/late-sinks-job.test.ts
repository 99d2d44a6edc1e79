/**
 * A sink whose commits are slow, or fail for a while, beside one that is on time: as shipped
 * before, the next checkpoint waited for both, so that one locked node of a graph kept all tables
 * back. What must not come of going on without it: rows that a restart writes again.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import { limits } from '../../../schemas/limits.ts';
import type { Job, NodeStatus, Sink } from '../../../topology/index.ts';
import { createJob, schemaOf, stream, table, topology } from '../../../topology/index.ts';
import { event, memoryBlobs, memoryStream, put, world } from '../support.ts';

const anyRow = schemaOf<unknown>({
  $id: 'https://sluice.example/test/late-row',
  type: 'object',
  properties: { id: { type: 'string' } },
});
const two = topology('two', { version: 1, owner: 'a/b' }, (t) => {
  const ids = t.source('events', stream('a/b')).map((e) => ({ id: e.id }));
  ids.sinkTo('prompt', table('prompt', anyRow));
  ids.sinkTo('slow', table('slow', anyRow));
});

type Fate = 'done' | 'hangs' | 'fails' | 'denied';

interface Staged {
  readonly key: string;
  readonly checkpoint: number;
}

/**
 * What is staged and visible of the slow sink: outlives its runs, and publishes each staged part
 * once, as a graph does.
 */
class SlowPlace {
  readonly visible: string[] = [];
  readonly #parts = new Map<string, readonly string[]>();
  readonly #published = new Set<string>();
  fate: Fate = 'done';
  /** Whether it holds as much as it may. */
  isFull = false;
  readonly #hanging: (() => void)[] = [];
  commits = 0;

  release(): void {
    for (const go of this.#hanging.splice(0)) go();
  }

  sink(run: number): Sink {
    let pending: string[] = [];
    let staged: readonly Staged[] = [];
    const publish = (upTo: number): void => {
      for (const { key, checkpoint } of staged) {
        if (checkpoint > upTo || this.#published.has(key)) continue;
        this.#published.add(key);
        this.visible.push(...(this.#parts.get(key) ?? []));
      }
      staged = staged.filter(({ checkpoint }) => checkpoint > upTo);
    };
    const isFull = (): boolean => this.isFull;
    return {
      commitsAside: true,
      get isFull() {
        return isFull();
      },
      open: (state) => {
        staged = (state as readonly Staged[] | undefined) ?? [];
        if (this.fate === 'done') publish(Number.POSITIVE_INFINITY);
        return Promise.resolve();
      },
      write: (batch) => {
        pending.push(...batch.values.map((value) => (value as { readonly id: string }).id));
        return Promise.resolve([]);
      },
      prepare: (checkpoint) => {
        const key = `${run}/${checkpoint}`;
        this.#parts.set(key, pending);
        if (pending.length > 0) staged = [...staged, { key, checkpoint }];
        pending = [];
        return Promise.resolve(structuredClone(staged));
      },
      commit: async (checkpoint) => {
        this.commits++;
        if (this.fate === 'hangs')
          await new Promise<void>((resolve) => this.#hanging.push(resolve));
        if (this.fate === 'fails')
          throw new SluiceError('graph-busy', 'a node is locked', { retryable: true });
        if (this.fate === 'denied') throw new SluiceError('graph-behind', 'it is an older copy');
        publish(checkpoint);
      },
      pendingRows: () =>
        pending.length +
        staged.reduce((rows, { key }) => rows + (this.#parts.get(key)?.length ?? 0), 0),
      close: () => Promise.resolve(),
    };
  }
}

class Rig {
  readonly made = world({ 'a/b': memoryStream(['kinesis', '0']) });
  readonly clock = manualClock(5_000_000);
  readonly place = new SlowPlace();
  readonly sent: string[] = [];
  readonly #blobs = memoryBlobs();
  #runs = 0;
  ended: string | undefined;

  async start(): Promise<Job> {
    const { connectors } = this.made;
    const run = ++this.#runs;
    const job = createJob({
      topology: two,
      blobs: this.#blobs,
      connectors: {
        ...connectors,
        sink: (node, of, id) =>
          node.id === 'slow' ? this.place.sink(run) : connectors.sink(node, of, id),
      },
      clock: this.clock,
      random: seededRandom(1),
      checkpointIntervalMs: 1_000,
    });
    await job.open();
    this.ended = undefined;
    job.run().then(
      () => void (this.ended = 'stopped'),
      (thrown: unknown) => void (this.ended = (thrown as SluiceError).code),
    );
    return job;
  }

  send(count: number): void {
    const [to] = Object.values(this.made.streams);
    for (let i = 0; i < count; i++) {
      const id = `e${String(this.sent.length).padStart(4, '0')}`;
      this.sent.push(id);
      if (to !== undefined) put(to, 0, event(id, {}));
    }
  }

  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 50) {
      await new Promise((resolve) => setImmediate(resolve));
      this.clock.advance(50);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }

  get prompt(): readonly string[] {
    return (this.made.tables['prompt']?.visible ?? [])
      .map((row) => (row as { readonly id: string }).id)
      .sort();
  }

  get slow(): readonly string[] {
    return this.place.visible.toSorted();
  }
}

const slowNode = async (job: Job): Promise<NodeStatus | undefined> =>
  (await job.status()).nodes.find(({ id }) => id === 'slow');

describe('a sink that is late', () => {
  it.each(['hangs', 'fails'] as const)(
    'as its commit %s, keeps nothing else back for longer than is declared, and makes up for it',
    async (fate) => {
      const rig = new Rig();
      const job = await rig.start();
      rig.place.fate = fate;
      rig.send(3);
      await rig.pass(1_200);
      rig.send(3);
      await rig.pass(limits.sinkCommitWaitMs + 1_500);
      expect(rig.prompt).toEqual(rig.sent);
      for (let n = 0; n < 5; n++) {
        rig.send(2);
        await rig.pass(1_500);
        expect(rig.prompt).toEqual(rig.sent);
      }
      expect(rig.slow).toEqual([]);
      expect((await job.status()).uncommittedRows).toBe(rig.sent.length);
      const node = await slowNode(job);
      expect(node?.lateSince).toBeLessThan(rig.clock.now());
      expect(node?.failure).toBe(fate === 'fails' ? 'a node is locked' : undefined);
      rig.place.fate = 'done';
      rig.place.release();
      await rig.pass(2_500);
      expect(rig.slow).toEqual(rig.sent);
      expect((await slowNode(job))?.lateSince).toBeUndefined();
      expect((await job.status()).uncommittedRows).toBe(0);
      job.stop();
      await rig.pass(500);
      expect(rig.ended).toBe('stopped');
    },
  );

  it('by a fault that does not pass ends the run, also where nobody waits for it any more', async () => {
    for (const before of ['done', 'hangs'] as const) {
      const rig = new Rig();
      await rig.start();
      rig.place.fate = before;
      rig.send(3);
      await rig.pass(limits.sinkCommitWaitMs + 2_500);
      rig.place.fate = 'denied';
      rig.place.release();
      rig.send(1);
      await rig.pass(2_500);
      expect(rig.ended, before).toBe('graph-behind');
    }
  });

  it('is asked for one commit at a time, and no more often than there are checkpoints', async () => {
    const rig = new Rig();
    await rig.start();
    rig.place.fate = 'hangs';
    rig.send(1);
    await rig.pass(20_000);
    expect(rig.place.commits).toBe(1);
    rig.place.fate = 'fails';
    rig.place.release();
    await rig.pass(10_000);
    expect(rig.place.commits).toBeGreaterThan(5);
    expect(rig.place.commits).toBeLessThan(15);
  });

  it('and full, pauses reading, while checkpoints go on with what was read, and is named for it', async () => {
    const rig = new Rig();
    const job = await rig.start();
    rig.place.fate = 'fails';
    rig.send(3);
    await rig.pass(500);
    rig.place.isFull = true;
    await rig.pass(500);
    rig.send(3);
    await rig.pass(10_000);
    expect(rig.prompt).toEqual(rig.sent.slice(0, 3));
    expect((await job.status()).pausedBy).toEqual(['slow']);
    rig.place.isFull = false;
    rig.place.fate = 'done';
    await rig.pass(3_000);
    expect(rig.prompt).toEqual(rig.sent);
    expect(rig.slow).toEqual(rig.sent);
    expect((await job.status()).pausedBy).toEqual([]);
  });

  it('is waited for by a drain, and not by a stop', async () => {
    const rig = new Rig();
    const job = await rig.start();
    rig.place.fate = 'fails';
    rig.send(3);
    await rig.pass(3_000);
    await job.drain();
    await rig.pass(20_000);
    expect(rig.ended).toBeUndefined();
    rig.place.fate = 'done';
    await rig.pass(3_000);
    expect([rig.ended, rig.slow]).toEqual(['stopped', rig.sent]);

    const other = new Rig();
    const stopping = await other.start();
    other.place.fate = 'hangs';
    other.send(3);
    await other.pass(1_500);
    stopping.stop();
    await other.pass(limits.sinkCommitWaitMs * 2 + 500);
    expect(other.ended).toBe('stopped');
    other.place.fate = 'done';
    await other.start();
    await other.pass(1_500);
    expect(other.slow).toEqual(other.sent);
    expect(other.prompt).toEqual(other.sent);
  });

  it('whatever becomes of its commits, and whenever runs are killed, loses and repeats nothing in either table', async () => {
    const act = fc.oneof(
      fc.record({ kind: fc.constant('send' as const), count: fc.integer({ min: 1, max: 5 }) }),
      fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 50, max: 7_000 }) }),
      fc.record({
        kind: fc.constant('fate' as const),
        fate: fc.constantFrom('done' as const, 'hangs' as const, 'fails' as const),
      }),
      fc.record({ kind: fc.constant('release' as const) }),
      fc.record({ kind: fc.constant('kill' as const) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(act, { minLength: 5, maxLength: 40 }), async (acts) => {
        const rig = new Rig();
        let job = await rig.start();
        for (const each of acts) {
          if (each.kind === 'send') rig.send(each.count);
          else if (each.kind === 'pass') await rig.pass(each.ms);
          else if (each.kind === 'fate') rig.place.fate = each.fate;
          else if (each.kind === 'release') rig.place.release();
          else {
            // What it does later is what a process does that does not know yet that it was taken
            // over.
            const before = job;
            job = await rig.start();
            before.stop();
          }
          expect(new Set(rig.slow).size).toBe(rig.slow.length);
          expect(new Set(rig.prompt).size).toBe(rig.prompt.length);
        }
        rig.place.fate = 'done';
        rig.place.release();
        await rig.pass(12_000);
        expect(rig.prompt).toEqual(rig.sent);
        expect(rig.slow).toEqual(rig.sent);
      }),
      { numRuns: 60 },
    );
  }, 120_000);
});
