/**
 * The version of the schema of a declared state, or of an author's own aggregate, and the function
 * that brings what an earlier version kept to it. One that was never declared is version 1.
 *
 * Invariant: a version from 2 on has a function, so that no state is without a way.
 */
import type { Options } from './kind-state.ts';
import type { NodeBuilder } from './node-builder.ts';

/** The part of the node that has it. */
export interface Versioned {
  readonly name: string;
  /** Absent: 1. */
  readonly version?: number;
}

/** An author's function, which is given what a checkpoint has, and the version that it is of. */
export type Migrate = (old: unknown, version: number) => unknown;

export const migratePart = 'migrate';

/** What an author gave, as nodes have it; what is wrong is a problem of the node. */
export function versionOf(
  builder: NodeBuilder,
  node: string,
  what: string,
  { version = 1, migrate }: { readonly version?: unknown; readonly migrate?: unknown },
): Pick<Versioned, 'version'> {
  const isVersion = typeof version === 'number' && Number.isSafeInteger(version) && version >= 1;
  if (!isVersion)
    builder.problems.push({
      node,
      message: `the version of ${what} must be a whole number from 1, not ${String(version)}`,
      fix: 'write version: 2 for the first change of its schema',
    });
  else if (version > 1 && typeof migrate !== 'function')
    builder.problems.push({
      node,
      message: `${what} has version ${version}, and no function that brings earlier ones to it`,
      fix: 'write migrate: (old, version) => ...',
    });
  else if (version === 1 && migrate !== undefined)
    builder.problems.push({
      node,
      message: `${what} has a function that brings earlier versions to its own, which is the first`,
      fix: 'write version: 2 beside migrate',
    });
  return isVersion && version > 1 ? { version } : {};
}

/** The options of a definition that say versions beyond the first. */
export function versionOptions(parts: readonly Versioned[]): Options {
  return Object.fromEntries(
    parts.flatMap(({ name, version }) =>
      version === undefined ? [] : [[`${versionPrefix}${name}`, version] as const],
    ),
  );
}

/** The part whose version an option is; undefined of any other option. */
export function versionedPart(option: string): string | undefined {
  return option.startsWith(versionPrefix) ? option.slice(versionPrefix.length) : undefined;
}

/** Of a part in a definition. */
export function versionIn(options: Options, name: string): number {
  return Number(options[`${versionPrefix}${name}`] ?? 1);
}

const versionPrefix = 'version of ';
