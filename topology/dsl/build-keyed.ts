/**
 * The calls on a keyed stream: what a kind of node is called, its module makes a node of. A window
 * is called twice. The key is not a node of its own: it is a function of the node that keeps the
 * state.
 */
import type { Key } from '../../schemas/kernel/key.ts';
import type { NodeInput } from '../nodes/node.ts';
import { allKinds } from '../operators/kinds.ts';
import type { Made } from '../operators/node-builder.ts';
import { addWindow } from './build-window.ts';
import type { PlanBuilder } from './builder.ts';
import type { KeyedStream, WindowOptions } from './stream.ts';
import type { Aggregate, WindowDefinition } from './windows.ts';

type Aggregates<T> = Readonly<Record<string, Aggregate<T, unknown>>>;

/** The elements of `from` by `key`; `streamsOf` gives the streams of what a call made. */
export function keyedFrom<T>(
  builder: PlanBuilder,
  from: NodeInput,
  key: unknown,
  streamsOf: (made: Made) => unknown,
): KeyedStream<Key, T> {
  const methods = allKinds.flatMap(({ name, buildKeyed: build }) => {
    if (build === undefined) return [];
    const method = (...given: readonly unknown[]): unknown =>
      streamsOf(build({ builder, from, key, name, given }));
    return [[name, method] as const];
  });
  const window = (id: string, definition: WindowDefinition, options: WindowOptions = {}) => {
    builder.mark(id);
    const aggregate = (aggregates: Aggregates<T>): unknown =>
      streamsOf({
        id,
        outputs: addWindow(builder, from, key, [id, definition, options], aggregates),
      });
    return { aggregate };
  };
  const keyed = { ...Object.fromEntries(methods), window } as unknown as KeyedStream<Key, T>;
  builder.rememberKeyed(keyed, { from, key });
  return keyed;
}
