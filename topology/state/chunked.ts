/**
 * Arrays of numbers that grow without moving what they hold: a large one never stops a turn for a
 * copy.
 */
const chunkBits = 12;
const chunkLength = 1 << chunkBits;
const inChunk = chunkLength - 1;

interface NumberArray {
  readonly length: number;
  [index: number]: number;
}

/** `make` gives zeroed arrays of a length. */
export class Chunked<A extends NumberArray> {
  readonly #chunks: A[] = [];
  readonly #make: (length: number) => A;
  #length = 0;

  constructor(make: (length: number) => A) {
    this.#make = make;
  }

  get length(): number {
    return this.#length;
  }

  /** Of an index below `length`. */
  get(index: number): number {
    return (this.#chunks[index >>> chunkBits] as A)[index & inChunk] as number;
  }

  set(index: number, value: number): void {
    (this.#chunks[index >>> chunkBits] as A)[index & inChunk] = value;
  }

  push(value: number): void {
    const index = this.#length++;
    if (index >>> chunkBits === this.#chunks.length) this.#chunks.push(this.#make(chunkLength));
    this.set(index, value);
  }

  clear(): void {
    this.#length = 0;
    this.#chunks.length = 0;
  }
}

export const small = (): Chunked<Uint8Array> => new Chunked((length) => new Uint8Array(length));
export const wholes = (): Chunked<Uint32Array> => new Chunked((length) => new Uint32Array(length));
export const times = (): Chunked<Float64Array> => new Chunked((length) => new Float64Array(length));
