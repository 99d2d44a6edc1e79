/**
 * What the operators of a test driver keep in tables, by the way that checkpoints take: changes
 * since the last snapshot, put over those of before.
 */
import { bufferOf } from '../../../schemas/kernel/buffer-of.ts';
import type { NodeEntry } from '../../checkpoint/stored-state.ts';
import type { EntryWriter } from '../../state/entries.ts';
import { never } from '../../state/entries.ts';
import { bytesOfPart } from '../../state/entry-text.ts';
import type { Dag, OwnedTable } from '../dag.ts';
import { tablesOf } from '../dag.ts';

/** An entry in a snapshot; time null: it does not die by time. */
export type SnapshotEntry = readonly [
  node: string,
  table: string,
  group: number,
  key: string,
  time: number | null,
  value: string,
];

interface Kept {
  readonly group: number;
  readonly key: Uint8Array;
  readonly time: number;
  readonly value: Uint8Array;
}

/** The latest entry of each key of a table. */
class Journal implements EntryWriter {
  bytes = 0;
  entries = 0;
  readonly #kept = new Map<string, Kept>();

  put(
    _table: number,
    group: number,
    key: string | Uint8Array,
    time: number,
    value: string | Uint8Array,
  ): void {
    const bytes = Uint8Array.from(bytesOfPart(key));
    this.entries++;
    this.#kept.set(charactersOf(bytes), {
      group,
      key: bytes,
      time,
      value: Uint8Array.from(bytesOfPart(value)),
    });
  }

  remove(_table: number, _group: number, key: string | Uint8Array): void {
    this.#kept.delete(charactersOf(bytesOfPart(key)));
  }

  /** Those that are not dead, sorted by group and key. */
  live(deadThrough: number): readonly Kept[] {
    return [...this.#kept.values()]
      .filter(({ time }) => time > deadThrough)
      .sort((a, b) => a.group - b.group || Buffer.compare(a.key, b.key));
  }
}

interface Journaled extends OwnedTable {
  readonly journal: Journal;
}

export class DrivenState {
  readonly #tables: readonly Journaled[];

  constructor(dag: Dag) {
    this.#tables = tablesOf(dag).map((of) => ({ ...of, journal: new Journal() }));
    this.#tables.forEach(({ table, journal }, number) => table.begin(number, journal));
  }

  /** All entries, as of now. */
  take(): readonly SnapshotEntry[] {
    return this.#tables.flatMap(({ node, table, journal }) => {
      const sealed = table.seal(journal);
      while (!sealed.write(Number.POSITIVE_INFINITY));
      return journal
        .live(table.deadThrough)
        .map(
          ({ group, key, time, value }): SnapshotEntry => [
            node,
            table.name,
            group,
            charactersOf(key),
            time === never ? null : time,
            bufferOf(value).toString('utf8'),
          ],
        );
    });
  }

  restore(entries: readonly SnapshotEntry[]): void {
    for (const entry of entries.map(nodeEntryOf)) {
      const owned = this.#tables.find(
        ({ node, table }) => node === entry.node && table.name === entry.name,
      );
      if (owned === undefined || entry.time <= owned.table.deadThrough) continue;
      owned.table.restore(entry);
      owned.journal.put(0, entry.group, entry.key, entry.time, entry.value ?? '');
    }
  }
}

export function nodeEntryOf([node, name, group, key, time, value]: SnapshotEntry): NodeEntry {
  return {
    node,
    name,
    table: 0,
    group,
    key: Buffer.from(key, 'latin1'),
    time: time ?? never,
    value: Buffer.from(value),
  };
}

/** One character a byte: a digest is no text. */
const charactersOf = (bytes: Uint8Array): string => bufferOf(bytes).toString('latin1');
