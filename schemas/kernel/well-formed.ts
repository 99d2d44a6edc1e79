/**
 * Text that UTF-8 can hold. Node 20 has both functions on strings; TypeScript's ES2023 library does
 * not declare them.
 */

interface UnicodeText {
  isWellFormed(): boolean;
  toWellFormed(): string;
}

/** False for a text with a lone surrogate. */
export function isWellFormed(text: string): boolean {
  return (text as unknown as UnicodeText).isWellFormed();
}

/** `text` with U+FFFD for each lone surrogate. */
export function wellFormed(text: string): string {
  return (text as unknown as UnicodeText).toWellFormed();
}
