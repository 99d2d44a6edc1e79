/**
 * The sources of a job: which split is read next, how records become elements, and how far the job has read.
 *
 * Invariants:
 * 1. A position counts as read once its record is in a turn; what was read ahead is not in any checkpoint.
 * 2. Per split at most one read is under way and one result waits: memory is bounded by the splits and the bounds of a turn.
 * 3. Splits with records take turns; a split without is asked again after a pause.
 */

import type { EventAttributes, SluiceEvent } from '../../schemas/event.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import { limits } from '../../schemas/limits.ts';
import type { IncomingRecord, Path } from '../../schemas/ports/record.ts';
import type { ReadBounds, ReadResult, RecordReader } from '../../schemas/ports/record-reader.ts';
import { comparePositions } from '../../schemas/ports/record-reader.ts';
import type { RejectionCode } from '../../schemas/rejection.ts';
import { claimScheme, decodeRecord } from '../../schemas/wire.ts';
import type { SourceNode } from '../graph/graph.ts';
import type { Origin } from '../graph/sink.ts';
import type { Batch } from '../operators/batch.ts';
import { rowKinds, splitKey } from '../operators/batch.ts';
import type { NodeCounts, Reject } from '../operators/operator.ts';

export interface Cursor {
  readonly source: SourceNode;
  readonly reader: RecordReader;
  readonly path: Path;
  readonly split: string;
  readonly key: string;
  /** The last position that is in a turn. */
  position: string | undefined;
  /** The last position that was read. */
  ahead: string | undefined;
  ready: ReadResult | undefined;
  reading: boolean;
  ended: boolean;
  /** While draining: the last position to read, or null when there is none left. */
  until: string | null | undefined;
  /** Monotonic ms before which it is not asked again. */
  notBeforeMs: number;
  failures: number;
}

export interface SourceSchedule {
  readonly cursors: readonly Cursor[];
  /** The next records, or undefined when `waitMs` passed or `stop` was called first. Rejects when a split cannot be read on. */
  next(waitMs: number): Promise<{ readonly cursor: Cursor; readonly records: readonly IncomingRecord[] } | undefined>;
  /** While held, nothing is read or given. */
  hold(held: boolean): void;
  /** Lets the waiting `next` return at once. */
  interrupt(): void;
  /** Reads each split to where it ends now, and no further. */
  drain(): Promise<void>;
  /** Whether everything is read that `drain` asked for. */
  drained(): boolean;
  stop(): void;
}

const retryPauseMs = 1_000;

export function scheduleSources(cursors: readonly Cursor[], bounds: ReadBounds, clock: Clock): SourceSchedule {
  let turn = 0;
  let failure: unknown;
  let stopped = false;
  let held = false;
  let interrupted = false;
  let notify: (() => void) | undefined;
  const wake = (): void => notify?.();

  const read = async (cursor: Cursor): Promise<void> => {
    cursor.reading = true;
    try {
      const result = await cursor.reader.read(cursor.split, cursor.ahead, bounds);
      cursor.failures = 0;
      if (result.records.length > 0) {
        cursor.ready = result;
        cursor.ahead = result.records.at(-1)?.position;
      } else {
        cursor.notBeforeMs = clock.monotonic() + limits.sourcePollMs;
      }
      if (result.ended) cursor.ended = true;
    } catch (thrown) {
      if (thrown instanceof SluiceError && thrown.retryable) {
        cursor.failures++;
        cursor.notBeforeMs = clock.monotonic() + retryPauseMs;
      } else failure ??= thrown;
    } finally {
      cursor.reading = false;
      wake();
    }
  };

  const prefetch = (cursor: Cursor): void => {
    if (held || cursor.reading || cursor.ready !== undefined || cursor.ended || isRead(cursor)) return;
    if (cursor.notBeforeMs > clock.monotonic()) return;
    void read(cursor);
  };

  const take = (): { cursor: Cursor; records: readonly IncomingRecord[] } | undefined => {
    for (let i = 0; i < cursors.length; i++) {
      const cursor = cursors[(turn + i) % cursors.length] as Cursor;
      const { ready } = cursor;
      if (ready === undefined) continue;
      turn = (turn + i + 1) % cursors.length;
      cursor.ready = undefined;
      const records = withinDrain(cursor, ready.records);
      if (records.length === 0) continue;
      prefetch(cursor);
      return { cursor, records };
    }
    return undefined;
  };

  return {
    cursors,
    stop() {
      stopped = true;
      wake();
    },
    hold(hold) {
      held = hold;
    },
    interrupt() {
      interrupted = true;
      wake();
    },
    async drain() {
      const ends = await Promise.all(cursors.map((cursor) => cursor.reader.latest(cursor.split)));
      for (const [index, cursor] of cursors.entries()) cursor.until = ends[index] ?? null;
      interrupted = true;
      wake();
    },
    drained: () => cursors.every((cursor) => isRead(cursor)),
    async next(waitMs) {
      const deadline = clock.monotonic() + waitMs;
      for (;;) {
        if (failure !== undefined) throw failure;
        const taken = held ? undefined : take();
        if (taken !== undefined) return taken;
        for (const cursor of cursors) prefetch(cursor);
        const left = deadline - clock.monotonic();
        if (left <= 0 || stopped || interrupted) {
          interrupted = false;
          return undefined;
        }
        await pause(Math.min(left, limits.sourcePollMs), clock, (resume) => {
          notify = resume;
        });
        notify = undefined;
      }
    },
  };
}

