/**
 * Takes blank lines out of NDJSON as it comes, and counts its lines: a body of nothing but line
 * breaks must be neither held nor looked at line by line. Pure but for its own numbers.
 *
 * A blank line that two chunks share, or that is more than line breaks and a client's blanks before
 * them, stays in; whoever reads lines skips it.
 */
const newline = 0x0a;

export class BlankLines {
  /** Lines with something on them that have ended. */
  lines = 0;
  /** Blank ones that were taken out. */
  blank = 0;
  #isAtStart = true;

  /** The chunk without its blank lines, in pieces that share its memory. */
  without(chunk: Buffer): readonly Buffer[] {
    const pieces: Buffer[] = [];
    // Of nothing the place stays where it was: in a line that has begun, or before one.
    if (chunk.length === 0) return pieces;
    let start = this.#isAtStart ? this.#afterBlank(chunk, 0) : 0;
    let at = start;
    for (let end = chunk.indexOf(newline, at); end >= 0; end = chunk.indexOf(newline, at)) {
      this.lines++;
      at = this.#afterBlank(chunk, end + 1);
      if (at === end + 1) continue;
      pieces.push(chunk.subarray(start, end + 1));
      start = at;
    }
    if (start < chunk.length) pieces.push(chunk.subarray(start));
    this.#isAtStart = at === chunk.length;
    return pieces;
  }

  /** Where the first line begins that is not blank, from the start of a line on. */
  #afterBlank(chunk: Buffer, from: number): number {
    let start = from;
    for (let at = from; at < chunk.length; at++) {
      const byte = chunk[at];
      if (byte === newline) {
        this.blank++;
        start = at + 1;
      } else if (byte !== 0x20 && byte !== 0x0d && byte !== 0x09) break;
    }
    return start;
  }
}
