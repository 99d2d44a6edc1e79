/**
 * What a protocol is: one module that says which requests are its own (`match`), how their events
 * are found (`read`), what their senders are told (`answer`), how it is documented, what bounds it
 * and which conformance cases hold it. The ingress is a list of them (list.ts).
 *
 * Two kinds: a `BodyProtocol` is a form of body of `POST /v1/{team}/{app}`, known by its
 * Content-Type; an `EndpointProtocol` has URL paths of its own, and carries events or tells
 * something about the ingress.
 *
 * Invariants:
 * 1. `read` and `answer` are pure: no clock, no chance, no I/O.
 * 2. No two protocols match the same request (test/ingest/protocols/list.test.ts).
 * 3. What is matched is documented, and what is documented is matched.
 */
import type { HttpResponse, TemplatedApp } from 'uWebSockets.js';
import type { Documentation } from '../documents/parts.ts';
import type { Answer, EventResult } from '../event/answer.ts';
import type { BinaryHeaders, BodyReader } from '../event/read-body.ts';
import type { Refusal } from '../event/refusal.ts';
import type { PostContext } from '../http/body.ts';
import type { Door, Handler } from '../http/door.ts';
import type { Exchange } from '../http/exchange.ts';
import type { Admitted } from '../http/gate.ts';
import type { AddressRule } from '../http/request.ts';

interface Described {
  /** Kebab-case, unique. */
  readonly name: string;
  /** One sentence, for docs/reference/protocols.md. */
  readonly summary: string;
  /** Its bounds, by name with their units. */
  readonly limits: Readonly<Record<string, number>>;
  /** Its cases: files of test/conformance/http. */
  readonly conformance: readonly string[];
  readonly documentation: Documentation;
}

/** Which bodies of `POST /v1/{team}/{app}` are its own. */
export interface BodyMatch {
  /** Media types in lower case, without parameters; each is documented. */
  readonly types: readonly string[];
  /** Whole Content-Type values of bodies without `ce-` headers: found without reading them. */
  readonly common?: readonly string[];
  /** Asked of a body that has `ce-` headers, or whose type is in no protocol's `types`. */
  readonly matches?: (media: string, ce: BinaryHeaders | undefined) => boolean;
  /** Told to a client whose type nobody matches. */
  readonly expected?: string;
}

/** Bodies of any length: taken as they come instead of whole. */
export interface BodyStream {
  /** A body up to this is collected and answered like every other. */
  readonly collectedMaxBytes: number;
  readonly take: (
    context: PostContext,
    res: HttpResponse,
    exchange: Exchange,
    admitted: Admitted | Promise<Admitted | Refusal>,
  ) => void;
}

export interface BodyProtocol extends Described {
  readonly kind: 'body';
  readonly match: BodyMatch;
  readonly read: BodyReader;
  readonly answer: (single: boolean, results: readonly EventResult[]) => Answer;
  readonly stream?: BodyStream;
}

/** A URL path, as the HTTP server writes it (`:team` for a part of it). */
export interface Endpoint {
  readonly path: string;
  /** What it refuses counts as one event refused. */
  readonly carriesEvents: boolean;
}

/** What answers at an endpoint, by method. */
export interface Handlers {
  readonly get?: Handler;
  readonly head?: Handler;
  readonly post?: Handler;
}

export interface EndpointProtocol<Read = unknown, Tell = unknown> extends Described {
  readonly kind: 'endpoint';
  readonly match: readonly Endpoint[];
  /** From what arrived to its events; missing where it carries none. */
  readonly read?: Read;
  /** From what became of them to what is written. */
  readonly answer: Tell;
  /** The handlers of one of its endpoints. */
  readonly serve: (context: PostContext, door: Door, endpoint: Endpoint) => Handlers;
  /** Where its connections outlive their request. */
  readonly open?: (app: TemplatedApp, context: PostContext, rule: AddressRule) => Connections;
}

/** Connections that are open. */
export interface Connections {
  readonly count: number;
  /** Waits until what is in flight is acknowledged, or `until` says stop; then closes all. */
  close(until: () => boolean, pause: () => Promise<void>): Promise<void>;
}

export type Protocol = BodyProtocol | EndpointProtocol;
