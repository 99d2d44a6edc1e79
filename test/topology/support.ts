/**
 * A small world for engine tests: streams in memory behind the reader port, a blob store in memory,
 * and a sink that records every action in one ordered list. The sink keeps the port's promises and
 * forgets, like a process that was killed, what it did not stage.
 */
import type { EventAttributes } from '../../schemas/event.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { BlobStore } from '../../schemas/ports/blob-store.ts';
import type { IncomingRecord, Route } from '../../schemas/ports/record.ts';
import type { ReadFrom, ReadResult, RecordReader } from '../../schemas/ports/record-reader.ts';
import type { RunId } from '../../schemas/run-id.ts';
import { runName } from '../../schemas/run-id.ts';
import { encodeStructured } from '../../schemas/wire.ts';
import type { ElementBatch, JobConnectors, LookupFunction, Sink } from '../../topology/index.ts';

export interface MemorySplit {
  readonly path: Route;
  readonly split: string;
  readonly records: IncomingRecord[];
  readonly parents: readonly string[];
  closed: boolean;
  /** How many of its records retention has taken. Absent: none. */
  trimmed?: number;
  /** As the stream lists it. */
  begins?: string;
  goneParents?: readonly string[];
  /**
   * What becomes of its reads: an error that can be tried again, no answer at all, or one that says
   * nothing. Absent: they are answered.
   */
  fault?: 'unreachable' | 'silent' | 'throttled';
}

export interface MemoryStream {
  readonly splits: MemorySplit[];
  /**
   * Whether it can be asked for its newest positions, as Kafka; otherwise its reads say when they
   * are at the end, as Kinesis'.
   */
  asksLatest: boolean;
  /** Whether nobody answers; what is asked can be asked again. */
  unreachable: boolean;
}

export function memoryStream(
  ...splits: readonly (readonly [path: Route, split: string])[]
): MemoryStream {
  return {
    splits: splits.map(([path, split]) => ({
      path,
      split,
      records: [],
      parents: [],
      closed: false,
    })),
    asksLatest: true,
    unreachable: false,
  };
}

/** As Kinesis reshards: the parents take no more, and children stand beside them. */
export function reshard(
  stream: MemoryStream,
  parents: readonly string[],
  children: readonly string[],
): void {
  for (const split of stream.splits) if (parents.includes(split.split)) split.closed = true;
  stream.splits.push(
    ...children.map((split) => ({
      path: 'kinesis' as const,
      split,
      records: [],
      parents,
      closed: false,
    })),
  );
}

export function put(
  stream: MemoryStream,
  index: number,
  record: Partial<IncomingRecord> & { readonly value: Uint8Array },
): void {
  const split = stream.splits[index];
  if (split === undefined) throw new Error(`no split ${index}`);
  split.records.push({
    key: 'k',
    position: String(split.records.length + 1),
    arrivedAtMs: 1_000,
    ...record,
  });
}

export function event(
  id: string,
  data: unknown,
  extra: Partial<EventAttributes> = {},
): { readonly value: Uint8Array } {
  const attributes: EventAttributes = {
    id,
    source: '/a/b',
    type: 'a.b',
    time: '2026-01-01T00:00:00.000Z',
    datacontenttype: 'application/json',
    team: 'a',
    app: 'b',
    partitionkey: id,
    receivedtime: '2026-01-01T00:00:00.000Z',
    ...extra,
  };
  return { value: Buffer.concat(encodeStructured(attributes, Buffer.from(JSON.stringify(data)))) };
}

function positionAt({ records, trimmed = 0 }: MemorySplit, from: ReadFrom): string | undefined {
  const found =
    from === 'latest' ? -1 : records.findIndex(({ arrivedAtMs }) => arrivedAtMs >= from);
  const next = found === -1 ? records.length : found;
  return next <= trimmed ? undefined : String(next);
}

function readersOf(stream: MemoryStream): readonly RecordReader[] {
  return [...new Set(stream.splits.map((split) => split.path))].map((path) => {
    const own = (): readonly MemorySplit[] => stream.splits.filter((split) => split.path === path);
    const answer = async <T>(give: () => T | Promise<T>): Promise<T> => {
      if (stream.unreachable)
        throw new SluiceError('stream-unreachable', 'nobody answers', { retryable: true });
      return give();
    };
    const of = (id: string): MemorySplit => {
      const found = own().find((split) => split.split === id);
      if (found === undefined) throw new SluiceError('split-unknown', id);
      return found;
    };
    return {
      route: path,
      splits: () =>
        answer(() =>
          own().map(({ split, parents, begins, goneParents }) => ({
            id: split,
            parents,
            ...(begins === undefined ? {} : { begins }),
            ...(goneParents === undefined ? {} : { goneParents }),
          })),
        ),
      read: (id, after, bounds) =>
        answer(() => {
          const { fault } = of(id);
          if (fault === 'unreachable')
            throw new SluiceError('stream-unreachable', 'nobody answers', { retryable: true });
          if (fault === 'throttled')
            return { records: [], ended: false, inconclusive: true as const };
          if (fault === 'silent') return new Promise<ReadResult>(() => undefined);
          const { records, closed, trimmed = 0 } = of(id);
          const from = after === undefined ? trimmed : Number(after);
          if (from < trimmed)
            throw new SluiceError('position-trimmed', `${from + 1} is no longer kept`);
          if (from > records.length && stream.asksLatest)
            throw new SluiceError('position-truncated', `it goes on at ${records.length + 1}`);
          const read = records.slice(from, from + bounds.maxRecords);
          const left = records.length - from - read.length;
          const end = stream.asksLatest ? {} : { behindMs: left };
          const begins =
            after === undefined && stream.asksLatest ? { begins: String(trimmed + 1) } : {};
          return { records: read, ended: closed && left === 0, ...end, ...begins };
        }),
      latest: (id) => answer(() => (stream.asksLatest ? of(id).records.at(-1)?.position : null)),
      lag: (id, after) => answer(() => of(id).records.length - Number(after ?? 0)),
      oldest: (id) =>
        answer(() => ({ position: String((of(id).trimmed ?? 0) + 1), counts: stream.asksLatest })),
      positionAt: (id, from) => answer(() => (stream.asksLatest ? positionAt(of(id), from) : null)),
      close: () => Promise.resolve(),
    } satisfies RecordReader;
  });
}

