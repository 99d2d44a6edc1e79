/**
 * What JSON.parse loses without a word, found in the text: against the exact value as a fraction,
 * at every place of a text, beyond the memory too.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import wabt from 'wabt';
import { inexactNumbers, isExact } from '../../schemas/inexact-numbers.ts';
import { jsonLosses } from '../../schemas/number-scan.ts';

const file = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url));
const losses = (text: string): ReturnType<typeof jsonLosses> => jsonLosses(Buffer.from(text));

/** A decimal as a fraction. */
function fraction(text: string): readonly [bigint, bigint] {
  const [mantissa = '0', power = '0'] = text.toLowerCase().split('e');
  const [whole = '0', part = ''] = mantissa.split('.');
  const exponent = Number(power) - part.length;
  const digits = BigInt(`${whole}${part}`.replace(/^-/, ''));
  return exponent >= 0
    ? [digits * 10n ** BigInt(exponent), 1n]
    : [digits, 10n ** BigInt(-exponent)];
}

/** Whether two decimals are the same number. */
function isSame(a: string, b: string): boolean {
  const [[n, m], [p, q]] = [fraction(a), fraction(b)];
  return n * q === p * m;
}

describe('the look in WebAssembly', () => {
  it('is its source, compiled', async () => {
    const compiler = await wabt();
    const wat = readFileSync(file('schemas/number-scan.wat'), 'utf8');
    const { buffer } = compiler.parseWat('number-scan.wat', wat, { simd: true }).toBinary({});
    const source = readFileSync(file('schemas/number-scan.ts'), 'utf8');
    const embedded = [
      ...source.slice(source.indexOf('const binary')).matchAll(/^ {2}'([A-Za-z0-9+/=]+)'/gm),
    ].map(([, part]) => part);
    expect(embedded.join('')).toBe(Buffer.from(buffer).toString('base64'));
  });
});

describe('a number', () => {
  it.each([
    '0',
    '-0',
    '1.0',
    '100',
    '1e21',
    '9007199254740991',
    '9007199254740992',
    '-9007199254740994',
    '0.1',
    '0.30000000000000004',
    '1.50e-3',
    '5e-324',
    '0e999',
    '1E400000'.replace('400000', '300'),
    '123456789012345.6',
  ])('%s is exact', (text) => {
    expect(isExact(text)).toBe(true);
    expect(losses(`{"a":${text}}`)).toBeUndefined();
  });

  it.each([
    '9007199254740993',
    '-9007199254740993',
    '0.1000000000000000055',
    '123456789.123456789',
    '1e400',
    '-1e400',
    '1e-400',
    '12345678901234567890',
    '9007199254740993.0',
    '9007199254740993e0',
    '0.00012345678901234567890',
    '1e999999999999999999999',
    '100000000000000000000000000000000000000000000000001',
  ])('%s is not', (text) => {
    expect(isExact(text)).toBe(false);
    for (const pad of Array.from({ length: 20 }, (_, n) => ' '.repeat(n))) {
      expect(losses(`${pad}{"a/b":[1, ${pad}${text}]}`)).toEqual({
        tooDeep: false,
        inexact: [{ pointer: '/a~1b/1', text, value: Number(text) }],
      });
      expect(losses(`${pad}${text}`)?.inexact).toHaveLength(1);
    }
  });

  it('is judged as its exact value says', () => {
    const digits = (max: number): fc.Arbitrary<string> =>
      fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: 1, maxLength: max });
    const number = fc
      .tuple(
        fc.constantFrom('', '-'),
        digits(20),
        fc.option(digits(20)),
        fc.option(fc.integer({ min: -30, max: 30 })),
      )
      .map(
        ([sign, whole, part, power]) =>
          `${sign}${BigInt(whole)}${part === null ? '' : `.${part}`}${power === null ? '' : `e${power}`}`,
      );
    fc.assert(
      fc.property(number, (text) => {
        expect(isExact(text)).toBe(isSame(text, String(Number(text))));
      }),
      { numRuns: 3_000 },
    );
    fc.assert(
      fc.property(fc.array(number, { maxLength: 6 }), fc.nat(40), (numbers, pad) => {
        const text = JSON.stringify({ pad: 'x'.repeat(pad), all: [] }).replace(
          '[]',
          `[${numbers.join(' , ')}]`,
        );
        const right = numbers.flatMap((of, n) =>
          isExact(of) ? [] : [{ pointer: `/all/${n}`, text: of, value: Number(of) }],
        );
        expect(losses(text)?.inexact ?? []).toEqual(right);
        expect(inexactNumbers(text)).toEqual(right);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('a text', () => {
  it('is not misread for what its strings look like', () => {
    const strings = [
      '9007199254740993',
      'a:9007199254740993',
      '1e400',
      ', 1e400',
      '\\": 1e400',
      '3e12',
      'deadbeef3e1412e400',
      '0.1.2.3.4.5.6.7.8.9.0',
    ];
    expect(
      losses(JSON.stringify(Object.fromEntries(strings.map((text) => [text, text])))),
    ).toBeUndefined();
    expect(
      losses(JSON.stringify({ '"a\\': ['\\', '"'], 'x~': {} }).replace('{}', '[{},{"":1e999}]'))
        ?.inexact,
    ).toEqual([{ pointer: '/x~0/1/', text: '1e999', value: Number.POSITIVE_INFINITY }]);
  });

  it('is looked at beyond the memory, at each border', () => {
    for (let before = 131_040; before < 131_075; before++) {
      const text = `["${'x'.repeat(before)}",9007199254740993,${'1,'.repeat(100)}1e400]`;
      expect(losses(text)?.inexact.map(({ pointer }) => pointer)).toEqual(['/1', '/102']);
    }
  });

  it('ends where it does, whatever was looked at before', () => {
    const before = '9'.repeat(200);
    for (let length = 1; length < 40; length++) {
      for (const text of [
        '1'.repeat(length),
        `${'1'.repeat(length)}.`,
        `1${' '.repeat(length)}`,
        `${' '.repeat(length)}12345678901234567891`,
      ]) {
        losses(`"${before}e1e1e1"`);
        const own = text.trim().replace(/\.$/, '.0');
        expect([text, losses(text.replace(/\.$/, '.0')) !== undefined]).toEqual([
          text,
          !isExact(own),
        ]);
      }
    }
    expect(losses(`[1e400,${'['.repeat(200)}${']'.repeat(200)}]`)).toMatchObject({ tooDeep: true });
  });

  it('may be nested as deep as the ingress lets it be, and be wide', () => {
    expect(losses(`${'['.repeat(128)}${']'.repeat(128)}`)).toBeUndefined();
    expect(losses(JSON.stringify(Array.from({ length: 1_000 }, () => ({}))))).toBeUndefined();
    expect(losses(`${'['.repeat(129)}${']'.repeat(129)}`)).toEqual({ inexact: [], tooDeep: true });
    expect(losses(`${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`)).toEqual({
      inexact: [],
      tooDeep: true,
    });
  });

  it('agrees with JSON.parse in what is written by it', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(losses(JSON.stringify(value))?.inexact ?? []).toEqual([]);
      }),
      { numRuns: 1_000 },
    );
  });
});
