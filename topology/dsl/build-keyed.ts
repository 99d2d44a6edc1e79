/**
 * Builds graph nodes from the calls on a keyed stream. The key is no node of its own: it is a
 * function of the node that keeps the state.
 */
import type { Key } from '../../schemas/kernel/key.ts';
import type { NodeInput, StateDeclaration, WindowShape } from '../graph/graph.ts';
import { aggregateSlot, lateLeftPort, latePort, lateRightPort, outPort } from '../graph/graph.ts';
import type { GraphBuilder } from './builder.ts';
import type { StateDefinition } from './state.ts';
import type { IntervalJoinOptions, KeyedStream, Stream, WindowOptions } from './stream.ts';
import type { Aggregate, WindowDefinition } from './windows.ts';

type StreamFrom = <T>(builder: GraphBuilder, from: NodeInput) => Stream<T>;

/** The elements of `from` by `key`. */
export function keyedFrom<T>(
  builder: GraphBuilder,
  from: NodeInput,
  key: unknown,
  streamFrom: StreamFrom,
): KeyedStream<Key, T> {
  const outputsOf = (id: string, outputs: readonly string[]): Record<string, Stream<unknown>> =>
    Object.fromEntries(
      outputs.map((port) => [port, streamFrom<unknown>(builder, { node: id, port })]),
    );

  const keyed: KeyedStream<Key, T> = {
    window: (id: string, definition: WindowDefinition, options: WindowOptions = {}) => {
      builder.mark(id);
      const late = options.late ?? 'drop';
      const aggregate = (
        aggregates: Readonly<Record<string, Aggregate<T, unknown>>>,
      ): Record<string, Stream<unknown>> => {
        const outputs = late === 'side' ? [outPort, latePort] : [outPort];
        const named = builder.given(id, 'aggregates', aggregates, 'aggregate({ n: count() })');
        builder.namesOf(id, 'aggregates', named);
        const made = Object.entries(named).filter(([name, one]) =>
          isAggregate(builder, id, name, one),
        );
        const choices = made.map(([name, { agg, functions }]) => ({
          name,
          agg,
          parts: Object.keys(functions),
        }));
        const slots = made.flatMap(([name, { functions }]) =>
          Object.entries(functions).map(
            ([part, call]) => [aggregateSlot(name, part), call] as const,
          ),
        );
        builder.add(
          {
            id,
            kind: 'window',
            inputs: [from],
            outputs,
            window: shapeOf(builder, id, definition),
            allowedLatenessMs: builder.lasting(id, 'allowedLateness', options.allowedLateness ?? 0),
            late,
            mode: options.mode ?? 'accumulating',
            earlyMs:
              options.early === undefined ? 0 : builder.duration(id, 'early', options.early, 1),
            aggregates: choices,
          },
          { key, ...Object.fromEntries(slots) },
        );
        return outputsOf(id, outputs);
      };
      return { aggregate } as never;
    },
    intervalJoin: (id: string, right: object, bounds: IntervalJoinOptions, join: unknown) => {
      const options = builder.given(id, 'bounds', bounds, "{ lower: '-10m', upper: '0s' }");
      const other = builder.keyedInputOf(right, id);
      const late = options.late ?? 'drop';
      const outputs = late === 'side' ? [outPort, lateLeftPort, lateRightPort] : [outPort];
      builder.add(
        {
          id,
          kind: 'intervalJoin',
          inputs: [from, other.from],
          outputs,
          lowerMs:
            builder.signedDuration(id, 'lower', options.lower) +
            (options.lowerExclusive === true ? 1 : 0),
          upperMs:
            builder.signedDuration(id, 'upper', options.upper) -
            (options.upperExclusive === true ? 1 : 0),
          join: options.join ?? 'inner',
          late,
        },
        { leftKey: key, rightKey: other.key, join },
      );
      return outputsOf(id, outputs) as never;
    },
    process: (id, options) => {
      const {
        state: declarations,
        onElement,
        onTimer,
      } = builder.given(id, 'options', options, 'process(id, { state, onElement })');
      const named = builder.given(id, 'state', declarations, 'state: {} where it keeps none');
      builder.namesOf(id, 'state', named);
      const state = Object.entries(named).map(([name, declared]) =>
        declarationOf(builder, id, name, declared),
      );
      const timers = onTimer !== undefined;
      builder.add(
        { id, kind: 'process', inputs: [from], outputs: [outPort], state, timers },
        { key, onElement, onTimer },
      );
      return streamFrom<unknown>(builder, { node: id, port: outPort }) as never;
    },
  };
  builder.rememberKeyed(keyed, { from, key });
  return keyed;
}

function isAggregate(
  builder: GraphBuilder,
  node: string,
  name: string,
  value: Aggregate<never, unknown>,
): boolean {
  const { agg, functions } = builder.given(node, `aggregate '${name}'`, value, `${name}: count()`);
  if (typeof agg === 'string' && typeof functions === 'object') return true;
  if (typeof value === 'object')
    builder.problems.push({
      node,
      message: `its aggregate '${name}' is none`,
      fix: `write ${name}: count(), or aggregator({ ... })`,
    });
  return false;
}

function shapeOf(builder: GraphBuilder, id: string, given: WindowDefinition): WindowShape {
  const definition = builder.given(id, 'window', given, "tumbling('1m')");
  switch (definition.type) {
    case 'tumbling':
      return {
        type: 'tumbling',
        sizeMs: builder.duration(id, 'size', definition.size, 1),
        offsetMs: builder.signedDuration(id, 'offset', definition.offset),
      };
    case 'sliding':
      return {
        type: 'sliding',
        sizeMs: builder.duration(id, 'size', definition.size, 1),
        slideMs: builder.duration(id, 'slide', definition.slide, 1),
        offsetMs: builder.signedDuration(id, 'offset', definition.offset),
      };
    case 'session':
      return { type: 'session', gapMs: builder.duration(id, 'gap', definition.gap, 1) };
    default:
      if (typeof given === 'object')
        builder.problems.push({
          node: id,
          message: 'its window is none',
          fix: "write tumbling('1m'), sliding('5m', '1m') or session('30m')",
        });
      return { type: 'session', gapMs: 1 };
  }
}

function declarationOf(
  builder: GraphBuilder,
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
