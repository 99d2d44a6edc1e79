/**
 * What a disk may give back of staged writes after it lost power: more than was written, other
 * bytes, or less. As shipped before, NUL bytes behind the last chunk were taken for a chunk more,
 * and kept the topology from starting.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeChunks, readChunks } from '../../../enrich/graph/staged-chunks.ts';
import type { GraphWrite } from '../../../topology/index.ts';

const chunk = (n: number): readonly GraphWrite[] => [
  { kind: 'node', label: 'Step', props: { n, text: 'a\nb\0 東京' } },
];
const chunks = [chunk(1), chunk(2), chunk(3)];
const { text, sum } = encodeChunks(chunks.map((writes) => JSON.stringify(writes)));
/** A state from before bytes and their sum were kept. */
const older = { chunks: sum.chunks };

describe('staged chunks', () => {
  it('are read as they were written', () => {
    for (const state of [sum, older])
      expect(readChunks(text, state)).toEqual({ kind: 'chunks', chunks });
    expect(readChunks(new Uint8Array(), encodeChunks([]).sum)).toEqual({
      kind: 'chunks',
      chunks: [],
    });
  });

  it('are cut where they end, whatever comes behind: NUL bytes, a torn chunk, a whole one', () => {
    const tails = [
      '\0'.repeat(4_096),
      '\0',
      '[{"kind":"no',
      `${JSON.stringify(chunk(4))}\n`,
      '\n\n',
      `${JSON.stringify(chunk(4))}\n\0\0`,
    ];
    for (const tail of tails) {
      const padded = Buffer.concat([text, Buffer.from(tail)]);
      for (const state of [sum, older])
        expect(readChunks(padded, state), JSON.stringify(tail)).toEqual({ kind: 'chunks', chunks });
    }
  });

  it('that a state names and that are not whole are damaged, wherever that is, and nothing of them is given', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: text.length - 1 }),
        fc.constantFrom('cut', 'nul', 'flip'),
        (at, how) => {
          const torn = Buffer.from(text);
          if (how === 'nul') torn.fill(0, at);
          if (how === 'flip') torn[at] = (torn[at] ?? 0) ^ 1;
          expect(readChunks(how === 'cut' ? torn.subarray(0, at) : torn, sum).kind).toBe('damaged');
        },
      ),
    );
  });

  it('of an older state that are cut off, or end in NUL bytes, are damaged', () => {
    for (const at of [0, 5, text.length - 1]) {
      expect(readChunks(text.subarray(0, at), older).kind).toBe('damaged');
      expect(readChunks(Buffer.concat([text.subarray(0, at), Buffer.alloc(512)]), older).kind).toBe(
        'damaged',
      );
    }
  });
});