/** Whether a split is read to where a drain asks for. */
function isRead({ until, position }: Cursor): boolean {
  if (until === undefined) return false;
  return until === null || (position !== undefined && comparePositions(position, until) >= 0);
}

function withinDrain({ until }: Cursor, records: readonly IncomingRecord[]): readonly IncomingRecord[] {
  if (until === undefined) return records;
  return until === null ? [] : records.filter((record) => comparePositions(record.position, until) <= 0);
}

function pause(ms: number, clock: Clock, onWake: (resume: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.setTimer(ms, resolve);
    onWake(() => {
      timer.cancel();
      resolve();
    });
  });
}

/** Puts records into the source's batch as elements; what is no event of this stream is rejected. */
export function enterRecords(cursor: Cursor, records: readonly IncomingRecord[], batch: Batch, counts: NodeCounts, reject: Reject): void {
  for (const record of records) {
    counts.in++;
    enter(cursor, record, batch, counts, reject);
    cursor.position = record.position;
  }
  if (cursor.ended && cursor.ready === undefined) batch.control(rowKinds.splitEnd, 0, cursor.key);
}

function enter(cursor: Cursor, record: IncomingRecord, batch: Batch, counts: NodeCounts, reject: Reject): void {
  const { source, path, split } = cursor;
  const decoded = decodeRecord(record);
  if ('problem' in decoded) return refuse(cursor, record, decoded.problem, counts, reject);
  const { attributes, data } = decoded;
  // First of all: a row in the name of another stream's event would stand for that event.
  if (`${attributes.team}/${attributes.app}` !== source.stream)
    return refuse(cursor, record, `the record says that it belongs to ${attributes.team}/${attributes.app}`, counts, reject);
  const origin: Origin = { stream: source.stream, path, split, position: placeOf(record), attributes, data };
  const claim = attributes.extensions?.['dataref'];
  if (claim?.startsWith(claimScheme) === true) {
    const why = record.unresolved ?? 'it is no claim that was written here, or there is no store to fetch it from';
    const message = `its data is kept elsewhere and cannot be had (${claim}): ${why}`;
    return refuse(cursor, record, message, counts, reject, origin, 'claim-unresolved');
  }
  const event = eventOf(attributes, data, source.dataText);
  if (typeof event === 'string') return refuse(cursor, record, event, counts, reject, origin);
  counts.passed++;
  batch.element(event, record.arrivedAtMs, origin);
}

function refuse(
  cursor: Cursor,
  record: IncomingRecord,
  message: string,
  counts: NodeCounts,
  reject: Reject,
  known?: Origin,
  code: RejectionCode = 'undecodable-record',
): void {
  counts.rejected++;
  const { source } = cursor;
  const origin = known ?? unknownOrigin(cursor, record);
  reject({ node: source.id, code, message, pointer: null, schema: null, value: undefined, origin });
}

/** A record that is no event has its place as its identity. */
function unknownOrigin(cursor: Cursor, record: IncomingRecord): Origin {
  const { source, path, split } = cursor;
  const [team = '', app = ''] = source.stream.split('/');
  // A Kafka producer may put any number into a record's timestamp; outside the calendar there is no text for it.
  const arrived = new Date(record.arrivedAtMs);
  const receivedtime = (Number.isNaN(arrived.getTime()) ? new Date(0) : arrived).toISOString();
  const attributes: EventAttributes = {
    id: `${path}/${split}/${placeOf(record)}`,
    source: `/${source.stream}`,
    type: 'undecodable',
    time: receivedtime,
    datacontenttype: 'application/octet-stream',
    team,
    app,
    partitionkey: record.key,
    receivedtime,
  };
  return { stream: source.stream, path, split, position: placeOf(record), attributes, data: record.value };
}

/** A record's position; of an aggregate's part with its number in it. */
function placeOf({ position, part }: IncomingRecord): string {
  return part === undefined ? position : `${position}:${part}`;
}

/** The event, or what is wrong with its data. One literal of known shape: spreading costs many times as much. */
function eventOf(a: EventAttributes, bytes: Uint8Array, dataText: boolean): SluiceEvent | string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    return 'the data is not JSON';
  }
  const event: { -readonly [P in keyof SluiceEvent]: SluiceEvent[P] } = {
    id: a.id,
    source: a.source,
    type: a.type,
    time: a.time,
    datacontenttype: a.datacontenttype,
    team: a.team,
    app: a.app,
    partitionkey: a.partitionkey,
    receivedtime: a.receivedtime,
    data,
  };
  if (a.subject !== undefined) event.subject = a.subject;
  if (a.dataschema !== undefined) event.dataschema = a.dataschema;
  if (a.traceparent !== undefined) event.traceparent = a.traceparent;
  if (a.extensions !== undefined) event.extensions = a.extensions;
  if (dataText) event.dataText = text;
  return event;
}

export function cursorOf(source: SourceNode, reader: RecordReader, split: string, position: string | undefined): Cursor {
  const key = splitKey({ stream: source.stream, path: reader.path, split });
  return {
    source,
    reader,
    path: reader.path,
    split,
    key,
    position,
    ahead: position,
    ready: undefined,
    reading: false,
    ended: false,
    until: undefined,
    notBeforeMs: 0,
    failures: 0,
  };
}

export function positionKey(cursor: Pick<Cursor, 'path' | 'split'>): string {
  return `${cursor.path} ${cursor.split}`;
}
