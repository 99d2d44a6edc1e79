/**
 * JSON Schemas of what clients say of an event, for the served documents: made from the lists and
 * bounds that the readers use.
 *
 * Generators of clients read them (test/clients/generated.test.ts), so every schema of a protocol
 * 1. has one `type`, never a list of them, and has it beside `enum` and `const` too;
 * 2. names what is `oneOf` or an element of a list as a component of its own;
 * 3. says by `if`, `then`, `else` and `not` what only validators look at, such as that one of two
 *    members is required: generators pass these over, where they would make unions of an `anyOf`.
 * And it is exact: what it allows is accepted, what it forbids is refused
 * (test/fuzz/schemathesis.test.ts).
 */
import { limits } from '../../schemas/limits.ts';
import { envelopeMembers } from '../event/envelope.ts';

export type Schema = Readonly<Record<string, unknown>>;

/**
 * What CloudEvents lets a string have: no control characters, no noncharacters
 * (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md#type-system).
 */
const noncharacters = Array.from({ length: 16 }, (_, plane) =>
  String.fromCodePoint(((plane + 1) << 16) + 0xfffe, ((plane + 1) << 16) + 0xffff),
);
export const textPattern = `^[^\\u0000-\\u001F\\u007F-\\u009F\\uFDD0-\\uFDEF\\uFFFE\\uFFFF${noncharacters.join('')}]*$`;
export const attribute = (description: string): Schema => ({
  type: 'string',
  minLength: 1,
  maxLength: limits.attributeMaxBytes,
  pattern: textPattern,
  description,
});

export const longKey = `one of more than ${limits.partitionKeyMaxChars} characters is carried as sha256: and its digest`;

export const attributeTexts: Readonly<Record<(typeof envelopeMembers)[number], Schema>> = {
  id: attribute('Names the event within its source: sent again under the same id it is one event.'),
  type: attribute('What happened. Default: team.app'),
  time: {
    type: 'string',
    format: 'date-time',
    description: 'When it happened (RFC 3339). Default: when it was received',
  },
  subject: attribute('What it is about'),
  partitionkey: {
    type: 'string',
    minLength: 1,
    pattern: textPattern,
    description: `Ordering and state key. Default: the subject, else the id; ${longKey}`,
  },
  source: attribute('Where it comes from. Default: /team/app'),
};

export const envelopeProperties: Schema = {
  ...Object.fromEntries(envelopeMembers.map((name) => [name, attributeTexts[name]])),
  data: { description: 'The event itself, any JSON value' },
};
