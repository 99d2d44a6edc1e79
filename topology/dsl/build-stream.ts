/**
 * Builds graph nodes from the calls on a stream.
 */
import type { Key } from '../../schemas/kernel/key.ts';
import type { Schema, SchemaUnion } from '../../schemas/registry.ts';
import type { LookupCall, LookupFile, NodeInput } from '../graph/graph.ts';
import { latePort, outPort, restPort } from '../graph/graph.ts';
import { keyedFrom } from './build-keyed.ts';
import type { GraphBuilder } from './builder.ts';
import type { AsyncLookup, AsyncLookupOptions, FileTable, LookupOptions } from './lookups.ts';
import type { Validated } from './source.ts';
import type { DeduplicateOptions, Stream } from './stream.ts';

const defaultIdleAfter = '30s';
const defaultFutureMax = '24h';
const defaultLookupCapacity = 64;
const defaultLookupTimeout = '5s';
const defaultLookupAttempts = 3;

/** The stream that comes out of `from`. */
export function streamFrom<T>(builder: GraphBuilder, from: NodeInput): Stream<T> {
  const stateless = <R>(kind: 'map' | 'filter' | 'flatMap', call: unknown): Stream<R> => {
    const id = builder.pathId(from, kind);
    builder.add({ id, kind, inputs: [from], outputs: [outPort] }, { function: call });
    return streamFrom<R>(builder, { node: id, port: outPort });
  };
  const stream: Stream<T> = {
    map: (call) => stateless('map', call),
    filter: ((call: unknown) => stateless('filter', call)) as Stream<T>['filter'],
    flatMap: (call) => stateless('flatMap', call),
    split: (conditions) => {
      const id = builder.pathId(from, 'split');
      const named = builder.given(id, 'conditions', conditions, 'split({ name: (value) => ... })');
      const outputs = [...builder.namesOf(id, 'conditions', named), restPort];
      builder.add({ id, kind: 'split', inputs: [from], outputs }, { ...named });
      return Object.fromEntries(
        outputs.map((port) => [port, streamFrom(builder, { node: id, port })]),
      ) as never;
    },
    validate: <E, D>(id: string, schema: Schema<D> | SchemaUnion<D>) => {
      const isUnion = typeof schema === 'object' && 'schemas' in schema;
      const choices = (isUnion ? schema.schemas : [schema]).map((choice) =>
        builder.schema(id, choice),
      );
      builder.add({ id, kind: 'validate', inputs: [from], outputs: [outPort], schemas: choices });
      return streamFrom<Validated<E, D>>(builder, { node: id, port: outPort });
    },
    eventTime: (id, timestamp, given) => {
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
      return streamFrom<T>(builder, { node: id, port: outPort });
    },
    deduplicate: (id: string, given: DeduplicateOptions<T>) => {
      const options = builder.given(id, 'options', given, "{ by: (e) => e.id, within: '1h' }");
      const late = options.late ?? 'drop';
      const outputs = late === 'side' ? [outPort, latePort] : [outPort];
      const withinMs = builder.lasting(id, 'within', options.within, 1);
      builder.add(
        { id, kind: 'deduplicate', inputs: [from], outputs, withinMs, late },
        { by: options.by },
      );
      const out = streamFrom<T>(builder, { node: id, port: outPort });
      return (
        late === 'side' ? { out, late: streamFrom<T>(builder, { node: id, port: latePort }) } : out
      ) as never;
    },
    keyBy: (key) => keyedFrom(builder, from, key, streamFrom) as never,
    lookup: ((
      id: string,
      table: FileTable<unknown> | AsyncLookup<never, unknown>,
      given: LookupOptions<T, Key> & AsyncLookupOptions,
      combine: unknown,
    ) => {
      const lookup = builder.given(
        id,
        'look-up',
        table,
        'fileTable(...), asyncLookup(...) or connector(...)',
      );
      const options = builder.given(id, 'options', given, '{ by: (value) => value.key }');
      const data =
        lookup.from === 'file' ? lookupFile(lookup) : lookupCall(builder, id, lookup, options);
      const call = lookup.from === 'function' ? { call: lookup.call } : {};
      builder.add(
        { id, kind: 'lookup', inputs: [from], outputs: [outPort], lookup: data },
        { by: options.by, combine, ...call },
      );
      return streamFrom<unknown>(builder, { node: id, port: outPort });
    }) as Stream<T>['lookup'],
    union: (id, ...others) => {
      const inputs = [from, ...others.map((other) => builder.inputOf(other, id))];
      builder.add({ id, kind: 'union', inputs, outputs: [outPort] });
      return streamFrom<T>(builder, { node: id, port: outPort });
    },
    sinkTo: (id, sink) => {
      const { definition, functions } = builder.given(
        id,
        'sink',
        sink,
        'table(...), graph(...) or rejected()',
      );
      const isSink = typeof definition === 'object';
      if (!isSink && typeof sink === 'object')
        builder.problems.push({
          node: id,
          message: 'its sink is none',
          fix: 'write table(...), graph(...) or rejected()',
        });
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
    },
  };
  builder.remember(stream, from);
  return stream;
}

function lookupFile(table: FileTable<unknown>): LookupFile {
  const { file, key, schema, whenChanged } = table;
  return { from: 'file', file, key, schema, whenChanged };
}

function lookupCall(
  builder: GraphBuilder,
  id: string,
  lookup: AsyncLookup<never, unknown>,
  options: AsyncLookupOptions,
): LookupCall {
  const { cache } = options;
  if (typeof lookup.name !== 'string')
    builder.problems.push({
      node: id,
      message: 'its look-up is none',
      fix: 'write fileTable(...), asyncLookup(...) or connector(...)',
    });
  return {
    from: lookup.from,
    name: lookup.name,
    cacheMaxEntries: cache?.maxEntries ?? 0,
    cacheTtlMs: cache === undefined ? 0 : builder.lasting(id, 'cache.ttl', cache.ttl),
    capacity: options.capacity ?? defaultLookupCapacity,
    timeoutMs: builder.duration(id, 'timeout', options.timeout ?? defaultLookupTimeout, 1),
    attempts: options.retry?.attempts ?? defaultLookupAttempts,
    order: options.order ?? 'ordered',
    whenFailing: options.whenFailing ?? 'hold',
  };
}
