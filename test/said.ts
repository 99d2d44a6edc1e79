/**
 * What a message says besides its words: the numbers and the quoted names in it, in their order.
 * For rows and answers that have no more than the text; a `SluiceError` has `details`.
 */
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
export function codeIn(text: string | undefined): readonly string[] {
  return [...(text ?? '').matchAll(/`([^`]+)`/g)].map(([, code]) => code ?? '');
}
