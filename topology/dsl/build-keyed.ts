/**
 * Builds nodes from the calls on a keyed stream. The key is no node of its own: it is a function of
 * the node that keeps the state.
 */
import type { Key } from '../../schemas/kernel/key.ts';
import type { NodeInput } from '../nodes/node.ts';
import { outPort } from '../nodes/node.ts';
import { lateLeftPort, lateRightPort } from '../operators/interval-join/node.ts';
import type { StateDeclaration } from '../state/key-state.ts';
import { addWindow } from './build-window.ts';
import type { PlanBuilder } from './builder.ts';
import type { ProcessOptions, StateDefinition } from './state.ts';
import type { IntervalJoinOptions, KeyedStream, Stream, WindowOptions } from './stream.ts';
import type { Aggregate, WindowDefinition } from './windows.ts';

type StreamFrom = <T>(builder: PlanBuilder, from: NodeInput) => Stream<T>;

/** The elements of `from` by `key`. */
export function keyedFrom<T>(
  builder: PlanBuilder,
  from: NodeInput,
  key: unknown,
  streamFrom: StreamFrom,
): KeyedStream<Key, T> {
  const ports = (id: string, outputs: readonly string[]): Record<string, Stream<unknown>> =>
    Object.fromEntries(
      outputs.map((port) => [port, streamFrom<unknown>(builder, { node: id, port })]),
    );

  const keyed: KeyedStream<Key, T> = {
    window: (id: string, definition: WindowDefinition, options: WindowOptions = {}) => {
      builder.mark(id);
      const aggregate = (aggregates: Readonly<Record<string, Aggregate<T, unknown>>>) =>
        ports(id, addWindow(builder, from, key, [id, definition, options], aggregates));
      return { aggregate } as never;
    },
    intervalJoin: (id: string, right: object, bounds: IntervalJoinOptions, join: unknown) =>
      ports(id, addIntervalJoin(builder, from, key, [id, right, bounds, join])) as never,
    process: (id, options) => {
      addProcess(builder, from, key, id, options as unknown as AnyProcess);
      return streamFrom<unknown>(builder, { node: id, port: outPort }) as never;
    },
  };
  builder.rememberKeyed(keyed, { from, key });
  return keyed;
}

/** Adds the join; gives its outputs. */
function addIntervalJoin(
  builder: PlanBuilder,
  from: NodeInput,
  key: unknown,
  [id, right, bounds, join]: readonly [string, object, IntervalJoinOptions, unknown],
): readonly string[] {
  const options = builder.given(id, 'bounds', bounds, "{ lower: '-10m', upper: '0s' }");
  const other = builder.keyedInputOf(right, id);
  const late = options.late ?? 'drop';
  const outputs = late === 'side' ? [outPort, lateLeftPort, lateRightPort] : [outPort];
  const lowerMs = builder.signedDuration(id, 'lower', options.lower);
  const upperMs = builder.signedDuration(id, 'upper', options.upper);
  builder.add(
    {
      id,
      kind: 'intervalJoin',
      inputs: [from, other.from],
      outputs,
      lowerMs: lowerMs + (options.lowerExclusive === true ? 1 : 0),
      upperMs: upperMs - (options.upperExclusive === true ? 1 : 0),
      join: options.join ?? 'inner',
      late,
    },
    { leftKey: key, rightKey: other.key, join },
  );
  return outputs;
}

type AnyProcess = ProcessOptions<
  unknown,
  Key,
  Readonly<Record<string, StateDefinition<unknown>>>,
  unknown
>;

function addProcess(
  builder: PlanBuilder,
  from: NodeInput,
  key: unknown,
  id: string,
  options: AnyProcess,
): void {
  const example = 'process(id, { state, onElement })';
  const { state: declared, onElement, onTimer } = builder.given(id, 'options', options, example);
  const named = builder.given(id, 'state', declared, 'state: {} where it keeps none');
  builder.namesOf(id, 'state', named);
  const state = Object.entries(named).map(([name, one]) => declarationOf(builder, id, name, one));
  const timers = onTimer !== undefined;
  builder.add(
    { id, kind: 'process', inputs: [from], outputs: [outPort], state, timers },
    { key, onElement, onTimer },
  );
}

function declarationOf(
  builder: PlanBuilder,
  id: string,
  name: string,
  declared: StateDefinition<unknown>,
): StateDeclaration {
  const { type, options } = builder.given(id, `state '${name}'`, declared, `${name}: value()`);
  const { ttl, refresh } = builder.given(id, `state '${name}'`, options, `${name}: value()`);
  return {
    name,
    type,
    ttlMs: ttl === undefined ? 0 : builder.lasting(id, `state.${name}.ttl`, ttl, 1),
    refresh: refresh ?? 'write',
  };
}
