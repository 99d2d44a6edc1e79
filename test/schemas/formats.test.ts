/**
 * Formats by the grammars of their RFCs, from the JSON Schema Test Suite and beside it; and every
 * format on texts that made it go back and forth.
 */
import { describe, expect, it } from 'vitest';
import { compileSchema } from '../../schemas/registry.ts';

const checkOf = (format: string): ((text: string) => boolean) => {
  const check = compileSchema({
    $id: `https://sluice.example/test/${format}`,
    type: 'string',
    format,
  });
  return (text) => check(text) === undefined;
};

const cases: Readonly<
  Record<string, { readonly right: readonly string[]; readonly wrong: readonly string[] }>
> = {
  date: {
    right: ['2024-02-29', '0000-01-01'],
    wrong: ['2023-02-29', '2024-2-1', '2024-02-29T', ''],
  },
  time: {
    right: ['08:30:06Z', '23:59:60Z', '15:59:60-08:00', '01:29:60+01:30', '08:30:06.283185+00:20'],
    wrong: ['08:30:06', '24:00:00Z', '08:30:06+08', '22:59:60Z', '08:30:06 PST'],
  },
  duration: {
    right: ['P4DT12H30M5S', 'P4Y', 'PT36H', 'P2W', 'P1Y2M3D'],
    wrong: ['P', 'P1Y2D', 'PT1H2S', 'P1D2H', 'P2S', 'P1W2D', 'T1H', '4DT'],
  },
  email: {
    right: [
      'joe.bloggs@example.com',
      'te~st@example.com',
      '"joe bloggs"@example.com',
      '"a@b"@example.com',
      'joe@[127.0.0.1]',
      'joe@[IPv6:::1]',
    ],
    wrong: [
      '2962',
      '.test@example.com',
      'te..st@example.com',
      'joe@invalid=domain.com',
      'joe@[127.0.0.300]',
      '@b.c',
      'a@',
    ],
  },
  hostname: {
    right: ['www.example.com', 'xn--4gbwdl.xn--wgbh1c', 'a', `${'a'.repeat(63)}.com`],
    wrong: [
      '-a.com',
      'a-.com',
      'not_valid',
      `${'a'.repeat(64)}.com`,
      'a.',
      '.a',
      'ab--cd',
      'x.ab--cd.y',
      '',
    ],
  },
  ipv4: {
    right: ['192.168.0.1', '0.0.0.0'],
    wrong: ['256.0.0.1', '1.2.3', '01.2.3.4', '1.2.3.4 '],
  },
  ipv6: {
    right: ['::1', '::', '::ffff:192.168.0.1', '1:2:3:4:5:6:7:8'],
    wrong: ['12345::', '1:2:3:4:5:6:7:8:9', '::1%eth0', '1::2::3', '::192.168.0.256'],
  },
  uri: {
    right: [
      'http://foo.bar/?baz=qux#quux',
      'urn:oasis:names',
      'ldap://[2001:db8::7]/c=GB?objectClass?one',
      'mailto:a@b.c',
      'http://a:8080/',
      'tel:+1-816',
    ],
    wrong: [
      '//foo.bar',
      '/abc',
      'abc',
      'http:// shouldfail',
      'http://a:80x/',
      'http://[1.2.3.4]/',
      'http://a/[',
      'http://a/"',
      '://x',
    ],
  },
  'uri-reference': {
    right: ['', '/abc', '#frag', 'abc', '//h/p', '?q'],
    wrong: ['\\\\WINDOWS', '#a\\b', 'a b', '1:2', 'http://a@b@c'],
  },
  'uri-template': {
    right: ['http://a/{term:1}/{term}', '{+a,b*}', '{a.b}', "it's"],
    wrong: ['http://a/{', '{a b}', '{}', 'a<b'],
  },
  uuid: {
    right: ['2EB8AA08-AA98-11EA-B4AA-73B441D16380'],
    wrong: ['urn:uuid:2eb8aa08-aa98-11ea-b4aa-73b441d16380', '2eb8aa08aa9811eab4aa73b441d16380'],
  },
  'json-pointer': { right: ['', '/a~1b/~0', '/😀'], wrong: ['a', '/~2', '/~', '#/a'] },
  'relative-json-pointer': { right: ['1', '0#', '2/0/a'], wrong: ['/a', '01', '-1/a', '0##'] },
  regex: { right: ['([abc])+\\s+$', '\\p{L}'], wrong: ['^(abc]', '\\a'] },
  byte: { right: ['', 'YWJj', 'YQ=='], wrong: ['YQ', '====\nYWJj'] },
};

describe.each(Object.entries(cases))('format %s', (format, { right, wrong }) => {
  const check = checkOf(format);
  it.each(right)('takes %j', (text) => {
    expect(check(text)).toBe(true);
  });
  it.each(wrong)('refuses %j', (text) => {
    expect(check(text)).toBe(false);
  });
});

describe.each([
  ...Object.keys(cases),
  'url',
  'date-time',
  'iso-time',
  'iso-date-time',
  'json-pointer-uri-fragment',
])('format %s on a long text', (format) => {
  const check = checkOf(format);
  const heads = [
    '',
    'http://',
    'http://a@',
    '//',
    '/',
    'a@',
    '"',
    'P',
    'PT',
    '{',
    '1:',
    '::',
    '1.',
    '2024-01-01T00:00:00.',
    '00:00:00.',
    '#/',
    '0/',
    'a:',
    '[',
    '(',
  ];
  const parts = [
    'a',
    'a-',
    'a.',
    ':',
    ':a',
    '@',
    '%41',
    '/',
    '1',
    '1.',
    '{a}',
    'a,',
    '~0',
    '"',
    '\\"',
    '.',
    '-',
    '?',
    '#',
    ' ',
    'é',
    '(',
  ];

  it('ends, whatever it begins with and is made of', () => {
    for (const head of heads)
      for (const part of parts)
        expect(typeof check(`${head}${part.repeat(20_000)}\u0000`)).toBe('boolean');
  });
});
