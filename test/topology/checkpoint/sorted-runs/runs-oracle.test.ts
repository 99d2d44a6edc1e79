/**
 * Runs against a map: whatever is put, removed, sealed, merged, dropped and dies by time, in any
 * order, what is read back is what the map has.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { MergePlan } from '../../../../topology/checkpoint/sorted-runs/decide-merge.ts';
import {
  decideMerge,
  dropDead,
  mergeOf,
} from '../../../../topology/checkpoint/sorted-runs/decide-merge.ts';
import { ChunkWriter } from '../../../../topology/checkpoint/sorted-runs/entry-chunks.ts';
import type {
  SortedRun,
  StateRuns,
} from '../../../../topology/checkpoint/sorted-runs/sorted-run.ts';
import {
  filesOf,
  noRuns,
  numberTables,
  withMerged,
} from '../../../../topology/checkpoint/sorted-runs/sorted-run.ts';
import { inlineStateWriter } from '../../../../topology/checkpoint/sorted-runs/state-writer.ts';
import { keyGroups, never } from '../../../../topology/state/entries.ts';
import type { MemoryFiles } from './support.ts';
import { entriesIn, memoryFiles } from './support.ts';

const tableNames = ['a', 'b', 'c'];
const table = fc.nat({ max: 2 });
const key = fc.nat({ max: 9 });
const time = fc.oneof(
  { weight: 8, arbitrary: fc.nat({ max: 99 }) },
  { weight: 1, arbitrary: fc.constant(never) },
);

type Action =
  | { readonly put: number; readonly key: number; readonly time: number }
  | { readonly remove: number; readonly key: number }
  | { readonly seal: true }
  | { readonly die: number; readonly by: number }
  | { readonly renew: number }
  | { readonly drop: true }
  | { readonly begin: readonly [number, number] | 'decided' }
  | { readonly end: true };

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ put: table, key, time }) },
  { weight: 4, arbitrary: fc.record({ remove: table, key }) },
  { weight: 5, arbitrary: fc.constant({ seal: true } as const) },
  { weight: 2, arbitrary: fc.record({ die: table, by: fc.nat({ max: 20 }) }) },
  { weight: 1, arbitrary: fc.record({ renew: table }) },
  { weight: 2, arbitrary: fc.constant({ drop: true } as const) },
  {
    weight: 4,
    arbitrary: fc.record({
      begin: fc.oneof(
        fc.constant('decided' as const),
        fc.tuple(fc.nat({ max: 6 }), fc.nat({ max: 6 })),
      ),
    }),
  },
  { weight: 4, arbitrary: fc.constant({ end: true } as const) },
);

interface Kept {
  readonly time: number;
  readonly value: string;
}

/** What the last seal had, and the runs that have to say the same. */
class World {
  readonly files: MemoryFiles = memoryFiles();
  readonly #now = tableNames.map(() => new Map<number, Kept>());
  readonly #dead = tableNames.map(() => -1);
  #sealed = this.#copy();
  #changes = new ChunkWriter();
  #state: StateRuns = { ...noRuns(keyGroups), ...numbered(noRuns(keyGroups), () => false) };
  #ids = 0;
  #merging: { readonly plan: MergePlan; readonly merged: SortedRun } | undefined;
  #values = 0;
  merges = 0;
  drops = 0;

  async play(act: Action): Promise<void> {
    if ('put' in act) this.#put(act.put, act.key, act.time);
    else if ('remove' in act) this.#remove(act.remove, act.key);
    else if ('die' in act) this.#dead[act.die] = (this.#dead[act.die] as number) + act.by;
    else if ('renew' in act) await this.#renew(act.renew);
    else if ('seal' in act) await this.#seal();
    else if ('drop' in act) this.#drop();
    else if ('begin' in act) await this.#begin(act.begin);
    else this.#end();
  }

