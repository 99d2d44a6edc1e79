/**
 * The tables of a job's operators: what of them is restored, and what of them each checkpoint
 * writes.
 *
 * Invariants:
 * 1. A barrier takes no longer the more state there is: what changed is put aside, and encoded in
 *    slices between turns. The first slice is encoded at the barrier, so that a small state is
 *    whole before anything else happens.
 * 2. A run of entries is in a manifest only once all of its files are stored.
 * 3. What a barrier sealed and could not be encoded is encoded before the next one, whose run holds
 *    both.
 * 4. A file is deleted when no manifest that is kept names it (checkpoint/sorted-runs/file-use.ts).
 */
import { present } from '../../schemas/kernel/assert.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { afterThisRound } from '../../schemas/kernel/clock.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { Manifest, ManifestState } from '../checkpoint/manifest.ts';
import { noState } from '../checkpoint/manifest.ts';
import type { DeadThrough } from '../checkpoint/sorted-runs/decide-merge.ts';
import { decideMerge, dropDead } from '../checkpoint/sorted-runs/decide-merge.ts';
import { ChunkWriter } from '../checkpoint/sorted-runs/entry-chunks.ts';
import { FileUse } from '../checkpoint/sorted-runs/file-use.ts';
import type { SortedRun } from '../checkpoint/sorted-runs/sorted-run.ts';
import {
  bytesOf,
  filesOf,
  numberTables,
  withMerged,
} from '../checkpoint/sorted-runs/sorted-run.ts';
import type { StateFiles } from '../checkpoint/sorted-runs/state-files.ts';
import type { StateWriter } from '../checkpoint/sorted-runs/state-writer.ts';
import type { EntrySource } from '../checkpoint/stored-state.ts';
import { unreadable } from '../checkpoint/unreadable-state.ts';
import type { SealedChanges } from '../state/entries.ts';
import { encodeTime } from '../time/watermark.ts';
import type { Dag, OwnedTable } from './dag.ts';
import { tablesOf } from './dag.ts';

/** What is encoded without a pause. */
const sliceBytes = 256 * 1_024;
/** What may change while a checkpoint is being written; more waits for it. */
const changesMaxBytes = 256 * 1_024 * 1_024;

interface Numbered extends OwnedTable {
  readonly number: number;
}

/** What one barrier put aside. */
export interface SealedTables {
  readonly writer: ChunkWriter;
  /** Those that are not written yet. */
  readonly changes: SealedChanges[];
  /** At the barrier. */
  readonly deadThrough: DeadThrough;
}

interface Merged {
  readonly inputs: readonly string[];
  readonly run: SortedRun;
}

/** What the state of a job takes, and what its checkpoints cost. JSON-safe. */
export interface StateStatus {
  /** Entries of all tables. */
  readonly entries: number;
  /** Of the files that the last manifest names. */
  readonly fileBytes: number;
  /** Sorted runs of entries that these are parts of. */
  readonly runs: number;
  /** About what changed since the last barrier. */
  readonly changedBytes: number;
  /** What the last checkpoint encoded. */
  readonly writtenEntries: number;
  readonly writtenBytes: number;
  /** The longest time that encoding for the last checkpoint kept the turns waiting at once, ms. */
  readonly stallMs: number;
  /** What the entries took to be restored when the run began, ms; null where there was nothing. */
  readonly restoreMs: number | null;
  /** Which of its files a merge found damaged; null where none. */
  readonly damage: string | null;
}

/** A file of the state is damaged, which a merge found: told once for each. */
export interface StateNews {
  readonly kind: 'state-damaged';
  readonly message: string;
  readonly fix: string | null;
}

export interface StateTablesOptions {
  readonly before: ManifestState;
  readonly store: StateFiles;
  readonly stateWriter: () => StateWriter;
  readonly clock: Clock;
  readonly tell: (news: StateNews) => void;
}

export class StateTables {
  readonly #tables: readonly Numbered[];
  readonly #numbers: Pick<ManifestState, 'keyGroups' | 'tables' | 'lastTable'>;
  readonly #store: StateFiles;
  readonly #makeStateWriter: () => StateWriter;
  readonly #clock: Clock;
  readonly #tell: StateTablesOptions['tell'];
  /** Made for the first entries. */
  #stateWriter: StateWriter | undefined;
  readonly #use = new FileUse();
  #runs: readonly SortedRun[];
  #writer = new ChunkWriter();
  /** Of a barrier that could not be encoded. */
  #unwritten: SealedTables | undefined;
  #merging: Promise<void> | undefined;
  #merged: Merged | undefined;

