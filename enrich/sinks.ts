/**
 * The sinks: the one place that names all of them. A new one is a folder with these parts, and a
 * line here; what it keeps between checkpoints, and when each part is called, says
 * topology/nodes/sink.ts; what a plan knows of it is a module of topology/operators/sink. What a
 * vendor's sink needs beside (sink-vendor.ts) is listed in deploy/services/sink-vendors.ts.
 *
 * | part            | parquet       | rejected          | graph          | firehose      |
 * |-----------------|---------------|-------------------|----------------|---------------|
 * | options, status | table-sink    | rejected-sink     | graph-sink     | firehose-sink |
 * | schema          | lake/table-file | rejected-schema | grow-model     | row-line      |
 * | decide          | batch-columns | rejected-row      | pending-writes | row-line      |
 * | write, stage    | staging       | staged-rejections | staged-writes  | pack-rows     |
 * | commit          | staging       | rejected-files    | applied-writes | deliver-call  |
 * | health          | lake/table-misfits | lake/table-file | neo4j/neo4j-session | deliver-call |
 */
import { SluiceError } from '../schemas/kernel/errors.ts';
import type { JobConnectors, SinkDefinitionData } from '../topology/index.ts';
import { graphBinding } from './graph/graph-binding.ts';
import { tableBinding } from './parquet/table-binding.ts';
import { rejectedSink } from './rejected/rejected-sink.ts';
import type { SinkBinding, SinkPlace } from './sink-binding.ts';

const bindings = [tableBinding, graphBinding] as const;

/** A binding is only given definitions of its own kind. */
const byKind: ReadonlyMap<string, SinkBinding> = new Map(
  bindings.map((binding) => [binding.kind, binding as unknown as SinkBinding]),
);

/** How a job reaches its sinks in a place. */
export function sinkConnectors(
  place: SinkPlace,
): Pick<JobConnectors, 'sink' | 'misfits' | 'rejected'> {
  const bindingOf = ({ kind }: SinkDefinitionData): SinkBinding | undefined => byKind.get(kind);
  return {
    sink: ({ id: node, sink: definition }, { name: topology, owner }, run) => {
      const binding = bindingOf(definition);
      if (binding === undefined)
        throw new SluiceError('sink-unknown', `'${node}' is neither a table nor a graph`);
      return binding.create({ definition, topology, owner, node, run }, place);
    },
    misfits: async ({ sink: definition }, _graph, was) =>
      (await bindingOf(definition)?.misfits?.(
        definition,
        was?.kind === definition.kind ? was : undefined,
        place,
      )) ?? [],
    rejected: ({ name: topology }, run) =>
      rejectedSink({ lake: place.lake, topology, run, clock: place.clock }),
  };
}
