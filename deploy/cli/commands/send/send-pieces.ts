/**
 * What both readers of an input share: an event with its place, and the bytes of a value that is
 * read piece by piece. Pure.
 */

export interface InputEvent {
  readonly text: Buffer;
  /** Its place among the events of the input, from 1. */
  readonly number: number;
  /** The line on which it begins, from 1. */
  readonly line: number;
  /** Why it need not be sent. */
  readonly fault?: EventFault;
}

export interface EventFault {
  readonly code: string;
  readonly message: string;
  readonly expected: string;
}

export const bytes = {
  lineFeed: 0x0a,
  carriageReturn: 0x0d,
  blank: 0x20,
  quote: 0x22,
  backslash: 0x5c,
  comma: 0x2c,
  openBrace: 0x7b,
  closeBrace: 0x7d,
  openBracket: 0x5b,
  closeBracket: 0x5d,
} as const;
const { lineFeed, carriageReturn, blank, quote, backslash } = bytes;
const { openBrace, closeBrace, openBracket, closeBracket } = bytes;
const tab = 0x09;

export const isSpace = (byte: number): boolean =>
  byte === blank || byte === lineFeed || byte === carriageReturn || byte === tab;

/**
 * Goes through a container piece by piece until the bracket that closes it; says nothing of what is
 * inside.
 */
export class ContainerWalk {
  #depth = 0;
  #inString = false;
  #escaped = false;

  /** Behind the closing bracket in this piece, or undefined. */
  endIn(piece: Buffer, from: number): number | undefined {
    for (let at = from; at < piece.length; at++) {
      const byte = piece[at] as number;
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === backslash) this.#escaped = true;
        else if (byte === quote) this.#inString = false;
      } else if (byte === quote) this.#inString = true;
      else if (byte === openBrace || byte === openBracket) this.#depth++;
      else if ((byte === closeBrace || byte === closeBracket) && --this.#depth <= 0) return at + 1;
    }
    return undefined;
  }
}

/** The bytes of one value that is read piece by piece: kept within the bound, counted beyond it. */
export class Collected {
  readonly #maxBytes: number;
  #pieces: Buffer[] = [];
  bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  add(piece: Buffer): void {
    if (piece.length === 0) return;
    this.bytes += piece.length;
    if (this.bytes <= this.#maxBytes) this.#pieces.push(piece);
    else this.#pieces = [];
  }

  /** And begins again. */
  take(number: number, line: number): InputEvent {
    const tooLarge = this.bytes > this.#maxBytes;
    const fault: EventFault = {
      code: 'event-too-large',
      message: `it has ${this.bytes} bytes`,
      expected: `at most ${this.#maxBytes} bytes`,
    };
    const [only] = this.#pieces;
    const text =
      this.#pieces.length === 1 && only !== undefined ? only : Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.bytes = 0;
    return { text, number, line, ...(tooLarge ? { fault } : {}) };
  }
}
