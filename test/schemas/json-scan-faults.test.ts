import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonFault } from '../../schemas/json-scan.ts';
import {
  checkJson,
  findPointer,
  isFault,
  parsePointer,
  scanArray,
  scanObject,
} from '../../schemas/json-scan.ts';

const character = fc.string({ unit: 'binary', minLength: 1, maxLength: 1 });
const names = fc.constantFrom(
  'a',
  'b',
  'userId',
  '',
  '__proto__',
  'constructor',
  'é',
  '日本',
  'a"b',
  'a\\b',
  '\u0000',
  '0',
  '~',
  '/',
);

/** A JSON text whose objects may repeat a name, and whose names are escaped at random. */
const wildText = fc.letrec<{ value: string; object: string; array: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom('1', '-2.5e3', '"x"', 'null', '12345678901234567890'),
    tie('object'),
    tie('array'),
  ),
  array: fc.array(tie('value'), { maxLength: 4 }).map((values) => `[ ${values.join(' ,\n')}]`),
  object: fc
    .array(fc.tuple(names, fc.boolean(), tie('value')), { maxLength: 5 })
    .map(
      (members) =>
        `{${members.map(([name, escaped, value]) => `${escaped ? escapeAll(name) : JSON.stringify(name)} :\t${value}`).join(', ')} }`,
    ),
}));

function escapeAll(name: string): string {
  return `"${Array.from({ length: name.length }, (_, i) => `\\u${name.charCodeAt(i).toString(16).padStart(4, '0')}`).join('')}"`;
}

function valueAt(text: string, pointer: readonly string[]): unknown {
  let at: unknown = JSON.parse(text);
  for (const part of pointer) {
    if (
      typeof at !== 'object' ||
      at === null ||
      !Object.hasOwn(at, part) ||
      (Array.isArray(at) && part === 'length')
    )
      return undefined;
    at = (at as Record<string, unknown>)[part];
  }
  return at;
}

/**
 * The offset at which a decoder that is fed byte by byte first refuses, or `length` when only the
 * end is missing.
 */
function firstBadByte(bytes: Uint8Array): number {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  for (let at = 0; at < bytes.length; at++) {
    try {
      decoder.decode(bytes.subarray(at, at + 1), { stream: true });
    } catch {
      return at;
    }
  }
  return bytes.length;
}

describe('the place of a fault', () => {
  it('is the first byte that a UTF-8 decoder refuses, wherever it lies', () => {
    const bad = fc.constantFrom(
      [0x80],
      [0xc0, 0xaf],
      [0xc3, 0x28],
      [0xe2, 0x82],
      [0xe0, 0x9f, 0xbf],
      [0xed, 0xa0, 0x80],
      [0xf0, 0x9f, 0x98],
      [0xf4, 0x90],
      [0xff],
    );
    fc.assert(
      fc.property(
        fc.nat(9_000),
        character,
        bad,
        fc.string({ maxLength: 9 }),
        (length, filler, broken, rest) => {
          const bytes = Buffer.concat([
            Buffer.from('x'.repeat(length % 5)),
            Buffer.from(filler.repeat(length)),
            Buffer.from(broken),
            Buffer.from(rest),
          ]);
          expect(checkJson(bytes)).toMatchObject({
            offset: firstBadByte(bytes),
            expected: 'UTF-8',
          });
        },
      ),
      { numRuns: 150 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
        const checked = checkJson(bytes);
        if (!isFault(checked) || checked.expected !== 'UTF-8') return;
        expect(checked.offset).toBe(firstBadByte(bytes));
      }),
      { numRuns: 3_000 },
    );
  });

  it('is found in a large body in time that grows with its length only', () => {
    const bytes = Buffer.alloc(24 * 1_024 * 1_024, 'é');
    bytes[bytes.length - 1] = 0x22;
    expect(checkJson(bytes)).toEqual({
      offset: bytes.length - 1,
      expected: 'UTF-8',
      found: "'\"'",
    });
  });

  it('counts from the start of the array, and nothing outside the range is read', () => {
    fc.assert(
      fc.property(
        fc.json(),
        fc.nat(),
        fc.constantFrom('"', '1', '}', ' ', 'é', '\\'),
        (text, cut, around) => {
          const inner = text.slice(0, cut % (text.length + 1));
          const before = Buffer.from(around.repeat(3));
          const whole = Buffer.concat([before, Buffer.from(inner), Buffer.from(around)]);
          const end = before.length + Buffer.byteLength(inner);
          const alone = checkJson(Buffer.from(inner));
          for (const check of [checkJson, scanArray, scanObject]) {
            const within = check(whole, before.length, end);
            expect(isFault(within)).toBe(isFault(alone));
            if (isFault(within))
              expect(within).toEqual({
                ...(alone as JsonFault),
                offset: (alone as JsonFault).offset + before.length,
              });
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('is the same for all three checks, of broken texts', () => {
    fc.assert(
      fc.property(
        wildText.value,
        fc.nat(),
        fc.constantFrom('"', '\\', '{', ']', ',', ':', '0', '-', 'e', '.', ' ', 't', '\u0001'),
        (text, at, char) => {
          const place = at % (text.length + 1);
          const bytes = Buffer.from(text.slice(0, place) + char + text.slice(place + 1));
          const checked = checkJson(bytes);
          for (const scanned of [scanArray(bytes), scanObject(bytes)]) {
            expect(isFault(scanned)).toBe(isFault(checked));
            if (isFault(checked)) expect(scanned).toEqual(checked);
          }
        },
      ),
      { numRuns: 3_000 },
    );
  });

  it('is where a long string breaks, at any distance from its quote', () => {
    for (let length = 0; length < 70; length++) {
      const plain = `"${'x'.repeat(length)}`;
      expect(checkJson(Buffer.from(`${plain}\u0001"`))).toMatchObject({ offset: plain.length });
      expect(checkJson(Buffer.from(`${plain}\\q"`))).toMatchObject({ offset: plain.length + 1 });
      expect(checkJson(Buffer.from(plain))).toMatchObject({
        offset: plain.length,
        found: 'the end of the text',
      });
      expect(checkJson(Buffer.from(`${plain}"`))).toEqual({ start: 0, end: plain.length + 1 });
      expect(checkJson(Buffer.from(`{${plain}":1}`))).toEqual({ start: 0, end: plain.length + 5 });
    }
  });
});

describe('a pointer', () => {
  it('names what JSON.parse would hold there, of duplicates the last, however their names are written', () => {
    fc.assert(
      fc.property(wildText.value, fc.array(names, { maxLength: 3 }), (text, pointer) => {
        // A batch: what follows the event must not be taken for a part of it.
        const bytes = Buffer.from(`  ${text},{"a":1,"userId":2}`);
        const span = { start: 2, end: 2 + Buffer.byteLength(text) };
        const found = findPointer(bytes, span, pointer);
        expect(
          found === undefined
            ? undefined
            : JSON.parse(bytes.toString('utf8', found.start, found.end)),
        ).toEqual(valueAt(text, pointer));
      }),
      { numRuns: 5_000 },
    );
  });

  it('is read back part by part as it was written', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(names, fc.string())), (parts) => {
        const text = parts
          .map((part) => `/${part.replaceAll('~', '~0').replaceAll('/', '~1')}`)
          .join('');
        expect(parsePointer(text)).toEqual(parts);
      }),
    );
  });
});
