/**
 * What a kind keeps between turns, as checkpoints and the restore have to know it.
 */
import type { Random } from '../../schemas/kernel/random.ts';
import type { AnyNode } from '../nodes/node.ts';

export type OptionValue = string | number | boolean;

/**
 * By their names in the language, times in ms. A part of the state is an option `<group>.<name>`.
 */
export type Options = Readonly<Record<string, OptionValue>>;

/** Why state that was made under another value of an option does not fit. */
export interface Rule {
  readonly why: string;
  /** Whether its value is a time. */
  readonly isTime?: true;
  /** The value that state of before fits, whatever it was. */
  readonly fits?: OptionValue;
  /** The option whose change says it already. */
  readonly saidBy?: string;
}

/** Elements in state, with the number of the input by which they came. */
export type Elements = Iterable<readonly [input: number, value: unknown]>;

/** By the name of a part: from what an entry has of it to what it is to have. */
export type PartCalls = ReadonlyMap<string, (old: unknown) => unknown>;

/** What changed of a node whose state continues. */
export interface StateChange {
  /** Names of the parts that are gone, were dropped, or are of another kind now. */
  readonly gone: ReadonlySet<string>;
  /** The nearest node with state before each input, as it was and as it is. */
  readonly anchorsBefore: readonly string[];
  readonly anchors: readonly string[];
}

export interface KindState<N extends AnyNode> {
  /** Whether a node keeps some. Default: each does. */
  readonly isKept?: (node: N) => boolean;
  /** The options that its state depends on, or that are told when they change. */
  readonly options?: (node: N) => Options;
  /**
   * By option. State that was made under any value of one without a rule is right under any other:
   * it says what happens from now on, or what was forgotten stays forgotten.
   */
  readonly rules?: Readonly<Record<string, Rule>>;
  /** Whether the beginning of its state tells what it makes from what it made before. */
  readonly hasEra?: true;
  /** What its inputs are called. Default: one, `input`. */
  readonly inputNames?: readonly string[];
  /** Whether it holds no elements, so that other ones may come by its inputs. */
  readonly takesOtherElements?: true;
  /** Why its state cannot go with the node. Default: it would be dropped. */
  readonly whenGone?: (head: unknown) => string | undefined;
  /** Its head under a changed definition that the rules allow. Default: as it is. */
  readonly adapt?: (head: unknown, change: StateChange) => unknown;
  /**
   * An entry's text with parts of it as `calls` give them, by their names; one that the entry does
   * not have, or whose name was let go of, is not called.
   */
  readonly migrated?: (text: string, head: never, calls: PartCalls) => string;
  /** The slot of the function that migrates a part. */
  readonly migrateSlot?: (name: string) => string;
  /** The elements in its head that are as they came. */
  readonly elements?: (head: unknown) => Elements;
  /** The element in an entry of one of its tables, where that is as it came. */
  readonly elementOf?: (table: string, text: string) => readonly [input: number, value: unknown];
  /**
   * What a manifest before version 4 has of it, as head and entries. Default: all of it is the
   * head.
   */
  readonly fromWhole?: (state: never, node: N, random: Random) => WholeState;
}

/** A state in parts: what its operator restores first, and the entries of its tables. */
export interface WholeState {
  readonly head: unknown;
  readonly entries: Iterable<NewEntry>;
}

export interface NewEntry {
  /** Its name. */
  readonly table: string;
  readonly group: number;
  readonly key: string | Uint8Array;
  readonly time: number;
  readonly value: string | Uint8Array;
}

/** An aggregate or a declared state of a node as an option. */
export function partOption(group: 'aggregates' | 'state', name: string): string {
  return `${group}.${name}`;
}
