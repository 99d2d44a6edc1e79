/**
 * What every codec of batches is, and how one refuses to inflate too much.
 */

/** From bytes to compressed ones and back. */
export interface Coding {
  /** Rejects when the bytes are damaged, or would become too many. */
  readonly inflate: (bytes: Buffer) => Promise<Buffer>;
  readonly deflate: (bytes: Buffer) => Promise<Buffer>;
}

/** Bytes that would become more than a batch may be; the code is that of Node's own codecs. */
export class TooManyBytes extends RangeError {
  readonly code = 'ERR_BUFFER_TOO_LARGE';
  /** What they would become, as far as it was counted. */
  readonly inflatedBytes: number;

  constructor(message: string, inflatedBytes: number) {
    super(message);
    this.inflatedBytes = inflatedBytes;
  }
}
