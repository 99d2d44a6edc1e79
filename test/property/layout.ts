/**
 * A plan with its references resolved: which streams there are between the operators, who reads
 * them, and where they end. The topology is built from it, and the oracle reads it.
 */
import type { Op, Plan, StatelessOp } from './plan.ts';

export interface SourceLayout {
  readonly id: string;
  /** Number of its stream. */
  readonly stream: number;
  readonly before: readonly { readonly id: string; readonly op: StatelessOp }[];
}

export interface OpLayout {
  readonly id: string;
  readonly op: Op;
  /** Streams, by number. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

export interface Layout {
  readonly plan: Plan;
  readonly sources: readonly SourceLayout[];
  /** Streams behind event time come first: one of all sources, or one of each. */
  readonly timed: number;
  readonly ops: readonly OpLayout[];
  readonly sinks: readonly {
    readonly id: string;
    readonly stream: number;
    readonly kind: 'table' | 'graph';
  }[];
}

export const streamCount = 3;

/**
 * A window that tells of its panes, in a sink of its own. Where they are early and discarding only
 * what they add up to is known, and nothing else reads it.
 */
export const tellsPanes = (op: Op): boolean =>
  op.kind === 'window' && (op.earlyMs > 0 || (op.side && op.allowedLatenessMs > 0));
const onlyPanes = (op: Op): boolean => op.kind === 'window' && op.earlyMs > 0 && op.discarding;

/**
 * Whose time a stream has, and whether some of what belongs to it may still be held in state when
 * that time is said. Where inputs fall idle, time goes past what an idle one holds, and in a union
 * also past one that is awake and has not caught up (as in Flink): those would be late by right. So
 * there a union is of streams of one time, and a join of such streams or of those that hold
 * nothing.
 */
interface Timing {
  readonly clock: string;
  readonly holds: boolean;
}

function timingOf(id: string, op: Op, inputs: readonly Timing[]): Timing {
  const holds =
    inputs.some((input) => input.holds) ||
    op.kind === 'window' ||
    op.kind === 'process' ||
    (op.kind === 'join' && op.left);
  return {
    clock: op.kind === 'join' || op.kind === 'union' ? id : (inputs[0]?.clock ?? ''),
    holds,
  };
}

const fitTogether = (op: Op, inputs: readonly Timing[]): boolean =>
  new Set(inputs.map(({ clock }) => clock)).size === 1 ||
  (op.kind === 'join' && inputs.every(({ holds }) => !holds));

export const panesId = (id: string): string => `${id}-panes`;

export function layoutOf(plan: Plan): Layout {
  const sources = plan.sources.map(({ stream, before }, n) => ({
    id: `source${n}`,
    stream: stream % streamCount,
    before: before.map((op, step) => ({ id: `before${n}-${step}`, op })),
  }));
  const timed = plan.unionBefore ? 1 : sources.length;
  let streams = timed;
  const read = new Set<number>();
  const tapped = new Set<number>();
  const timings: Timing[] = Array.from({ length: timed }, (_, n) => ({
    clock: `time${n}`,
    holds: false,
  }));
  const timingsOf = (inputs: readonly number[]): readonly Timing[] =>
    inputs.map((n) => timings[n] as Timing);
  const ops = plan.ops.map((op, n): OpLayout => {
    const back = (from: number): number => streams - 1 - (from % streams);
    const asked = [
      op.from,
      ...(op.kind === 'union' ? op.others : op.kind === 'join' ? [op.other] : []),
    ].map(back);
    const inputs =
      plan.idleAfterMs === 0 || fitTogether(op, timingsOf(asked))
        ? asked
        : asked.map(() => back(op.from));
    for (const input of inputs) read.add(input);
    const count = op.kind === 'branch' ? (op.rest ? 3 : 2) : onlyPanes(op) ? 0 : 1;
    const outputs = Array.from({ length: count }, (_, i) => streams + i);
    streams += count;
    timings.push(...outputs.map(() => timingOf(`op${n}`, op, timingsOf(inputs))));
    if (op.tap) for (const output of outputs) tapped.add(output);
    return { id: `op${n}`, op, inputs, outputs };
  });
  const sinks = Array.from({ length: streams }, (_, stream) => stream)
    .filter((stream) => tapped.has(stream) || !read.has(stream))
    .map((stream) => ({
      id: `sink${stream}`,
      stream,
      kind: stream % 3 === 2 ? ('graph' as const) : ('table' as const),
    }));
  return { plan, sources, timed, ops, sinks };
}
