/**
 * What a job of the property suite runs in: streams that can fail, a store and sinks that outlive
 * every run, and runs that can be killed at any call. Time is a clock that is moved by hand.
 */
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { BlobStore } from '../../schemas/ports/blob-store.ts';
import type { IncomingRecord, Route } from '../../schemas/ports/record.ts';
import type { ReadResult, RecordReader } from '../../schemas/ports/record-reader.ts';
import type { RejectedEvent } from '../../schemas/rejection.ts';
import type { RunId } from '../../schemas/run-id.ts';
import { runName } from '../../schemas/run-id.ts';
import type { ElementBatch, JobConnectors, Sink, SinkNode } from '../../topology/index.ts';
import { memoryBlobs } from '../topology/support.ts';
import type { Row } from './rows.ts';
import { tableRows } from './rows.ts';

export type Fault = 'unreachable' | 'silent' | 'throttled';

export interface WorldSplit {
  readonly path: Route;
  readonly id: string;
  readonly parents: readonly string[];
  readonly records: IncomingRecord[];
  closed: boolean;
  fault: Fault | undefined;
  /** Reads that wait for the end of a fault. */
  waiting: (() => void)[];
}

export interface WorldStream {
  readonly splits: WorldSplit[];
  /**
   * Whether it can be asked for its newest positions, as Kafka; otherwise its reads say how far
   * behind they are, as Kinesis'.
   */
  readonly asksLatest: boolean;
}

export function worldSplit(id: string, path: Route, parents: readonly string[] = []): WorldSplit {
  return { path, id, parents, records: [], closed: false, fault: undefined, waiting: [] };
}

export function mend(split: WorldSplit): void {
  split.fault = undefined;
  for (const answer of split.waiting.splice(0)) answer();
}

const never = <T>(): Promise<T> => new Promise<T>(() => undefined);

/**
 * One run's way to the world: every call passes here, and at a planned one the run dies, or the
 * call fails.
 */
export class Gate {
  dead = false;
  #calls = 0;
  #planned: { readonly at: number; readonly how: 'before' | 'after' | 'failing' } | undefined;

  plan(calls: number, how: 'before' | 'after' | 'failing'): void {
    this.#planned = { at: this.#calls + calls, how };
  }

  spare(): void {
    this.#planned = undefined;
  }

  async call<T>(effect: () => Promise<T> | T): Promise<T> {
    if (this.dead) return never();
    this.#calls++;
    const planned = this.#planned?.at === this.#calls ? this.#planned.how : undefined;
    if (planned === 'failing')
      throw new SluiceError('worker-ended', 'a planned fault', { retryable: true });
    if (planned === 'before') this.dead = true;
    if (this.dead) return never();
    const result = await effect();
    if (planned === 'after') this.dead = true;
    return this.alive(result);
  }

  /** A dead run hears nothing more. */
  alive<T>(result: T): Promise<T> {
    return this.dead ? never() : Promise.resolve(result);
  }
}

function readersOf(stream: WorldStream, gate: Gate): readonly RecordReader[] {
  return [...new Set(stream.splits.map(({ path }) => path))].map((path) => {
    const own = (): readonly WorldSplit[] => stream.splits.filter((split) => split.path === path);
    const of = (id: string): WorldSplit => {
      const found = own().find((split) => split.id === id);
      if (found === undefined) throw new SluiceError('split-unknown', id);
      return found;
    };
    return {
      route: path,
      splits: () => gate.alive(own().map(({ id, parents }) => ({ id, parents }))),
      async read(id, after, bounds): Promise<ReadResult> {
        const split = of(id);
        if (split.fault === 'unreachable')
          throw new SluiceError('stream-unreachable', 'nobody answers', { retryable: true });
        if (split.fault === 'throttled')
          return gate.alive({ records: [], ended: false, inconclusive: true });
        if (split.fault === 'silent')
          await new Promise<void>((resolve) => split.waiting.push(resolve));
        const from = Number(after ?? 0);
        const records = split.records.slice(from, from + bounds.maxRecords);
        const left = split.records.length - from - records.length;
        return gate.alive({
          records,
          ended: split.closed && left === 0,
          ...(stream.asksLatest ? {} : { behindMs: left }),
        });
      },
      latest: (id) => gate.alive(stream.asksLatest ? of(id).records.at(-1)?.position : null),
      lag: (id, after) => gate.alive(of(id).records.length - Number(after ?? 0)),
      oldest: () => Promise.resolve({ position: undefined, counts: false }),
      positionAt: () => Promise.resolve(null),
      close: () => Promise.resolve(),
    };
  });
}

