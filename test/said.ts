/**
 * What a message says besides its words: the numbers, the quoted names and the commands in it, in
 * their order. For rows and answers that have no more than the text; a `SluiceError` has `details`.
 */
import { isDeepStrictEqual } from 'node:util';

const number = /(?<![\w.:-])-?\d+(?:\.\d+)?(?!\w|[-:.]\w)/g;

/** Parts of a time or of a word are none. */
export function numbersIn(text: string | undefined): readonly number[] {
  return [...(text ?? '').matchAll(number)].map(([found]) => Number(found));
}

/** An apostrophe of a word is no quote. */
export function namesIn(text: string | undefined): readonly string[] {
  return [...(text ?? '').matchAll(/(?<!\w)'([^']*)'(?!\w)/g)].map(([, name]) => name ?? '');
}

/** What stands in backticks: the commands to run, the keys to set. */
function codeIn(text: string | undefined): readonly string[] {
  return [...(text ?? '').matchAll(/`([^`]+)`/g)].map(([, code]) => code ?? '');
}

interface Said {
  readonly names?: readonly string[];
  readonly numbers?: readonly number[];
  readonly code?: readonly string[];
  /** What was given to the product, at the end of what it says. */
  readonly end?: string;
}

/** In place of a message: one that says all of this, of each kind that is given no more. */
export function saying(said: Said): string {
  return {
    said,
    asymmetricMatch(text: unknown): boolean {
      if (typeof text !== 'string') return false;
      const { names, numbers, code, end } = said;
      return (
        (names === undefined || isDeepStrictEqual(namesIn(text), names)) &&
        (numbers === undefined || isDeepStrictEqual(numbersIn(text), numbers)) &&
        (code === undefined || isDeepStrictEqual(codeIn(text), code)) &&
        (end === undefined || text.endsWith(end))
      );
    },
  } as unknown as string;
}
