/**
 * What every reader of a protocol is given and gives: a body that is whole, and its events, each
 * accepted or refused on its own. Pure.
 *
 * A body that is not JSON, or not UTF-8, refuses the whole request; in NDJSON each line stands for
 * itself.
 */
import type { StreamConfig } from '../../schemas/config.ts';
import type { Span } from '../../schemas/json-scan.ts';
import { limits } from '../../schemas/limits.ts';
import type { AcceptedEvent, RequestHead } from './given.ts';
import type { Refusal } from './refusal.ts';

/** `ce-` headers by attribute name (lower case, without the prefix), as they came. */
export type BinaryHeaders = readonly (readonly [name: string, value: string])[];

/** What a reader needs of a request, beside its body. */
export interface ProtocolRequest {
  readonly contentType: string;
  /** A CloudEvent in binary mode has them. */
  readonly ce: BinaryHeaders | undefined;
  readonly head: RequestHead;
}

export interface ReadBody {
  /** One event that is not an array: its answer is its own. */
  readonly single: boolean;
  readonly events: readonly (AcceptedEvent | Refusal)[];
}

/** Finds the events of a decoded body. */
export type BodyReader = (
  body: Buffer,
  request: ProtocolRequest,
  stream: StreamConfig,
  newId: () => string,
) => ReadBody | Refusal;

/** Reads the event at `span` of a body that was checked to be JSON. */
export type EventReader = (body: Buffer, span: Span) => AcceptedEvent | Refusal;

/** The events whose spans are flat pairs of `spans`. */
export function elements(
  body: Buffer,
  spans: readonly number[],
  read: EventReader,
): readonly (AcceptedEvent | Refusal)[] {
  const events: (AcceptedEvent | Refusal)[] = [];
  for (let i = 0; i < spans.length; i += 2) {
    const start = spans[i] as number;
    const end = spans[i + 1] as number;
    if (body[start] === 0x5b) {
      events.push({
        status: 400,
        code: 'nested-array',
        message: 'an event in an array is itself an array',
        expected: 'an array of events',
        pointer: `/${i / 2}`,
      });
    } else events.push(read(body, { start, end }));
  }
  return events;
}

/** Why a batch of so many events is not taken. */
export function checkCount(count: number): Refusal | undefined {
  if (count === 0)
    return {
      status: 400,
      code: 'empty-batch',
      message: 'the body has no event',
      expected: 'at least one event',
    };
  return count > limits.requestEventsMax ? tooMany(count) : undefined;
}

/** An id for many would make all but the first of them repeats. */
export function checkNoId(head: RequestHead): Refusal | undefined {
  if (head.id === undefined) return undefined;
  return {
    status: 400,
    code: 'id-for-many',
    message: 'X-Event-Id is for one event, but the body is a batch',
    expected: 'ids inside the events',
  };
}

export function tooMany(count: number): Refusal {
  return {
    status: 413,
    code: 'too-many-events',
    message: `the body has ${count} events or more`,
    expected: `at most ${limits.requestEventsMax} a request; lines (application/x-ndjson) may be any number`,
  };
}
