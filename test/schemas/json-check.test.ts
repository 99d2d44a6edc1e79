import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import wabt from 'wabt';
import { endOfValue } from '../../schemas/json-check.ts';
import { skipSpace, skipValue } from '../../schemas/json-skip.ts';
import { limits } from '../../schemas/limits.ts';

const file = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url));

/** What both say of the value at the start of `text`. */
function both(text: string | Buffer): { readonly here: number; readonly there: number } {
  const bytes = Buffer.from(text);
  const start = skipSpace(bytes, 0, bytes.length);
  return {
    here: endOfValue(bytes, start, bytes.length),
    there: skipValue(bytes, start, bytes.length, 0),
  };
}

describe('the check in WebAssembly', () => {
  it('is its source, compiled', async () => {
    const compiler = await wabt();
    const { buffer } = compiler
      .parseWat('json-check.wat', readFileSync(file('schemas/json-check.wat'), 'utf8'), {
        simd: true,
      })
      .toBinary({});
    const source = readFileSync(file('schemas/json-check.ts'), 'utf8');
    const embedded = [
      ...source.slice(source.indexOf('const binary')).matchAll(/^ {2}'([A-Za-z0-9+/=]+)'/gm),
    ].map(([, part]) => part);
    expect(embedded.join('')).toBe(Buffer.from(buffer).toString('base64'));
  });

  it('finds the end of whatever JSON.stringify writes', () => {
    fc.assert(
      fc.property(
        fc.json({ maxDepth: 6, stringUnit: 'binary' }),
        fc.constantFrom('', ' ', '\n\t]', ',', '\u0000'),
        (json, behind) => {
          const { here } = both(json + behind);
          // A number could go on in what follows, but none of it does.
          expect(here).toBe(Buffer.byteLength(json));
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('agrees with the check that it stands for on texts that are nearly JSON', () => {
    const bytes = fc.oneof(
      fc.integer({ min: 0, max: 255 }),
      fc.constantFrom(...Buffer.from('"\\{}[]:,0-+.eEtfn \n\t\r/bu')),
    );
    const edit = fc.record({ at: fc.nat(400), byte: bytes, cut: fc.integer({ min: 0, max: 2 }) });
    fc.assert(
      fc.property(
        fc.json({ maxDepth: 4, stringUnit: 'binary' }),
        fc.array(edit, { minLength: 1, maxLength: 3 }),
        (json, edits) => {
          let text = Buffer.from(json);
          for (const { at, byte, cut } of edits) {
            const place = at % (text.length + 1);
            text = Buffer.concat([
              text.subarray(0, place),
              Buffer.from([byte]),
              text.subarray(place + cut),
            ]);
          }
          const { here, there } = both(text);
          expect(here).toBe(there);
        },
      ),
      { numRuns: 5_000 },
    );
  });

  it('agrees on any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (text) => {
        const { here, there } = both(Buffer.from(text));
        expect(here).toBe(there);
      }),
      { numRuns: 2_000 },
    );
  });

  it('agrees on each text that its cases turn on', () => {
    const depth = limits.jsonDepthMax;
    const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
    const plain = (length: number): string => `"${'x'.repeat(length)}"`;
    const texts = [
      ...['', ' ', '0', '-', '-0', '01', '1.', '1.5', '.5', '1e', '1e+', '1E-2', '+1', '-a', '1a'],
      ...['true', 'truf', 'tru', 'false', 'falsy', 'fals', 'null', 'nul', 'nulls', 'True'],
      ...[
        '""',
        '"',
        '"a',
        '"\\"',
        '"\\\\"',
        '"\\/\\b\\f\\n\\r\\t\\u00aF"',
        '"\\u00a"',
        '"\\u00ag"',
        '"\\x"',
        '"\u001f"',
        '"\u007f"',
        '"\\',
      ],
      ...[
        '{}',
        '{ }',
        '{',
        '{"a"}',
        '{"a":}',
        '{"a":1',
        '{"a":1,}',
        '{"a":1 ,"b" : 2}',
        '{a:1}',
        '{"a":1]',
        '{,}',
        '{"a":{}}',
        '{1:2}',
      ],
      ...[
        '[]',
        '[ ]',
        '[',
        '[,]',
        '[1,]',
        '[1 2]',
        '[1,\n2]',
        '[1}',
        '[[],{}]',
        '[{"a":[]}]',
        '}',
        ']',
      ],
      ...[14, 15, 16, 17, 30, 31, 32, 33].flatMap((length) => [
        plain(length),
        `{${plain(length)}:${plain(length)}}`,
        plain(length).slice(0, -1),
      ]),
      ...[depth - 1, depth, depth + 1].map(nested),
    ];
    for (const text of texts)
      expect({ text, end: both(text).here }).toEqual({ text, end: both(text).there });
  });

  it('takes nothing of an earlier text for the end of a later one', () => {
    expect(both('{"a":"a long text that ends as it should, after all"}').here).toBeGreaterThan(0);
    for (const text of ['{"a":"a long text', '{"a":', '[', '"']) expect(both(text).here).toBe(-1);
  });

  it('leaves texts that are too long for it to the other', () => {
    expect(endOfValue(Buffer.from(`"${'x'.repeat(98_000)}"`), 0, 98_002)).toBe(98_002);
    expect(endOfValue(Buffer.from(`"${'x'.repeat(99_000)}"`), 0, 99_002)).toBe(-1);
  });

  it('looks at its part of the bytes only', () => {
    const bytes = Buffer.from('[1,{"a":2},3]');
    expect(endOfValue(bytes, 3, 10)).toBe(10);
    expect(endOfValue(bytes, 3, 9)).toBe(-1);
    expect(endOfValue(bytes, 1, 2)).toBe(2);
  });
});
