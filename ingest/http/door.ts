/**
 * What every request passes before its route sees it: the check of its head; and how it is told
 * that it may not, or what is here.
 *
 * Invariants:
 * 1. Nothing of a request whose head is at fault is stored.
 * 2. A page of an allowed origin can read every refusal: one whose author cannot read it teaches
 *    nobody.
 */
import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import { limits } from '../../schemas/limits.ts';
import { answerRefusal } from '../event/answer.ts';
import type { Refusal } from '../event/refusal.ts';
import { preflightLines, readableBy } from './cors.ts';
import type { Gate } from './gate.ts';
import type { BodyRule, HeadFault } from './head-check.ts';
import { answerAndClose, statusTexts } from './plain-answer.ts';
import type { AddressRule, IncomingRequest } from './request.ts';
import { readHead } from './request.ts';
import { requestIdOf } from './request-id.ts';

export type Handler = (res: HttpResponse, req: HttpRequest, head: IncomingRequest) => void;

/**
 * How a refused handshake is told what is spoken here (RFC 6455, section 4.4; RFC 9110, section
 * 15.5.22).
 */
export const handshakeLines = 'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n';

function isLarge(contentLength: number | undefined): boolean {
  return contentLength === undefined || contentLength > limits.bodyUnreadMaxBytes;
}

/** What every request passes, and how it is told that it may not. */
export class Door {
  readonly #context: Gate;
  readonly #rule: AddressRule;

  constructor(context: Gate, rule: AddressRule) {
    this.#context = context;
    this.#rule = rule;
  }

  enter(
    body: BodyRule,
    carriesEvents: boolean,
    then: Handler,
  ): (res: HttpResponse, req: HttpRequest) => void {
    return (res, req) => {
      const head = readHead(res, req, this.#rule, body);
      // Where nothing but the method and the path counts, only a fault of framing does.
      if (head.fault === undefined || (body === 'any' && !head.fault.breaksFraming))
        then(res, req, head);
      else this.refuseHead(res, req, head, head.fault, carriesEvents);
    };
  }

  refuseHead(
    res: HttpResponse,
    req: HttpRequest,
    head: IncomingRequest,
    { refusal, breaksFraming }: HeadFault,
    carriesEvents: boolean,
  ): void {
    if (!breaksFraming) return this.refuse(res, req, head, refusal, '', carriesEvents);
    if (carriesEvents) this.#context.metrics.refused(undefined, refusal.code);
    // An answer to HEAD has no body that could carry it out before the end.
    if (req.getMethod() === 'head') res.close();
    else
      answerAndClose(
        res,
        refusal.status,
        `application/json\r\n${this.#readable(head)}`.slice(0, -2),
        answerRefusal(refusal).body,
      );
  }

  /**
   * Refuses a request whose end is known. `lines` are further headers, each ending in a line break.
   */
  refuse(
    res: HttpResponse,
    req: HttpRequest,
    head: IncomingRequest,
    refusal: Refusal,
    lines = '',
    carriesEvents = false,
  ): void {
    if (carriesEvents) this.#context.metrics.refused(undefined, refusal.code);
    const headers = `application/json\r\n${lines}${this.#readable(head)}`.slice(0, -2);
    const isHead = req.getMethod() === 'head';
    res.cork(() => {
      res.writeStatus(statusTexts[refusal.status] as string);
      res.writeHeader('Content-Type', headers);
      // An answer to HEAD has no body (RFC 9110, section 9.3.2): its bytes would be read as the
      // next answer.
      if (isHead) res.endWithoutBody();
      else res.end(answerRefusal(refusal).body, head.closes || isLarge(head.contentLength));
    });
  }

  /**
   * The answer to OPTIONS: the methods of a path, and to a page whether and with which headers it
   * may send.
   */
  tellMethods(res: HttpResponse, head: IncomingRequest, allowed: string): void {
    const origin = head.origin === '' ? undefined : this.#context.access.allowedOrigin(head.origin);
    const lines = preflightLines(origin, head.requestedHeaders, allowed);
    res.cork(() => {
      res.writeStatus('204 No Content');
      res.writeHeader('Allow', `${allowed}\r\n${lines}`.slice(0, -2));
      // Without a length: a 204 must not have one (RFC 9110, section 8.6).
      res.endWithoutBody();
    });
  }

  /** Also why it was refused: a page whose author cannot read it never learns it. */
  #readable({ origin, requestId }: IncomingRequest): string {
    const id = requestIdOf(requestId, this.#context.newId);
    return `X-Request-Id: ${id}\r\n${origin === '' ? '' : readableBy(this.#context.access.allowedOrigin(origin))}`;
  }
}
