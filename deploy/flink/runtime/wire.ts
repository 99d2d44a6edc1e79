/**
 * How rows cross between the job (Java) and the functions of a topology: text in, text out.
 *
 * In: one JSON array, flat, three entries a row: kind (topology/operators/batch.ts), time (a number,
 * 'min' or 'max'), value. Beside it a text with a line for each element: its origin as a snapshot has
 * it, empty without one; `+` before it where it may have a member that few have. Elements of a batch
 * are numbered from 0.
 *
 * Out: lines. `E<output>`, time, key, what was read, value, origin: an element; a line that it does
 * not have is empty. A value or an origin that goes out as it came in is `@` and its number, so that
 * the job sends on the text that it has. `C<output>`, kind, time, value: what is said of a split. `W<time>`, `I`, `A`: a
 * watermark, idleness, its end, of all outputs. `R` and a JSON object: a rejection.
 *
 * Invariants:
 * 1. No entry has a line break: JSON has none outside of strings, and keys with one are sent as
 *    JSON strings.
 * 2. Numbers are only written here, so that the job never has to write one as JavaScript does.
 * 3. An origin is read only where somebody looks at it: its bytes are most of what an element has.
 */

import { bufferOf } from '../../../schemas/kernel/buffer-of.ts';
import type { Origin, Provenance } from '../../../topology/nodes/sink.ts';
import type { RowKind } from '../../../topology/operators/batch.ts';
import { Batch, rowKinds } from '../../../topology/operators/batch.ts';
import type { Rejection } from '../../../topology/operators/operator.ts';
import { jsonTextOf } from '../../../topology/state/json-safe.ts';
import type { EncodedOrigin } from '../../../topology/state/origin.ts';
import { decodeOrigin, encodeOrigin } from '../../../topology/state/origin.ts';
import type { EncodedTime } from '../../../topology/time/watermark.ts';
import { decodeTime, encodeTime, minTime } from '../../../topology/time/watermark.ts';

/** Entries of a row that comes in. */
const rowEntries = 3;

/** A row that came in, as it was sent. */
interface SentRow {
  readonly kind: number;
  readonly at: EncodedTime;
  readonly value: unknown;
}

export function sentRows(text: string): readonly SentRow[] {
  const entries = JSON.parse(text) as unknown[];
  const rows: SentRow[] = [];
  for (let at = 0; at < entries.length; at += rowEntries)
    rows.push({
      kind: entries[at] as number,
      at: entries[at + 1] as EncodedTime,
      value: entries[at + 2],
    });
  return rows;
}

export function readRows(text: string, origins: string, into: Batch): void {
  const lines = origins === '' ? [] : origins.split('\n');
  const entries = JSON.parse(text) as unknown[];
  let number = 0;
  for (let at = 0; at < entries.length; at += rowEntries) {
    const kind = entries[at] as RowKind;
    const time = decodeTime(entries[at + 1] as EncodedTime);
    const value = entries[at + 2];
    if (kind === rowKinds.element) {
      const line = lines[number] ?? '';
      const isRare = line.startsWith('+');
      into.element(value, time, readOrigin(isRare ? line.slice(1) : line, isRare, number));
      number++;
    } else into.push(kind, controlValue(kind, value), time, undefined);
  }
}

/** A set of splits is a list in JSON. */
function controlValue(kind: RowKind, value: unknown): unknown {
  if (value === null) return undefined;
  return kind === rowKinds.splits ? new Set(value as readonly string[]) : value;
}

type EncodedRecord = Exclude<EncodedOrigin, { readonly identity: unknown }>;
type OriginHead = Omit<EncodedRecord, 'data'>;
/** Of a record: its data in base64, or, where that is UTF-8, as text. */
type SentSource = EncodedRecord | (OriginHead & { readonly text: string });
type Head = Pick<Origin, 'stream' | 'path' | 'split' | 'splitKey'>;

/** Of the splits that a thread reads there are few; more are only slower. */
const headsMax = 1_000;
const heads = new Map<string, Head | undefined>();
const position = ',"position":"';
/** Records of a split follow each other. */
let lastHead = '';

/** What is before the position: the same for all records of a split. Undefined: another order. */
function headOf(line: string): Head | undefined {
  if (lastHead !== '' && line.startsWith(lastHead)) return heads.get(lastHead);
  const end = line.indexOf(position);
  const head = end < 0 ? '' : line.slice(0, end);
  lastHead = head === '' ? '' : `${head}${position}`;
  if (heads.has(lastHead)) return heads.get(lastHead);
  let read: Head | undefined;
  try {
    const found = JSON.parse(`${head}}`) as Partial<Head>;
    if (found.splitKey !== undefined) read = found as Head;
  } catch {
    // The position that was found is a member of something else.
  }
  if (heads.size >= headsMax) heads.clear();
  heads.set(lastHead, read);
  return read;
}

/**
 * The origin of a record as it came, or as a line that is read where somebody looks. Its bytes are
 * made only where somebody looks at them.
 */
