/**
 * What a path that leads nowhere was probably meant to be: slashes too many, a version forgotten or
 * another one, an endpoint's name nearly right. Pure.
 *
 * It only looks at the form of a path: that it names an endpoint says nothing about whether such a
 * stream exists.
 */
const documents: Readonly<Record<string, string>> = {
  health: 'GET /healthz',
  healthz: 'GET /healthz',
  ready: 'GET /readyz',
  readyz: 'GET /readyz',
  openapi: 'GET /openapi.json',
  'openapi.json': 'GET /openapi.json',
  asyncapi: 'GET /asyncapi.json',
  'asyncapi.json': 'GET /asyncapi.json',
};
const ofStream: Readonly<Record<string, string>> = {
  pixel: 'pixel.gif',
  'pixel.gif': 'pixel.gif',
  warnings: 'warnings',
  ws: 'ws',
};
const version = /^v\d{1,3}$/i;
const streamName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const pathMaxChars = 400;

/**
 * Method and path, such as `POST /v1/shop/clicks`; the form of it where nothing can be told.
 * `calls`: endpoints with one name below /v1/.
 */
export function likelyEndpoint(path: string, calls: readonly string[]): string {
  const usual = 'POST /v1/{team}/{app}';
  if (path.length > pathMaxChars) return usual;
  const parts = path.split('/').filter((part) => part !== '');
  const [first = ''] = parts;
  if (version.test(first)) parts.shift();
  const [team = '', app = '', of = ''] = parts;
  const named = documents[team.toLowerCase()];
  if (parts.length === 1 && named !== undefined) return named;
  if (parts.length === 1 && calls.includes(team.toLowerCase()))
    return `POST /v1/${team.toLowerCase()}`;
  if (!streamName.test(team) || !streamName.test(app)) return usual;
  if (parts.length === 2) return `POST /v1/${team}/${app}`;
  const found = ofStream[of.toLowerCase()];
  return parts.length === 3 && found !== undefined ? `GET /v1/${team}/${app}/${found}` : usual;
}
