/**
 * The files of one topology in the rejected table, of which a newer content may be staged.
 *
 * A partition's first file is `<topology>.parquet`, the next ones `<topology>~2.parquet` and so on
 * (`~` is in no topology's name). What is staged is always a file's complete new content.
 *
 * Invariants:
 * 1. `read` gives a file's newest content: staged since the last `name`, else named and not
 *    published, else published.
 * 2. A staged file that a checkpoint may name is kept until a later `publish` has made a newer one
 *    visible.
 */
import { basename, dirname, join, relative } from 'node:path';
import type { LakeFiles, StagedContent } from '../../schemas/ports/lake-files.ts';
import type { RunId } from '../../schemas/run-id.ts';
import { runName } from '../../schemas/run-id.ts';
import { mayRemove } from '../lake/staged-name.ts';
import type { RejectedRow } from './rejected-row.ts';
import { decodeIdentities, decodeRows, encodeRows } from './rejected-row.ts';

/** Partitions of it whose last file is remembered. */
const rejectedPartitionsMax = 4_096;

export class RejectedFiles {
  readonly #lake: LakeFiles;
  readonly #table: string;
  readonly #topology: string;
  readonly #run: RunId;
  readonly #folder: string;
  /**
   * Target to staged file: what the last state names and is not published, and what came after it.
   */
  #named = new Map<string, string>();
  #newer = new Map<string, string>();
  /** Being written beside a publication, which must not take it for a leftover. */
  readonly #writing = new Set<string>();
  /** The number of the last file of a partition, where it was asked for. */
  readonly #last = new Map<string, number>();
  #made = 0;
  #publishing: Promise<void> = Promise.resolve();

  constructor(lake: LakeFiles, table: string, topology: string, run: RunId) {
    this.#lake = lake;
    this.#table = table;
    this.#topology = topology;
    this.#run = run;
    this.#folder = join('.staging', table, topology);
  }

  /** Publishes what a checkpoint names and removes what it does not. */
  async open(named: readonly StagedContent[]): Promise<void> {
    await this.#lake.makeFolder(this.#folder);
    this.#named = new Map(named.map(({ target, staged }) => [target, staged]));
    this.#newer = new Map();
    await this.publish();
  }

  /** The `number`th file of a partition, from 1. */
  nameOf(partition: string, number: number): string {
    return join(
      this.#table,
      partition,
      `${this.#topology}${number === 1 ? '' : `~${number}`}.parquet`,
    );
  }

  /** The number of the file that takes a partition's new rows. A partition is listed once. */
  async lastNumberOf(partition: string): Promise<number> {
    const known = this.#last.get(partition);
    if (known !== undefined) return known;
    const folder = join(this.#table, partition);
    const staged = [...this.#named.keys(), ...this.#newer.keys()].filter(
      (target) => dirname(target) === folder,
    );
    const names = [
      ...staged.map((target) => basename(target)),
      ...(await this.#lake.names(folder)),
    ];
    const number = Math.max(1, ...names.map((name) => this.#numberOf(name)));
    if (this.#last.size >= rejectedPartitionsMax) this.#last.clear();
    this.#last.set(partition, number);
    return number;
  }

  /** 0: it is not a file of this topology. */
  #numberOf(name: string): number {
    if (name === `${this.#topology}.parquet`) return 1;
    const number = name.startsWith(`${this.#topology}~`)
      ? /^~(\d+)\.parquet$/.exec(name.slice(this.#topology.length))
      : null;
    return Number(number?.[1] ?? 0);
  }

  /** The rows by identity; none when the file is not there. */
  async read(target: string): Promise<Map<string, RejectedRow>> {
    const staged = this.#newer.get(target) ?? this.#named.get(target);
    const found = staged === undefined ? undefined : await this.#lake.read(staged);
    // What a publication in between has taken from there is at its target.
    const bytes = found ?? (await this.#lake.read(target));
    return bytes === undefined ? new Map() : decodeRows(bytes, target);
  }

  /** The identities of a published file, in the order they came. */
  async identities(target: string): Promise<readonly string[]> {
    const bytes = await this.#lake.read(target);
    return bytes === undefined ? [] : decodeIdentities(bytes, target);
  }

  async stage(target: string, rows: readonly RejectedRow[]): Promise<void> {
    const partition = relative(this.#table, dirname(target));
    const last = this.#last.get(partition);
    if (last !== undefined)
      this.#last.set(partition, Math.max(last, this.#numberOf(basename(target))));
    const staged = join(this.#folder, `${runName(this.#run)}-${this.#made++}.parquet`);
    this.#writing.add(staged);
    await this.#lake.write(staged, encodeRows(rows));
    const before = this.#newer.get(target);
    this.#newer.set(target, staged);
    this.#writing.delete(staged);
    if (before !== undefined) await this.#lake.remove(before);
  }

  /** Everything staged and not published, durably; a checkpoint keeps it. */
  async name(): Promise<readonly StagedContent[]> {
    if (this.#newer.size > 0) await this.#lake.settle(this.#folder);
    for (const [target, staged] of this.#newer) this.#named.set(target, staged);
    this.#newer = new Map();
    return [...this.#named].map(([target, staged]) => ({ staged, target }));
  }

  /** Makes visible what was named. Doing it twice does nothing more. */
  publish(): Promise<void> {
    const next = this.#publishing.then(() => this.#publishNamed());
    this.#publishing = next.catch(() => undefined);
    return next;
  }

  async #publishNamed(): Promise<void> {
    await this.#lake.publish([...this.#named].map(([target, staged]) => ({ staged, target })));
    this.#named = new Map();
    for (const name of await this.#lake.names(this.#folder)) {
      const file = join(this.#folder, name);
      const kept = this.#writing.has(file) || [...this.#newer.values()].includes(file);
      if (!kept && mayRemove(name, this.#run)) await this.#lake.remove(file);
    }
  }

  /** Published files from `oldestDate` (YYYY-MM-DD) on, newest first. */
  async *published(oldestDate: string): AsyncGenerator<string> {
    const own = [`/${this.#topology}.parquet`, `/${this.#topology}~`];
    const dates = (await this.#lake.names(this.#table))
      .filter((name) => name.startsWith('date=') && name.slice('date='.length) >= oldestDate)
      .sort()
      .reverse();
    for (const date of dates) {
      const paths = await this.#lake.list(join(this.#table, date));
      yield* paths
        .filter((path) => path.endsWith('.parquet') && own.some((part) => path.includes(part)))
        .sort()
        .reverse();
    }
  }
}
