/**
 * What text an attribute may have: a CloudEvents `String`
 * (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md#type-system).
 */
const disallowed = /[\p{Cc}\p{Surrogate}\p{Noncharacter_Code_Point}]/u;

/** Well-formed Unicode that an attribute may have. */
export function isText(text: string): boolean {
  return !disallowed.test(text);
}

export const notText = 'has a control character, half a surrogate pair or a noncharacter';
export const textExpected = 'text without them, as CloudEvents requires';
