/**
 * What Segment's libraries ask for before they send: the settings of a write key, and where to
 * report about themselves.
 *
 * Settings say that there is one destination, this ingress, at the host that was asked. So a page's
 * library needs no more than `cdnURL`; mobiles take the same form
 * (https://github.com/segmentio/analytics-next/blob/master/packages/browser/src/browser/settings.ts).
 */
import type { HttpResponse } from 'uWebSockets.js';
import { quoteJson } from '../../../schemas/kernel/json-quote.ts';
import { isRefusal } from '../../event/refusal.ts';
import type { PostContext } from '../../http/body.ts';
import { Exchange } from '../../http/exchange.ts';
import { identify, noteOrigin, refuseEarly, refuseUnasked } from '../../http/gate.ts';
import type { IncomingRequest } from '../../http/request.ts';
import { noStream } from './serve.ts';

const hostPattern = /^[A-Za-z0-9._~-]+(?::\d{1,5})?$|^\[[0-9A-Fa-f:.]+\](?::\d{1,5})?$/;

/** Where the request says that it came to. */
export interface AskedPlace {
  readonly host: string;
  /** X-Forwarded-Proto of a proxy in front. */
  readonly forwardedProto: string;
}

/** `GET /v1/projects/{writeKey}/settings` */
export function onSegmentSettings(
  context: PostContext,
  res: HttpResponse,
  head: IncomingRequest,
  writeKey: string,
  asked: AskedPlace,
): void {
  const exchange = new Exchange(res, head, context, () => undefined);
  const early = refuseEarly(context, exchange);
  if (early !== undefined) return refuseUnasked(context, exchange, early);
  // The key of the path alone: whatever else the request has says nothing about that one.
  const identified = identify(context, { ...head, authorization: '', apiKey: '' }, writeKey);
  void Promise.resolve(identified).then((grant) => {
    noteOrigin(context, exchange, isRefusal(grant) ? undefined : grant);
    if (isRefusal(grant)) return exchange.turnDown(grant);
    if (grant.segmentStream === undefined) return exchange.turnDown(noStream(grant.name));
    exchange.extraHeaders += 'Cache-Control: no-store\r\n';
    exchange.answer({ status: 200, body: settingsOf(writeKey, head.origin, asked) });
  });
}

function settingsOf(
  writeKey: string,
  origin: string,
  { host, forwardedProto }: AskedPlace,
): string {
  let destination = `"apiKey":${quoteJson(writeKey)}`;
  if (hostPattern.test(host)) {
    destination += `,"apiHost":${quoteJson(`${host}/v1`)}`;
    // Libraries say https unless they are told otherwise; a page that came by https may not send by
    // http.
    if (origin.startsWith('http://') && forwardedProto !== 'https')
      destination += ',"protocol":"http"';
  }
  return `{"integrations":{"Segment.io":{${destination}}},"plan":{},"edgeFunction":{},"middlewareSettings":{},"metrics":{"sampleRate":0}}`;
}

/** `POST /v1/m`: what a library reports about itself is taken and not kept, whoever it is. */
export function onSegmentMetrics(
  context: PostContext,
  res: HttpResponse,
  head: IncomingRequest,
): void {
  const exchange = new Exchange(res, head, context, () => undefined);
  const early = refuseEarly(context, exchange, 0);
  if (early !== undefined) return refuseUnasked(context, exchange, early);
  noteOrigin(context, exchange, undefined);
  exchange.answer({ status: 200, body: '{"success":true}' });
}
