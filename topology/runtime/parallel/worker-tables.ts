/**
 * The tables of an operator in a worker: what changed in them is encoded here, in slices, and goes
 * to the coordinator in chunks.
 *
 * Invariant: as in state/entries.ts, each table is sealed only when what was sealed before is
 * written.
 */
import { present } from '../../../schemas/kernel/assert.ts';
import { ChunkWriter } from '../../checkpoint/sorted-runs/entry-chunks.ts';
import type { Entry, SealedChanges, StateTable } from '../../state/entries.ts';
import type { TableFacts, WorkerResults } from './keyed-workers.ts';

interface Written {
  readonly table: StateTable;
  /** Of what changes now. */
  writer: ChunkWriter;
  sealed: { readonly writer: ChunkWriter; readonly changes: SealedChanges } | undefined;
}

export class WorkerTables {
  readonly #tables: readonly Written[];

  constructor(tables: readonly StateTable[]) {
    this.#tables = tables.map((table, number) => {
      const writer = new ChunkWriter();
      table.begin(number, writer);
      return { table, writer, sealed: undefined };
    });
  }

  get facts(): readonly TableFacts[] {
    return this.#tables.map(({ table: { deadThrough, changedBytes }, writer }) => ({
      deadThrough,
      changedBytes: changedBytes + writer.bytes,
    }));
  }

  size(table: number): number {
    return this.#of(table).table.size;
  }

  restore(table: number, entry: Entry): void {
    this.#of(table).table.restore(entry);
  }

  seal(table: number): readonly TableFacts[] {
    const of = this.#of(table);
    const next = new ChunkWriter();
    const changes = of.table.seal(next);
    of.sealed = { writer: of.writer, changes };
    of.writer = next;
    return this.facts;
  }

  write(table: number, maxBytes: number): WorkerResults['write'] {
    const of = this.#of(table);
    // Another worker has more than this one.
    if (of.sealed === undefined) return { chunks: [], isWhole: true };
    const { writer, changes } = of.sealed;
    const isWhole = changes.write(maxBytes);
    if (isWhole) of.sealed = undefined;
    return { chunks: writer.take(), isWhole };
  }

  #of(table: number): Written {
    return present(this.#tables[table], 'a table of the operator');
  }
}
