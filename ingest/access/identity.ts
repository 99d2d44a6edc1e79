/**
 * Who a token speaks for: the issuer and the subject, exactly (RFC 7519, sections 4.1.1 and 4.1.2:
 * a subject is unique within its issuer).
 *
 * Invariant: two names are equal only when issuer and subject are, whatever signs are in them: what
 * tells them apart is a digest of both. The readable part before it is for people who read a log. A
 * key's name has no colon, so it is never a token's.
 */
import { createHash } from 'node:crypto';

/**
 * Characters of a token's issuer and subject that a log shows; a digest of all of them stands
 * beside.
 */
const identityShownMaxChars = 40;

/** `token:<host>:<subject>:<digest>`, of A-Z a-z 0-9 . _ @ - and colons; bounded. */
export function tokenName(issuer: string, subject: string): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([issuer, subject]))
    .digest('base64url');
  return `token:${readable(URL.canParse(issuer) ? new URL(issuer).host : issuer)}:${readable(subject)}:${digest}`;
}

function readable(text: string): string {
  return text.slice(0, identityShownMaxChars).replaceAll(/[^A-Za-z0-9._@-]/g, '_');
}
