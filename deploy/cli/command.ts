/**
 * The words in which a command is written as data: its name, summary, arguments, options, examples,
 * and what it runs. `commands/<name>/command.ts` has one as its default export, or a group of them;
 * find-commands.ts finds it there, main.ts makes the command line of it, and docs/reference/cli.md
 * is made of it.
 *
 * Invariant: such a module imports what its command needs when it runs, not before: the start must
 * not pay for the others.
 */
import type { Environment } from '../../schemas/config-file.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import type { Output } from './output.ts';

/** An argument, by its place. */
export interface Argument<T = unknown> {
  readonly summary: string;
  readonly isOptional: boolean;
  readonly isList: boolean;
  /** Never present; carries `T`. */
  readonly gives?: T;
}

/** An option, by its name: `keyPointer` is `--key-pointer`. */
export interface Option<T = unknown> {
  readonly summary: string;
  /** `<file>`, `[ids]` (may be left out), `<names...>` (several); none: a flag. */
  readonly value?: string;
  readonly default?: string;
  readonly isRequired?: true;
  /** A flag that is on by default: `resume` is `--no-resume`. */
  readonly isOff?: true;
  /** From what the command line gives to what the command is given. */
  readonly read: (given: unknown) => T;
}

type ArgumentsOf<A> = { readonly [K in keyof A]: A[K] extends Argument<infer T> ? T : never };
type OptionsOf<O> = { readonly [K in keyof O]: O[K] extends Option<infer T> ? T : never };

/** What every command is given. */
export interface Context {
  readonly json: boolean;
  /** Where everything local is. */
  readonly dir: string;
  /** The configuration that was named. */
  readonly config: string | undefined;
  /**
   * The configuration to use: the one that was named, else `sluice.yaml` here, else the example.
   */
  readonly configFile: () => string;
  readonly env: Environment;
  readonly clock: Clock;
  readonly random: Random;
  readonly output: Output;
}

interface Definition<A, O> {
  /** `config check` is the command `check` of the group `config`. */
  readonly name: string;
  readonly summary: string;
  /** Where help lists it: lower ones first; those without one last, by name. */
  readonly order?: number;
  readonly arguments?: A;
  readonly options?: O;
  /** Without `sluice`. */
  readonly examples: readonly string[];
  /**
   * Whether it writes to the instance's folder: then its files are its user's alone, those of child
   * processes and libraries too. Other commands write as the person's umask says.
   */
  readonly writes?: true;
  /** Resolves with the exit code. */
  readonly run: (
    context: Context,
    given: { readonly arguments: ArgumentsOf<A>; readonly options: OptionsOf<O> },
  ) => number | Promise<number>;
}

export type Command = Definition<
  Readonly<Record<string, Argument>>,
  Readonly<Record<string, Option>>
>;

/** Commands of two words that have the first in common, which may be a command by itself. */
export interface CommandGroup {
  readonly name: string;
  readonly summary: string;
  /** As that of a command. */
  readonly order?: number;
  /** The command of the first word alone. */
  readonly own?: Command;
  readonly commands: readonly Command[];
}

export function command<
  const A extends Readonly<Record<string, Argument>>,
  const O extends Readonly<Record<string, Option>>,
>(definition: Definition<A, O>): Command {
  return definition as unknown as Command;
}

export const group = (definition: CommandGroup): CommandGroup => definition;

const argumentOf =
  <T>(isOptional: boolean, isList: boolean) =>
  (summary: string): Argument<T> => ({ summary, isOptional, isList });
export const argument = argumentOf<string>(false, false);
export const optionalArgument = argumentOf<string | undefined>(true, false);
export const someArguments = argumentOf<readonly string[]>(false, true);
export const anyArguments = argumentOf<readonly string[]>(true, true);

export const flag = (summary: string): Option<boolean> => ({
  summary,
  read: (given) => given === true,
});
export const flagOff = (summary: string): Option<boolean> => ({
  summary,
  isOff: true,
  read: (given) => given !== false,
});
export const text = (value: string, summary: string): Option<string | undefined> => ({
  value,
  summary,
  read: (given) => given as string | undefined,
});
export const textOr = (value: string, byDefault: string, summary: string): Option<string> => ({
  value,
  summary,
  default: byDefault,
  read: (given) => given as string,
});
export const requiredText = (value: string, summary: string): Option<string> => ({
  value,
  summary,
  isRequired: true,
  read: (given) => given as string,
});
export const texts = (value: string, summary: string): Option<readonly string[]> => ({
  value,
  summary,
  read: (given) => (given ?? []) as readonly string[],
});
export const requiredTexts = (value: string, summary: string): Option<readonly string[]> => ({
  ...texts(value, summary),
  isRequired: true,
});

/** `--drop-state a,b --drop-state c`; without a value none is named. */
export const namesOrNone = (
  value: string,
  summary: string,
): Option<readonly string[] | undefined> => ({
  value,
  summary,
  read: (given) => {
    if (given === undefined) return undefined;
    if (given === true) return [];
    return (given as readonly string[]).flatMap((ids) => ids.split(',')).filter((id) => id !== '');
  },
});

/** As a person writes it: `--key-pointer <pointer>`. */
export function flagsOf(name: string, { value, isOff }: Option): string {
  const dashed = name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return `--${isOff === true ? 'no-' : ''}${dashed}${value === undefined ? '' : ` ${value}`}`;
}

/** As a person writes it: `<file>`, `[files...]`. */
export function placeholderOf(name: string, { isOptional, isList }: Argument): string {
  const inner = `${name}${isList ? '...' : ''}`;
  return isOptional ? `[${inner}]` : `<${inner}>`;
}