  async check(): Promise<void> {
    const read = await entriesIn(this.files, this.#state.runs, {
      deadThrough: this.#deadThrough(),
    });
    const expected = this.#state.tables.flatMap(({ number }, at) =>
      [...(this.#sealed[at] as Map<number, Kept>)]
        .filter(([, kept]) => kept.time > (this.#dead[at] as number))
        .map(([n, kept]) => ({ table: number, group: n % 3, key: `k${n}`, ...kept })),
    );
    expect(read).toEqual(
      expected.toSorted(
        (a, b) => a.table - b.table || a.group - b.group || (a.key < b.key ? -1 : 1),
      ),
    );
  }

  #put(at: number, n: number, when: number): void {
    const value = `v${++this.#values}`;
    this.#now[at]?.set(n, { time: when, value });
    this.#changes.put(this.#number(at), n % 3, `k${n}`, when, value);
  }

  #remove(at: number, n: number): void {
    this.#now[at]?.delete(n);
    this.#changes.remove(this.#number(at), n % 3, `k${n}`);
  }

  /** The state of a table is let go. */
  async #renew(at: number): Promise<void> {
    await this.#seal();
    const name = tableNames[at];
    this.#state = { ...this.#state, ...numbered(this.#state, (of) => of.name === name) };
    this.#dead[at] = -1;
    this.#now[at]?.clear();
    this.#sealed = this.#copy();
  }

  async #seal(): Promise<void> {
    this.#sealed = this.#copy();
    const writer = inlineStateWriter();
    writer.add(this.#changes.take());
    const { id, prefix } = this.#name();
    const files = await writer.write(prefix, this.files.put);
    if (files.length > 0)
      this.#state = { ...this.#state, runs: [...this.#state.runs, { id, files }] };
  }

  #drop(): void {
    const runs = dropDead(this.#state.runs, this.#deadThrough());
    this.drops += filesOf(this.#state.runs).length - filesOf(runs).length;
    this.#state = { ...this.#state, runs };
  }

  async #begin(which: readonly [number, number] | 'decided'): Promise<void> {
    if (this.#merging !== undefined) return;
    const deadThrough = this.#deadThrough();
    const { runs } = this.#state;
    const live = this.#now.reduce((sum, { size }) => sum + size, 0);
    const plan =
      which === 'decided'
        ? decideMerge(runs, deadThrough, live)
        : mergeOf(runs, which[0], which[0] + which[1] + 1, deadThrough);
    if (plan === undefined || plan.runs.length === 0) return;
    const { id, prefix } = this.#name();
    const { hiding } = plan;
    const rules = { deadThrough, hiding };
    const files = await inlineStateWriter().merge(prefix, plan.runs, rules, this.files);
    this.#merging = { plan, merged: { id, files } };
    this.merges++;
  }

  #end(): void {
    if (this.#merging === undefined) return;
    const { plan, merged } = this.#merging;
    const inputs = plan.runs.map(({ id }) => id);
    this.#state = { ...this.#state, runs: withMerged(this.#state.runs, inputs, merged) };
    this.#merging = undefined;
  }

  #copy(): readonly ReadonlyMap<number, Kept>[] {
    return this.#now.map((kept) => new Map(kept));
  }

  #name(): { readonly id: string; readonly prefix: string } {
    const id = `r${++this.#ids}`;
    return { id, prefix: `state/t/${id}-` };
  }

  #number(at: number): number {
    return this.#state.tables[at]?.number as number;
  }

  #deadThrough(): ReadonlyMap<number, number> {
    return new Map(this.#state.tables.map(({ number }, at) => [number, this.#dead[at] as number]));
  }
}

function numbered(
  before: StateRuns,
  isRenewed: (of: { readonly name: string }) => boolean,
): Pick<StateRuns, 'tables' | 'lastTable'> {
  const wanted = tableNames.map((name) => ({ node: 'n', name }));
  return numberTables(
    { ...before, tables: before.tables.filter((table) => !isRenewed(table)) },
    wanted,
  );
}

it('what is read back is what a map has, whatever is merged, dropped and dies in between', async () => {
  let [merges, drops] = [0, 0];
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 60, maxLength: 120 }), async (actions) => {
      const world = new World();
      for (const act of actions) {
        await world.play(act);
        if (!('put' in act || 'remove' in act)) await world.check();
      }
      merges += world.merges;
      drops += world.drops;
    }),
    { numRuns: 120 },
  );
  expect(merges).toBeGreaterThan(120);
  expect(drops).toBeGreaterThan(30);
});
