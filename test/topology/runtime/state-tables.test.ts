/**
 * Checkpoints of tables on a store that fails, stops and is shared with a run that was taken over:
 * whatever happens between which two operations, every manifest there is names files that are
 * there, and reads back as what the tables had at its barrier.
 */
import { describe, expect, it } from 'vitest';
import { present } from '../../../schemas/kernel/assert.ts';
import type { ManualClock } from '../../../schemas/kernel/clock.ts';
import { manualClock, systemClock } from '../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import type { Random } from '../../../schemas/kernel/random.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import type { BlobStore } from '../../../schemas/ports/blob-store.ts';
import { newRun } from '../../../schemas/run-id.ts';
import type { Manifest, ManifestState } from '../../../topology/checkpoint/manifest.ts';
import {
  encodeManifest,
  lineageOf,
  manifestVersion,
  noState,
} from '../../../topology/checkpoint/manifest.ts';
import { filesOf } from '../../../topology/checkpoint/sorted-runs/sorted-run.ts';
import { StateFiles } from '../../../topology/checkpoint/sorted-runs/state-files.ts';
import { inlineStateWriter } from '../../../topology/checkpoint/sorted-runs/state-writer.ts';
import { checkpointStore } from '../../../topology/checkpoint/store.ts';
import { storedState } from '../../../topology/checkpoint/stored-state.ts';
import type { Plan } from '../../../topology/plan/plan.ts';
import type { Dag } from '../../../topology/runtime/dag.ts';
import type { StateNews } from '../../../topology/runtime/state-tables.ts';
import { StateTables } from '../../../topology/runtime/state-tables.ts';
import type { EntryWriter, SealedChanges, StateTable } from '../../../topology/state/entries.ts';
import { never } from '../../../topology/state/entries.ts';
import { textOf } from '../../../topology/state/entry-text.ts';
import { memoryBlobs } from '../support.ts';
import type { Row } from './map-table.ts';
import { MapTable } from './map-table.ts';

type Contents = ReadonlyMap<string, Row>;

/** What manifests have to say, by lineage, attempt and number. */
type Expected = Map<string, Contents>;

interface World {
  readonly blobs: ReturnType<typeof memoryBlobs>;
  readonly expected: Expected;
}

const world = (): World => ({ blobs: memoryBlobs(), expected: new Map() });
const nameOf = (manifest: Pick<Manifest, 'attempt' | 'checkpoint' | 'lineage'>): string =>
  `${manifest.lineage} ${manifest.attempt} ${manifest.checkpoint}`;
const noPlan = { nodes: [] } as unknown as Plan;
const kept = 3;

const baseOf = (attempt: number, checkpoint: number): Manifest => ({
  manifestVersion,
  topology: 't',
  version: 1,
  checkpoint,
  attempt,
  createdAtMs: 0,
  stateful: [],
  positions: {},
  operators: { node: {} },
  sinks: {},
  retiring: [],
  keyExamples: {},
  counts: {},
});

/** One run of a job, up to `checkpoints` of its own. */
async function run(
  { expected }: World,
  blobs: BlobStore,
  random: Random,
  checkpoints: number,
): Promise<void> {
  const store = checkpointStore(blobs, 't');
  const fence = await store.takeOver(random, (attempt, checkpoint, previous, lineage) => {
    const begun = { ...baseOf(attempt, checkpoint), lineage, state: previous?.state ?? noState };
    expected.set(
      nameOf(begun),
      previous === undefined ? new Map() : (expected.get(nameOf(previous)) as Contents),
    );
    return begun;
  });
  const { attempt, lineage = '' } = fence;
  const files = new StateFiles(blobs, 't', newRun(attempt, lineageOf(fence), random));
  const table = new MapTable();
  const dag = { stages: [{ nodes: [{ id: 'node' }], operator: { tables: [table] } }] };
  const tables = new StateTables(dag as unknown as Dag, {
    before: fence.state ?? noState,
    store: files,
    stateWriter: inlineStateWriter,
    clock: systemClock,
    tell: () => undefined,
  });
  try {
    await tables.begin(await store.all());
    const { entries } = storedState(fence, noPlan, files, random);
    table.deadThrough = Number(fence.state?.deadThrough['1'] ?? 0);
    await tables.restore(entries, () => true);
    expect(table.live).toEqual(expected.get(nameOf(fence)));
    for (let n = 1; n <= checkpoints; n++) {
      change(table, random);
      const sealed = tables.seal();
      const manifest = { ...baseOf(attempt, fence.checkpoint + n), lineage };
      expected.set(nameOf(manifest), table.live);
      const state = await tables.write(sealed, (what) => what());
      await store.create(manifest, encodeManifest({ ...manifest, state }));
      tables.stored({ ...manifest, state });
      tables.tidy();
      await tables.kept(await store.prune(kept));
    }
  } catch (thrown) {
    // Files of one that was taken over may be gone: that is why.
    await store.checkFence(fence);
    throw thrown;
  } finally {
    await tables.close();
  }
}

