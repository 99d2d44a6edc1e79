/**
 * The pure parts of `send`.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { batchLines, decideRetry } from '../../../deploy/cli/send-batch.ts';

async function* chunks(text: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  let at = 0;
  for (let i = 0; at < text.length; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    yield text.subarray(at, at + size);
    at += size;
  }
}

describe('batches of lines', () => {
  it('hold every non-blank line once, in order, within the bounds, however the file is cut', async () => {
    const line = fc.string({ maxLength: 30 }).map((text) => text.replaceAll('\n', ''));
    await fc.assert(
      fc.asyncProperty(
        fc.array(line),
        fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 60 }),
        fc.nat(10),
        async (lines, sizes, events, bytes, after) => {
          const found: [number, string][] = [];
          for await (const batch of batchLines(chunks(Buffer.from(lines.join('\n')), sizes), { events, bytes, after })) {
            expect(batch.lines.length).toBeLessThanOrEqual(events);
            if (batch.lines.length > 1) expect(batch.lines.reduce((sum, each) => sum + each.length, 0)).toBeLessThanOrEqual(bytes);
            for (const [index, text] of batch.lines.entries()) found.push([batch.lineNumbers[index] ?? 0, text.toString()]);
            expect([batch.firstLine, batch.lastLine]).toEqual([batch.lineNumbers[0], batch.lineNumbers.at(-1)]);
          }
          const expected = lines
            .map((text, index) => [index + 1, text] as [number, string])
            .filter(([number, text]) => number > after && Buffer.from(text).toString('latin1').trim() !== '');
          expect(found).toEqual(expected);
        },
      ),
    );
  });
});

describe('what an answer means', () => {
  it('for each line of a batch that was answered', () => {
    const results = [
      { index: 0, status: 200, route: 'kafka' },
      { index: 1, status: 400, error: { code: 'not-json', message: 'm' } },
      { index: 2, status: 503 },
      { index: 3, status: 429 },
    ];
    expect(decideRetry(207, JSON.stringify({ results }), 4)).toEqual({
      kind: 'lines',
      results: [
        { kind: 'sent', route: 'kafka' },
        { kind: 'refused', code: 'not-json', message: 'm' },
        { kind: 'again' },
        { kind: 'again' },
      ],
    });
  });

  it('for a whole request: again, refused, or never', () => {
    for (const status of [0, 429, 500, 502, 503]) expect(decideRetry(status, 'gone', 2)).toEqual({ kind: 'all-again' });
    expect(decideRetry(413, '{"error":{"code":"body-too-large","message":"m"}}', 1)).toEqual({
      kind: 'lines',
      results: [{ kind: 'refused', code: 'body-too-large', message: 'm' }],
    });
    expect(decideRetry(409, '{"error":{"code":"conflict","message":"m"}}', 1)).toEqual({
      kind: 'lines',
      results: [{ kind: 'refused', code: 'conflict', message: 'm' }],
    });
    expect(decideRetry(404, '{"error":{"code":"stream-unknown","message":"m"}}', 2)).toEqual({ kind: 'stop', message: 'm' });
  });
});

describe('a streamed answer', () => {
  it('has its results in any order, and a line without one goes again', () => {
    const body =
      '{"index":2,"status":200,"id":"c","route":"kafka","position":"p:1"}\n{"index":0,"status":400,"error":{"code":"not-json","message":"m"}}\n{"verdict":207,"accepted":1,"refused":1}\n';
    expect(decideRetry(207, body, 3)).toEqual({
      kind: 'lines',
      results: [{ kind: 'refused', code: 'not-json', message: 'm' }, { kind: 'again' }, { kind: 'sent', route: 'kafka' }],
    });
  });
});
