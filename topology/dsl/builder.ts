/**
 * Collects nodes, functions and problems while an author's build function runs. It never throws for what the author wrote: all problems
 * are told at once, afterwards.
 */
import type { GraphNode, GraphProblem, NodeInput, UserFunction } from '../graph/graph.ts';
import { outPort } from '../graph/graph.ts';
import { parseDuration } from '../time/duration.ts';

export class GraphBuilder {
  readonly nodes: GraphNode[] = [];
  readonly problems: GraphProblem[] = [];
  readonly functions = new Map<string, UserFunction>();
  readonly #paths = new Map<string, number>();

  add(node: GraphNode, functions: Readonly<Record<string, unknown>> = {}): void {
    this.nodes.push(node);
    for (const [slot, call] of Object.entries(functions)) {
      if (typeof call === 'function') this.functions.set(address(node.id, slot), call as UserFunction);
    }
  }

  /** The id of a stateless node: its place, `clicks/map`, and for a second one at the same place `clicks/map~2`. */
  pathId(from: NodeInput, kind: string): string {
    const place = from.port === outPort ? `${from.node}/${kind}` : `${from.node}.${from.port}/${kind}`;
    const count = (this.#paths.get(place) ?? 0) + 1;
    this.#paths.set(place, count);
    return count === 1 ? place : `${place}~${count}`;
  }

  /** Milliseconds from 0 up; anything else is a problem of the node. */
  duration(node: string, option: string, value: unknown): number {
    const ms = parseDuration(value);
    if (ms !== undefined && ms >= 0) return ms;
    this.problems.push({
      node,
      message: `${option} must be a duration such as '10s', '5m', '1h' or milliseconds, not ${JSON.stringify(value)}`,
    });
    return 0;
  }
}

export function address(node: string, slot: string): string {
  return `${node}\n${slot}`;
}
