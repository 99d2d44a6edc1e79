/**
 * The public surface of `sluice`: the language for authors, the graph for tools, the engine and its ports for whoever runs it.
 */

export type { EventAttributes, SluiceEvent } from '../schemas/event.ts';
export type { Key } from '../schemas/kernel/key.ts';
export { type JsonSchema, oneOf, type Schema, type SchemaUnion, schemaOf } from '../schemas/registry.ts';
export { rejected, type SinkDefinition, type TableOptions, table } from './dsl/sinks.ts';
export { type StreamDefinition, stream, type TextEvent } from './dsl/source.ts';
export type { DeduplicateOptions, EventTimeOptions, Stream } from './dsl/stream.ts';
export { type TopologyBuilder, type TopologyOptions, topology } from './dsl/topology.ts';
export { describeGraph, type GraphFormat } from './graph/describe.ts';
export type { Graph, GraphNode, GraphProblem, PartitionColumn, SinkNode, Topology } from './graph/graph.ts';
export type { ElementBatch, Origin, RefusedRow, Sink, SinkState } from './graph/sink.ts';
export { validateGraph, validateTopology } from './graph/validate-graph.ts';
export type { ElementContext } from './operators/stateless.ts';
export { createJob, type Job } from './runtime/job.ts';
export type { JobConnectors, JobOptions } from './runtime/job-options.ts';
export type { JobStatus, NodeStatus, SplitStatus } from './runtime/status.ts';
export { checkJob } from './runtime/take-over.ts';
export type { Duration } from './time/duration.ts';
