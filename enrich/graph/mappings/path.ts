/**
 * A user's path: what a window collected, in the order of event time, as the ready graph mappings
 * take it.
 *
 * Invariants:
 * 1. A path does not depend on the order of arrival: it is sorted by time, at equal times by id (by
 *    UTF-16 code units), and an id that comes more than once stands where it is first.
 * 2. An element that cannot be part of a path (text that is not a key, no time) is refused alone,
 *    when it comes; so is one too many.
 */
import { assert } from '../../../schemas/kernel/assert.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import { parseEventTime } from '../../../schemas/kernel/time.ts';
import { isWellFormed } from '../../../schemas/kernel/well-formed.ts';
import { limits } from '../../../schemas/limits.ts';
import type { Aggregate, WindowInfo } from '../../../topology/index.ts';
import { aggregator } from '../../../topology/index.ts';

/**
 * Ready graph mappings: elements of one path, which gives up to five writes for each of a
 * journey.
 */
export const pathMaxElements = 10_000;
assert(5 * pathMaxElements <= limits.graphStagedMaxWrites, 'the longest journey can be staged');

export interface PathElement {
  readonly id: string;
  /** Event time, epoch ms. */
  readonly at: number;
}

/** A window's result that has a path. */
export interface PathWindow<out E> {
  readonly pane: WindowInfo<unknown>['pane'];
  readonly path: readonly E[];
}

/** A question to a graph, in the Cypher that the embedded graph and Neo4j share. */
export interface GraphQuestion {
  readonly title: string;
  readonly cypher: string;
}

/**
 * The aggregate that collects a path of what `read` makes of elements; those it makes nothing of
 * are left out. An element more than `pathMaxElements`, or one that would join two paths to more
 * than that, is refused (`path-full`).
 */
export function pathOf<T, E extends PathElement>(
  read: (value: T) => E | undefined,
): Aggregate<T, readonly E[]> {
  return aggregator<T, E[], readonly E[]>({
    create: () => [],
    add: (path, value) => {
      const element = read(value);
      if (element === undefined) return path;
      checkLength(path.length + 1);
      path.push(element);
      return path;
    },
    merge: (a, b) => {
      checkLength(a.length + b.length);
      return [...a, ...b];
    },
    result: inOrder,
  });
}

function checkLength(length: number): void {
  if (length <= pathMaxElements) return;
  throw new SluiceError(
    'path-full',
    `a path has at most ${pathMaxElements} elements in one window, and this is one more`,
    {
      fix: 'a shorter gap ends paths sooner; a filter before the window keeps robots out',
    },
  );
}

function inOrder<E extends PathElement>(elements: readonly E[]): readonly E[] {
  const seen = new Set<string>();
  return [...elements].sort(compare).filter(({ id }) => seen.size < seen.add(id).size);
}

function compare(a: PathElement, b: PathElement): number {
  if (a.at !== b.at) return a.at - b.at;
  if (a.id !== b.id) return a.id < b.id ? -1 : 1;
  const [first, second] = [JSON.stringify(a), JSON.stringify(b)];
  return first === second ? 0 : first < second ? -1 : 1;
}

/** The elements by what `keyOf` says, in the order in which each key is first met. */
export function groupedBy<E>(
  elements: readonly E[],
  keyOf: (element: E) => string,
): ReadonlyMap<string, readonly E[]> {
  const groups = new Map<string, E[]>();
  for (const element of elements) {
    const key = keyOf(element);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [element]);
    else group.push(element);
  }
  return groups;
}

/**
 * `value`, which `what` names, if a graph takes it as a key with `moreBytes` after it. Throws
 * `path-element`.
 */
export function keyText(what: string, value: unknown, moreBytes = 0): string {
  if (typeof value !== 'string')
    throw refusedElement(`${what} must be text, not ${value === null ? 'null' : typeof value}`);
  if (!isWellFormed(value))
    throw refusedElement(`${what} has half a surrogate pair, which UTF-8 cannot hold`);
  const bytes = Buffer.byteLength(value);
  const most = limits.graphKeyMaxBytes - moreBytes;
  if (bytes > most)
    throw refusedElement(`${what} has ${bytes} bytes; a key of the graph has at most ${most}`);
  return value;
}

/** Throws `path-element`. */
export function timeOf(value: unknown): number {
  const at = parseEventTime(value);
  if (typeof at !== 'number')
    throw refusedElement(
      `the time must be an RFC 3339 time or whole epoch milliseconds: ${at.reason}`,
    );
  return at;
}

export function refusedElement(message: string): SluiceError {
  return new SluiceError('path-element', message);
}
