/**
 * A job with state of several kinds on memory, whose runs can be killed at any call of their store,
 * for tests of savepoints. What its tables have is told by event, so that an oracle can say which
 * rows have to be there how often.
 */
import type { ManualClock } from '../../../schemas/kernel/clock.ts';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import type { BlobStore } from '../../../schemas/ports/blob-store.ts';
import type { Job, JobOptions, SavepointInfo, Sink, Topology } from '../../../topology/index.ts';
import {
  count,
  createJob,
  schemaOf,
  stream,
  table,
  topology,
  tumbling,
  value,
} from '../../../topology/index.ts';
import type { MemoryStream, World } from '../support.ts';
import { event, memoryBlobs, memoryStream, put, world } from '../support.ts';

const object = (id: string, properties: object): object => ({
  $id: id,
  type: 'object',
  properties,
});
const row = schemaOf<{ id: string; nth: number }>(
  object('row', { id: { type: 'string' }, nth: { type: 'integer' } }) as { $id: string },
);
const counted = schemaOf<{ key: string; start: number; n: number }>(
  object('counted', {
    key: { type: 'string' },
    start: { type: 'integer' },
    n: { type: 'integer' },
  }) as { $id: string },
);

interface Data {
  readonly at: number;
  readonly user: string;
}

/** Each id once, with how many its user had; and how many events a user had in each second. */
export function flowNamed(name: string): Topology {
  return topology(name, { version: 1, owner: 'a/b' }, (t) => {
    const users = t
      .source('in', stream('a/b'))
      .eventTime('time', (e) => (e.data as Data).at, { outOfOrderness: 0 })
      .deduplicate('once', { by: (e) => e.id, within: '1d' })
      .map((e) => ({ id: e.id, user: (e.data as Data).user }))
      .keyBy(({ user }) => user);
    users
      .process('nth', {
        state: { n: value<number>() },
        onElement: ({ id }, { state }) => {
          const nth = (state.n.get() ?? 0) + 1;
          state.n.set(nth);
          return [{ id, nth }];
        },
      })
      .sinkTo('rows', table('rows', row));
    users
      .window('per-second', tumbling('1s'))
      .aggregate({ n: count() })
      .out.map(({ key, windowStart, n }) => ({ key, start: windowStart, n }))
      .sinkTo('counts', table('counts', counted));
  });
}

const flow = flowNamed('t');

/** What kills a run: after so many more calls of its store nothing of it moves any more. */
export interface Gate {
  calls: number;
  killAt: number | undefined;
  isDead: boolean;
}

export interface Run {
  readonly job: Job;
  readonly gate: Gate;
  readonly clock: ManualClock;
  /** Passes time, and gives the run turns. */
  readonly pass: (turns: number) => Promise<void>;
  /** What became of it: undefined while it runs. */
  readonly end: () => unknown;
  stop(): Promise<void>;
}

export class SavepointWorld {
  readonly input: MemoryStream = memoryStream(['kinesis', 'shard-0']);
  readonly made: World = world({ 'a/b': this.input });
  readonly blobs = memoryBlobs();
  #sent = 0;
  #nowMs = 5_000_000;
  #runs = 0;

  /** Sends the events `first` to `last`, each twice. */
  send(first: number, last: number): void {
    for (let n = first; n <= last; n++) {
      const one = event(`e${n}`, { at: 1_000_000 + n * 150, user: `u${n % 3}` });
      put(this.input, 0, one);
      put(this.input, 0, one);
      this.#sent += 2;
    }
  }

  get sent(): number {
    return this.#sent;
  }

