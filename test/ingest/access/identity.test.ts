/**
 * Whom a token speaks for: its issuer and subject exactly, so that no sender has the quota, the
 * warnings or the repeats of another.
 *
 * The first form was the issuer's host and 64 characters of the subject: two realms of one host
 * were one sender.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { tokenName } from '../../../ingest/access/identity.ts';
import { keys } from '../../../schemas/config/access.ts';
import { fitsSetting } from '../../../schemas/config/check.ts';

it('two tokens have one name only if issuer and subject are the same', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('a', 'a:b', 'b', ':', '","', '/', '\ud800', '\udfff', `${'s'.repeat(90)}1`),
  );
  fc.assert(
    fc.property(text, text, text, text, (issuer, subject, otherIssuer, otherSubject) => {
      const same = issuer === otherIssuer && subject === otherSubject;
      expect(tokenName(issuer, subject) === tokenName(otherIssuer, otherSubject)).toBe(same);
    }),
  );
  expect(tokenName('https://login.example/realms/east', 'u')).not.toBe(
    tokenName('https://login.example/realms/west', 'u'),
  );
  expect(tokenName('https://a.example', 's'.repeat(5_000))).not.toBe(
    tokenName('https://a.example', `${'s'.repeat(4_999)}t`),
  );
  expect(tokenName('https://a.example', '\ud800')).not.toBe(
    tokenName('https://a.example', '\ud801'),
  );
});

it('is never the name of a key, is bounded, and has nothing in it that a log or a header would trip over', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (issuer, subject) => {
      const name = tokenName(issuer, subject);
      expect(fitsSetting(keys.items.properties.name, name)).toBe(false);
      expect(name).toMatch(/^token:[A-Za-z0-9._@-]{0,40}:[A-Za-z0-9._@-]{0,40}:[A-Za-z0-9_-]{43}$/);
    }),
  );
  expect(tokenName('https://login.example/realms/east', 'alice@shop.example')).toContain(
    'token:login.example:alice@shop.example:',
  );
});
