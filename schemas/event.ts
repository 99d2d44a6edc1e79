/**
 * The event: CloudEvents 1.0 (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md)
 * with our extensions `team`, `app`, `partitionkey`, `receivedtime` and the specification's
 * `traceparent`.
 */
import { hash } from 'node:crypto';
import { limits } from './limits.ts';

export interface EventAttributes {
  /** The client's, or a UUIDv7 made at the ingress. */
  readonly id: string;
  /** Default `/team/app`. */
  readonly source: string;
  /** Default `team.app`. */
  readonly type: string;
  readonly subject?: string;
  /** RFC 3339, as the client wrote it; default is `receivedtime`. */
  readonly time: string;
  readonly dataschema?: string;
  /** Default `application/json`. */
  readonly datacontenttype: string;
  readonly team: string;
  readonly app: string;
  /**
   * Ordering and state key: the client's, else the subject, else the id; a long one as its digest
   * (`partitionKeyOf`).
   */
  readonly partitionkey: string;
  /** Ingestion time, RFC 3339 in UTC with milliseconds, set by the ingress. */
  readonly receivedtime: string;
  readonly traceparent?: string;
  /** Extension attributes that are none of the above, as text: names of `[a-z0-9]`. */
  readonly extensions?: Readonly<Record<string, string>>;
}

/** An event as a topology sees it. Values are JSON-safe. */
export interface SluiceEvent<T = unknown> extends EventAttributes {
  readonly data: T;
  /**
   * The client's own bytes of `data` as text; only where the source asks for it with `dataText:
   * true`.
   */
  readonly dataText?: string;
}

/** What the digest of a long partition key begins with. */
const keyDigestPrefix = 'sha256:';

/**
 * The one derivation of the partition key: it serves routing, limiting and metrics alike. A key of
 * more than `limits.partitionKeyMaxChars` characters, which Kinesis refuses, becomes `sha256:` and
 * the 64 lower-case hexadecimal digits of the SHA-256 of its UTF-8: keys that differ stay apart,
 * and the same key always gets the same digest.
 */
export function partitionKeyOf(attributes: {
  readonly id: string;
  readonly subject?: string | undefined;
  readonly partitionkey?: string | undefined;
}): string {
  const key = attributes.partitionkey ?? attributes.subject ?? attributes.id;
  // Characters are counted as Kinesis does, by code points; a string's length is never less.
  if (key.length <= limits.partitionKeyMaxChars || [...key].length <= limits.partitionKeyMaxChars)
    return key;
  return `${keyDigestPrefix}${hash('sha256', key)}`;
}