  /** Opens a job; `options` beside those of every one. Rejects as `open` does, unless it died. */
  async begin(options: Partial<JobOptions> = {}, killAt?: number): Promise<Run> {
    const gate: Gate = { calls: 0, killAt, isDead: false };
    const clock = manualClock((this.#nowMs += 100_000));
    const { connectors } = this.made;
    const job = createJob({
      topology: flow,
      blobs: gatedBlobs(this.blobs, gate),
      connectors: {
        ...connectors,
        sink: (...args) => gatedSink(connectors.sink(...args), gate),
        rejected: (...args) => gatedSink(connectors.rejected(...args), gate),
      },
      clock,
      random: seededRandom(++this.#runs),
      checkpointIntervalMs: 0,
      ...options,
    });
    const pass = async (turns: number): Promise<void> => {
      for (let turn = 0; turn < turns && !gate.isDead; turn++) {
        clock.advance(50);
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    let end: unknown;
    await settledOr(job.open(), gate);
    const running = gate.isDead ? Promise.resolve() : job.run();
    running.then(
      () => {
        end = 'stopped';
      },
      (thrown: unknown) => {
        end = thrown;
      },
    );
    return {
      job,
      gate,
      clock,
      pass,
      end: () => end,
      async stop() {
        gate.killAt = undefined;
        job.stop();
        await pass(4);
        await running;
        await job.close();
      },
    };
  }

  /** Takes a savepoint; undefined when the run died meanwhile. */
  async take({ job, pass, gate }: Run, name: string): Promise<SavepointInfo | undefined> {
    let taken: SavepointInfo | undefined;
    let failed: unknown;
    job.savepoint(name).then(
      (info) => {
        taken = info;
      },
      (thrown: unknown) => {
        failed = thrown ?? new Error('nothing');
      },
    );
    for (let tries = 0; tries < takeTriesMax && taken === undefined && !gate.isDead; tries++) {
      await pass(1);
      if (failed !== undefined) throw failed;
    }
    return taken;
  }

  /** By table, the rows as texts, sorted. */
  rows(name: 'rows' | 'counts'): readonly string[] {
    const { visible = [] } = this.made.tables[name] ?? {};
    return visible.map((each) => JSON.stringify(each)).sort();
  }
}

export interface Tables {
  readonly rows: readonly string[];
  readonly counts: readonly string[];
}

const expected = new Map<number, Promise<Tables>>();

/** What a run without a savepoint makes of the events 1 to `last`. */
export function expectedOf(last: number): Promise<Tables> {
  const known = expected.get(last) ?? runTo(last);
  expected.set(last, known);
  return known;
}

async function runTo(last: number): Promise<Tables> {
  const one = new SavepointWorld();
  one.send(1, last);
  const run = await one.begin();
  await run.pass(30);
  await run.stop();
  return { rows: one.rows('rows'), counts: one.rows('counts') };
}

/** What is in `all` and not in `part`, each as often as it is there more. */
export function without(all: readonly string[], part: readonly string[]): readonly string[] {
  const left = [...all];
  for (const each of part) {
    const at = left.indexOf(each);
    if (at >= 0) left.splice(at, 1);
  }
  return left;
}

/** Turns that a savepoint may take. */
const takeTriesMax = 1_000;
const never = <T>(): Promise<T> => new Promise<T>(() => undefined);

/** Resolves when the run died, too. */
async function settledOr(what: Promise<void>, gate: Gate): Promise<void> {
  let isOver = false;
  const over = what.finally(() => {
    isOver = true;
  });
  over.catch(() => undefined);
  while (!isOver && !gate.isDead) await new Promise((resolve) => setImmediate(resolve));
  if (isOver) await over;
}

function gatedBlobs(blobs: BlobStore, gate: Gate): BlobStore {
  /** Before the call, or after it took effect: every other kill is one of them. */
  const through = async <T>(call: () => Promise<T>): Promise<T> => {
    if (gate.isDead) return never();
    gate.calls++;
    const { killAt } = gate;
    if (killAt !== undefined && gate.calls * 2 >= killAt) {
      if (killAt % 2 === 1) await call();
      gate.isDead = true;
      return never();
    }
    return call();
  };
  return {
    createIfAbsent: (key, bytes) => through(() => blobs.createIfAbsent(key, bytes)),
    get: (key) => through(() => blobs.get(key)),
    list: (prefix) => through(() => blobs.list(prefix)),
    delete: (key) => through(() => blobs.delete(key)),
  };
}

function gatedSink(sink: Sink, gate: Gate): Sink {
  const through = <T>(call: () => Promise<T>): Promise<T> => (gate.isDead ? never<T>() : call());
  return {
    open: (state) => through(() => sink.open(state)),
    write: (batch) => through(() => sink.write(batch)),
    prepare: (checkpoint, last) => through(() => sink.prepare(checkpoint, last)),
    commit: (checkpoint) => through(() => sink.commit(checkpoint)),
    pendingRows: () => sink.pendingRows(),
    close: () => sink.close(),
  };
}
