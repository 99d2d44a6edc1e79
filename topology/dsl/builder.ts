/**
 * Collects nodes, functions and problems while an author's build function runs. It never throws for
 * what the author wrote: all problems are reported at once, afterwards.
 */
import type { AnyNode, NodeInput, PlanProblem, SchemaChoice, UserFunction } from '../nodes/node.ts';
import { outPort } from '../nodes/node.ts';
import type { PlanNode } from '../operators/kinds.ts';
import type { KeyedInput, NodeBuilder } from '../operators/node-builder.ts';
import { durationMaxMs, parseDuration } from '../time/duration.ts';

const sameTopology = 'use streams of the same topology() call only';

export class PlanBuilder implements NodeBuilder {
  readonly nodes: PlanNode[] = [];
  readonly problems: PlanProblem[] = [];
  readonly functions = new Map<string, UserFunction>();
  /** Where each node was made: the stack of the call, by id. Of two of one id, the second. */
  readonly places = new Map<string, string>();
  readonly #marked = new Set<string>();
  readonly #paths = new Map<string, number>();
  readonly #streams = new WeakMap<object, NodeInput>();
  readonly #keyed = new WeakMap<object, KeyedInput>();

  add(node: PlanNode | AnyNode, functions: Readonly<Record<string, unknown>> = {}): void {
    if (typeof node.id !== 'string' || node.id === '')
      this.problems.push({
        node: `a ${node.kind}`,
        message: `its id must be a string, not ${shown(node.id)}`,
        fix: 'pass its id as the first argument',
      });
    // A kind makes nodes of its own only.
    this.nodes.push(node as PlanNode);
    if (!this.#marked.delete(node.id)) this.#place(node.id);
    for (const [slot, call] of Object.entries(functions)) {
      if (typeof call === 'function')
        this.functions.set(address(node.id, slot), call as UserFunction);
    }
  }

  /** The next node of this id is made in several calls, of which this is the first. */
  mark(id: string): void {
    this.#place(id);
    this.#marked.add(id);
  }

  #place(id: string): void {
    this.places.set(id, new Error('made here').stack ?? '');
  }

  /**
   * The id of a stateless node: its place, `clicks/map`, and for a second one at the same place
   * `clicks/map~2`.
   */
  pathId(from: NodeInput, kind: string): string {
    const place =
      from.port === outPort ? `${from.node}/${kind}` : `${from.node}.${from.port}/${kind}`;
    const count = (this.#paths.get(place) ?? 0) + 1;
    this.#paths.set(place, count);
    return count === 1 ? place : `${place}~${count}`;
  }

  /**
   * What an author gave as `what`, which must be an object; an empty one in place of anything else,
   * which is a problem of the node.
   */
  given<T extends object>(node: string, what: string, value: T, example: string): T {
    if (typeof value === 'object' && (value as T | null) !== null) return value;
    this.problems.push({
      node,
      message: `its ${what} must be an object, not ${shown(value)}`,
      fix: `write ${example}`,
    });
    return {} as T;
  }

  /** A schema as data. */
  schema(node: string, value: SchemaChoice): SchemaChoice {
    const { id, document } = this.given(
      node,
      'schema',
      value,
      'the schema that `sluice schema types` generates',
    );
    if (typeof id === 'string' && typeof document === 'object') return { id, document };
    if (typeof value === 'object')
      this.problems.push({
        node,
        message: 'its schema is not one that Sluice made',
        fix: 'pass what `sluice schema types` generates, or schemaOf({ $id: ... })',
      });
    return { id: 'none', document: {} };
  }

  /**
   * The names that an author gave to the parts of `what`. What an object inherits would not be
   * seen.
   */
  namesOf(node: string, what: string, parts: object): readonly string[] {
    const prototype: unknown = Object.getPrototypeOf(parts);
    if (prototype !== null && Object.getPrototypeOf(prototype) !== null)
      this.problems.push({
        node,
        message: `its ${what} must be a plain object: inherited members and __proto__ are ignored`,
        fix: `write its ${what} as { name: ... }`,
      });
    return Object.keys(parts);
  }

  /** Milliseconds from `least` up; anything else is a problem of the node. */
  duration(node: string, option: string, value: unknown, least = 0): number {
    const ms = this.signedDuration(node, option, value, least);
    if (ms >= least) return ms;
    this.problems.push({
      node,
      message: `${option} must be at least ${least} ms, not ${ms} ms`,
      fix: `write a longer ${option}`,
    });
    return least;
  }

  /**
   * As `duration`, of how long something is kept: `Number.MAX_SAFE_INTEGER` says forever, as the
   * longest of Flink's does.
   */
  lasting(node: string, option: string, value: unknown, least = 0): number {
    return value === Number.MAX_SAFE_INTEGER ? value : this.duration(node, option, value, least);
  }

  /**
   * Milliseconds, also negative ones; `instead` where it is none, as one problem of it is enough.
   */
  signedDuration(node: string, option: string, value: unknown, instead = 0): number {
    const ms = parseDuration(value);
    if (ms === undefined) {
      this.problems.push({
        node,
        message: `${option} must be a duration such as '10s', '5m', '1h' or whole milliseconds, not ${shown(value)}`,
        fix: `write ${option}: '10s'`,
      });
      return instead;
    }
    if (Math.abs(ms) <= durationMaxMs) return ms;
    const mostDays = durationMaxMs / 86_400_000;
    this.problems.push({
      node,
      message: `${option} is too long: a duration is at most ${mostDays}d, not ${shown(value)}`,
      fix: `write a shorter ${option}`,
    });
    return instead;
  }

  /** Which output a stream object stands for, so that a node can take several streams. */
  remember(stream: object, from: NodeInput): void {
    this.#streams.set(stream, from);
  }

  rememberKeyed(stream: object, input: KeyedInput): void {
    this.#keyed.set(stream, input);
  }

  inputOf(stream: object, node: string): NodeInput {
    const found = this.#streams.get(stream);
    if (found === undefined)
      this.problems.push({
        node,
        message: 'one of its inputs is not a stream of this topology',
        fix: sameTopology,
      });
    return found ?? { node: '', port: outPort };
  }

  keyedInputOf(stream: object, node: string): KeyedInput {
    const found = this.#keyed.get(stream);
    if (found === undefined)
      this.problems.push({
        node,
        message: 'its right input is not a keyed stream of this topology',
        fix: sameTopology,
      });
    return found ?? { from: { node: '', port: outPort }, key: undefined };
  }
}

export function address(node: string, slot: string): string {
  return `${node}\n${slot}`;
}

function shown(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`;
  return typeof value === 'number' || value === undefined || value === null
    ? String(value)
    : `a value of type ${typeof value}`;
}
