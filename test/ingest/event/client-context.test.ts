/**
 * What of the client is kept: only what the stream asks for, never more of the address, and nothing
 * that the client says under the same names.
 */
import { describe, expect, it } from 'vitest';
import {
  clientContextOf,
  contextTextMaxBytes,
  withContext,
} from '../../../ingest/event/client-context.ts';
import type { ClientContextConfig } from '../../../schemas/config.ts';

const all: ClientContextConfig = { ip: 'full', userAgent: true, referer: true };
const client = {
  address: '203.0.113.77',
  userAgent: 'agent/1.0',
  referer: 'https://shop.example/',
};
const secret = 'a secret of the operator';
const kept = (config: ClientContextConfig, more: Partial<typeof client> = {}) =>
  clientContextOf(config, { ...client, ...more }, secret)?.extensions;

describe('what the client was', () => {
  it('is kept as far as the stream asks', () => {
    expect(clientContextOf(undefined, client, secret)).toBeUndefined();
    expect(kept(all)).toEqual({
      clientip: '203.0.113.77',
      useragent: 'agent/1.0',
      referer: 'https://shop.example/',
    });
    expect(kept({ ip: 'none', userAgent: true, referer: false })).toEqual({
      useragent: 'agent/1.0',
    });
  });

  it.each([
    ['203.0.113.77', '203.0.113.0'],
    ['10.1.2.3', '10.1.2.0'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1::'],
    ['0:0:0:0:0:0:0:1', '0:0:0::'],
  ])('has of %s the network %s where it is truncated', (address, network) => {
    expect(kept({ ...all, ip: 'truncated' }, { address })).toMatchObject({ clientip: network });
  });

  it('has a digest that tells clients apart and needs the secret', () => {
    const digest = (address: string, by = secret) =>
      clientContextOf({ ...all, ip: 'hmac' }, { ...client, address }, by)?.extensions?.['clientip'];
    expect(digest('203.0.113.77')).toMatch(/^[0-9a-f]{32}$/);
    expect(digest('203.0.113.77')).toBe(digest('203.0.113.77'));
    expect(
      new Set([
        digest('203.0.113.77'),
        digest('203.0.113.78'),
        digest('203.0.113.77', 'another secret of an operator'),
      ]).size,
    ).toBe(3);
  });

  it('has no attribute for what the request does not have', () => {
    const nothing = { address: '', userAgent: '', referer: '' };
    for (const ip of ['full', 'truncated', 'hmac'] as const)
      expect(kept({ ...all, ip }, nothing)).toBeUndefined();
  });

  it('is text that an attribute may have, and bounded', () => {
    const bytes = (text: string): string => Buffer.from(text).toString('latin1');
    const read = (userAgent: string) => kept(all, { userAgent })?.['useragent'];
    expect(read('a"b\\c')).toBe('a"b\\c');
    expect(read(bytes('Grüße 😀'))).toBe('Grüße 😀');
    expect(read('caf\u00e9')).toBe('café');
    expect(read('tab\there, \u0085 there')).toBe('tab\ufffdhere, \ufffd there');
    expect(read('x'.repeat(5_000))).toHaveLength(contextTextMaxBytes);
    const long = read(bytes('x'.repeat(contextTextMaxBytes - 2) + '😀'.repeat(100)));
    expect(long).toBe('x'.repeat(contextTextMaxBytes - 2));
  });

  it('replaces what an event says of itself under the same names, also with nothing', () => {
    const context = clientContextOf(
      { ip: 'truncated', userAgent: true, referer: false },
      { ...client, userAgent: '' },
      secret,
    );
    if (context === undefined) throw new Error('the stream asks for something');
    expect(
      withContext(
        { clientip: '1.2.3.4', useragent: 'forged', referer: 'own', campaign: 'c' },
        context,
      ),
    ).toEqual({
      clientip: '203.0.113.0',
      referer: 'own',
      campaign: 'c',
    });
    expect(withContext(undefined, context)).toEqual({ clientip: '203.0.113.0' });
    expect(
      withContext({ useragent: 'forged' }, { names: ['useragent'], extensions: undefined }),
    ).toBeUndefined();
  });
});
