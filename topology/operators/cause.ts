/**
 * What an operator is at work on, for whoever puts what several instances of it give into the order
 * of one (runtime/parallel/).
 *
 * Invariant: an operator says of each row which one it is before it gives or rejects anything for
 * it, and of each timer that fires for a row which one it is.
 */
export class Cause {
  /** The row's place in its batch. */
  row = 0;
  /**
   * Told a timer before it gives anything: its time, and by what timers of one time are ordered.
   * Undefined where nobody asks.
   */
  readonly timer: ((time: number, key: string) => void) | undefined;

  constructor(timer?: (time: number, key: string) => void) {
    this.timer = timer;
  }
}
