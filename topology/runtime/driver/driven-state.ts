/**
 * What the operators of a test driver keep in tables, by the way that checkpoints take: changes
 * since the last snapshot, put over those of before.
 */
import { bufferOf } from '../../../schemas/kernel/buffer-of.ts';
import type { NodeEntry } from '../../checkpoint/stored-state.ts';
import type { EntryWriter, Table } from '../../state/entries.ts';
import { never } from '../../state/entries.ts';
import { bytesOfText } from '../../state/entry-text.ts';
import type { Dag } from '../dag.ts';

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
    const bytes = bytesOf(key);
    this.entries++;
    this.#kept.set(textOf(bytes), { group, key: bytes, time, value: bytesOf(value) });
  }

  remove(_table: number, _group: number, key: string | Uint8Array): void {
    this.#kept.delete(textOf(bytesOf(key)));
  }

  /** Those that are not dead, sorted by group and key. */
  live(deadThrough: number): readonly Kept[] {
    return [...this.#kept.values()]
      .filter(({ time }) => time > deadThrough)
      .sort((a, b) => a.group - b.group || Buffer.compare(a.key, b.key));
  }
}

interface Owned {
  readonly node: string;
  readonly table: Table;
  readonly journal: Journal;
}

export class DrivenState {
  readonly #tables: readonly Owned[];

  constructor(dag: Dag) {
    this.#tables = dag.stages.flatMap(({ nodes: [node], operator }) =>
      (operator.tables ?? []).map((table) => ({
        node: node?.id ?? '',
        table,
        journal: new Journal(),
      })),
    );
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
            textOf(key),
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

const bytesOf = (from: string | Uint8Array): Uint8Array =>
  typeof from === 'string' ? bytesOfText(from) : Uint8Array.from(from);

/** One character a byte: a digest is no text. */
const textOf = (bytes: Uint8Array): string => bufferOf(bytes).toString('latin1');
