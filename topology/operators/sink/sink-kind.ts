/**
 * What has to be known of a kind of sink while a plan is looked at, restored or tested: the
 * contract between a kind's module and the list of all of them (sinks.ts). How it is carried out is
 * bound where a job runs (enrich/sinks.ts). All of it is pure.
 */
import type { RowProblem } from '../../../schemas/columns.ts';
import type { PartitionOwner } from '../../../schemas/partition.ts';
import type { JsonSchema } from '../../../schemas/registry.ts';
import type { Check } from '../../../schemas/shape.ts';
import type { WriteProblem } from '../../graph/fit-write.ts';
import type { PlanProblem, Problem } from '../../nodes/node.ts';
import type { SinkDocs } from '../kind-docs.ts';
import type { TableDefinition } from './table-definition.ts';

interface AnyDefinition {
  readonly kind: string;
}

/** A sink of a plan, by its node's id. */
export interface SinkOf<D extends AnyDefinition> {
  readonly id: string;
  readonly sink: D;
}

/** Why a sink would not take a row; undefined: it does. */
export type RowCheck = (row: unknown, timestamp: number) => RowProblem | WriteProblem | undefined;

/** A change that what is written already does not allow. */
export interface SinkChange {
  readonly option: string;
  readonly was: string;
  readonly is: string;
  readonly why: string;
}

export interface SinkKind<D extends AnyDefinition> {
  readonly kind: D['kind'];
  /** What the reference says of it. */
  readonly docs: SinkDocs;
  /** What it is, in a few words. Default: its kind. */
  readonly summary?: (definition: D) => string;
  /** `writes`: a function makes rows of its elements. */
  readonly slots?: readonly 'writes'[];
  /** Schemas that have to compile. */
  readonly schemas?: (definition: D) => readonly JsonSchema[];
  /**
   * Whether what a checkpoint says is a definition: a sink that retires is opened by it, and nothing
   * else looks at it. Absent: it is never opened by it.
   */
  readonly shape?: Check;
  /** What is wrong with the sinks of this kind, each and between them. */
  readonly problems?: (sinks: readonly SinkOf<D>[]) => readonly PlanProblem[];
  /**
   * Where its output goes: whoever writes there next continues with what is staged. Absent: nothing
   * is staged.
   */
  readonly target?: (definition: D, id: string) => string;
  /** What the test driver holds a row against. Absent: every row is taken. */
  readonly check?: (definition: D, owner: PartitionOwner) => RowCheck;
  /** Why no job runs with it. Absent: jobs do. */
  readonly jobProblem?: Problem;
  /** Its elements are rejected by the engine: it has no adapter and no state. */
  readonly isRejected?: true;
  /** Several may share what they write to, and open one after the other. */
  readonly opensInOrder?: true;
  /** The table that people sum. Absent: it is none. */
  readonly table?: (definition: D) => TableDefinition;
  /** What to do where what is there cannot take its rows. Absent: it always can. */
  readonly misfitFix?: (definition: D) => string;
  /** What may not change while its state is kept. Absent: everything may. */
  readonly changes?: (was: D, is: D) => readonly SinkChange[];
}
