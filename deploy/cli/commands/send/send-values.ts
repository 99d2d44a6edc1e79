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
import { checkJson, isFault } from '../../../../schemas/json-scan.ts';
import type { InputEvent } from './send-pieces.ts';
import { bytes, Collected, ContainerWalk, isSpace } from './send-pieces.ts';
import { ValueScanner } from './send-value-scanner.ts';

export type InputFormat = 'auto' | 'lines' | 'json';

const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);
const { lineFeed, carriageReturn, openBrace, openBracket } = bytes;

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
    // Judged again only when it has doubled, so that a long first line is not gone through again
    // and again.
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
