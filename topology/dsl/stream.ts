/**
 * The streams of the language. Each call adds a node to the graph and gives the stream after it; nothing runs.
 *
 * Members are function properties, not methods: only those are checked contravariantly, so a stream of one type is not taken for another.
 */
import type { SluiceEvent } from '../../schemas/event.ts';
import type { Key } from '../../schemas/kernel/key.ts';
import type { Schema, SchemaUnion } from '../../schemas/registry.ts';
import type { NodeInput } from '../graph/graph.ts';
import { latePort, outPort, restPort } from '../graph/graph.ts';
import type { ElementContext } from '../operators/stateless.ts';
import type { Duration } from '../time/duration.ts';
import type { GraphBuilder } from './builder.ts';
import type { SinkDefinition } from './sinks.ts';
import type { Validated } from './source.ts';

export interface EventTimeOptions {
  /** How late an element may come behind the latest one of its split without being late. */
  readonly outOfOrderness: Duration;
  /** A split without events for longer than this holds no watermark back. Default '30s'; 0 never. */
  readonly idleAfter?: Duration;
  /** Events further ahead of processing time are rejected: one dated 2099 would make all after it late. Default max '24h'; 0 takes all. */
  readonly future?: { readonly max: Duration };
}

export interface DeduplicateOptions<in T> {
  /** What makes two elements the same. */
  readonly by: (value: T) => Key;
  /** In event time, from the first. */
  readonly within: Duration;
  /** Elements so late that their first may be forgotten: dropped and counted, or given as the side output `late`. Default 'drop'. */
  readonly late?: 'drop' | 'side';
}

type LateOf<O, T> = O extends { readonly late: 'side' } ? { readonly out: Stream<T>; readonly late: Stream<T> } : Stream<T>;

type Ports<C, T> = { readonly [P in keyof C | 'rest']: Stream<T> };

export interface Stream<T> {
  /** One element in, one out. */
  readonly map: <R>(map: (value: T, context: ElementContext) => R) => Stream<R>;
  readonly filter: FilterOf<T>;
  /** One element in, any number out. */
  readonly flatMap: <R>(flatMap: (value: T, context: ElementContext) => readonly R[]) => Stream<R>;
  /** Named outputs by condition: the first that says yes takes the element, `rest` (which may stay unread) the others. */
  readonly split: <const C extends Readonly<Record<string, (value: T) => boolean>>>(conditions: C) => Ports<C, T>;
  /** Events whose data the schema refuses go to the rejected table; after it the data has the schema's type. */
  readonly validate: <E extends SluiceEvent, D>(this: Stream<E>, id: string, schema: Schema<D> | SchemaUnion<D>) => Stream<Validated<E, D>>;
  /** Sets event time (RFC 3339, or whole epoch ms) and makes watermarks, per split of the source. */
  readonly eventTime: (id: string, timestamp: (value: T) => string | number, options: EventTimeOptions) => Stream<T>;
  readonly deduplicate: <const O extends DeduplicateOptions<T>>(id: string, options: O & DeduplicateOptions<T>) => LateOf<O, T>;
  readonly sinkTo: (id: string, sink: SinkDefinition<T>) => void;
}

interface FilterOf<T> {
  <S extends T>(test: (value: T, context: ElementContext) => value is S): Stream<S>;
  (test: (value: T, context: ElementContext) => boolean): Stream<T>;
}

const defaultIdleAfter = '30s';
const defaultFutureMax = '24h';

/** The stream that comes out of `from`. */
export function streamFrom<T>(builder: GraphBuilder, from: NodeInput): Stream<T> {
  const stateless = <R>(kind: 'map' | 'filter' | 'flatMap', call: unknown): Stream<R> => {
    const id = builder.pathId(from, kind);
    builder.add({ id, kind, inputs: [from], outputs: [outPort] }, { function: call });
    return streamFrom<R>(builder, { node: id, port: outPort });
  };
  return {
    map: (call) => stateless('map', call),
    filter: ((call: unknown) => stateless('filter', call)) as FilterOf<T>,
    flatMap: (call) => stateless('flatMap', call),
    split: (conditions) => {
      const id = builder.pathId(from, 'split');
      const outputs = [...Object.keys(conditions), restPort];
      builder.add({ id, kind: 'split', inputs: [from], outputs }, { ...conditions });
      return Object.fromEntries(outputs.map((port) => [port, streamFrom(builder, { node: id, port })])) as Ports<typeof conditions, T>;
    },
    validate: <E, D>(id: string, schema: Schema<D> | SchemaUnion<D>) => {
      const schemas = 'schemas' in schema ? schema.schemas : [schema];
      builder.add({
        id,
        kind: 'validate',
        inputs: [from],
        outputs: [outPort],
        schemas: schemas.map((choice) => ({ id: choice.id, document: choice.document })),
      });
      return streamFrom<Validated<E, D>>(builder, { node: id, port: outPort });
    },
    eventTime: (id, timestamp, options) => {
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
    deduplicate: <O extends DeduplicateOptions<T>>(id: string, options: O) => {
      const late = options.late ?? 'drop';
      const outputs = late === 'side' ? [outPort, latePort] : [outPort];
      const withinMs = builder.duration(id, 'within', options.within);
      builder.add({ id, kind: 'deduplicate', inputs: [from], outputs, withinMs, late }, { by: options.by });
      const out = streamFrom<T>(builder, { node: id, port: outPort });
      return (late === 'side' ? { out, late: streamFrom<T>(builder, { node: id, port: latePort }) } : out) as LateOf<O, T>;
    },
    sinkTo: (id, sink) => builder.add({ id, kind: 'sink', inputs: [from], outputs: [], sink: sink.definition }),
  };
}