/** What is visible of a sink, and what is staged for it. */
interface Shelf {
  readonly visible: string[];
  readonly staged: Map<string, readonly string[]>;
  readonly committed: Set<string>;
}

type TextOf = (value: unknown, timestamp: number) => string;

function shelfSink(shelf: Shelf, run: RunId, gate: Gate, textOf: TextOf): Sink {
  let pending: string[] = [];
  let stagedRows = 0;
  const publish = (key: string): void => {
    if (shelf.committed.has(key)) return;
    shelf.visible.push(...(shelf.staged.get(key) ?? []));
    shelf.committed.add(key);
  };
  return {
    open: (restored) =>
      gate.call(() => {
        if (restored !== undefined) publish((restored as { readonly key: string }).key);
        for (const key of shelf.staged.keys())
          if (!shelf.committed.has(key)) shelf.staged.delete(key);
      }),
    write: ({ values, timestamps }: ElementBatch) =>
      gate.call(() => {
        pending.push(...values.map((value, i) => textOf(value, timestamps[i] as number)));
        return [];
      }),
    prepare: (checkpoint) =>
      gate.call(() => {
        const key = `${runName(run)}/${checkpoint}`;
        shelf.staged.set(key, pending);
        stagedRows += pending.length;
        pending = [];
        return { key };
      }),
    commit: (checkpoint) =>
      gate.call(() => {
        publish(`${runName(run)}/${checkpoint}`);
        stagedRows = 0;
      }),
    pendingRows: () => pending.length + stagedRows,
    close: () => Promise.resolve(),
  };
}

const rowText: TextOf = (value, timestamp) => {
  const at = (value as Partial<Row>).at;
  return `${JSON.stringify(value)}${at === undefined || at === timestamp ? '' : ` with the time ${timestamp}`}`;
};

const writesText: TextOf = (value) => JSON.stringify(value);

/** Code, operator or message, and what was refused: as the oracle says it. */
const rejectedText: TextOf = (value) => {
  const { code, operator, message, type, id, data } = value as RejectedEvent;
  if (code === 'undecodable-record') return `${code} ${operator}`;
  return `${code} ${code === 'function-threw' ? message : operator} ${type === 'derived' ? data : id}`;
};

export class World {
  readonly streams: readonly WorldStream[];
  readonly shelves = new Map<string, Shelf>();
  readonly #blobs = memoryBlobs();

  constructor(streams: readonly WorldStream[]) {
    this.streams = streams;
  }

  visible(sink: string): readonly string[] {
    return this.shelves.get(sink)?.visible ?? [];
  }

  blobs(gate: Gate): BlobStore {
    const blobs = this.#blobs;
    return {
      createIfAbsent: (key, bytes) => gate.call(() => blobs.createIfAbsent(key, bytes)),
      get: async (key) => gate.alive(await blobs.get(key)),
      list: async (prefix) => gate.alive(await blobs.list(prefix)),
      delete: (key) => gate.call(() => blobs.delete(key)),
    };
  }

  #sink(id: string, run: RunId, gate: Gate, textOf: TextOf): Sink {
    const shelf = this.shelves.get(id) ?? { visible: [], staged: new Map(), committed: new Set() };
    this.shelves.set(id, shelf);
    return shelfSink(shelf, run, gate, textOf);
  }

  connectors(
    gate: Gate,
    streamOf: (name: string) => number,
    lookups: Readonly<Record<string, (key: unknown) => Promise<unknown>>>,
  ): JobConnectors {
    return {
      readers: (name) =>
        Promise.resolve(readersOf(this.streams[streamOf(name)] as WorldStream, gate)),
      sink: (node: SinkNode, _graph, run) =>
        this.#sink(node.id, run, gate, node.sink.kind === 'graph' ? writesText : rowText),
      rejected: (_graph, run) => this.#sink('rejected', run, gate, rejectedText),
      table: () => Promise.resolve(tableRows),
      lookup: (name) => lookups[name] as (key: unknown) => Promise<unknown>,
    };
  }
}
