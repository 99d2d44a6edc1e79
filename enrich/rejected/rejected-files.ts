/**
 * The files of one topology in the rejected table, of which a newer content may be staged.
 *
 * A partition's first file is `<topology>.parquet`, the next ones `<topology>~2.parquet` and so on (`~` is in no topology's name).
 * What is staged is always a file's complete new content.
 *
 * Invariants:
 * 1. `read` gives a file's newest content: staged since the last `name`, else named and not published, else published.
 * 2. A staged file that a checkpoint may name is kept until a later `publish` has made a newer one visible.
 */
import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import { makeDirectory, syncDirectory, writeDurable } from '../durable-file.ts';
import type { RejectedRow } from './rejected-row.ts';
import { decodeIdentities, decodeRows, encodeRows } from './rejected-row.ts';

/** Paths relative to the lake. */
export interface StagedContent {
  readonly staged: string;
  readonly target: string;
}

export class RejectedFiles {
  readonly #lake: string;
  readonly #table: string;
  readonly #topology: string;
  readonly #attempt: number;
  readonly #folder: string;
  /** Target to staged file: what the last state names and is not published, and what came after it. */
  #named = new Map<string, string>();
  #newer = new Map<string, string>();
  #made = 0;

  constructor(lake: string, table: string, topology: string, attempt: number) {
    this.#lake = lake;
    this.#table = table;
    this.#topology = topology;
    this.#attempt = attempt;
    this.#folder = join('.staging', table, topology);
  }

  #path(relative: string): string {
    return join(this.#lake, relative);
  }

  /** Publishes what a checkpoint names and removes what it does not. */
  open(named: readonly StagedContent[]): void {
    makeDirectory(this.#path(this.#folder));
    this.#named = new Map(named.map(({ target, staged }) => [target, staged]));
    this.#newer = new Map();
    this.publish();
  }

  #newest(target: string): string | undefined {
    const staged = this.#newer.get(target) ?? this.#named.get(target);
    if (staged !== undefined) return staged;
    return existsSync(this.#path(target)) ? target : undefined;
  }

  /** The `number`th file of a partition, from 1. */
  nameOf(partition: string, number: number): string {
    return join(this.#table, partition, `${this.#topology}${number === 1 ? '' : `~${number}`}.parquet`);
  }

  /** The number of the file that takes a partition's new rows. */
  lastNumberOf(partition: string): number {
    let number = 1;
    while (this.#newest(this.nameOf(partition, number + 1)) !== undefined) number++;
    return number;
  }

  /** The rows by identity; none when the file is not there. */
  async read(target: string): Promise<Map<string, RejectedRow>> {
    const file = this.#newest(target);
    // Opened before the first await: a publication in between renames the file, and its content stays in hand.
    return file === undefined ? new Map() : decodeRows(readFileSync(this.#path(file)));
  }

  /** The identities of a published file, in the order they came. */
  identities(target: string): Promise<readonly string[]> {
    return decodeIdentities(readFileSync(this.#path(target)));
  }

  stage(target: string, rows: readonly RejectedRow[]): void {
    const staged = join(this.#folder, `${this.#attempt}-${this.#made++}.parquet`);
    writeDurable(this.#path(staged), encodeRows(rows));
    const before = this.#newer.get(target);
    this.#newer.set(target, staged);
    if (before !== undefined) rmSync(this.#path(before), { force: true });
  }

  /** Everything staged and not published, durably; a checkpoint keeps it. */
  name(): readonly StagedContent[] {
    if (this.#newer.size > 0) syncDirectory(this.#path(this.#folder));
    for (const [target, staged] of this.#newer) this.#named.set(target, staged);
    this.#newer = new Map();
    return [...this.#named].map(([target, staged]) => ({ staged, target }));
  }

  /** Makes visible what was named. Doing it twice does nothing more. */
  publish(): void {
    const folders = new Set<string>();
    for (const [target, staged] of this.#named) {
      const to = this.#path(target);
      if (existsSync(this.#path(staged))) {
        makeDirectory(dirname(to));
        renameSync(this.#path(staged), to);
        folders.add(dirname(to));
      } else if (!existsSync(to)) {
        throw new SluiceError('staged-file-missing', `the last checkpoint names ${staged}, and neither it nor ${target} is there`, {
          fix: 'put the lake back from a copy, or start anew with `sluice reset`',
        });
      }
    }
    for (const folder of folders) syncDirectory(folder);
    this.#named = new Map();
    const kept = new Set(this.#newer.values());
    for (const name of readdirSync(this.#path(this.#folder))) {
      const file = join(this.#folder, name);
      if (!kept.has(file)) rmSync(this.#path(file), { force: true });
    }
  }

  /** Published files from `oldestDate` (YYYY-MM-DD) on, newest first. */
  *published(oldestDate: string): Generator<string> {
    const root = this.#path(this.#table);
    const own = [`/${this.#topology}.parquet`, `/${this.#topology}~`];
    const dates = readdirSync(root)
      .filter((name) => name.startsWith('date=') && name.slice('date='.length) >= oldestDate)
      .sort()
      .reverse();
    for (const date of dates) {
      const paths = readdirSync(join(root, date), { recursive: true, encoding: 'utf8' });
      for (const path of paths
        .filter((name) => name.endsWith('.parquet') && own.some((part) => name.includes(part)))
        .sort()
        .reverse()) {
        yield join(this.#table, date, path);
      }
    }
  }
}
