/**
 * The contract between the module of a kind of node (`operators/<kind>/kind.ts`) and the code that
 * walks a plan: validation, drawings, definitions in checkpoints, the restore, the engine. A kind
 * defines only what is particular to it; the defaults are right for most kinds.
 *
 * Invariants:
 * 1. A kind is consulted while a plan is checked or a job is built, never for a row.
 * 2. All but `operator` and `link` are pure.
 */
import type { JsonSchema } from '../../schemas/registry.ts';
import type { AnyNode, PlanProblem, PlanShape, Problem } from '../nodes/node.ts';
import type { KindDocs } from './kind-docs.ts';
import type { KindState } from './kind-state.ts';
import type { KeyedCall, Made, StreamCall } from './node-builder.ts';
import type { NodeParts } from './node-parts.ts';
import type { Operator } from './operator.ts';
import type { Link } from './stateless.ts';

export interface Kind<N extends AnyNode> {
  readonly name: N['kind'];
  /** Another name that plans have for it. */
  readonly oldName?: N['kind'];
  /** What it is called on a stream. Default: its names. */
  readonly methods?: readonly string[];
  /** Makes a node of a call on a stream. Absent: it is called on something else. */
  readonly build?: (call: StreamCall) => Made | undefined;
  /** The same on a keyed stream. */
  readonly buildKeyed?: (call: KeyedCall) => Made;

  /** What the reference says of it. */
  readonly docs: KindDocs;
  /** What a node does, in a few words. Default: the name of its kind. */
  readonly summary?: (node: N) => string;
  /** What stands around a node in a Mermaid flowchart. Default: a box. */
  readonly outline?: readonly [before: string, after: string];

  /** The slots of its functions. */
  readonly slots?: (node: N) => readonly string[];
  /** Those that give the key of its state, by input. */
  readonly keySlots?: readonly string[];
  /** Schemas that have to compile. */
  readonly schemas?: (node: N) => readonly JsonSchema[];

  /** What is wrong with a node of a plan. */
  readonly problems?: (node: N, plan: PlanView) => readonly Problem[];
  /** What is wrong with the names of its parts. */
  readonly nameProblems?: (node: N) => readonly Problem[];
  /** What is wrong between the nodes of this kind. */
  readonly together?: (nodes: readonly N[]) => readonly PlanProblem[];
  /** Outputs that may stay unread. */
  readonly optionalPorts?: readonly string[];
  /** Outputs of what came too late. */
  readonly latePorts?: readonly string[];

  /** Whether elements leave it as they came, so that what a schema said of them still holds. */
  readonly passesElements?: true;
  /** Whether panes of a window, or what is made of one, come out as often as they came. */
  readonly passesPanes?: true;
  /** Whether it sets event time. */
  readonly setsTime?: true;
  /**
   * Whether it makes several elements of one event: of each, or where the event comes on several
   * ways.
   */
  readonly multiplies?: 'each' | 'ways';

  /** What it keeps between turns; absent: nothing. */
  readonly state?: KindState<N>;
  /** Whether some of it may rest as records. */
  readonly rests?: true;

  /** Of a kind whose state is by key (`keySlots`), so that several operators may share it. */
  readonly keyed?: KeyedKind<N>;

  /**
   * Runs a node on its own. Of a kind that has `link` too: where the node keeps state.
   */
  readonly operator?: (node: N, parts: NodeParts) => Operator;
  /** Runs a node without state as a part of a chain. */
  readonly link?: (node: N, parts: NodeParts) => Link;
}

/** A kind that several operators run, each for its part of the key groups. */
export interface KeyedKind<in N> {
  readonly reads: (node: N) => KeyedReads;
  /** Their heads as that of one operator. Default: they are alike. */
  readonly mergeHeads?: (heads: readonly unknown[]) => unknown;
}

/** What of an element an operator reads beside its key and its time. */
export interface KeyedReads {
  readonly values: boolean;
  readonly origins: boolean;
}

/** A plan as a kind may look at it. */
export interface PlanView extends PlanShape {
  /** Whether every way to the node passes an `eventTime`. */
  readonly isTimed: (node: AnyNode) => boolean;
  /** Whether every way of one of its inputs does. */
  readonly isInputTimed: (node: AnyNode, input: number) => boolean;
  /** Whether some node upstream sets event time. */
  readonly isTimeSetBefore: (node: AnyNode) => boolean;
}

/** For kinds that wait for event time. */
export function untimedProblems(node: AnyNode, plan: PlanView, why: string): readonly Problem[] {
  if (plan.isTimed(node)) return [];
  return [
    {
      message: `${why}: put eventTime() before it`,
      fix: "put eventTime('time', (e) => e.time, { outOfOrderness: '10s' }) before it",
    },
  ];
}
