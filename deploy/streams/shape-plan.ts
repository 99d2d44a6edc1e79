/**
 * What `sluice topics` would do to one Kinesis stream or Kafka topic, as data. Each vendor's room
 * decides it from what is configured and what was found, and carries out its actions.
 *
 * Invariants:
 * 1. A setting that is not configured is neither looked at nor changed.
 * 2. Nothing shrinks: what a plan would have to remove, it names with the reason instead.
 */

/** A setting that becomes another one. */
export interface ShapeChange {
  readonly setting: string;
  /** Undefined: there is none yet. */
  readonly from: string | undefined;
  readonly to: string;
  /** What else it means. */
  readonly note?: string;
}

/** A setting that is configured and stays as it was found. */
export interface ShapeRefusal {
  readonly setting: string;
  readonly found: string;
  readonly wanted: string;
  readonly why: string;
}

export interface ShapePlan<A> {
  readonly isNew: boolean;
  readonly changes: readonly ShapeChange[];
  readonly refusals: readonly ShapeRefusal[];
  /** In this order; the first ones may be followed by a time until they are done. */
  readonly actions: readonly A[];
}

/** One setting of a plan: what it changes with how, or why it does not. */
export type ShapeStep<A> =
  | { readonly change: ShapeChange; readonly actions: readonly A[] }
  | { readonly refusal: ShapeRefusal };

export function planOf<A>(
  isNew: boolean,
  steps: readonly (ShapeStep<A> | undefined)[],
): ShapePlan<A> {
  const found = steps.filter((step) => step !== undefined);
  const done = found.filter((step) => 'change' in step);
  return {
    isNew,
    changes: done.map(({ change }) => change),
    refusals: found.flatMap((step) => ('refusal' in step ? [step.refusal] : [])),
    actions: done.flatMap(({ actions }) => actions),
  };
}

/**
 * A number that is only raised. `found` undefined: the service does not say it. The answer is
 * undefined where nothing is configured, or it is so already.
 */
export function decideRaise<A>(
  wanted: number | undefined,
  found: number | undefined,
  of: {
    readonly setting: string;
    readonly show: (value: number) => string;
    readonly whyNotLower: string;
    readonly raise: (to: number) => readonly A[];
    readonly note?: string | undefined;
  },
): ShapeStep<A> | undefined {
  const { setting, show, whyNotLower, raise, note } = of;
  if (wanted === undefined || wanted === found) return undefined;
  if (found === undefined)
    return { refusal: { setting, found: 'unknown', wanted: show(wanted), why: whyUnknown } };
  const said = { setting, found: show(found), wanted: show(wanted) };
  if (wanted < found) return { refusal: { ...said, why: whyNotLower } };
  const change = { setting, from: said.found, to: said.wanted };
  return { change: note === undefined ? change : { ...change, note }, actions: raise(wanted) };
}

const whyUnknown = 'the service does not say what it is now';

/** A vendor's resources as the service `topics` works with them. */
export interface ShapedResource {
  /** `Kinesis stream x` */
  readonly what: string;
  /** `team/app` */
  readonly stream: string;
  /** Asks, and changes nothing. Throws `SluiceError`. */
  plan(): Promise<ShapePlan<unknown>>;
  /** Carries out what `plan` gave; resolves when it is done. Throws `SluiceError`. */
  apply(plan: ShapePlan<unknown>): Promise<void>;
}
