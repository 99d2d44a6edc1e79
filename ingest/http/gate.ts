/**
 * What stands between a request and its stream: is the instance open, who is it, may they, is there
 * room. Decided before the body is read, as far as can be: only a token takes time, and the body is
 * collected meanwhile.
 *
 * Invariant: what a request is told depends on its own key's streams alone; whether another team's
 * stream exists never shows.
 */
import { limits } from '../../schemas/limits.ts';
import type { Access } from '../access/access.ts';
import { refuseStream } from '../access/access.ts';
import type { Grant } from '../access/grant.ts';
import type { Quotas } from '../access/quotas.ts';
import type { Rechecks } from '../access/rechecks.ts';
import type { Refusal } from '../event/refusal.ts';
import { isRefusal } from '../event/refusal.ts';
import type { BoundStream } from '../intake.ts';
import type { Share } from '../room.ts';
import { networkOf } from './address.ts';
import { readableBy } from './cors.ts';
import type { Exchange } from './exchange.ts';
import type { Hall } from './hall.ts';
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

/** Why a request may not even say who it is. `bytes` is the most that it will hold at once. */
export function refuseEarly(
  gate: Gate,
  exchange: Exchange,
  bytes = exchange.head.contentLength ?? 0,
): Refusal | undefined {
  if (gate.isShuttingDown)
    return {
      status: 503,
      code: 'draining',
      message: 'the instance stops',
      expected: 'send it again to another one',
    };
  const foreign = gate.access.isOpen ? refuseForeign(exchange.head, gate.access) : undefined;
  if (foreign !== undefined) return foreign;
  const { refused, rateLimit, rateLimitPolicy } = gate.quotas.admitAddress(
    networkOf(exchange.head.address),
    gate.clock.now(),
  );
  noteQuota(exchange, rateLimit, rateLimitPolicy);
  return refused ?? exchange.overload(bytes);
}

/**
 * Who it is; a promise only for a token that has to be verified. `key` overrides what the head has.
 */
export function identify(
  gate: Gate,
  head: IncomingRequest,
  key = head.queryKey,
): Grant | Refusal | Promise<Grant | Refusal> {
  const { authorization, apiKey, origin } = head;
  return gate.access.identify({ authorization, apiKey, queryKey: key, origin });
}

/** Whether this key may write to that stream. */
export function admit(
  gate: Gate,
  exchange: Exchange,
  grant: Grant | Refusal,
  name: string,
): Admitted | Refusal {
  if (isRefusal(grant)) {
    noteOrigin(gate, exchange, undefined);
    return grant;
  }
  exchange.grant = grant;
  exchange.stream = name;
  noteOrigin(gate, exchange, grant);
  const refused = refuseStream(grant, name);
  if (refused !== undefined) return refused;
  const stream = gate.intake.streams.get(name);
  return stream === undefined ? unknownStream(name) : { grant, stream };
}

/**
 * Whether one that was let in still is: its key may be gone, its token over, its streams or origins
 * fewer.
 */
export function admitAgain(gate: Gate, admitted: Admitted, origin: string): Admitted | Refusal {
  const { grant, stream } = admitted;
  const found = gate.access.again(grant, origin);
  if (found === grant) return admitted;
  if (isRefusal(found)) return found;
  return refuseStream(found, stream.config.name) ?? { grant: found, stream };
}

/**
 * Admits a request whose body is still to come: within its quotas, as far as that shows before, and
 * into its key's share of the room. `bytes` is the most that it will hold at once beside what it
 * holds.
 */
export function letIn(
  gate: Gate,
  exchange: Exchange,
  grant: Grant | Refusal,
  name: string,
  bytes: number,
): Admitted | Refusal {
  const admitted = admit(gate, exchange, grant, name);
  if (isRefusal(admitted)) return admitted;
  const { refused, rateLimit, rateLimitPolicy } = gate.quotas.mayCome(
    admitted.grant,
    name,
    exchange.receivedAtMs,
  );
  noteQuota(exchange, rateLimit, rateLimitPolicy);
  return refused ?? exchange.enter(shareOf(gate, admitted.grant), bytes) ?? admitted;
}

/**
 * What this sender may hold: where there are no keys everybody is one sender, who may hold
 * everything.
 */
export function shareOf({ access, room }: Gate, grant: Grant): Share {
  return access.isOpen ? room.all : room.ofKey(grant.name);
}

/**
 * Takes a request whose sender is not known yet into its network's share of the room; why it does
 * not fit there.
 */
export function waitOutside(gate: Gate, exchange: Exchange, bytes: number): Refusal | undefined {
  return exchange.enter(gate.room.ofNetwork(networkOf(exchange.address())), bytes);
}

/**
 * Refuses a request whose body is not read. Its connection is closed, as nobody waits for the end
 * of what may be long; but over a quota, where the client is about to send again, a short one is
 * let pass.
 */
export function refuseAtHead(exchange: Exchange, refusal: Refusal): void {
  const { contentLength } = exchange.head;
  if (contentLength === undefined) return exchange.refuseAtOnce(refusal);
  exchange.refuse(refusal, refusal.status !== 429 || contentLength > limits.bodyUnreadMaxBytes);
}

/**
 * Refuses a request that cost work: its sender pays for one event, or for as many as were looked
 * at. What it could not help is free.
 */
export function refuseCharged(
  gate: Gate,
  exchange: Exchange,
  refusal: Refusal,
  close = false,
): void {
  const { grant, stream } = exchange;
  const events = refusal.code === 'too-many-events' ? limits.requestEventsMax : 1;
  if (grant !== undefined && refusal.status !== 503)
    gate.quotas.spend(grant, stream, events, gate.clock.now());
  exchange.refuse(refusal, close);
}

/** Whether so many events are within the quotas; charges them. */
export function charge(
  gate: Gate,
  exchange: Exchange,
  { grant, stream }: Admitted,
  events: number,
): Refusal | undefined {
  const { refused, rateLimit, rateLimitPolicy } = gate.quotas.admitEvents(
    grant,
    stream.config.name,
    events,
    gate.clock.now(),
  );
  noteQuota(exchange, rateLimit, rateLimitPolicy);
  return refused;
}

/** Refuses a request before anybody asked who sends it, so that a page can read why. */
export function refuseUnasked(gate: Gate, exchange: Exchange, refusal: Refusal): void {
  noteOrigin(gate, exchange, undefined);
  exchange.refuseAtOnce(refusal);
}

/**
 * Lets a page of an allowed origin read the answer. Also of a refusal, or its author would never
 * see why.
 */
export function noteOrigin(gate: Gate, exchange: Exchange, grant: Grant | undefined): void {
  const { origin } = exchange.head;
  if (origin === '') return;
  exchange.extraHeaders += readableBy(gate.access.allowedOrigin(origin, grant));
}

function noteQuota(
  exchange: Exchange,
  rateLimit: string | undefined,
  policy: string | undefined,
): void {
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
