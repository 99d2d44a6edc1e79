/**
 * Who inflates next: a bounded number at once, and of all owners in turn, so that one who sends
 * many bodies delays its own.
 *
 * An inflater has a window of its own, up to 16 MiB with Brotli (RFC 7932, section 9.1) before a
 * single byte comes out of it: `inflatersMax` of them is what all bodies together can make it take.
 */

/** Whole bodies that are inflated at once. */
export const inflatersMax = 8;

type Job = () => Promise<void>;

export class Turns {
  /** Jobs that wait, by owner; the first owner is next. */
  readonly #waiting = new Map<string, Job[]>();
  #running = 0;

  /** Runs `job` when it is its owner's turn. It must not reject. */
  take(owner: string, job: Job): void {
    const jobs = this.#waiting.get(owner);
    if (jobs === undefined) this.#waiting.set(owner, [job]);
    else jobs.push(job);
    this.#next();
  }

  #next(): void {
    for (const [owner, jobs] of this.#waiting) {
      if (this.#running >= inflatersMax) return;
      const job = jobs.shift() as Job;
      // To the end: its others wait until everybody had a turn.
      this.#waiting.delete(owner);
      if (jobs.length > 0) this.#waiting.set(owner, jobs);
      this.#running++;
      void job().then(() => {
        this.#running--;
        this.#next();
      });
    }
  }
}
