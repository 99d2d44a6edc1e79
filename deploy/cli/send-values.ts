/**
 * From the bytes of an input to its events: the lines of NDJSON, or the values of JSON over any
 * number of lines, where the elements of an array at the top are events. Pure but for reading.
 *
 * Invariants:
 * 1. Every byte is looked at once. What is not one well-formed value, or is larger than the bound,
 *    is an event with a fault, and the next one is found.
 * 2. The bytes of a value are not changed, but for line breaks between its tokens, which become
 *    blanks.
 * 3. What is held is one value, within the bound, and what was read beside it.
 */
import { checkJson, isFault } from '../../schemas/json-scan.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';

export type InputFormat = 'auto' | 'lines' | 'json';

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

const [lineFeed, carriageReturn, tab, blank] = [0x0a, 0x0d, 0x09, 0x20] as const;
const [quote, backslash, comma] = [0x22, 0x5c, 0x2c] as const;
const [openBrace, closeBrace, openBracket, closeBracket] = [0x7b, 0x7d, 0x5b, 0x5d] as const;
const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);

const isSpace = (byte: number): boolean =>
  byte === blank || byte === lineFeed || byte === carriageReturn || byte === tab;

/**
 * Groups of events, one for each piece of input that ends any. `name` is the input's, for errors.
 * Rejects with `SluiceError` `input-not-json`.
 */
export async function* eventsOf(
  input: AsyncIterable<Buffer>,
  name: string,
  format: InputFormat,
  maxBytes: number,
): AsyncGenerator<readonly InputEvent[]> {
  const pieces = input[Symbol.asyncIterator]();
  let head: Buffer = Buffer.alloc(0);
  let decided: Exclude<InputFormat, 'auto'> | undefined = format === 'auto' ? undefined : format;
  let judgedBytes = 0;
  let ended = false;
  while (!ended && (decided === undefined || beginsMark(head))) {
    const next = await pieces.next();
    ended = next.done === true;
    if (next.done !== true) head = Buffer.concat([head, next.value]);
    // Judged anew only when it has doubled, so that a long first line is not gone through again and
    // again.
    if (decided !== undefined || (!ended && head.length < 2 * judgedBytes)) continue;
    judgedBytes = head.length;
    decided = decideFormat(withoutMark(head), ended || head.length > maxBytes);
  }
  const scanner = decided === 'json' ? new ValueScanner(name, maxBytes) : new LineScanner(maxBytes);
  yield scanner.scan(withoutMark(head));
  while (!ended) {
    const next = await pieces.next();
    if (next.done === true) break;
    yield scanner.scan(next.value);
  }
  yield scanner.end();
}

/** Whether it can still become a byte-order mark. */
function beginsMark(head: Buffer): boolean {
  return head.length < byteOrderMark.length && byteOrderMark.subarray(0, head.length).equals(head);
}

function withoutMark(head: Buffer): Buffer {
  return head.subarray(0, byteOrderMark.length).equals(byteOrderMark)
    ? head.subarray(byteOrderMark.length)
    : head;
}

/**
 * Whether an input that begins with `head` has an event a line, or JSON over several lines;
 * undefined when that does not show yet. Each line is an event when the first one, or the second,
 * is a value by itself: then one that is broken does not take the others with it.
 */
export function decideFormat(head: Buffer, ended: boolean): 'lines' | 'json' | undefined {
  let start = 0;
  while (start < head.length && isSpace(head[start] as number)) start++;
  const first = head[start];
  if (first === undefined) return ended ? 'lines' : undefined;
  if (first === openBracket) return 'json';
  if (first !== openBrace) return 'lines';
  const lineEnd = head.indexOf(lineFeed, start);
  if (lineEnd < 0 && !ended) return undefined;
  const line = head.subarray(start, lineEnd < 0 ? head.length : lineEnd);
  if (isValue(line)) return 'lines';
  // Values side by side on the first line.
  const closed = endOfContainer(line);
  if (closed !== undefined) {
    const rest = line.subarray(closed).find((byte) => !isSpace(byte));
    return rest === openBrace || rest === openBracket ? 'json' : 'lines';
  }
  if (lineEnd < 0) return 'json';
  let next = lineEnd;
  while (next < head.length && isSpace(head[next] as number)) next++;
  const nextEnd = head.indexOf(lineFeed, next);
  if (nextEnd < 0 && !ended) return undefined;
  const second = head.subarray(next, nextEnd < 0 ? head.length : nextEnd);
  return second[0] === openBrace && isValue(second) ? 'lines' : 'json';
}

const isValue = (text: Buffer): boolean => !isFault(checkJson(text));

/** Behind the bracket that closes the one at the start; undefined when none does. */
function endOfContainer(text: Buffer): number | undefined {
  const walk = new ContainerWalk();
  return walk.endIn(text, 0);
}

/**
 * Goes through a container piece by piece until the bracket that closes it; says nothing of what is
 * inside.
 */
class ContainerWalk {
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
class Collected {
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

  /** And begins anew. */
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

/** An event a line; blank lines are passed over. What a line is worth is for the ingress to say. */
class LineScanner {
  readonly #collected: Collected;
  #isBlank = true;
  #line = 1;
  #number = 0;

  constructor(maxBytes: number) {
    this.#collected = new Collected(maxBytes);
  }

  scan(piece: Buffer): readonly InputEvent[] {
    const found: InputEvent[] = [];
    let start = 0;
    for (let end = piece.indexOf(lineFeed); end >= 0; end = piece.indexOf(lineFeed, start)) {
      this.#add(piece.subarray(start, end));
      this.#finish(found);
      this.#line++;
      start = end + 1;
    }
    this.#add(piece.subarray(start));
    return found;
  }

  end(): readonly InputEvent[] {
    const found: InputEvent[] = [];
    this.#finish(found);
    return found;
  }

  #add(piece: Buffer): void {
    if (this.#isBlank) this.#isBlank = piece.every(isSpace);
    this.#collected.add(piece);
  }

  #finish(found: InputEvent[]): void {
    const event = this.#collected.take(this.#number + 1, this.#line);
    if (!this.#isBlank) {
      this.#number++;
      const { text } = event;
      found.push(text.at(-1) === carriageReturn ? { ...event, text: text.subarray(0, -1) } : event);
    }
    this.#isBlank = true;
  }
}

/** Where the scanner of values is, between them. */
type Place = 'top' | 'array-begins' | 'after-element' | 'after-comma';

/** JSON values one after the other; the elements of arrays at the top are events. */
class ValueScanner {
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
        fix: 'fix it and send it again; if each line is an event by itself, say --format lines',
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
