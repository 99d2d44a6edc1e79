/**
 * The public surface of `sluice`: the language for authors, the graph for tools, the engine and its ports for whoever runs it.
 */
export { type Schema, type SchemaUnion, type JsonSchema, oneOf, schemaOf } from '../schemas/registry.ts';
export type { SluiceEvent, EventAttributes } from '../schemas/event.ts';
export type { Key } from '../schemas/kernel/key.ts';
export { rejected, type SinkDefinition, table, type TableOptions } from './dsl/sinks.ts';
export { stream, type StreamDefinition, type TextEvent } from './dsl/source.ts';
export type { DeduplicateOptions, EventTimeOptions, Stream } from './dsl/stream.ts';
export { topology, type TopologyBuilder, type TopologyOptions } from './dsl/topology.ts';
export { describeGraph, type GraphFormat } from './graph/describe.ts';
export type { Graph, GraphNode, GraphProblem, PartitionColumn, SinkNode, Topology } from './graph/graph.ts';
export type { ElementBatch, Origin, RefusedRow, Sink, SinkState } from './graph/sink.ts';
export { validateGraph, validateTopology } from './graph/validate-graph.ts';
export type { ElementContext } from './operators/stateless.ts';
export { checkJob, createJob, type Job, type JobConnectors, type JobOptions } from './runtime/job.ts';
export type { JobStatus, NodeStatus, SplitStatus } from './runtime/status.ts';
export type { Duration } from './time/duration.ts';
