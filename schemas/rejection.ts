/**
 * Refused data as a value. It lands in the `rejected` table, in row form like good data, and is
 * never thrown.
 *
 * Invariant: a rejection's identity is (event identity, topology and operator, code, which of the
 * event's elements it is); the same element refused twice is one row with `seen` 2, two that were
 * made of one event are two rows.
 */
import type { RejectedCode } from './kernel/error-codes.ts';

/** Stable codes of a topology's rejections. */
export type RejectionCode = RejectedCode;

/**
 * One row of the `rejected` table but for `seen`, `first_seen` and `last_seen`, which the sink
 * keeps. Column names are the table's.
 */
export interface RejectedEvent {
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly team: string;
  readonly app: string;
  /** RFC 3339; rejected rows are partitioned by it. */
  readonly receivedtime: string;
  /**
   * Which of the elements that were made of the event: where `flatMap` or a process made a list its
   * index in it, or the number of the way where a union brings several together; one after the
   * other with dots, trailing zeros left off. The event itself, and the first of a list, is 0. Null
   * in rows that older versions wrote.
   */
  readonly element: string | null;
  readonly topology: string;
  readonly topology_version: number;
  readonly operator: string;
  readonly code: RejectionCode;
  /** A sentence: what was found and what was expected. */
  readonly message: string;
  /** JSON pointer into the data, '' for the whole, null where there is no place to point at. */
  readonly pointer: string | null;
  /** The schema's `$id` and keyword path, or null. */
  readonly schema: string | null;
  /** Provenance: the stream `team/app`, the path, the split and the position of the record. */
  readonly stream: string;
  readonly path: string;
  readonly split: string;
  readonly position: string;
  /** The original bytes of the data: as text when they are UTF-8, else in base64. */
  readonly data: string;
  readonly data_encoding: 'utf8' | 'base64';
}

/** The event itself, or the first of what was made of it. */
export const firstElement = '0';

type Identified = Pick<
  RejectedEvent,
  'team' | 'app' | 'source' | 'id' | 'element' | 'topology' | 'operator' | 'code'
>;

export function rejectionIdentityOf(row: Identified): string {
  const element = row.element ?? firstElement;
  return JSON.stringify([
    row.team,
    row.app,
    row.source,
    row.id,
    element,
    row.topology,
    row.operator,
    row.code,
  ]);
}
