/**
 * How an instance stops: by stages in one order, whatever the order in which its parts began.
 *
 * Invariants:
 * 1. Nothing that is used by a part stops before that part: within a stage the latest stops first.
 * 2. Commands and metrics are answered to the end, and the folder stays locked until it is over.
 */

/** First, what would begin something new; last, the lock. `data`: streams, stores, writers. */
const stopOrder = [
  'changes',
  'ingress',
  'topologies',
  'data',
  'health',
  'metrics',
  'control',
  'lock',
] as const;

export type StopStage = (typeof stopOrder)[number];

type Step = () => Promise<void>;

export class StopSteps {
  readonly #steps = new Map<StopStage, Step[]>();

  add(stage: StopStage, step: Step): void {
    this.#steps.set(stage, [step, ...(this.#steps.get(stage) ?? [])]);
  }

  /** Ends with the first step that fails. */
  async stop(): Promise<void> {
    for (const step of this.#inOrder()) await step();
  }

  /** After a start that failed: all steps, whichever fail. */
  async undo(): Promise<void> {
    for (const step of this.#inOrder()) await step().catch(() => undefined);
  }

  #inOrder(): readonly Step[] {
    return stopOrder.flatMap((stage) => this.#steps.get(stage) ?? []);
  }
}
