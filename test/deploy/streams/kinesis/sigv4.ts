/**
 * AWS Signature Version 4 of a request, from the specification and node:crypto alone, to hold the
 * SDK's signature against.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
import { createHash, createHmac } from 'node:crypto';

export interface SignedRequest {
  readonly method: string;
  readonly path: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Uint8Array;
}

const sha256 = (data: string | Uint8Array): string =>
  createHash('sha256').update(data).digest('hex');
const hmac = (key: string | Uint8Array, data: string): Buffer =>
  createHmac('sha256', key).update(data).digest();

/** Whether the Authorization header is what `secret` makes of this very request. */
export function isSigned(request: SignedRequest, accessKeyId: string, secret: string): boolean {
  const pattern =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/([^,]+), SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/;
  const [, id, scope = '', names = '', signature] =
    pattern.exec(String(request.headers['authorization'])) ?? [];
  const [date = '', region = '', service = '', terminator = ''] = scope.split('/');
  if (id !== accessKeyId || service !== 'kinesis' || terminator !== 'aws4_request') return false;
  const canonicalHeaders = names
    .split(';')
    .map((name) => `${name}:${String(request.headers[name]).trim().replace(/ +/g, ' ')}\n`);
  const canonical = [
    request.method,
    request.path,
    '',
    canonicalHeaders.join(''),
    names,
    sha256(request.body),
  ].join('\n');
  const toSign = [
    'AWS4-HMAC-SHA256',
    String(request.headers['x-amz-date']),
    scope,
    sha256(canonical),
  ].join('\n');
  const key = hmac(hmac(hmac(hmac(`AWS4${secret}`, date), region), service), terminator);
  return hmac(key, toSign).toString('hex') === signature;
}
