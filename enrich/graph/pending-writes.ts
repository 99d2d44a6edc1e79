/**
 * The writes of a graph sink that are not staged yet: merged per node and edge, and returned
 * sorted, in chunks.
 *
 * Invariants:
 * 1. There is one write per node and edge; the last value of a property wins.
 * 2. Chunks are in order of key, nodes before edges; one has at most `graphChunkMaxWrites` writes,
 *    and at most `graphChunkMaxBytes` as JSON unless it is a single write.
 */
import { assert } from '../../schemas/kernel/assert.ts';
import { mebi } from '../../schemas/kernel/bytes.ts';
import { limits } from '../../schemas/limits.ts';
import type {
  EdgeModel,
  GraphModel,
  GraphWrite,
  KeyValue,
  NodeModel,
  PropertyValues,
} from '../../topology/index.ts';

/** Graph: writes of one transaction, and their bytes as JSON. */
export const graphChunkMaxWrites = 2_000;
export const graphChunkMaxBytes = 4 * mebi;
assert(limits.graphWriteMaxBytes <= graphChunkMaxBytes, 'a chunk holds at least one write');

interface Merged {
  /** Sorted by: kind, label or type, then keys. */
  readonly order: readonly KeyValue[];
  readonly write: GraphWrite;
  readonly props: Record<string, PropertyValues[string]>;
}

export class PendingWrites {
  readonly #model: GraphModel;
  #merged = new Map<string, Merged>();
  #bytes = 0;

  constructor(model: GraphModel) {
    this.#model = model;
  }

  /** Nodes and edges that are written. */
  get writes(): number {
    return this.#merged.size;
  }

  /** No less than what is held. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds a write that fits the model and has so many bytes. */
  add(write: GraphWrite, bytes: number): void {
    const order = this.#orderOf(write);
    const id = JSON.stringify(order);
    this.#bytes += bytes;
    const before = this.#merged.get(id);
    if (before === undefined) this.#merged.set(id, { order, write, props: { ...write.props } });
    else Object.assign(before.props, write.props);
  }

  #orderOf(write: GraphWrite): readonly KeyValue[] {
    if (write.kind === 'node') {
      const { key } = this.#model.nodes[write.label] as NodeModel;
      return [0, write.label, write.props[key] as KeyValue];
    }
    const { key } = this.#model.edges[write.type] as EdgeModel;
    return [
      1,
      write.type,
      write.from,
      write.to,
      ...key.map((name) => write.props[name] as KeyValue),
    ];
  }

  /** Everything, as chunks: each is the JSON of an array of writes. Nothing is left. */
  takeChunks(): readonly string[] {
    const sorted = [...this.#merged.values()].sort((a, b) => compare(a.order, b.order));
    this.#merged = new Map();
    this.#bytes = 0;
    const chunks: string[] = [];
    let texts: string[] = [];
    let bytes = 0;
    const cut = (): void => {
      if (texts.length > 0) chunks.push(`[${texts.join(',')}]`);
      texts = [];
      bytes = 0;
    };
    for (const { write, props } of sorted) {
      const text = JSON.stringify({ ...write, props });
      const size = Buffer.byteLength(text) + 1;
      if (texts.length >= graphChunkMaxWrites || bytes + size > graphChunkMaxBytes) cut();
      texts.push(text);
      bytes += size;
    }
    cut();
    return chunks;
  }
}

/** Of two orders of one label or type, the parts at one place have one type. */
function compare(a: readonly KeyValue[], b: readonly KeyValue[]): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    const x = a[i] as KeyValue;
    const y = b[i] as KeyValue;
    if (x !== y) return x < y ? -1 : 1;
  }
  return 0;
}
