/**
 * The public API of `sluice`: the language for authors, the plan for tools, and the engine with its
 * ports for those who run it.
 */

export type { EventAttributes, SluiceEvent } from '../schemas/event.ts';
export type { Key } from '../schemas/kernel/key.ts';
export type { PartitionColumn } from '../schemas/partition.ts';
export {
  type JsonSchema,
  oneOf,
  type Schema,
  type SchemaUnion,
  schemaOf,
} from '../schemas/registry.ts';
export { type DropState, resolveDropState } from './checkpoint/drop-state.ts';
export type { CheckpointHealth } from './checkpoint/health.ts';
export type {
  CallSlot,
  Isolation,
  IsolationNews,
  RunFailure,
  SetAside,
  StuckCall,
} from './checkpoint/isolation.ts';
export { type Losses, type LossRecord, lossText } from './checkpoint/losses.ts';
export {
  deleteSavepoint,
  listSavepoints,
  requireSavepointName,
  resolveSavepoint,
  type SavepointInfo,
  type Savepoints,
} from './checkpoint/savepoints.ts';
export { checkpointedTopologies } from './checkpoint/store.ts';
export { type AnyModel, graphModel, type Model, type WriteOf } from './dsl/graph-model.ts';
export {
  type AsyncLookup,
  type AsyncLookupOptions,
  asyncLookup,
  connector,
  type FileTable,
  fileTable,
  type LookupOptions,
} from './dsl/lookups.ts';
export * from './dsl/sinks.ts';
export { type StreamDefinition, stream, type TextEvent } from './dsl/source.ts';
export {
  type ListState,
  list,
  type ProcessContext,
  type ProcessOptions,
  type StateDefinition,
  type StateOptions,
  type StateVersion,
  type Timer,
  type ValueState,
  value,
} from './dsl/state.ts';
export type { KeyedStream, Stream, WindowedStream, WindowOptions } from './dsl/stream.ts';
export { type TopologyBuilder, type TopologyOptions, topology } from './dsl/topology.ts';
export {
  type Aggregate,
  aggregator,
  approxDistinct,
  avg,
  count,
  max,
  min,
  type Results,
  session,
  sliding,
  sum,
  tumbling,
  type UserAggregate,
  type WindowDefinition,
  type WindowInfo,
} from './dsl/windows.ts';
export { fitWrites } from './graph/fit-write.ts';
export type {
  EdgeModel,
  EdgeWrite,
  GraphModel,
  GraphWrite,
  KeyValue,
  NodeModel,
  NodeWrite,
  PropertyType,
  PropertyTypes,
  PropertyValues,
} from './graph/graph-model.ts';
export { modelProblems, reservedPrefix } from './graph/graph-model.ts';
export type { PlanProblem } from './nodes/node.ts';
export type {
  ElementBatch,
  Identity,
  Origin,
  Provenance,
  RejectedRow,
  Sink,
  SinkState,
} from './nodes/sink.ts';
export type { DeduplicateOptions } from './operators/deduplicate/build.ts';
export type { EventTimeOptions } from './operators/event-time/build.ts';
export type { IntervalJoinOptions } from './operators/interval-join/build.ts';
export type { PlanNode } from './operators/kinds.ts';
export type { LookupFunction } from './operators/lookup/bounded-calls.ts';
export type { SinkDefinitionData, SinkNode } from './operators/sink/node.ts';
export type { ElementContext } from './operators/stateless.ts';
export { describePlan, type PlanFormat } from './plan/describe.ts';
export {
  describeGraph,
  type Graph,
  type GraphFormat,
  type GraphNode,
  type GraphProblem,
  type RefusedRow,
  validateGraph,
} from './plan/old-names.ts';
export { paneWarnings } from './plan/pane-warnings.ts';
export type { Plan, Topology } from './plan/plan.ts';
export { validatePlan, validateTopology } from './plan/validate.ts';
export { checkJob, type JobFinding } from './runtime/check-job.ts';
export type { JobConnectors, JobNews, JobOptions } from './runtime/job-options.ts';
export { createJob } from './runtime/job-runs.ts';
export { hasKeyedNodes } from './runtime/parallel/keyed-worker.ts';
export type { Job } from './runtime/running-job.ts';
export { settleStaged } from './runtime/settle-staged.ts';
export {
  beat,
  callSlots,
  type SeenCall,
  type SharedCalls,
  seenCall,
  seenDigest,
  seenThread,
  seenTurn,
  sharedCalls,
} from './runtime/shared-calls.ts';
export type { SkipRequest } from './runtime/skips.ts';
export { type StartFrom, startFromOf } from './runtime/start-from.ts';
export type { HeldBy, JobStatus, NodeStatus, SplitStatus, TimeStatus } from './runtime/status.ts';
export { keyGroupOf, operatorIndexOf } from './state/key-group.ts';
export { identityOf } from './state/origin.ts';
export type { Duration } from './time/duration.ts';
