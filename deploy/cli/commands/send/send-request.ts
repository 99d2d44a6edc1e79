/**
 * One request of `send` over HTTP or HTTPS. Redirects are not followed: the key goes to the address
 * that was named, and to no other.
 */
import type { ClientRequest, IncomingMessage } from 'node:http';
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { mebi } from '../../../../schemas/kernel/bytes.ts';
import { messageOf, SluiceError, systemCodeOf } from '../../../../schemas/kernel/errors.ts';
import type { Answer } from './send-answer.ts';

/** An answer, and how long a connection may be silent. */
const sendAnswerMaxBytes = 32 * mebi;
const sendSilenceMaxMs = 60_000;

export interface Sender {
  /**
   * Posts the events, each with a line feed. Status 0 when no answer came; rejects with
   * `SluiceError` when none ever will.
   */
  post(events: readonly Buffer[]): Promise<Answer>;
  close(): void;
}

export function openSender(
  target: URL,
  key: string | undefined,
  connections: number,
  contentType = 'application/x-ndjson',
): Sender {
  const secure = target.protocol === 'https:';
  const options = { keepAlive: true, maxSockets: connections };
  const agent = secure ? new HttpsAgent(options) : new HttpAgent(options);
  const headers = {
    'content-type': contentType,
    ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
  };
  const post = async (events: readonly Buffer[]): Promise<Answer> => {
    const body = Buffer.concat(events.flatMap((event) => [event, newline]));
    const settings = {
      agent,
      method: 'POST',
      headers: { ...headers, 'content-length': body.length },
    };
    const req = secure ? httpsRequest(target, settings) : httpRequest(target, settings);
    try {
      return await answerTo(req, body);
    } catch (thrown) {
      const never = permanentFault(thrown, target);
      if (never !== undefined) throw never;
      return { status: 0, body: messageOf(thrown) || String(systemCodeOf(thrown)) };
    }
  };
  return { post, close: () => agent.destroy() };
}

const newline = Buffer.from('\n');

function answerTo(req: ClientRequest, body: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let answered = false;
    req.once('response', (res) => {
      answered = true;
      read(res, resolve, reject);
    });
    // An ingress that refuses a body before it has come whole closes the connection: its answer
    // counts, not that the rest could not be written.
    req.on('error', (thrown) => {
      if (!answered) reject(thrown);
    });
    req.setTimeout(sendSilenceMaxMs, () =>
      req.destroy(new Error(`no answer for ${sendSilenceMaxMs / 1_000} s`)),
    );
    req.end(body);
  });
}

function read(
  res: IncomingMessage,
  resolve: (answer: Answer) => void,
  reject: (thrown: Error) => void,
): void {
  const status = res.statusCode ?? 0;
  const chunks: Buffer[] = [];
  let bytes = 0;
  const answer = (): Answer => ({
    status,
    body: Buffer.concat(chunks).toString('utf8'),
    retryAfter: res.headers['retry-after'],
    location: res.headers.location,
  });
  res.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > sendAnswerMaxBytes)
      res.destroy(new Error(`the answer has more than ${sendAnswerMaxBytes} bytes`));
    else chunks.push(chunk);
  });
  res.once('end', () => resolve(answer()));
  res.once('error', reject);
  // A refusal says enough also when it is cut off.
  res.once('close', () => {
    if (status >= 400) resolve(answer());
    else reject(new Error('the connection was closed before the answer was complete'));
  });
}

const tlsFault =
  /^(?:ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)|^(?:HOSTNAME_MISMATCH|INVALID_CA|EPROTO)$/;

/** What trying again does not change. */
function permanentFault(
  thrown: unknown,
  { protocol, host, hostname }: URL,
): SluiceError | undefined {
  const code = systemCodeOf(thrown) ?? '';
  const url = `${protocol}//${host}`;
  if (code === 'ENOTFOUND')
    return new SluiceError(
      'url-unknown',
      `${hostname} cannot be resolved: no address is known under this name`,
      {
        cause: thrown,
        fix: 'check --url',
      },
    );
  if (code === 'EPROTO' || code === 'ERR_SSL_WRONG_VERSION_NUMBER')
    return new SluiceError('url-not-tls', `${url} does not speak TLS`, {
      cause: thrown,
      fix: `check --url, or use http://${host}`,
    });
  if (tlsFault.test(code))
    return new SluiceError(
      'certificate-refused',
      `the certificate of ${url} is not trusted: ${messageOf(thrown)}`,
      {
        cause: thrown,
        fix: 'use the name it was issued for, or set NODE_EXTRA_CA_CERTS to the file of its authority',
      },
    );
  if (code.startsWith('HPE_'))
    return new SluiceError('url-not-http', `${url} does not answer in HTTP`, {
      cause: thrown,
      fix: 'check --url; with TLS it begins with https://',
    });
  return undefined;
}