  #stallMs = 0;
  #written = { writtenEntries: 0, writtenBytes: 0 };
  #restoreMs: number | null = null;
  #damage: string | null = null;
  #isClosed = false;

  constructor(dag: Dag, { before, store, stateWriter, clock, tell }: StateTablesOptions) {
    const own = tablesOf(dag);
    const numbers = numberTables(
      before,
      own.map(({ node, table: { name } }) => ({ node, name })),
    );
    this.#numbers = { keyGroups: before.keyGroups, ...numbers };
    this.#tables = own.map((of, index) => {
      const { number } = present(numbers.tables[index], 'a number for each table');
      return { ...of, number };
    });
    this.#store = store;
    this.#makeStateWriter = stateWriter;
    this.#clock = clock;
    this.#tell = tell;
    this.#runs = before.runs;
    for (const { number, table } of this.#tables) table.begin(number, this.#writer);
  }

  /** Whether so much changed that nothing is to come before the one that is being written. */
  get isFull(): boolean {
    return this.#changedBytes() > changesMaxBytes;
  }

  get status(): StateStatus {
    return {
      entries: this.#entries(),
      fileBytes: bytesOf(this.#runs),
      runs: this.#runs.length,
      changedBytes: this.#changedBytes(),
      ...this.#written,
      stallMs: this.#stallMs,
      restoreMs: this.#restoreMs,
      damage: this.#damage,
    };
  }

  /** After the operators have their heads. `has`: whether a node has a head in the checkpoint. */
  async restore(entries: EntrySource, has: (node: string) => boolean): Promise<void> {
    if (this.#tables.length === 0) return;
    const begunAtMs = this.#clock.monotonic();
    const tables = new Map(
      this.#tables
        .filter(({ node }) => has(node))
        .map(({ node, table }) => [`${node} ${table.name}`, table]),
    );
    for await (const part of entries()) {
      let node = '';
      try {
        for (const entry of part) {
          node = entry.node;
          const table = tables.get(`${node} ${entry.name}`);
          if (table !== undefined && entry.time > table.deadThrough) table.restore(entry);
        }
      } catch (thrown) {
        throw unreadable(thrown, `an entry of the state of '${node}'`);
      }
    }
    if (this.#runs.length > 0) this.#restoreMs = this.#clock.monotonic() - begunAtMs;
  }

  /**
   * The barrier. Throws `SluiceError` `state-unwritable`, as `write` does: what was put aside is
   * part of the next one then.
   */
  seal(): SealedTables {
    const begunAtMs = this.#clock.monotonic();
    const before = this.#unwritten;
    if (before !== undefined) while (!this.#encode(before, Number.POSITIVE_INFINITY));
    const [writer, next] = [this.#writer, new ChunkWriter()];
    this.#writer = next;
    const sealed: SealedTables = {
      writer,
      changes: this.#tables.map(({ table }) => table.seal(next)),
      deadThrough: this.#deadThrough(),
    };
    this.#unwritten = sealed;
    // What could not be encoded before goes first: what is written again counts.
    if (before !== undefined) this.#add(before.writer);
    this.#encode(sealed, sliceBytes);
    this.#stallMs = this.#clock.monotonic() - begunAtMs;
    return sealed;
  }

  /**
   * Stores what was sealed; `persist` does something to the store, however often it fails. Resolves
   * with what the manifest says of the state.
   */
  async write(
    sealed: SealedTables,
    persist: (what: () => Promise<void>) => Promise<void>,
  ): Promise<ManifestState> {
    for (let isWhole = false; !isWhole; ) {
      const begunAtMs = this.#clock.monotonic();
      isWhole = this.#encode(sealed, sliceBytes);
      this.#add(sealed.writer);
      this.#stallMs = Math.max(this.#stallMs, this.#clock.monotonic() - begunAtMs);
      if (!isWhole) await new Promise<void>(afterThisRound);
    }
    const { entries, bytes } = sealed.writer;
    this.#written = { writtenEntries: entries, writtenBytes: bytes };
    const { deadThrough } = sealed;
    const own = await this.#withRun(persist);
    const merged = this.#merged;
    this.#merged = undefined;
    const runs = merged === undefined ? own : withMerged(own, merged.inputs, merged.run);
    this.#runs = dropDead(runs, deadThrough);
    // What came, and is dead already, is in no manifest.
    const named = new Set(filesOf(this.#runs));
    const came = filesOf(merged === undefined ? own : [...own, merged.run]);
    this.#use.dropped(came.filter((name) => !named.has(name)));
    return {
      ...this.#numbers,
      runs: this.#runs,
      deadThrough: Object.fromEntries(
        [...deadThrough].map(([number, time]) => [number, encodeTime(time)]),
      ),
    };
  }

  /** The runs, with one more of what was added. */
  async #withRun(
    persist: (what: () => Promise<void>) => Promise<void>,
  ): Promise<readonly SortedRun[]> {
    if (this.#stateWriter === undefined) return this.#runs;
    const { id, prefix } = this.#store.name();
    const files = await this.#stateWriter.write(prefix, (made) => {
      this.#use.written(made.file.name);
      return persist(() => this.#store.put(made));
    });
    return files.length === 0 ? this.#runs : [...this.#runs, { id, files }];
  }

  #add(writer: ChunkWriter): void {
    const chunks = writer.take();
    if (chunks.length === 0) return;
    this.#stateWriter ??= this.#makeStateWriter();
    this.#stateWriter.add(chunks);
  }

  /** The state of a run that emitted all of it. */
  get none(): ManifestState {
    return { ...noState, lastTable: this.#numbers.lastTable };
  }

  /** The manifests that there are when the run begins, its fence among them. */
  async begin(manifests: readonly Manifest[]): Promise<void> {
    for (const manifest of manifests) this.stored(manifest);
    // What cannot be deleted now is found when the next run sweeps.
    await this.#store.sweep(manifests.at(-1), this.#use.inUse).catch(() => undefined);
  }

  /** There is a manifest of this state. */
  stored({ checkpoint, state = noState }: Pick<Manifest, 'checkpoint' | 'state'>): void {
    this.#use.named(checkpoint, filesOf(state.runs));
  }

  /** All other manifests are gone. */
  async kept(checkpoints: readonly number[]): Promise<void> {
    await this.#store.delete(this.#use.takeFree(checkpoints));
  }

  /**
   * Merges runs beside all else, when that is worth it. Between a manifest and the next barrier,
   * which is the first one that may know of what died by then.
   */
  tidy(): void {
    if (this.#merging !== undefined || this.#merged !== undefined) return;
    const deadThrough = this.#deadThrough();
    const plan = decideMerge(this.#runs, deadThrough, this.#entries());
    if (plan === undefined) return;
    const { id, prefix } = this.#store.name();
    const written: string[] = [];
    this.#stateWriter ??= this.#makeStateWriter();
    this.#merging = this.#stateWriter
      .merge(
        prefix,
        plan.runs,
        { deadThrough, hiding: plan.hiding },
        {
          get: (name) => this.#store.get(name),
          put: (made) => {
            written.push(made.file.name);
            this.#use.written(made.file.name);
            return this.#store.put(made);
          },
        },
      )
      .then((files) => {
        this.#merged = { inputs: plan.runs.map((run) => run.id), run: { id, files } };
      })
      // What could not be merged now is merged after another checkpoint.
      .catch((thrown: unknown) => {
        this.#use.dropped(written);
        this.#tellDamage(thrown);
      })
      .finally(() => {
        this.#merging = undefined;
      });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#stateWriter?.close();
    await this.#merging;
  }

  #tellDamage(thrown: unknown): void {
    if (!(thrown instanceof SluiceError) || thrown.code !== 'checkpoint-corrupt') return;
    const { message, fix = null } = thrown;
    if (this.#isClosed || message === this.#damage) return;
    this.#damage = message;
    this.#tell({ kind: 'state-damaged', message, fix });
  }

  /** Says whether all is encoded. */
  #encode(sealed: SealedTables, maxBytes: number): boolean {
    const { writer, changes } = sealed;
    const until = writer.bytes + maxBytes;
    for (let [first] = changes; first !== undefined; [first] = changes) {
      if (!first.write(until - writer.bytes)) return false;
      changes.shift();
    }
    if (this.#unwritten === sealed) this.#unwritten = undefined;
    return true;
  }

  #entries(): number {
    return this.#tables.reduce((entries, { table }) => entries + table.size, 0);
  }

  #changedBytes(): number {
    let { bytes } = this.#writer;
    for (const { table } of this.#tables) bytes += table.changedBytes;
    return bytes;
  }

  #deadThrough(): DeadThrough {
    return new Map(this.#tables.map(({ number, table }) => [number, table.deadThrough]));
  }
}