export function memoryBlobs(): BlobStore & { readonly blobs: Map<string, Uint8Array> } {
  const blobs = new Map<string, Uint8Array>();
  return {
    blobs,
    createIfAbsent: (key, bytes) => {
      if (blobs.has(key)) return Promise.resolve(false);
      blobs.set(key, bytes);
      return Promise.resolve(true);
    },
    get: (key) => Promise.resolve(blobs.get(key)),
    list: (prefix) =>
      Promise.resolve([...blobs.keys()].filter((key) => key.startsWith(prefix)).sort()),
    delete: (key) => {
      blobs.delete(key);
      return Promise.resolve();
    },
  };
}

/**
 * What is visible of a table, and what is staged durably for it. Outlives the sinks that write it,
 * as a disk does.
 */
export interface MemoryTable {
  readonly visible: unknown[];
  readonly staged: Map<string, readonly unknown[]>;
  readonly committed: Set<string>;
}

function memoryTable(): MemoryTable {
  return { visible: [], staged: new Map(), committed: new Set() };
}

/** A fault to plan: called with each step's name before it happens; throws to crash there. */
export type Crash = (step: string) => void;

function recordingSink(
  name: string,
  table: MemoryTable,
  actions: string[],
  run: RunId,
  crash: Crash = () => undefined,
): Sink {
  let pending: unknown[] = [];
  let stagedRows = 0;
  const act = (step: string): void => {
    crash(`${name} ${step}`);
    actions.push(`${name} ${step}`);
  };
  const publish = (key: string): void => {
    if (table.committed.has(key)) return;
    table.visible.push(...(table.staged.get(key) ?? []));
    table.committed.add(key);
  };
  return {
    open(restored) {
      act('open');
      const state = restored as { readonly key: string } | undefined;
      if (state !== undefined) publish(state.key);
      for (const key of table.staged.keys())
        if (!table.committed.has(key)) table.staged.delete(key);
      return Promise.resolve();
    },
    write(batch: ElementBatch) {
      act(`write ${batch.length}`);
      pending.push(...batch.values);
      return Promise.resolve([]);
    },
    prepare(checkpoint) {
      act(`prepare ${checkpoint}`);
      const key = `${runName(run)}/${checkpoint}`;
      table.staged.set(key, pending);
      stagedRows += pending.length;
      pending = [];
      return Promise.resolve({ key });
    },
    commit(checkpoint) {
      act(`commit ${checkpoint}`);
      publish(`${runName(run)}/${checkpoint}`);
      stagedRows = 0;
      return Promise.resolve();
    },
    pendingRows: () => pending.length + stagedRows,
    close: () => Promise.resolve(),
  };
}

export interface World {
  readonly streams: Readonly<Record<string, MemoryStream>>;
  readonly tables: Record<string, MemoryTable>;
  readonly actions: string[];
  crash: Crash;
  readonly files: Record<string, readonly unknown[]>;
  readonly lookups: Record<string, LookupFunction>;
  readonly connectors: JobConnectors;
}

export function world(streams: Readonly<Record<string, MemoryStream>>): World {
  const tables: Record<string, MemoryTable> = {};
  const made: World = {
    streams,
    tables,
    actions: [],
    files: {},
    lookups: {},
    crash: () => undefined,
    connectors: {
      table: ({ file }) => {
        const rows = made.files[file];
        return rows === undefined
          ? Promise.reject(new SluiceError('lookup-table-missing', file))
          : Promise.resolve(rows);
      },
      lookup: (name) => {
        const found = made.lookups[name];
        if (found === undefined) throw new SluiceError('connector-missing', name);
        return found;
      },
      readers: (name) => {
        const stream = streams[name];
        if (stream === undefined) return Promise.reject(new SluiceError('stream-missing', name));
        return Promise.resolve(readersOf(stream));
      },
      sink: (node, _graph, run) => {
        const name = node.sink.kind === 'table' ? node.sink.table : node.id;
        return recordingSink(name, (tables[name] ??= memoryTable()), made.actions, run, (step) =>
          made.crash(step),
        );
      },
      rejected: (_graph, run) =>
        recordingSink(
          'rejected',
          (tables['rejected'] ??= memoryTable()),
          made.actions,
          run,
          (step) => made.crash(step),
        ),
    },
  };
  return made;
}
