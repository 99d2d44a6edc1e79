/**
 * Looks every half second whether something that a topology was made of is another now. It polls:
 * the same on every file system, also for links and for files that are not there yet.
 *
 * Invariants:
 * 1. A change is reported once, when the files stand still, and the next only after what it led to
 *    is over.
 * 2. What is found wrong with a change is not tried again before the next one.
 */
import type { Clock, Timer } from '../../schemas/kernel/clock.ts';
import { sleep } from '../../schemas/kernel/clock.ts';
import { FileStamps, stampOf } from './file-stamps.ts';

const watchMs = 500;
/**
 * How long files stand still that somebody has finished to save, and how often that is waited for.
 */
const settleMs = 100;
const settlesMax = 50;

/**
 * Whether a changed table of a look-up is read again, or stays as it was read until the next start.
 */
export type TablePolicy = 'reload' | 'keep';

export class TopologyWatch {
  /** Whether a table that is to be read again has changed since the running thread read it. */
  tablesChanged = false;
  /** Tables that have changed and are kept as they were read. */
  readonly kept = new Set<string>();
  readonly #clock: Clock;
  readonly #onChange: () => Promise<void>;
  readonly #onKept: (path: string) => void;
  #files = new FileStamps();
  #tables = new FileStamps();
  #policies: ReadonlyMap<string, TablePolicy> = new Map();
  #timer: Timer | undefined;
  #looking: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(clock: Clock, onChange: () => Promise<void>, onKept: (path: string) => void) {
    this.#clock = clock;
    this.#onChange = onChange;
    this.#onKept = onKept;
  }

  /** What the last try was made of. */
  files(stamps: FileStamps): void {
    this.#files = stamps;
  }

  /** The tables of the thread that runs now, with their stamps from before they were read. */
  tables(
    policies: ReadonlyMap<string, TablePolicy>,
    stamps: Readonly<Record<string, string>>,
  ): void {
    this.#policies = policies;
    this.#tables = new FileStamps();
    for (const [path, stamp] of Object.entries(stamps)) this.#tables.noted(path, stamp);
    this.tablesChanged = false;
    this.kept.clear();
  }

  start(): void {
    this.#timer = this.#clock.setTimer(watchMs, () => {
      this.#looking = this.#look().finally(() => {
        if (!this.#stopped) this.start();
      });
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#looking;
  }

  async #look(): Promise<void> {
    const tables = await this.#tables.changed();
    const reloaded = tables.filter((path) => this.#policies.get(path) !== 'keep');
    for (const path of tables) if (!reloaded.includes(path)) await this.#keep(path);
    if (reloaded.length === 0 && (await this.#files.changed()).length === 0) return;
    await this.#settle();
    for (const path of reloaded) this.#tables.renoted(path, await stampOf(path));
    if (reloaded.length > 0) this.tablesChanged = true;
    if (!this.#stopped) await this.#onChange();
  }

  async #keep(path: string): Promise<void> {
    this.#tables.renoted(path, await stampOf(path));
    this.kept.add(path);
    this.#onKept(path);
  }

  async #settle(): Promise<void> {
    const paths = [...this.#files.paths, ...this.#tables.paths];
    const look = async (): Promise<string> => (await Promise.all(paths.map(stampOf))).join('\n');
    let last = await look();
    for (let tries = 0; tries < settlesMax && !this.#stopped; tries++) {
      await sleep(this.#clock, settleMs);
      const now = await look();
      if (now === last) return;
      last = now;
    }
  }
}
