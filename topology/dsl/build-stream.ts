/**
 * Builds nodes from the calls on a stream.
 */
import type { Schema, SchemaUnion } from '../../schemas/registry.ts';
import type { NodeInput } from '../graph/node.ts';
import { latePort, outPort } from '../graph/node.ts';
import type { BranchNode } from '../operators/branch/kind.ts';
import { restPort } from '../operators/branch/kind.ts';
import { functionSlot } from '../operators/stateless.ts';
import { keyedFrom } from './build-keyed.ts';
import type { GivenLookup } from './build-lookup.ts';
import { addLookup } from './build-lookup.ts';
import type { GraphBuilder } from './builder.ts';
import type { SinkDefinition } from './sinks.ts';
import type { DeduplicateOptions, EventTimeOptions, Stream } from './stream.ts';

const defaultIdleAfter = '30s';
const defaultFutureMax = '24h';

/** The stream that comes out of `from`. */
export function streamFrom<T>(builder: GraphBuilder, from: NodeInput): Stream<T> {
  const out = <R>(id: string): Stream<R> => streamFrom<R>(builder, { node: id, port: outPort });
  const stateless = <R>(kind: 'map' | 'filter' | 'flatMap', call: unknown): Stream<R> =>
    out(addStateless(builder, from, kind, call));
  const ports = (id: string, outputs: readonly string[]): Record<string, Stream<T>> =>
    Object.fromEntries(outputs.map((port) => [port, streamFrom<T>(builder, { node: id, port })]));
  const branch = (kind: BranchNode['kind'], conditions: object): Record<string, Stream<T>> =>
    ports(...addBranch(builder, from, kind, conditions));
  const stream: Stream<T> = {
    map: (call) => stateless('map', call),
    filter: ((call: unknown) => stateless('filter', call)) as Stream<T>['filter'],
    flatMap: (call) => stateless('flatMap', call),
    branch: (conditions) => branch('branch', conditions) as never,
    split: (conditions) => branch('split', conditions) as never,
    validate: (id, schema) => out(addValidate(builder, from, id, schema)),
    eventTime: (id, timestamp, given) => out(addEventTime(builder, from, id, timestamp, given)),
    deduplicate: (id, given) => {
      const outputs = addDeduplicate(builder, from, id, given);
      return (outputs.length === 1 ? out(id) : ports(id, outputs)) as never;
    },
    keyBy: (key) => keyedFrom(builder, from, key, streamFrom) as never,
    lookup: ((...given: GivenLookup) =>
      out(addLookup(builder, from, given))) as Stream<T>['lookup'],
    union: (id, ...others) => {
      const inputs = [from, ...others.map((other) => builder.inputOf(other, id))];
      builder.add({ id, kind: 'union', inputs, outputs: [outPort] });
      return out(id);
    },
    sinkTo: (id, sink) => addSink(builder, from, id, sink),
  };
  builder.remember(stream, from);
  return stream;
}

function addStateless(
  builder: GraphBuilder,
  from: NodeInput,
  kind: 'map' | 'filter' | 'flatMap',
  call: unknown,
): string {
  const id = builder.pathId(from, kind);
  builder.add({ id, kind, inputs: [from], outputs: [outPort] }, { [functionSlot]: call });
  return id;
}

function addBranch(
  builder: GraphBuilder,
  from: NodeInput,
  kind: BranchNode['kind'],
  conditions: object,
): readonly [id: string, outputs: readonly string[]] {
  const id = builder.pathId(from, kind);
  const named = builder.given(id, 'conditions', conditions, `${kind}({ name: (value) => ... })`);
  const outputs = [...builder.namesOf(id, 'conditions', named), restPort];
  builder.add({ id, kind, inputs: [from], outputs }, { ...named });
  return [id, outputs];
}

function addValidate<D>(
  builder: GraphBuilder,
  from: NodeInput,
  id: string,
  schema: Schema<D> | SchemaUnion<D>,
): string {
  const isUnion = typeof schema === 'object' && 'schemas' in schema;
  const schemas = (isUnion ? schema.schemas : [schema]).map((choice) => builder.schema(id, choice));
  builder.add({ id, kind: 'validate', inputs: [from], outputs: [outPort], schemas });
  return id;
}

function addEventTime(
  builder: GraphBuilder,
  from: NodeInput,
  id: string,
  timestamp: unknown,
  given: EventTimeOptions,
): string {
  const options = builder.given(id, 'options', given, "{ outOfOrderness: '10s' }");
  builder.add(
    {
      id,
      kind: 'eventTime',
      inputs: [from],
      outputs: [outPort],
      outOfOrdernessMs: builder.duration(id, 'outOfOrderness', options.outOfOrderness),
      idleAfterMs: builder.duration(id, 'idleAfter', options.idleAfter ?? defaultIdleAfter),
      futureMaxMs: builder.duration(id, 'future.max', options.future?.max ?? defaultFutureMax),
    },
    { timestamp },
  );
  return id;
}

function addDeduplicate<T>(
  builder: GraphBuilder,
  from: NodeInput,
  id: string,
  given: DeduplicateOptions<T>,
): readonly string[] {
  const options = builder.given(id, 'options', given, "{ by: (e) => e.id, within: '1h' }");
  const late = options.late ?? 'drop';
  const outputs = late === 'side' ? [outPort, latePort] : [outPort];
  const withinMs = builder.lasting(id, 'within', options.within, 1);
  builder.add(
    { id, kind: 'deduplicate', inputs: [from], outputs, withinMs, late },
    { by: options.by },
  );
  return outputs;
}

function addSink<T>(
  builder: GraphBuilder,
  from: NodeInput,
  id: string,
  sink: SinkDefinition<T>,
): void {
  const example = 'table(...), graph(...) or rejected()';
  const { definition, functions } = builder.given(id, 'sink', sink, example);
  const isSink = typeof definition === 'object';
  if (!isSink && typeof sink === 'object')
    builder.problems.push({ node: id, message: 'its sink is none', fix: `write ${example}` });
  builder.add(
    {
      id,
      kind: 'sink',
      inputs: [from],
      outputs: [],
      sink: isSink ? definition : { kind: 'collect' },
    },
    functions,
  );
}
