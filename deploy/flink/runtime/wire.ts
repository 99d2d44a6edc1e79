/**
 * How rows cross between the job (Java) and the functions of a topology: text in, text out.
 *
 * In: one JSON array, flat, four entries a row: kind (topology/operators/batch.ts), time (a number,
 * 'min' or 'max'), value, origin (null or as a snapshot has it).
 *
 * Out: lines. `E<output>`, time, key, what was read, value, origin: an element; a line that it does
 * not have is empty. `C<output>`, kind, time, value: what is said of a split. `W<time>`, `I`, `A`: a
 * watermark, idleness, its end, of all outputs. `R` and a JSON object: a rejection.
 *
 * Invariants:
 * 1. No entry has a line break: JSON has none outside of strings, and keys with one are sent as
 *    JSON strings.
 * 2. Numbers are only written here, so that the job never has to write one as JavaScript does.
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
const rowEntries = 4;

/** A row that came in, as it was sent. */
interface SentRow {
  readonly kind: number;
  readonly at: EncodedTime;
  readonly value: unknown;
  readonly origin: SentProvenance | null;
}

export function sentRows(text: string): readonly SentRow[] {
  const entries = JSON.parse(text) as unknown[];
  const rows: SentRow[] = [];
  for (let at = 0; at < entries.length; at += rowEntries)
    rows.push({
      kind: entries[at] as number,
      at: entries[at + 1] as EncodedTime,
      value: entries[at + 2],
      origin: entries[at + 3] as SentProvenance | null,
    });
  return rows;
}

export function readRows(text: string, into: Batch): void {
  for (const { kind, at, value, origin } of sentRows(text))
    into.push(
      kind as RowKind,
      kind === rowKinds.element ? value : controlValue(kind as RowKind, value),
      decodeTime(at),
      readOrigin(origin),
    );
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
type SentProvenance = SentSource | Exclude<EncodedOrigin, EncodedRecord>;

/** The origin of a record as it came: its bytes are made only where somebody looks at them. */
export class SentOrigin implements Origin {
  readonly encoded: SentSource;
  readonly stream: string;
  readonly path: Origin['path'];
  readonly split: string;
  readonly splitKey: string;
  readonly position: string;
  readonly attributes: Origin['attributes'];
  declare readonly inexact?: NonNullable<Origin['inexact']>;
  declare readonly element?: string;
  #data: Uint8Array | undefined;

  constructor(encoded: SentSource) {
    this.encoded = encoded;
    this.stream = encoded.stream;
    this.path = encoded.path;
    this.split = encoded.split;
    this.splitKey = encoded.splitKey;
    this.position = encoded.position;
    this.attributes = encoded.attributes;
    if (encoded.inexact !== undefined) this.inexact = encoded.inexact;
    if (encoded.element !== undefined) this.element = encoded.element;
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

export function readOrigin(encoded: SentProvenance | null): Provenance | undefined {
  if (encoded === null) return undefined;
  return 'identity' in encoded ? decodeOrigin(encoded) : new SentOrigin(encoded);
}

function encodedOrigin(origin: Provenance): SentProvenance {
  return origin instanceof SentOrigin ? origin.encoded : encodeOrigin(origin);
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
  return origin === undefined ? '' : JSON.stringify(encodedOrigin(origin));
}

export function controlText(output: number, kind: RowKind, at: number, value: unknown): string {
  const sent = value instanceof Set ? [...(value as Set<unknown>)] : (value ?? null);
  return `C${output}\n${kind}\n${encodeTime(at)}\n${JSON.stringify(sent)}\n`;
}

/** A key as one line: as JSON where it would be more than one, or look like JSON. */
function keyLine(key: string): string {
  return /[\n\r]/.test(key) ? JSON.stringify(key) : key;
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
