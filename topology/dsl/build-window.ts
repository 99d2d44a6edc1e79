/**
 * Builds the node of a window, which is made in two calls: the window, and what it makes of its
 * elements.
 */
import type { NodeInput } from '../nodes/node.ts';
import { latePort, outPort } from '../nodes/node.ts';
import { migratePart, versionOf } from '../operators/state-version.ts';
import type { AggregateChoice } from '../operators/window/node.ts';
import { aggregateSlot } from '../operators/window/node.ts';
import type { WindowShape } from '../time/windows.ts';
import type { PlanBuilder } from './builder.ts';
import type { WindowOptions } from './stream.ts';
import type { Aggregate, WindowDefinition } from './windows.ts';

type Aggregates = Readonly<Record<string, Aggregate<never, unknown>>>;

/** Adds the window; gives its outputs. */
export function addWindow(
  builder: PlanBuilder,
  from: NodeInput,
  key: unknown,
  [id, definition, options]: readonly [id: string, WindowDefinition, WindowOptions],
  aggregates: Aggregates,
): readonly string[] {
  const late = options.late ?? 'drop';
  const outputs = late === 'side' ? [outPort, latePort] : [outPort];
  const { choices, functions } = choicesOf(builder, id, aggregates);
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
      earlyMs: options.early === undefined ? 0 : builder.duration(id, 'early', options.early, 1),
      aggregates: choices,
    },
    { key, ...functions },
  );
  return outputs;
}

/** Aggregates as data, and their functions by slot. */
function choicesOf(
  builder: PlanBuilder,
  id: string,
  aggregates: Aggregates,
): {
  readonly choices: readonly AggregateChoice[];
  readonly functions: Readonly<Record<string, unknown>>;
} {
  const named = builder.given(id, 'aggregates', aggregates, 'aggregate({ n: count() })');
  builder.namesOf(id, 'aggregates', named);
  const made = Object.entries(named).filter(([name, one]) => isAggregate(builder, id, name, one));
  const choices = made.map(([name, { agg, functions, version }]) => ({
    name,
    agg,
    parts: Object.keys(functions),
    ...versionOf(builder, id, `its aggregate '${name}'`, {
      version,
      migrate: functions[migratePart],
    }),
  }));
  const slots = made.flatMap(([name, { functions }]) =>
    Object.entries(functions).map(([part, call]) => [aggregateSlot(name, part), call] as const),
  );
  return { choices, functions: Object.fromEntries(slots) };
}

function isAggregate(
  builder: PlanBuilder,
  node: string,
  name: string,
  value: Aggregate<never, unknown>,
): boolean {
  const { agg, functions } = builder.given(node, `aggregate '${name}'`, value, `${name}: count()`);
  if (typeof agg === 'string' && typeof functions === 'object') return true;
  if (typeof value === 'object')
    builder.problems.push({
      node,
      message: `its aggregate '${name}' is not an aggregate`,
      fix: `write ${name}: count(), or aggregator({ ... })`,
    });
  return false;
}

function shapeOf(builder: PlanBuilder, id: string, given: WindowDefinition): WindowShape {
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
          message: 'its window is not a window',
          fix: "write tumbling('1m'), sliding('5m', '1m') or session('30m')",
        });
      return { type: 'session', gapMs: 1 };
  }
}