function change(table: MapTable, random: Random): void {
  for (let n = 0; n < 6; n++) {
    const key = `key ${Math.floor(random.next() * 30)}`;
    if (random.next() < 0.25) table.remove(key);
    else table.put(key, [table.deadThrough + Math.floor(random.next() * 20), `${random.next()}`]);
  }
  if (random.next() < 0.5) table.deadThrough += 2;
}

/** Every manifest there is reads back as it has to. Returns the files that they name. */
async function check({ blobs, expected }: World): Promise<ReadonlySet<string>> {
  const named = new Set<string>();
  const get = (name: string): Promise<Uint8Array> => {
    expect(blobs.blobs.has(name), name).toBe(true);
    return Promise.resolve(blobs.blobs.get(name) as Uint8Array);
  };
  for (const manifest of await checkpointStore(blobs, 't').all()) {
    const read = new Map<string, readonly [number, string]>();
    const { entries } = storedState(manifest, noPlan, { get }, seededRandom(1));
    for await (const part of entries())
      for (const { key, time, value } of part)
        read.set(textOf(key), [time, textOf(value as Uint8Array)]);
    expect(read).toEqual(expected.get(nameOf(manifest)));
    for (const name of filesOf(manifest.state?.runs ?? [])) named.add(name);
  }
  return named;
}

function filesIn({ blobs }: World): readonly string[] {
  return [...blobs.blobs.keys()].filter((key) => key.endsWith('.run')).sort();
}

/** Calls `at` before the operation of that number, and after it for every later one. */
function watched(
  blobs: BlobStore,
  before: (operation: number, act: () => Promise<unknown>) => Promise<unknown>,
): BlobStore {
  let operations = 0;
  const of = <T>(act: () => Promise<T>): Promise<T> => before(++operations, act) as Promise<T>;
  return {
    createIfAbsent: (key, bytes) => of(() => blobs.createIfAbsent(key, Uint8Array.from(bytes))),
    get: (key) => of(() => blobs.get(key)),
    list: (prefix) => of(() => blobs.list(prefix)),
    delete: (key) => of(() => blobs.delete(key)),
  };
}

class Killed extends Error {}

/** Operations until a run has its fence. */
const beforeFence = 3;

const points = 200;
/** A test each: so many one after the other. */
const parts = [1, 51, 101, 151];
const pointsFrom = (first: number): readonly number[] =>
  Array.from({ length: points / parts.length }, (_, n) => first + n);

/** A table that takes a millisecond to encode an entry, and tells how much each slice may be. */
class SlowTable implements StateTable {
  readonly name = 'slow';
  readonly deadThrough = 0;
  readonly changedBytes = 0;
  readonly size = 1_000;
  readonly slices: number[] = [];
  readonly #clock = manualClock();
  #writer: EntryWriter | undefined;
  #number = 0;

  get clock(): ManualClock {
    return this.#clock;
  }

