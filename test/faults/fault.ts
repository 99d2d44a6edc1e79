/**
 * A planted fault: a change of one place of the source that must not go unseen, and the test that
 * has to see it.
 */

export interface Fault {
  /** What goes wrong, as a sentence. */
  readonly name: string;
  /** Below the project's folder. */
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly find: string;
  readonly replace: string;
  readonly caughtBy: Catcher;
}

/**
 * A test file below test/, without its ending, and one of its tests by a part of the name; or so
 * many histories of the property suite.
 */
export type Catcher =
  | { readonly test: string; readonly only?: string }
  | { readonly histories: number };

export const describeCatcher = (catcher: Catcher): string =>
  'test' in catcher
    ? `${catcher.test}${catcher.only === undefined ? '' : `: ${catcher.only}`}`
    : `property:engine, ${catcher.histories} histories`;
