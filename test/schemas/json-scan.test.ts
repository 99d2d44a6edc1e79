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
import { limits } from '../../schemas/limits.ts';
import { numbersIn } from '../said.ts';

const bytesOf = (text: string): Buffer => Buffer.from(text);
const accepted = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};
const agrees = (text: string): void => {
  expect(!isFault(checkJson(bytesOf(text))), JSON.stringify(text)).toBe(accepted(text));
};
/** JSON texts with white space, escapes and odd numbers, and broken ones made of them. */
const jsonText = fc.oneof(
  fc.json(),
  fc.jsonValue().map((value) => JSON.stringify(value, null, 2)),
  fc.constantFrom(
    '1e5',
    '-0',
    '0.1E-3',
    '01',
    '+1',
    '1.',
    '.5',
    '-',
    '"\\u12"',
    '"\\ud800"',
    '[1,]',
    '{"a":1,}',
    '{,}',
    '[',
    '"\t"',
    'nul',
    'true false',
    ' \r\n\t1 ',
    '{"a" 1}',
    "{'a':1}",
    '﻿1',
  ),
);

describe('the JSON check', () => {
  it('accepts exactly what JSON.parse accepts, of whole, cut and changed texts', () => {
    fc.assert(fc.property(jsonText, agrees), { numRuns: 2_000 });
    fc.assert(
      fc.property(jsonText, fc.nat(), (text, cut) =>
        agrees(text.slice(0, cut % (text.length + 1))),
      ),
      { numRuns: 2_000 },
    );
    const replacement = fc.constantFrom(
      '"',
      '\\',
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '0',
      '-',
      'e',
      '.',
      ' ',
      't',
      '\u0000',
      'é',
    );
    fc.assert(
      fc.property(jsonText, fc.nat(), replacement, (text, at, char) => {
        const place = at % (text.length + 1);
        agrees(text.slice(0, place) + char + text.slice(place + 1));
      }),
      { numRuns: 5_000 },
    );
  });

  it('refuses invalid UTF-8 and says at which byte', () => {
    const bad = Buffer.concat([bytesOf('{"a":"é'), Buffer.from([0xc3, 0x28]), bytesOf('"}')]);
    expect(checkJson(bad)).toMatchObject({ offset: 9, expected: 'UTF-8' });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (raw) => {
        const text = Buffer.from(raw).toString('utf8');
        const valid = Buffer.compare(Buffer.from(text), Buffer.from(raw)) === 0;
        expect(!isFault(checkJson(raw))).toBe(valid && accepted(text));
      }),
    );
  });

  it('says where and what was expected', () => {
    expect(checkJson(bytesOf('{"a":1},"team":"x"'))).toEqual({
      offset: 7,
      expected: 'the end of the text',
      found: "','",
    });
    expect(checkJson(bytesOf('{"a":tru}'))).toEqual({
      offset: 8,
      expected: "'true'",
      found: "'}'",
    });
  });

  it('expects the same wherever a value is due', () => {
    const faults = ['', '[', '[1,', '{"a":', '+1'].map(
      (text) => checkJson(bytesOf(text)) as JsonFault,
    );
    const [value] = faults;
    const end = 'the end of the text';
    expect(faults).toEqual(
      [
        [0, end],
        [1, end],
        [3, end],
        [5, end],
        [0, "'+'"],
      ].map(([offset, found]) => ({ offset, found, expected: value?.expected })),
    );
  });

  it('takes nesting to the limit and no further', () => {
    const nested = (depth: number): Buffer => bytesOf('['.repeat(depth) + ']'.repeat(depth));
    expect(isFault(checkJson(nested(limits.jsonDepthMax)))).toBe(false);
    const tooDeep = checkJson(nested(limits.jsonDepthMax + 1)) as JsonFault;
    expect([tooDeep.offset, numbersIn(tooDeep.expected)]).toEqual([
      limits.jsonDepthMax,
      [limits.jsonDepthMax],
    ]);
    expect(isFault(scanArray(nested(limits.jsonDepthMax)))).toBe(false);
    expect(isFault(scanArray(nested(limits.jsonDepthMax + 1)))).toBe(true);
    expect(isFault(checkJson(bytesOf('{"a":'.repeat(100_000))))).toBe(true);
  });

  it('finds the elements of an array and the members of an object, byte for byte', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), (values) => {
        const bytes = bytesOf(JSON.stringify(values, null, 1));
        const scanned = scanArray(bytes);
        if (isFault(scanned) || scanned.kind !== 'array') throw new Error('no array');
        const found = [];
        for (let i = 0; i < scanned.spans.length; i += 2)
          found.push(JSON.parse(bytes.toString('utf8', scanned.spans[i], scanned.spans[i + 1])));
        expect(found).toEqual(JSON.parse(JSON.stringify(values)));
      }),
    );
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const bytes = bytesOf(JSON.stringify(value));
        const scanned = scanObject(bytes);
        if (isFault(scanned) || scanned.kind !== 'object') throw new Error('no object');
        const found = scanned.members.map(({ name, start, end }) => [
          name,
          JSON.parse(bytes.toString('utf8', start, end)) as unknown,
        ]);
        expect(found).toEqual(Object.entries(JSON.parse(JSON.stringify(value)) as object));
      }),
    );
    expect(scanObject(bytesOf('{"a":1,"\\u0061":2}'))).toMatchObject({
      members: [{ name: 'a' }, { name: 'a' }],
    });
    expect(scanArray(bytesOf(' 7 '))).toEqual({ kind: 'other', span: { start: 1, end: 2 } });
  });

  it('follows pointers as JSON.parse would read the value', () => {
    const text = '{"a":{"b/c":[10,{"~":"x"}]},"a2":1,"d":1,"d":{"e":2},"__proto__":{"p":3}}';
    const at = (pointer: string): unknown => {
      const parts = parsePointer(pointer);
      const span = parts && findPointer(bytesOf(text), { start: 0, end: text.length }, parts);
      return span && JSON.parse(text.slice(span.start, span.end));
    };
    expect(
      [
        '/a/b~1c/1/~0',
        '/a/b~1c/0',
        '/d/e',
        '/__proto__/p',
        '/a/b~1c/9',
        '/nope',
        '/a2/x',
        '/a/b~1c/01',
      ].map(at),
    ).toEqual(['x', 10, 2, 3, undefined, undefined, undefined, undefined]);
    expect([parsePointer('x'), parsePointer('/~2'), parsePointer('')]).toEqual([
      undefined,
      undefined,
      [],
    ]);
  });
});
