/**
 * From what a client sent to an event's attributes. Pure.
 *
 * Order of precedence: the envelope's or the pointers' values, then headers, then defaults (DESIGN:
 * the event). Invariant: every attribute is a non-empty string of at most
 * `limits.attributeMaxBytes` that CloudEvents allows; the partition key fits Kinesis.
 */
import type { StreamConfig } from '../../schemas/config.ts';
import type { EventAttributes } from '../../schemas/event.ts';
import { partitionKeyOf } from '../../schemas/event.ts';
import type { Span } from '../../schemas/json-scan.ts';
import { checkAttributes } from './attribute-check.ts';
import { withContext } from './client-context.ts';
import { openEnvelope } from './envelope.ts';
import type { AcceptedEvent, Given, PlaceOf, RequestHead } from './given.ts';
import { followPointers, pointedPlace } from './pointers.ts';
import type { Refusal } from './refusal.ts';
import { isRefusal } from './refusal.ts';
import { readTraceparent } from './traceparent.ts';

/** The event whose JSON value lies at `span` of a body that was checked. */
export function deriveEvent(
  body: Buffer,
  span: Span,
  stream: StreamConfig,
  head: RequestHead,
  newId: () => string,
): AcceptedEvent | Refusal {
  if (stream.envelope === 'sluice') return deriveEnveloped(body, span, stream, head, newId);
  return deriveBare(body, span, {}, stream, head, newId);
}

/**
 * The event whose data lies at `span`, and of which `given` is said elsewhere, at `placeOf`:
 * pointers are followed for the rest.
 */
export function deriveBare(
  body: Buffer,
  span: Span,
  given: Given,
  stream: StreamConfig,
  head: RequestHead,
  newId: () => string,
  placeOf: PlaceOf = (name) => pointedPlace(stream, name),
): AcceptedEvent | Refusal {
  return (
    followPointers(body, span, stream, given) ??
    finishEvent(given, span, stream, head, newId, placeOf)
  );
}

/** Attributes that are members of one object with the data. */
export const memberPlace: PlaceOf = (name) => ({ label: name, pointer: `/${name}` });

/** The event whose envelope lies at `span`; members named in `beside` are not its own. */
export function deriveEnveloped(
  body: Buffer,
  span: Span,
  stream: StreamConfig,
  head: RequestHead,
  newId: () => string,
  beside: readonly string[] = [],
): AcceptedEvent | Refusal {
  const given: Given = {};
  const opened = openEnvelope(body, span, given, beside);
  return isRefusal(opened) ? opened : finishEvent(given, opened, stream, head, newId, memberPlace);
}

/**
 * The event that says `given` of itself, at `placeOf`: what it leaves out comes from the head of
 * its request, then from the defaults.
 */
export function finishEvent(
  given: Given,
  data: Span | undefined,
  stream: StreamConfig,
  head: RequestHead,
  newId: () => string,
  placeOf: PlaceOf,
): AcceptedEvent | Refusal {
  const ownId = given.id ?? head.id;
  const id = ownId ?? newId();
  const key = given.partitionkey ?? head.key;
  const attributes: { -readonly [P in keyof EventAttributes]: EventAttributes[P] } = {
    id,
    source: given.source ?? `/${stream.name}`,
    type: given.type ?? head.type ?? `${stream.team}.${stream.app}`,
    time: given.time ?? head.time ?? head.receivedtime,
    datacontenttype: given.datacontenttype ?? 'application/json',
    team: stream.team,
    app: stream.app,
    partitionkey: partitionKeyOf({ id, subject: given.subject, partitionkey: key }),
    receivedtime: head.receivedtime,
    traceparent:
      (given.traceparent === undefined ? undefined : readTraceparent(given.traceparent)) ??
      head.traceparent,
  };
  if (given.subject !== undefined) attributes.subject = given.subject;
  if (given.dataschema !== undefined) attributes.dataschema = given.dataschema;
  const extensions =
    head.context === undefined ? given.extensions : withContext(given.extensions, head.context);
  if (extensions !== undefined) attributes.extensions = extensions;
  return (
    checkAttributes(attributes, key, given, head, placeOf) ?? {
      attributes,
      data,
      ownId: ownId !== undefined,
      isWrapped: placeOf === memberPlace,
      ownTime: given.time !== undefined || head.time !== undefined,
      ownExtensions: given.extensions,
    }
  );
}
