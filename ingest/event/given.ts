/**
 * What an event is made of: what it says of itself, what its request says about it, and what comes
 * of both.
 */
import type { EventAttributes } from '../../schemas/event.ts';
import type { Span } from '../../schemas/json-scan.ts';
import type { ClientContext } from './client-context.ts';

/** What the request says about its events, beside the body. */
export interface RequestHead {
  /** RFC 3339 */
  readonly receivedtime: string;
  readonly traceparent: string;
  readonly id?: string;
  readonly type?: string;
  readonly time?: string;
  readonly key?: string;
  /** What the client was, where the stream asks for it. */
  readonly context?: ClientContext;
}

export interface AcceptedEvent {
  readonly attributes: EventAttributes;
  /** Where the data is in the body; undefined for an event without, whose data is null. */
  readonly data: Span | undefined;
  /** The id is the client's own: it may come again. */
  readonly ownId: boolean;
  /** Its data is the member `data` of an object that was sent: pointers into it begin there. */
  readonly isWrapped: boolean;
  /** The time is the client's own, and so a part of what makes a repeat the same event. */
  readonly ownTime: boolean;
  /** The extensions without what the ingress added. */
  readonly ownExtensions: Readonly<Record<string, string>> | undefined;
  /**
   * Parts of the data that a sender's library writes again each time it tries: what differs in them
   * is the same event.
   */
  readonly restless?: readonly Span[];
}

/** What an event says of itself. */
export type Given = {
  -readonly [P in
    | 'id'
    | 'type'
    | 'time'
    | 'subject'
    | 'partitionkey'
    | 'source'
    | 'dataschema'
    | 'datacontenttype'
    | 'traceparent']?: string;
} & { extensions?: Record<string, string> };

export type AttributeName =
  | 'id'
  | 'source'
  | 'type'
  | 'time'
  | 'subject'
  | 'partitionkey'
  | 'dataschema'
  | 'datacontenttype';

/** Where an attribute was said, for its refusal. */
export interface Place {
  /** As people know it: a header, a member. */
  readonly label: string;
  /** JSON pointer, where it was in the body. */
  readonly pointer?: string;
}

export type PlaceOf = (name: AttributeName) => Place;

/** The head of an event that says everything itself: the headers say nothing about it. */
export function headWithoutEvent({ receivedtime, traceparent, context }: RequestHead): RequestHead {
  return context === undefined
    ? { receivedtime, traceparent }
    : { receivedtime, traceparent, context };
}