  begin(number: number, writer: EntryWriter): void {
    [this.#number, this.#writer] = [number, writer];
  }

  seal(next: EntryWriter): SealedChanges {
    const writer = present(this.#writer, 'a writer of the changes');
    this.#writer = next;
    let left = this.size;
    return {
      write: (maxBytes) => {
        this.slices.push(maxBytes);
        for (const until = writer.bytes + maxBytes; left > 0 && writer.bytes < until; left--) {
          writer.put(this.#number, 0, `key ${String(left).padStart(4, '0')}`, 1, 'x'.repeat(1_024));
          this.#clock.advance(1);
        }
        return left === 0;
      },
    };
  }

  restore(): void {
    this.#clock.advance(5);
  }
}

it('a large state is encoded in slices between which others have their turn, and what that took is told', async () => {
  const table = new SlowTable();
  const { clock } = table;
  const dag = { stages: [{ nodes: [{ id: 'node' }], operator: { tables: [table] } }] };
  const options = { stateWriter: inlineStateWriter, clock, tell: () => undefined };
  const of = newRun(1, 'ab', seededRandom(1));
  const store = new StateFiles(memoryBlobs(), 't', of);
  const tables = new StateTables(dag as unknown as Dag, { ...options, before: noState, store });
  const sealed = tables.seal();
  let turns = 0;
  let isOver = false;
  const turn = (): void => {
    turns++;
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  const state = await tables.write(sealed, (what) => what());
  // The barrier's, and those after it: each is over before it may be long.
  expect(table.slices.length).toBeGreaterThan(3);
  expect(Math.max(...table.slices)).toBe(256 * 1_024);
  expect(turns).toBeGreaterThanOrEqual(table.slices.length - 2);
  const { stallMs, writtenEntries, writtenBytes, fileBytes, runs, restoreMs } = tables.status;
  expect(stallMs).toBe(Math.ceil((256 * 1_024) / (1_024 + 22 + 'key 0999'.length)));
  expect([writtenEntries, writtenBytes > 1_000 * 1_024, runs, restoreMs]).toEqual([
    1_000,
    true,
    1,
    null,
  ]);
  expect(fileBytes).toBe(state.runs[0]?.files.reduce((sum, { bytes }) => sum + bytes, 0));
  isOver = true;
  const again = new StateTables(dag as unknown as Dag, { ...options, before: state, store });
  const manifest = { ...baseOf(1, 1), operators: { node: {} }, state };
  await again.restore(storedState(manifest, noPlan, store, seededRandom(1)).entries, () => true);
  expect(again.status.restoreMs).toBe(5_000);
});

it('a file that a merge finds damaged is told once; one that cannot be read now is not', async () => {
  const table = new MapTable();
  const dag = { stages: [{ nodes: [{ id: 'node' }], operator: { tables: [table] } }] };
  const blobs = memoryBlobs();
  let isAway = true;
  const get: BlobStore['get'] = (key) =>
    isAway ? Promise.reject(new SluiceError('disk-full', 'away')) : blobs.get(key);
  const news: StateNews[] = [];
  const tables = new StateTables(dag as unknown as Dag, {
    before: noState,
    store: new StateFiles({ ...blobs, get }, 't', newRun(1, 'ab', seededRandom(1))),
    stateWriter: inlineStateWriter,
    clock: systemClock,
    tell: (each) => news.push(each),
  });
  const checkpoint = async (n: number): Promise<ManifestState> => {
    table.put(`key ${n}`, [never, `${n}`]);
    const state = await tables.write(tables.seal(), (what) => what());
    tables.tidy();
    for (let round = 0; round < 50; round++) await new Promise(setImmediate);
    return state;
  };
  const states: ManifestState[] = [];
  for (let n = 0; n < 8; n++) states.push(await checkpoint(n));
  expect([states[7]?.runs.length, tables.status.damage]).toEqual([8, null]);
  // The merge of the next checkpoint has the eight youngest.
  const [, name = ''] = filesOf(states[7]?.runs ?? []);
  const whole = present(blobs.blobs.get(name), name);
  blobs.blobs.set(name, whole.subarray(1));
  isAway = false;
  for (let n = 8; n < 10; n++) await checkpoint(n);
  const message = expect.stringContaining(`${name} is damaged`);
  expect(news).toEqual([{ kind: 'state-damaged', message, fix: expect.any(String) }]);
  expect(tables.status.damage).toEqual(message);
});

describe('tables on a store', () => {
  it('are merged and cleaned up: only what kept manifests name stays', async () => {
    const of = world();
    let operations = 0;
    const blobs = watched(of.blobs, (n, act) => {
      operations = n;
      return act();
    });
    await run(of, blobs, seededRandom(7), 40);
    await run(of, of.blobs, seededRandom(8), 0);
    expect(filesIn(of)).toEqual([...(await check(of))].sort());
    expect(filesIn(of).length).toBeLessThan(20);
    expect(operations).toBeGreaterThan(points);
  });

  it.each(parts)(
    'killed before or after any operation leave what the next run goes on from, and nothing else: from %i',
    async (first) => {
      for (const point of pointsFrom(first)) {
        const of = world();
        const isDone = point % 2 === 0;
        let isDead = false;
        const blobs = watched(of.blobs, async (operation, act) => {
          if (isDead) throw new Killed();
          if (operation < point) return act();
          isDead = true;
          if (isDone) await act();
          throw new Killed();
        });
        const random = seededRandom(point);
        await run(of, of.blobs, random, point % 5);
        await expect(run(of, blobs, random, 40)).rejects.toThrow(Killed);
        await check(of);
        await run(of, of.blobs, random, 4);
        await check(of);
        // One that only begins sweeps what is left.
        await run(of, of.blobs, random, 0);
        expect(filesIn(of)).toEqual([...(await check(of))].sort());
      }
    },
  );

  it.each(parts)(
    'taken over at any operation take nothing from the run that took over, when they wake up: from %i',
    async (first) => {
      for (const point of pointsFrom(first)) {
        const of = world();
        const random = seededRandom(point);
        let wake = (): void => undefined;
        const asleep = new Promise<void>((resolve) => {
          wake = resolve;
        });
        let sleeps = (): void => undefined;
        const fellAsleep = new Promise<void>((resolve) => {
          sleeps = resolve;
        });
        const blobs = watched(of.blobs, async (operation, act) => {
          if (operation === point) {
            sleeps();
            await asleep;
          }
          return act();
        });
        await run(of, of.blobs, random, 9);
        const zombie = run(of, blobs, seededRandom(1_000 + point), 40).catch(
          (thrown: unknown) => thrown,
        );
        await fellAsleep;
        await run(of, of.blobs, random, 1 + (point % 13));
        await check(of);
        wake();
        // One that has no fence yet may take over itself.
        const outcome = await zombie;
        if (point > beforeFence || outcome !== undefined)
          expect(outcome).toMatchObject({ code: 'fenced' });
        await check(of);
        await run(of, of.blobs, random, 4);
        await check(of);
        // One that only begins sweeps what is left.
        await run(of, of.blobs, random, 0);
        expect(filesIn(of)).toEqual([...(await check(of))].sort());
      }
    },
  );
});
