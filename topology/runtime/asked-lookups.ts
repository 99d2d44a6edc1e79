/**
 * Which look-ups are in flight, from the call of an author's function to its answer: one of them
 * may keep the thread between its awaits.
 *
 * Invariants:
 * 1. As long as one is in flight, one is shown.
 * 2. The input of one is shown only while it alone is in flight: if another runs past its limit,
 *    nobody knows which of the two it is.
 */

/**
 * Shows the number of the function that was called last, 0 when none is in flight, and what it was
 * given, in a list; undefined where that is not known.
 */
type Show = (number: number, given: readonly [key: unknown] | undefined) => void;

export class AskedLookups {
  readonly #show: Show;
  #underWay = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(show: Show) {
    this.#show = show;
  }

  /** Calls `run`, and gives what it gives. */
  ask(number: number, given: readonly [key: unknown] | undefined, run: () => unknown): unknown {
    this.#underWay++;
    this.#show(number, this.#underWay === 1 ? given : undefined);
    let answer: unknown;
    try {
      answer = run();
    } catch (thrown) {
      this.#over();
      throw thrown;
    }
    const over = (): void => this.#over();
    if (answer instanceof Promise) answer.then(over, over);
    else over();
    return answer;
  }

  /**
   * The same, once all that were asked before are answered or aborted. Rejects with the reason of
   * `signal` when that comes first.
   */
  askAlone(
    number: number,
    key: unknown,
    signal: AbortSignal,
    run: () => unknown,
  ): Promise<unknown> {
    const answer = this.#last.then(() => {
      signal.throwIfAborted();
      return this.ask(number, [key], run);
    });
    const aborted = new Promise((resolve) =>
      signal.addEventListener('abort', resolve, { once: true }),
    );
    this.#last = Promise.race([aborted, answer.catch(() => undefined)]);
    return answer;
  }

  #over(): void {
    this.#underWay--;
    if (this.#underWay === 0) this.#show(0, undefined);
  }
}
