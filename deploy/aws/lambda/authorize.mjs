/**
 * The authorizer of API Gateway: whether a key of the configuration may write to the stream of the
 * path. The ingress checks the same again, so this only keeps strangers from it; a token (JWT) is
 * left to the ingress, which knows its issuer's keys.
 *
 * It runs as it stands, beside `keys.json`: `{keys: [{sha256, streams}], tokens}`.
 *
 * Invariant: the answer depends on the header `authorization` and the path alone: API Gateway keeps
 * it by these two.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

const { keys, tokens } = JSON.parse(readFileSync(new URL('keys.json', import.meta.url), 'utf8'));
const streamsOf = new Map(keys.map(({ sha256, streams }) => [sha256, streams]));
const bearer = 'Bearer ';
/** As the ingress tells a token from a key. */
const looksLikeToken = (text) => text.startsWith('eyJ') && text.split('.', 4).length === 3;

export async function handler({ headers = {}, pathParameters = {} }) {
  const { authorization = '' } = headers;
  const { team, app } = pathParameters;
  const key = authorization.startsWith(bearer) ? authorization.slice(bearer.length) : '';
  if (key === '' || team === undefined || app === undefined) return { isAuthorized: false };
  if (tokens && looksLikeToken(key)) return { isAuthorized: true };
  const allowed = streamsOf.get(createHash('sha256').update(key).digest('hex')) ?? [];
  const patterns = [`${team}/${app}`, `${team}/*`, '*/*'];
  return { isAuthorized: patterns.some((pattern) => allowed.includes(pattern)) };
}
