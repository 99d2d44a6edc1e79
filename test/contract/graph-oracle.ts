/**
 * What a graph should hold after writes, one after the other, by a model of maps: the answer that
 * databases are compared with.
 */
import type { EdgeModel, GraphModel, GraphWrite, NodeModel } from '../../topology/index.ts';

type Props = Readonly<Record<string, unknown>>;

export class GraphOracle {
  readonly #model: GraphModel;
  readonly #nodes = new Map<string, Props>();
  readonly #edges = new Map<string, Props>();

  constructor(model: GraphModel) {
    this.#model = model;
  }

  apply(write: GraphWrite): void {
    if (write.kind === 'node') return this.#keepNode(write.label, write.props);
    const { from, to, key } = this.#model.edges[write.type] as EdgeModel;
    this.#keepNode(from, { [this.#keyOf(from)]: write.from });
    this.#keepNode(to, { [this.#keyOf(to)]: write.to });
    const id = JSON.stringify([
      write.type,
      write.from,
      write.to,
      ...key.map((name) => write.props[name]),
    ]);
    this.#edges.set(id, { ...this.#edges.get(id), ...write.props, from: write.from, to: write.to });
  }

  #keyOf(label: string): string {
    return (this.#model.nodes[label] as NodeModel).key;
  }

  #keepNode(label: string, props: Props): void {
    const id = JSON.stringify([label, props[this.#keyOf(label)]]);
    this.#nodes.set(id, { ...this.#nodes.get(id), ...props });
  }

  /**
   * All of a label or edge type, as rows of `columns` (of an edge also `from` and `to`), sorted by
   * all of them; what is not there is null.
   */
  rows(name: string, columns: readonly string[]): readonly (readonly unknown[])[] {
    const found = [...this.#nodes, ...this.#edges].filter(
      ([id]) => (JSON.parse(id) as unknown[])[0] === name,
    );
    return sortedRows(found.map(([, props]) => columns.map((column) => plain(props[column]))));
  }
}

/** JSON has no -0. */
const plain = (value: unknown): unknown => (Object.is(value, -0) ? 0 : (value ?? null));

/** Rows in an order that does not depend on a database's collation. */
export function sortedRows(rows: readonly (readonly unknown[])[]): readonly (readonly unknown[])[] {
  const text = new Map(rows.map((row) => [row, JSON.stringify(row)]));
  return [...rows].sort((a, b) => ((text.get(a) ?? '') < (text.get(b) ?? '') ? -1 : 1));
}
