/**
 * A table of a keyed node whose entries are in workers, as the checkpoints see it.
 *
 * Invariants:
 * 1. Entries go to the worker of their key group, whoever had them when the checkpoint was taken:
 *    a checkpoint knows nothing of workers.
 * 2. The barrier is the same in all workers, as none has anything to do when it comes.
 */
import { present } from '../../../schemas/kernel/assert.ts';
import { ChunkWriter, readChunk } from '../../checkpoint/sorted-runs/entry-chunks.ts';
import type { Entry, EntryWriter, SealedChanges, StateTable } from '../../state/entries.ts';
import type { TableFacts } from './keyed-workers.ts';
import { workerOfGroup } from './split-rows.ts';
import type { WorkerCalls } from './worker-calls.ts';
import { resultOf } from './worker-calls.ts';

/** Entries of a checkpoint that are sent at once. */
const sentMaxBytes = 256 * 1_024;

export class RemoteTable implements StateTable {
  readonly name: string;
  readonly #node: string;
  /** Its number among the tables of its node. */
  readonly #index: number;
  readonly #calls: WorkerCalls;
  /** By worker: entries that are to be sent. */
  readonly #restored: readonly { readonly writer: ChunkWriter; sentBytes: number }[];
  #facts: readonly TableFacts[] = [];
  #number = 0;
  #writer: EntryWriter | undefined;

  constructor(name: string, node: string, index: number, calls: WorkerCalls) {
    this.name = name;
    this.#node = node;
    this.#index = index;
    this.#calls = calls;
    this.#restored = Array.from({ length: calls.parallelism }, () => ({
      writer: new ChunkWriter(),
      sentBytes: 0,
    }));
  }

  /** What the workers last told. */
  heard(facts: readonly (readonly TableFacts[])[]): void {
    this.#facts = facts.map((of) => present(of[this.#index], 'the facts of a table'));
  }

  get deadThrough(): number {
    return this.#facts.reduce(
      (least, { deadThrough }) => Math.min(least, deadThrough),
      Number.POSITIVE_INFINITY,
    );
  }

  get changedBytes(): number {
    return this.#facts.reduce((sum, { changedBytes }) => sum + changedBytes, 0);
  }

  get size(): number {
    this.send();
    const [node, table] = [this.#node, this.#index];
    const sizes = this.#calls.askAll<'size'>(() => ({ kind: 'size', node, table }));
    return sizes.reduce((sum, size) => sum + size, 0);
  }

  begin(number: number, writer: EntryWriter): void {
    this.#number = number;
    this.#writer = writer;
  }

  seal(next: EntryWriter): SealedChanges {
    this.send();
    const [node, table] = [this.#node, this.#index];
    const writer = present(this.#writer, 'a writer of the changes');
    this.#writer = next;
    this.heard(this.#calls.askAll<'seal'>(() => ({ kind: 'seal', node, table })));
    return { write: (maxBytes) => this.#write(writer, maxBytes) };
  }

  /** What workers sealed comes into `writer`; says whether that was all. */
  #write(writer: EntryWriter, most: number): boolean {
    const [node, table] = [this.#node, this.#index];
    const maxBytes = most / this.#calls.parallelism;
    const answers = this.#calls.askEach<'write'>(() => ({ kind: 'write', node, table, maxBytes }));
    // What one of them gave is not lost where another one failed.
    const written = answers.flatMap((answer) => (answer.is === 'done' ? answer.result : []));
    for (const { chunks } of written)
      for (const chunk of chunks)
        for (const { group, key, time, value } of readChunk(chunk)) {
          if (value === undefined) writer.remove(this.#number, group, key);
          else writer.put(this.#number, group, key, time, value);
        }
    return answers.map(resultOf).every(({ isWhole }) => isWhole);
  }

  restore({ group, key, time, value }: Entry): void {
    const worker = workerOfGroup(group, this.#calls.parallelism);
    const of = present(this.#restored[worker], 'the entries of a worker');
    of.writer.put(this.#index, group, key, time, present(value, 'the value of an entry'));
    if (of.writer.bytes - of.sentBytes >= sentMaxBytes) this.#sendTo(worker);
  }

  /** Before anything else is asked of the operators: what was restored and is not sent. */
  send(): void {
    for (const worker of this.#restored.keys()) this.#sendTo(worker);
  }

  #sendTo(worker: number): void {
    const of = present(this.#restored[worker], 'the entries of a worker');
    if (of.writer.bytes === of.sentBytes) return;
    const chunks = of.writer.take();
    of.sentBytes = of.writer.bytes;
    const [node, table] = [this.#node, this.#index];
    this.#calls.tell(worker, { kind: 'entries', node, table, chunks });
  }
}
