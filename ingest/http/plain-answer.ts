/**
 * Answers that are whole before they are sent: health, documents.
 */
import type { HttpResponse } from 'uWebSockets.js';
import type { IncomingRequest } from './request.ts';

export interface PlainAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

export const statusTexts: Readonly<Record<number, string>> = {
  200: '200 OK',
  202: '202 Accepted',
  207: '207 Multi-Status',
  400: '400 Bad Request',
  401: '401 Unauthorized',
  403: '403 Forbidden',
  404: '404 Not Found',
  405: '405 Method Not Allowed',
  408: '408 Request Timeout',
  409: '409 Conflict',
  413: '413 Content Too Large',
  414: '414 URI Too Long',
  421: '421 Misdirected Request',
  426: '426 Upgrade Required',
  429: '429 Too Many Requests',
  431: '431 Request Header Fields Too Large',
  501: '501 Not Implemented',
  503: '503 Service Unavailable',
};

/**
 * Sends what `answer` gives, unless the client has gone; 503 when it rejects. `headOnly`: to HEAD,
 * its body's length alone.
 */
export function serve(
  res: HttpResponse,
  { closes }: IncomingRequest,
  answer: () => Promise<PlainAnswer>,
  headOnly = false,
): void {
  let open = true;
  res.onAborted(() => {
    open = false;
  });
  const send = ({ status, contentType, body }: PlainAnswer): void => {
    if (!open) return;
    res.cork(() => {
      res
        .writeStatus(statusTexts[status] ?? `${status} Status`)
        .writeHeader('Content-Type', contentType);
      // With a length of its own `endWithoutBody` would wait for that many bytes.
      if (headOnly)
        res.writeHeader('Content-Length', String(Buffer.byteLength(body))).endWithoutBody();
      else res.end(body, closes);
    });
  };
  answer().then(send, (thrown: unknown) =>
    send({ status: 503, contentType: 'text/plain', body: `${String(thrown)}\n` }),
  );
}

/**
 * uWebSockets.js collects so many bytes of what is written in a handler, and loses them when the
 * connection is closed in it.
 */
const collectedBytes = 16_384;

/**
 * Answers and ends the connection within the handler, so that no byte behind the head is looked at.
 * The JSON is followed by blanks: only what does not fit where writes are collected is sent before
 * the connection ends. `headers` begin with the content type, and have no line break at their end.
 */
export function answerAndClose(
  res: HttpResponse,
  status: number,
  headers: string,
  json: string,
): void {
  const body = json + ' '.repeat(Math.max(0, collectedBytes - json.length));
  // The server adds the last line break, which is part of the body.
  const length = Buffer.byteLength(body) + 2;
  res.writeStatus(statusTexts[status] ?? String(status));
  res.writeHeader(
    'Connection',
    `close\r\nContent-Type: ${headers}\r\nContent-Length: ${length}\r\n\r\n${body}`,
  );
  res.close();
}
