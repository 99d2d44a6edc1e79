/**
 * Patterns without backtracking, against the engine of V8 on texts that are short enough for it;
 * and on texts on which that would not end in our time.
 */
import { RegExpParser } from '@eslint-community/regexpp';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { linearPattern } from '../../schemas/linear-pattern.ts';
import { hasFewWays } from '../../schemas/pattern-ways.ts';

const fewWays = (source: string): boolean =>
  hasFewWays(
    new RegExpParser({ ecmaVersion: 2024 }).parsePattern(source, 0, source.length, {
      unicode: true,
    }),
  );

const { pattern } = fc.letrec<{ pattern: string; sequence: string; element: string }>((tie) => ({
  pattern: fc.array(tie('sequence'), { minLength: 1, maxLength: 3 }).map((all) => all.join('|')),
  sequence: fc.array(tie('element'), { maxLength: 4 }).map((all) => all.join('')),
  element: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(
      'a',
      'b',
      '.',
      '[ab]',
      '[^a]',
      '\\d',
      '\\w',
      '\\s',
      '^',
      '$',
      '\\b',
      '\\B',
      'é',
      '😀',
      '\\u{1F600}',
      '[a-z😀]',
      '\\p{L}',
    ),
    fc
      .tuple(
        fc.constantFrom('(', '(?:'),
        tie('pattern'),
        fc.constantFrom(')', ')*', ')+', ')?', '){2}', '){0,2}', '){1,}', ')*?'),
      )
      .map((all) => all.join('')),
    fc
      .tuple(
        fc.constantFrom('a', '[ab]', '.', '\\w'),
        fc.constantFrom('*', '+', '?', '{2}', '{1,3}', '{0,}', '+?'),
      )
      .map((all) => all.join('')),
    fc
      .tuple(fc.constantFrom('(?=', '(?!'), tie('pattern'), fc.constant(')'))
      .map((all) => all.join('')),
  ),
}));
const text = fc.string({
  unit: fc.constantFrom('a', 'b', 'z', '1', '_', ' ', 'é', '😀', '\ud83d', '\ude00', '\n'),
  maxLength: 7,
});

/**
 * From each character on, as the specification says (22.2.7.2): V8 also begins between the halves
 * of a pair.
 */
function matches(source: string, of: string): boolean {
  const sticky = new RegExp(source, 'uy');
  for (let at = 0; at <= of.length; at += (of.codePointAt(at) ?? 0) > 0xffff ? 2 : 1) {
    sticky.lastIndex = at;
    if (sticky.test(of)) return true;
  }
  return false;
}

describe('a pattern', () => {
  it('matches what ECMAScript says, of any text', () => {
    fc.assert(
      fc.property(pattern, fc.array(text, { minLength: 1, maxLength: 6 }), (source, texts) => {
        // What is behind makes sure that it is run here.
        const here = linearPattern(`(?:${source})(?:(?:)*)*`, 'u');
        for (const each of texts)
          expect([each, here.test(each)]).toEqual([each, matches(source, each)]);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    ['i', '^(?:[a-z]+\\.)*É$', 'abc.DEF.é'],
    ['iu', '(?:ſ|x)*\\bK(?:k*)*', 'K'],
    ['s', '^(?:.*)*a$', 'b\na'],
    ['', '^(?:.*)*a$', 'b\na'],
    ['', '^(?:[\\u{1F600}]*)*$', '\ud83d'],
    ['u', '^(?:[^x]*)*$', '\ud83d'],
  ])('with flags %s does, too: %s', (flags, source, of) => {
    expect(linearPattern(source, flags).test(of)).toBe(new RegExp(source, flags).test(of));
  });

  it.each([
    ['^(a+)+$', 'a', false],
    ['^(a|a)*$', 'a', false],
    ['(x+x+)+y', 'x', false],
    ['^(([a-z])+.)+[A-Z]([a-z])+$', 'a', false],
    ['\\s+$', ' ', false],
    ['^(?=(?:a*)*b)', 'a', false],
    ['^(?!(?:a*)*b)a', 'a', true],
    ['^[^@]+@[^@]+\\.[^@]+$', '@a.', false],
    ['^(\\w+\\s?)*$', 'a', false],
  ])('%s ends on a text on which it would go back for ever', (source, part, right) => {
    expect(fewWays(source)).toBe(false);
    expect(linearPattern(source, 'u').test(`${part.repeat(100_000)}\u0000`)).toBe(right);
  });

  it.each([
    '^[A-Z]{3}$',
    '^[a-z0-9-]+$',
    '^\\d{4}-\\d{2}-\\d{2}$',
    'abc',
    '^(?:a|b|c)$',
    '^https?://',
    '^[a-z]{1,64}$',
    '^.*\\.json$',
    '^x-(?!y)',
  ])('%s is left to the engine of V8', (source) => {
    expect(fewWays(source)).toBe(true);
    expect(linearPattern(source, 'u')).toBeInstanceOf(RegExp);
  });

  it.each([
    ['^(a+)\\1$', /'\\1' in a pattern that can backtrack is not supported/],
    ['(?<=a+)b', /'\(\?<=a\+\)' in a pattern that can backtrack/],
    ['^(?:(?:(?:a{100}){100}){100})*$', /the pattern is too large/],
    ['(', /Invalid regular expression/],
  ])('%s is refused with the reason', (source, reason) => {
    expect(() => linearPattern(source, 'u')).toThrow(reason);
  });

  it('forgets what it remembers when that is full', () => {
    const source = '^(?=.{0,200}$)(?:[ab]|[cd])*(?:a.{12}b)*$';
    const here = linearPattern(source, 'u');
    for (let n = 0; n < 300; n++) {
      const of = Array.from({ length: 60 }, (_, i) => 'abcd'[(n * 7 + i * i * (n % 5)) % 4]).join(
        '',
      );
      expect([of, here.test(of)]).toEqual([of, new RegExp(source, 'u').test(of)]);
    }
  });
});
