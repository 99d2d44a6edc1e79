/**
 * The index of the rejected table on its disk or in its bucket: which file holds an identity, as
 * files that are never changed.
 *
 * `<lake>/.tables/rejected-index/<topology>/<time>-<run>-<n>.index`: a line with the files as JSON,
 * then one line an entry, its key and the number of its file, in the order in which entries came.
 *
 * Invariants:
 * 1. What is there has every entry, of whatever run: a folder with no segment has no index yet. An
 *    entry too many does no harm, as it is only where to look.
 * 2. A segment is removed only after its entries are in another one, or when all of them are over.
 * 3. Segments that follow each other differ in size by a factor, up to `rejectedIndexSegmentMax`:
 *    their number grows by the logarithm of the entries, and an entry is written again as often.
 */
import { join } from 'node:path';
import { boundedEach } from '../../schemas/kernel/bounded-each.ts';
import { bufferOf } from '../../schemas/kernel/buffer-of.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { limits } from '../../schemas/limits.ts';
import type { LakeFiles } from '../../schemas/ports/lake-files.ts';
import type { RunId } from '../../schemas/run-id.ts';
import { runName } from '../../schemas/run-id.ts';

/** Entries of one file of the index; larger ones are not merged. */
const rejectedIndexSegmentMax = 65_536;

export type IndexEntry = readonly [key: string, file: string];

interface Segment {
  readonly path: string;
  readonly entries: number;
}

const ending = '.index';
const numberDigits = 8;
const timeDigits = 15;
/** A segment that another run merged meanwhile is in a newer one. */
const listsMax = 3;

export class IndexSegments {
  readonly #lake: LakeFiles;
  readonly #folder: string;
  readonly #run: RunId;
  readonly #clock: Clock;
  /** The newest last. */
  #segments: Segment[] = [];
  #made = 0;

  constructor(lake: LakeFiles, topology: string, run: RunId, clock: Clock) {
    this.#lake = lake;
    this.#folder = join('.tables', 'rejected-index', topology);
    this.#run = run;
    this.#clock = clock;
  }

  /**
   * All entries of files from `oldestDate` (YYYY-MM-DD) on, in order; undefined where there is no
   * index, or one that is damaged.
   */
  async read(oldestDate: string): Promise<readonly IndexEntry[] | undefined> {
    for (let lists = 0; lists < listsMax; lists++) {
      const paths = await this.#paths();
      if (paths.length === 0) return undefined;
      const found = new Map<string, Uint8Array>();
      await boundedEach(paths, limits.lakeCallsMax, async (path) => {
        const bytes = await this.#lake.read(path);
        if (bytes !== undefined) found.set(path, bytes);
      });
      if (found.size === paths.length) return this.#taken(paths, found, oldestDate);
    }
    return undefined;
  }

  async #taken(
    paths: readonly string[],
    found: ReadonlyMap<string, Uint8Array>,
    oldestDate: string,
  ): Promise<readonly IndexEntry[] | undefined> {
    const all: IndexEntry[] = [];
    const over: string[] = [];
    this.#segments = [];
    for (const path of paths) {
      const entries = decodeSegment(found.get(path) as Uint8Array);
      if (entries === undefined) return undefined;
      const live = entries.filter(([, file]) => dateOf(file) >= oldestDate);
      for (const entry of live) all.push(entry);
      if (live.length > 0) this.#segments.push({ path, entries: entries.length });
      else over.push(path);
    }
    // The last one stays: an empty folder has no index.
    if (over.length < paths.length) this.#lake.letGo(over);
    return all;
  }

  async #paths(): Promise<readonly string[]> {
    const names = await this.#lake.names(this.#folder);
    return names
      .filter((name) => name.endsWith(ending))
      .sort()
      .map((name) => join(this.#folder, name));
  }

  /** A new index, in place of whatever is there. */
  async begin(entries: readonly IndexEntry[]): Promise<void> {
    await this.#lake.makeFolder(this.#folder);
    const before = await this.#paths();
    this.#segments = [await this.#write(entries)];
    this.#lake.letGo(before);
  }

  /** Durable when it resolves. */
  async add(entries: readonly IndexEntry[]): Promise<void> {
    if (entries.length === 0) return;
    let merged = entries;
    const replaced: Segment[] = [];
    for (
      let last = this.#segments.at(-1);
      last !== undefined && mayMerge(last, merged);
      last = this.#segments.at(-1)
    ) {
      const bytes = await this.#lake.read(last.path);
      const before = bytes === undefined ? undefined : decodeSegment(bytes);
      // Another run merged it, or it is damaged: then it stays for who reads all.
      if (before === undefined) break;
      merged = [...before, ...merged];
      replaced.push(last);
      this.#segments.pop();
    }
    this.#segments.push(await this.#write(merged));
    this.#lake.letGo(replaced.map(({ path }) => path));
  }

  async #write(entries: readonly IndexEntry[]): Promise<Segment> {
    const time = String(this.#clock.now()).padStart(timeDigits, '0');
    const number = String(this.#made++).padStart(numberDigits, '0');
    const path = join(this.#folder, `${time}-${runName(this.#run)}-${number}${ending}`);
    await this.#lake.replace(path, encodeSegment(entries));
    return { path, entries: entries.length };
  }
}

function mayMerge(last: Segment, merged: readonly IndexEntry[]): boolean {
  return (
    last.entries <= 2 * merged.length && last.entries + merged.length <= rejectedIndexSegmentMax
  );
}

const dateOf = (file: string): string => /date=([^/]*)/.exec(file)?.[1] ?? '';

function encodeSegment(entries: readonly IndexEntry[]): Uint8Array {
  const numbers = new Map<string, number>();
  const lines: string[] = [];
  for (const [key, file] of entries) {
    const number = numbers.get(file) ?? numbers.size;
    numbers.set(file, number);
    lines.push(`${key} ${number}\n`);
  }
  return Buffer.from(`${JSON.stringify([...numbers.keys()])}\n${lines.join('')}`);
}

/** Undefined when it is damaged. */
export function decodeSegment(bytes: Uint8Array): readonly IndexEntry[] | undefined {
  const [head = '', ...lines] = bufferOf(bytes).toString().split('\n');
  if (lines.pop() !== '') return undefined;
  const entries: IndexEntry[] = [];
  try {
    const files = JSON.parse(head) as readonly string[];
    for (const line of lines) {
      const [key = '', number = ''] = line.split(' ');
      const file = files[Number(number)];
      if (key === '' || number === '' || typeof file !== 'string') return undefined;
      entries.push([key, file]);
    }
  } catch {
    return undefined;
  }
  return entries;
}
