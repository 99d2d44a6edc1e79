/**
 * The calls on a stream: what a kind of node is called, its module makes a node of.
 */
import type { NodeInput } from '../nodes/node.ts';
import { outPort } from '../nodes/node.ts';
import { allKinds } from '../operators/kinds.ts';
import type { Made, StreamCall } from '../operators/node-builder.ts';
import { keyedFrom } from './build-keyed.ts';
import type { PlanBuilder } from './builder.ts';
import type { Stream } from './stream.ts';

type Build = (call: StreamCall) => Made | undefined;

/** By the name of the method. */
const builds: readonly (readonly [name: string, build: Build])[] = allKinds.flatMap(
  ({ name, oldName, methods, build }) =>
    build === undefined
      ? []
      : (methods ?? [name, oldName]).flatMap((method) =>
          method === undefined ? [] : [[method, build] as const],
        ),
);

/**
 * The stream that comes out of `from`. Which methods there are, and of which types, `Stream` says.
 */
export function streamFrom<T>(builder: PlanBuilder, from: NodeInput): Stream<T> {
  const methods = builds.map(([name, build]) => {
    const method = (...given: readonly unknown[]): unknown =>
      outputsOf(builder, build({ builder, from, name, given }));
    return [name, method] as const;
  });
  const keyBy = (key: unknown): unknown =>
    keyedFrom(builder, from, key, (made) => outputsOf(builder, made));
  const stream = { ...Object.fromEntries(methods), keyBy } as unknown as Stream<T>;
  builder.remember(stream, from);
  return stream;
}

function outputsOf(builder: PlanBuilder, made: Made | undefined): unknown {
  if (made === undefined) return undefined;
  const { id, outputs } = made;
  if (outputs === undefined) return streamFrom(builder, { node: id, port: outPort });
  return Object.fromEntries(outputs.map((port) => [port, streamFrom(builder, { node: id, port })]));
}
