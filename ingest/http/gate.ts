/**
 * What stands between a request and its stream: is the instance open, who is it, may they, is there room. Decided before the body is read,
 * as far as can be: only a token takes time, and the body is collected meanwhile.
 *
 * Invariant: what a request is told depends on its own key's streams alone; whether another team's stream exists never shows.
 */
import type { Access } from '../access/access.ts';
import { decideAccess } from '../access/access.ts';
import type { Grant } from '../access/grant.ts';
import type { Quotas } from '../access/quotas.ts';
import type { Rechecks } from '../access/rechecks.ts';
import type { BoundStream } from '../intake.ts';
import type { Refusal } from '../protocol/refusal.ts';
import { isRefusal } from '../protocol/refusal.ts';
import { networkOf } from './address.ts';
import type { Exchange, Hall } from './exchange.ts';
import type { IncomingRequest } from './request.ts';
import { refuseForeign } from './trial.ts';

export interface Gate extends Hall {
  readonly access: Access;
  readonly quotas: Quotas;
  readonly rechecks: Rechecks;
}

/** A request that may send its events. */
export interface Admitted {
  readonly grant: Grant;
  readonly stream: BoundStream;
}

const exposedHeaders =
  'X-Request-Id, X-Sluice-Ack, X-Processing-Latency, X-Network-Latency, Server-Timing, Retry-After, RateLimit, RateLimit-Policy';

/** Why a request may not even say who it is. `bytes` is the most that it will hold at once. */
export function refuseEarly(gate: Gate, exchange: Exchange, bytes = exchange.head.contentLength ?? 0): Refusal | undefined {
  if (gate.draining) return { status: 503, code: 'draining', message: 'the instance stops', expected: 'send it again to another one' };
  const foreign = gate.access.isOpen ? refuseForeign(exchange.head, gate.access) : undefined;
  if (foreign !== undefined) return foreign;
  const { refused, rateLimit, rateLimitPolicy } = gate.quotas.admitAddress(networkOf(exchange.head.address), gate.clock.now());
  noteQuota(exchange, rateLimit, rateLimitPolicy);
  return refused ?? gate.intake.overload(bytes);
}

/** Who it is; a promise only for a token that has to be verified. `key` overrides what the head has. */
export function identify(gate: Gate, head: IncomingRequest, key = head.queryKey): Grant | Refusal | Promise<Grant | Refusal> {
  const { authorization, apiKey, origin } = head;
  return gate.access.identify({ authorization, apiKey, queryKey: key, origin });
}

/** Whether this key may write to that stream. */
export function admit(gate: Gate, exchange: Exchange, grant: Grant | Refusal, name: string): Admitted | Refusal {
  if (isRefusal(grant)) {
    noteOrigin(gate, exchange, undefined);
    return grant;
  }
  exchange.grant = grant;
  exchange.stream = name;
  noteOrigin(gate, exchange, grant);
  const stream = gate.intake.streams.get(name);
  const refused = decideAccess(grant, name, stream !== undefined);
  if (refused !== undefined) return refused;
  return stream === undefined ? unknownStream(name) : { grant, stream };
}

/** Whether one that was let in still is: its key may be gone, its token over, its streams or origins fewer. */
export function admitAgain(gate: Gate, admitted: Admitted, origin: string): Admitted | Refusal {
  const { grant, stream } = admitted;
  const found = gate.access.again(grant, origin);
  if (found === grant) return admitted;
  if (isRefusal(found)) return found;
  return decideAccess(found, stream.config.name, true) ?? { grant: found, stream };
}

/** Whether so many events are within the quotas; charges them. */
export function charge(gate: Gate, exchange: Exchange, { grant, stream }: Admitted, events: number): Refusal | undefined {
  const { refused, rateLimit, rateLimitPolicy } = gate.quotas.admitEvents(grant, stream.config.name, events, gate.clock.now());
  noteQuota(exchange, rateLimit, rateLimitPolicy);
  return refused;
}

/** Refuses a request before anybody asked who sends it, so that a page can read why. */
export function refuseUnasked(gate: Gate, exchange: Exchange, refusal: Refusal): void {
  noteOrigin(gate, exchange, undefined);
  exchange.refuse(refusal, true);
}

/** Lets a page of an allowed origin read the answer. Also of a refusal, or its author would never see why. */
export function noteOrigin(gate: Gate, exchange: Exchange, grant: Grant | undefined): void {
  const { origin } = exchange.head;
  if (origin === '') return;
  const allowed = gate.access.allowedOrigin(origin, grant);
  if (allowed === undefined) return;
  exchange.extraHeaders += `Access-Control-Allow-Origin: ${allowed}\r\nVary: Origin\r\nAccess-Control-Expose-Headers: ${exposedHeaders}\r\n`;
}

function noteQuota(exchange: Exchange, rateLimit: string | undefined, policy: string | undefined): void {
  if (rateLimit !== undefined && policy !== undefined)
    exchange.extraHeaders += `RateLimit-Policy: ${policy}\r\nRateLimit: ${rateLimit}\r\n`;
}

function unknownStream(name: string): Refusal {
  return {
    status: 404,
    code: 'stream-unknown',
    message: `there is no stream '${name.slice(0, 130)}'`,
    expected: 'a team and app of the configuration',
  };
}
