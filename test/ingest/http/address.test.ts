/**
 * Whose request it is, by the connection and by what proxies say: RFC 7239, and X-Forwarded-For as
 * it is used.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  forwardedAddress,
  networkOf,
  parseAddress,
  textOfBytes,
} from '../../../ingest/http/address.ts';

describe('an address', () => {
  it.each([
    ['203.0.113.5', '203.0.113.5'],
    ['203.0.113.5:4711', '203.0.113.5'],
    ['2001:DB8::9', '2001:db8:0:0:0:0:0:9'],
    ['[2001:db8::9]', '2001:db8:0:0:0:0:0:9'],
    ['[2001:db8::9]:443', '2001:db8:0:0:0:0:0:9'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['[::FFFF:c000:207]:80', '192.0.2.7'],
    ['fe80::1%eth0', 'fe80:0:0:0:0:0:0:1'],
    ['::', '0:0:0:0:0:0:0:0'],
    ['64:ff9b::192.0.2.33', '64:ff9b:0:0:0:0:c000:221'],
  ])('%s is %s', (text, address) => {
    expect(parseAddress(text)).toBe(address);
  });

  it.each([
    '',
    'unknown',
    '_hidden',
    'example.org',
    '203.0.113',
    '203.0.113.256',
    '010.0.0.1',
    '203.0.113.5:',
    '203.0.113.5:x',
    '[::1',
    '[203.0.113.5]',
    '1.2.3.4:5:6',
    '::1::2',
  ])('%j is none', (text) => {
    expect(parseAddress(text)).toBeUndefined();
  });

  it('has one form, whether it comes as bytes or as text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        const address = parseAddress(text);
        expect(address).toBeDefined();
        const groups = (address as string).split(':');
        const bytes =
          groups.length === 8
            ? groups.flatMap((group) => [
                Number.parseInt(group, 16) >> 8,
                Number.parseInt(group, 16) & 255,
              ])
            : groups[0]?.split('.').map(Number);
        expect(textOfBytes(Uint8Array.from(bytes ?? []))).toBe(address);
        expect(parseAddress(address as string)).toBe(address);
      }),
    );
    expect(
      textOfBytes(Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 7])),
    ).toBe('192.0.2.7');
    expect(textOfBytes(new Uint8Array(0))).toBe('');
  });

  it('counts by its network: all of IPv4, the first 64 bits of IPv6', () => {
    const network = (text: string): string => networkOf(parseAddress(text) ?? '');
    expect(network('203.0.113.5')).toBe('203.0.113.5');
    expect(network('2001:db8:1:2::1')).toBe(network('2001:DB8:1:2:ffff:1:2:3'));
    expect(network('2001:db8:1:2::1')).not.toBe(network('2001:db8:1:3::1'));
    expect(network('::ffff:192.0.2.7')).not.toBe(network('::ffff:192.0.2.8'));
  });
});

describe('behind trusted proxies', () => {
  const common = (...lines: string[]) => ({ forwarded: [], xForwardedFor: lines });
  const standard = (...lines: string[]) => ({ forwarded: lines, xForwardedFor: [] });

  it.each([
    ["the last entry is the one proxy's", common('198.51.100.1, 203.0.113.2'), 1, '203.0.113.2'],
    [
      'of two proxies the second from the right',
      common('198.51.100.1, 203.0.113.2, 192.0.2.1'),
      2,
      '203.0.113.2',
    ],
    ['lines are one list', common('198.51.100.1', '203.0.113.3'), 1, '203.0.113.3'],
    ['lines are one list over the proxies', common('203.0.113.3', '192.0.2.1'), 2, '203.0.113.3'],
    ['empty entries are none', common('203.0.113.3,, ,'), 1, '203.0.113.3'],
    ['fewer entries than proxies do not tell', common('203.0.113.3'), 2, undefined],
    ['what is no address does not tell', common('203.0.113.3, unknown'), 1, undefined],
    ['no header does not tell', common(), 1, undefined],
    [
      'Forwarded names it in any case',
      standard('for=198.51.100.1, For="203.0.113.4:4711";proto=https'),
      1,
      '203.0.113.4',
    ],
    [
      'Forwarded quotes IPv6',
      standard('for="[2001:db8:cafe::17]:4711"'),
      1,
      '2001:db8:cafe:0:0:0:0:17',
    ],
    [
      'Forwarded has pairs in any order',
      standard('proto=http;by=203.0.113.43;for=192.0.2.60'),
      1,
      '192.0.2.60',
    ],
    [
      'Forwarded lines are one list',
      standard('for=198.51.100.1', 'for=203.0.113.4'),
      1,
      '203.0.113.4',
    ],
    [
      'a comma in quotes is none',
      standard('for=198.51.100.1;by="a, for=b", for=203.0.113.4'),
      1,
      '203.0.113.4',
    ],
    [
      'an escaped quote ends nothing',
      standard('by="a\\", for=198.51.100.1", for=203.0.113.4'),
      1,
      '203.0.113.4',
    ],
    ['a hidden one does not tell', standard('for=_hidden'), 1, undefined],
    ['an unknown one does not tell', standard('for=198.51.100.1, for=unknown'), 1, undefined],
    [
      'an element without for does not tell',
      standard('for=198.51.100.1, proto=https'),
      1,
      undefined,
    ],
    [
      'an open quote of the client hides nothing',
      standard('for="198.51.100.1', 'for=203.0.113.4'),
      1,
      undefined,
    ],
    [
      "a quote of the client that ends in the proxy's does not tell",
      standard('for=198.51.100.1, for="a, for="203.0.113.4:4711"'),
      1,
      undefined,
    ],
    [
      'both headers that agree tell',
      { forwarded: ['for=203.0.113.4'], xForwardedFor: ['198.51.100.1, 203.0.113.4'] },
      1,
      '203.0.113.4',
    ],
    [
      'a client that adds the other header is not believed',
      { forwarded: ['for=198.51.100.1'], xForwardedFor: ['203.0.113.4'] },
      1,
      undefined,
    ],
  ] as const)('%s', (_name, lines, proxies, address) => {
    expect(forwardedAddress(lines, proxies)).toBe(address);
  });

  it('a client never chooses its own address by what it writes before the proxy', () => {
    const written = fc.string({ maxLength: 60 }).filter((text) => !/[\r\n]/.test(text));
    fc.assert(
      fc.property(written, fc.boolean(), (text, sameLine) => {
        const lines = (last: string): string[] => (sameLine ? [`${text}, ${last}`] : [text, last]);
        const found = [
          forwardedAddress(common(...lines('203.0.113.4')), 1),
          forwardedAddress(standard(...lines('for=203.0.113.4')), 1),
        ];
        for (const address of found) expect([undefined, '203.0.113.4']).toContain(address);
      }),
    );
  });

  it('a long header is read in time that grows with its length', () => {
    const long = `for="${'\\a'.repeat(100_000)}`;
    expect(forwardedAddress(standard(long), 1)).toBeUndefined();
    expect(forwardedAddress(standard(`${'for=a;'.repeat(100_000)}for=203.0.113.4`), 1)).toBe(
      '203.0.113.4',
    );
  });
});