export class SentOrigin implements Origin {
  readonly line: string | undefined;
  /** Of its element, in its batch. */
  readonly number: number | undefined;
  readonly #isRare: boolean;
  #encoded: SentSource | undefined;
  #data: Uint8Array | undefined;

  /** One of the two. `isRare`: whether it may have what few have. */
  constructor(encoded: SentSource | undefined, line?: string, isRare = true, number?: number) {
    this.#encoded = encoded;
    this.#isRare = isRare;
    this.line = line;
    this.number = number;
  }

  get encoded(): SentSource {
    this.#encoded ??= JSON.parse(this.line ?? '') as SentSource;
    return this.#encoded;
  }

  get #head(): Head {
    return this.#encoded ?? headOf(this.line ?? '') ?? this.encoded;
  }

  get stream(): string {
    return this.#head.stream;
  }

  get path(): Origin['path'] {
    return this.#head.path;
  }

  get split(): string {
    return this.#head.split;
  }

  get splitKey(): string {
    return this.#head.splitKey;
  }

  get position(): string {
    return this.encoded.position;
  }

  get attributes(): Origin['attributes'] {
    return this.encoded.attributes;
  }

  get inexact(): NonNullable<Origin['inexact']> {
    return (this.#isRare ? this.encoded.inexact : undefined) as never;
  }

  get element(): string {
    return (this.#isRare ? this.encoded.element : undefined) as never;
  }

  /** The data as text, where it was sent as such. */
  get text(): string | undefined {
    return 'text' in this.encoded ? this.encoded.text : undefined;
  }

  get data(): Uint8Array {
    this.#data ??= this.#decoded();
    return this.#data;
  }

  #decoded(): Uint8Array {
    const { encoded } = this;
    if ('text' in encoded) return Buffer.from(encoded.text, 'utf8');
    return (decodeOrigin(encoded) as Origin).data;
  }
}

/** As a rejection has it. */
export function originOf(encoded: EncodedOrigin | null): Provenance | undefined {
  if (encoded === null) return undefined;
  return 'identity' in encoded ? decodeOrigin(encoded) : new SentOrigin(encoded);
}

/**
 * Of a line. `isRare`: whether it may have what few have; `number`: of its element in the batch,
 * where it has one.
 */
export function readOrigin(line: string, isRare = true, number?: number): Provenance | undefined {
  if (line === '') return undefined;
  // Of what an operator made there is no record (topology/state/origin.ts).
  return line.startsWith('{"identity":')
    ? decodeOrigin(JSON.parse(line) as EncodedOrigin)
    : new SentOrigin(undefined, line, isRare, number);
}

/** With its data in base64, as whoever reads rejections takes it. */
function wholeOrigin(origin: Provenance): EncodedOrigin {
  if (!(origin instanceof SentOrigin)) return encodeOrigin(origin);
  const { encoded } = origin;
  if (!('text' in encoded)) return encoded;
  const { text: _text, ...head } = encoded;
  return { ...head, data: bufferOf(origin.data).toString('base64') };
}

/** JSON text of an origin, empty without one. */
export function originText(origin: Provenance | undefined): string {
  if (origin === undefined) return '';
  if (!(origin instanceof SentOrigin)) return JSON.stringify(encodeOrigin(origin));
  return origin.line ?? JSON.stringify(origin.encoded);
}

/** The same, or the number of the element whose origin it is. */
export function originLine(origin: Provenance | undefined): string {
  return origin instanceof SentOrigin && origin.number !== undefined
    ? `@${origin.number}`
    : originText(origin);
}

export function controlText(output: number, kind: RowKind, at: number, value: unknown): string {
  const sent = value instanceof Set ? [...(value as Set<unknown>)] : (value ?? null);
  return `C${output}\n${kind}\n${encodeTime(at)}\n${JSON.stringify(sent)}\n`;
}

/** A key as one line: as JSON where it would be more than one, or look like JSON. */
function keyLine(key: string): string {
  return key.includes('\n') || key.includes('\r') ? JSON.stringify(key) : key;
}

export interface SentElement {
  readonly output: number;
  readonly at: number;
  readonly key?: string | undefined;
  readonly read?: string | undefined;
  readonly value?: string | undefined;
  readonly origin: string;
}

export function elementText({ output, at, key, read, value, origin }: SentElement): string {
  const keyed = key === undefined ? '' : keyLine(key);
  return `E${output}\n${encodeTime(at)}\n${keyed}\n${read ?? ''}\n${value ?? ''}\n${origin}\n`;
}

export function rejectionText({ node, value, origin, ...reason }: Rejection): string {
  const encoded = origin === undefined ? null : wholeOrigin(origin);
  // A value that is not JSON is told as text, as in the rejected table; none is null there.
  const json = value === undefined ? 'null' : jsonTextOf(value);
  const text = `${JSON.stringify({ operator: node, ...reason }).slice(0, -1)},"value":${json},"origin":${JSON.stringify(encoded)}}`;
  return `R${text}\n`;
}

/** Of time, after a restore: idleness, or else the watermark where there is one. */
export function saidText(watermark: number, idle: boolean): string {
  if (idle) return 'I\n';
  return watermark === minTime ? '' : `W${encodeTime(watermark)}\n`;
}
