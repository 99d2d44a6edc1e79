/**
 * JSON values one after the other, over any number of lines: where each begins and ends, and what
 * of them is no JSON. Pure.
 */
import { checkJson, isFault } from '../../../../schemas/json-scan.ts';
import { SluiceError } from '../../../../schemas/kernel/errors.ts';
import type { InputEvent } from './send-pieces.ts';
import { bytes, Collected, ContainerWalk, isSpace } from './send-pieces.ts';

const { lineFeed, carriageReturn, blank, quote, backslash, comma } = bytes;
const { openBrace, closeBrace, openBracket, closeBracket } = bytes;

/** Where the scanner of values is, between them. */
type Place = 'top' | 'array-begins' | 'after-element' | 'after-comma';

/** JSON values one after the other; the elements of arrays at the top are events. */
export class ValueScanner {
  readonly #name: string;
  readonly #collected: Collected;
  #place: Place = 'top';
  /**
   * Of the value that is read: brackets are counted, a string ends with its quote, anything else
   * with what follows it.
   */
  #open: ContainerWalk | 'string' | 'word' | undefined;
  #escaped = false;
  #line = 1;
  /** Bytes of this line that were read, before the piece that is scanned. */
  #lineStart = 0;
  #valueLine = 1;
  #number = 0;
  /** Where it stops being JSON; told behind the events before it. */
  #broken: SluiceError | undefined;

  constructor(name: string, maxBytes: number) {
    this.#name = name;
    this.#collected = new Collected(maxBytes);
  }

  scan(piece: Buffer): readonly InputEvent[] {
    if (this.#broken !== undefined) throw this.#broken;
    const found: InputEvent[] = [];
    for (let at = 0; at < piece.length && this.#broken === undefined; )
      at = this.#open === undefined ? this.#between(piece, at) : this.#inside(piece, at, found);
    this.#lineStart -= piece.length;
    return found;
  }

  end(): readonly InputEvent[] {
    if (this.#broken !== undefined) throw this.#broken;
    const found: InputEvent[] = [];
    if (this.#open === 'word') this.#finish(found);
    if (this.#open !== undefined)
      throw this.#notJson(
        `the input ends inside the value that begins on line ${this.#valueLine}`,
        'its end',
      );
    if (this.#place !== 'top') throw this.#notJson('the input ends inside an array', "']'");
    return found;
  }

  /** One byte between two values. */
  #between(piece: Buffer, at: number): number {
    const byte = piece[at] as number;
    if (byte === lineFeed) this.#newLine(at);
    if (isSpace(byte)) return at + 1;
    if (this.#place === 'top' && byte === openBracket) {
      this.#place = 'array-begins';
      return at + 1;
    }
    if (
      byte === closeBracket &&
      (this.#place === 'array-begins' || this.#place === 'after-element')
    ) {
      this.#place = 'top';
      return at + 1;
    }
    if (this.#place === 'after-element') {
      if (byte !== comma) this.#broken = this.#fault(at, byte, "',' or ']'");
      this.#place = 'after-comma';
      return at + 1;
    }
    if (byte === comma || byte === closeBracket || byte === closeBrace) {
      this.#broken = this.#fault(at, byte, 'a JSON value');
      return at;
    }
    this.#valueLine = this.#line;
    this.#open =
      byte === openBrace || byte === openBracket
        ? new ContainerWalk()
        : byte === quote
          ? 'string'
          : 'word';
    if (this.#open !== 'string') return at;
    this.#collected.add(piece.subarray(at, at + 1));
    return at + 1;
  }

  /** What of the piece belongs to the value that is open. */
  #inside(piece: Buffer, at: number, found: InputEvent[]): number {
    const ends = this.#endOfValue(piece, at);
    const end = ends ?? piece.length;
    for (
      let feed = piece.indexOf(lineFeed, at);
      feed >= 0 && feed < end;
      feed = piece.indexOf(lineFeed, feed + 1)
    )
      this.#newLine(feed);
    this.#collected.add(piece.subarray(at, end));
    if (ends !== undefined) this.#finish(found);
    return end;
  }

  #endOfValue(piece: Buffer, from: number): number | undefined {
    if (this.#open instanceof ContainerWalk) return this.#open.endIn(piece, from);
    for (let at = from; at < piece.length; at++) {
      const byte = piece[at] as number;
      if (this.#open === 'word') {
        if (isSpace(byte) || byte === comma || byte === closeBracket || byte === closeBrace)
          return at;
        if (byte === openBrace || byte === openBracket || byte === quote) return at;
      } else if (this.#escaped) this.#escaped = false;
      else if (byte === backslash) this.#escaped = true;
      else if (byte === quote) return at + 1;
    }
    return undefined;
  }

  #finish(found: InputEvent[]): void {
    this.#open = undefined;
    if (this.#place !== 'top') this.#place = 'after-element';
    const event = this.#collected.take(++this.#number, this.#valueLine);
    if (event.fault !== undefined) {
      found.push(event);
      return;
    }
    const checked = checkJson(event.text);
    if (isFault(checked)) {
      const before = event.text.subarray(0, checked.offset);
      const line =
        event.line + before.reduce((count, byte) => count + (byte === lineFeed ? 1 : 0), 0);
      const fault = {
        code: 'not-json',
        message: `there is ${checked.found} on line ${line}`,
        expected: checked.expected,
      };
      found.push({ ...event, fault });
    } else found.push({ ...event, text: onOneLine(event.text) });
  }

  /** At a line feed of the piece that is scanned. */
  #newLine(at: number): void {
    this.#line++;
    this.#lineStart = at + 1;
  }

  #fault(at: number, byte: number, expected: string): SluiceError {
    const shown =
      byte > blank && byte < 0x7f
        ? `'${String.fromCharCode(byte)}'`
        : `the byte 0x${byte.toString(16).padStart(2, '0')}`;
    return this.#notJson(
      `there is ${shown} at line ${this.#line}, byte ${at - this.#lineStart + 1}`,
      expected,
    );
  }

  #notJson(what: string, expected: string): SluiceError {
    return new SluiceError(
      'input-not-json',
      `${this.#name} is not JSON: ${what}, expected ${expected}`,
      {
        fix: 'fix it and send it again; if each line is an event by itself, pass --format lines',
      },
    );
  }
}

/** In a value that was checked, line breaks are only between tokens. */
function onOneLine(text: Buffer): Buffer {
  if (text.indexOf(lineFeed) < 0 && text.indexOf(carriageReturn) < 0) return text;
  return Buffer.from(
    text.map((byte) => (byte === lineFeed || byte === carriageReturn ? blank : byte)),
  );
}
