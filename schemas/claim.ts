/**
 * Claim checks on the wire: a record that carries a pointer to its data, as extension attributes,
 * instead of the data.
 */
import type { EventAttributes } from './event.ts';
import { bufferOf } from './kernel/buffer-of.ts';
import type { IncomingRecord } from './ports/record.ts';
import type { TextRecord } from './wire.ts';
import { decodeRecord, decodeText, encodeBinary } from './wire.ts';

/** The scheme of a `dataref` that points into the blob store. */
export const claimScheme = 'claim:';
/** Extensions that a pointer consists of. */
export const claimExtensions = ['dataref', 'datasize', 'datasha256'] as const;

/** A record's pointer to its data. */
export interface Claim {
  readonly ref: string;
  readonly bytes: number;
  /** In hexadecimal digits. */
  readonly sha256: string;
}

const claimMark = Buffer.from(`"dataref":"${claimScheme}`);
const claimTail = Buffer.from(',"data":null}');

/**
 * Whether a record of the small route may be one that was written here with a pointer instead of
 * data. Cheap, and true for nearly none.
 */
export function mayClaim(value: Uint8Array): boolean {
  // All but a few are known by their last bytes, without a view or a search: `l}`.
  if (
    value.length < claimTail.length ||
    value[value.length - 1] !== 0x7d ||
    value[value.length - 2] !== 0x6c
  )
    return false;
  const bytes = bufferOf(value);
  return (
    claimTail.compare(bytes, bytes.length - claimTail.length) === 0 && bytes.includes(claimMark)
  );
}

/** The claim that a record carries instead of its data; undefined for nearly all. */
export function claimOf(record: IncomingRecord): Claim | undefined {
  if (!mayClaim(record.value)) return undefined;
  const decoded = decodeRecord(record);
  if ('problem' in decoded) return undefined;
  const { dataref, datasize, datasha256 } = decoded.attributes.extensions ?? {};
  if (
    dataref === undefined ||
    datasize === undefined ||
    datasha256 === undefined ||
    !dataref.startsWith(claimScheme)
  )
    return undefined;
  return /^\d{1,15}$/.test(datasize)
    ? { ref: dataref, bytes: Number(datasize), sha256: datasha256 }
    : undefined;
}

/** The record as if it had carried its data all along. */
export function resolveClaim(record: IncomingRecord, data: Uint8Array): IncomingRecord {
  const decoded = decodeRecord(record);
  if ('problem' in decoded) return record;
  return { ...record, headers: resolvedHeaders(decoded.attributes), value: data };
}

/** The same of a record that is text, as its data is. */
export function resolveTextClaim(record: TextRecord, data: string): TextRecord {
  const decoded = decodeText(record);
  if ('problem' in decoded) return record;
  return { ...record, headers: resolvedHeaders(decoded.attributes), text: data };
}

/** Of an event that does not point any more, in binary mode. */
function resolvedHeaders(pointing: EventAttributes): Readonly<Record<string, string>> {
  const {
    dataref: _ref,
    datasize: _size,
    datasha256: _sha256,
    ...rest
  } = pointing.extensions ?? {};
  const { extensions: _extensions, ...attributes } = pointing;
  const { headers } = encodeBinary(
    Object.keys(rest).length === 0 ? attributes : { ...attributes, extensions: rest },
    noData,
  );
  return headers;
}

const noData = new Uint8Array();
