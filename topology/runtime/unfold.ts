/**
 * A reader that gives whole events: records that hold several (KPL aggregation, plain or
 * compressed) are taken apart, and the data of records that only point to it (claim checks) is
 * fetched, before anything enters a turn.
 *
 * Invariants:
 * 1. The parts of one record come together, in order, under its position: a position counts as read
 *    with all of them.
 * 2. A result is within the bounds of the read also after it was unfolded, but for a single record
 *    that alone is beyond. What is left of it is kept for the read that continues there, so that
 *    nothing is asked of the stream, or fetched, twice: at most one read's records a split.
 * 3. Only claims of the reader's own stream are fetched: a record cannot make the source read what
 *    belongs to another. What is fetched is what was stored, by size and SHA-256. A claim that is
 *    missing or altered stays a pointer, which is refused when it enters; a store that cannot be
 *    asked is an error of the read, which is tried again.
 * 4. Memory is bounded by what a claim says of its size before anything is fetched: what does not
 *    fit the read waits unfetched, and one record never has more fetched for it than one event can
 *    have.
 */
import { webcrypto } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import type { Claim } from '../../schemas/claim.ts';
import { claimOf, claimScheme, resolveClaim } from '../../schemas/claim.ts';
import { mebi } from '../../schemas/kernel/bytes.ts';
import { decodeAggregate } from '../../schemas/kpl.ts';
import { limits } from '../../schemas/limits.ts';
import type { BlobStore } from '../../schemas/ports/blob-store.ts';
import type { IncomingRecord, Route, Split } from '../../schemas/ports/record.ts';
import type {
  OldestKept,
  ReadBounds,
  ReadFrom,
  ReadKnown,
  ReadResult,
  RecordReader,
} from '../../schemas/ports/record-reader.ts';

/** What a compressed record may be when it is taken apart. */
export const aggregateInflatedMaxBytes = 2 * mebi;

/** https://www.rfc-editor.org/rfc/rfc1952#page-6 */
const gzipMagic = [0x1f, 0x8b] as const;

/**
 * What a read got and did not give: the record that did not fit, unfolded, and the result with
 * those after it. It is for the read after `after`.
 */
interface Left {
  readonly after: string;
  readonly opened: readonly IncomingRecord[];
  readonly result: Omit<ReadResult, 'behindMs'>;
}

/** `stream` is `team/app`. Without `claims` pointers stay what they are. */
export function unfoldingReader(
  reader: RecordReader,
  stream: string,
  claims: BlobStore | undefined,
): RecordReader {
  return new UnfoldingReader(reader, stream, claims);
}

class UnfoldingReader implements RecordReader {
  readonly route: Route;
  readonly slowMs?: number;
  readonly #reader: RecordReader;
  readonly #stream: string;
  readonly #claims: BlobStore | undefined;
  readonly #leftOf = new Map<string, Left>();

  constructor(reader: RecordReader, stream: string, claims: BlobStore | undefined) {
    this.route = reader.route;
    if (reader.slowMs !== undefined) this.slowMs = reader.slowMs;
    this.#reader = reader;
    this.#stream = stream;
    this.#claims = claims;
  }

  splits(): Promise<readonly Split[]> {
    return this.#reader.splits();
  }

  latest(split: string): Promise<string | undefined | null> {
    return this.#reader.latest(split);
  }

  lag(split: string, after: string | undefined): Promise<number | undefined> {
    return this.#reader.lag(split, after);
  }

  oldest(split: string): Promise<OldestKept> {
    return this.#reader.oldest(split);
  }

  positionAt(split: string, from: ReadFrom): ReturnType<RecordReader['positionAt']> {
    return this.#reader.positionAt(split, from);
  }

  close(): Promise<void> {
    this.#leftOf.clear();
    return this.#reader.close();
  }

  async read(
    split: string,
    after: string | undefined,
    bounds: ReadBounds,
    known?: ReadKnown,
  ): Promise<ReadResult> {
    const left = this.#leftOf.get(split);
    this.#leftOf.delete(split);
    const goesOn = left !== undefined && left.after === after;
    // What an earlier read said of the end is not true any more.
    const { records: folded, ...rest } = goesOn
      ? left.result
      : await this.#reader.read(split, after, bounds, known);
    const records: IncomingRecord[] = goesOn ? [...left.opened] : [];
    let bytes = bytesOf(records);
    for (const [n, record] of folded.entries()) {
      const parts = this.route === 'kinesis' ? partsOf(record) : [record];
      const last = records.at(-1);
      const claimed = this.#claims === undefined ? undefined : claimsOf(parts);
      if (claimed !== undefined && last !== undefined && bytes + claimed.bytes > bounds.maxBytes) {
        this.#keep(split, last, [], { records: folded.slice(n), ended: rest.ended });
        return cut(records, rest);
      }
      // Only what points waits: no promise an event.
      const opened =
        this.#claims !== undefined && claimed !== undefined
          ? await withData(this.#claims, this.#stream, parts, claimed)
          : parts;
      bytes += bytesOf(opened);
      const isFull = bytes > bounds.maxBytes || records.length + opened.length > bounds.maxRecords;
      if (last !== undefined && isFull) {
        this.#keep(split, last, opened, { records: folded.slice(n + 1), ended: rest.ended });
        return cut(records, rest);
      }
      records.push(...opened);
    }
    return { ...rest, records };
  }

  /** For the read that continues behind `last`. */
  #keep(split: string, last: IncomingRecord, opened: Left['opened'], result: Left['result']): void {
    this.#leftOf.set(split, { after: last.position, opened, result });
  }
}

/** A result that ends before what was read does. */
function cut(
  records: readonly IncomingRecord[],
  { begins }: Pick<ReadResult, 'begins'>,
): ReadResult {
  return { records, ended: false, ...(begins === undefined ? {} : { begins }) };
}

function bytesOf(records: readonly IncomingRecord[]): number {
  let bytes = 0;
  for (const { value } of records) bytes += value.length;
  return bytes;
}

function partsOf(record: IncomingRecord): readonly IncomingRecord[] {
  const parts = decodeAggregate(record.value) ?? inflatedParts(record.value);
  if (parts === undefined) return [record];
  const { position, arrivedAtMs } = record;
  return parts.map(({ key, value }, part) => ({ key, value, position, part, arrivedAtMs }));
}

/** Of a compressed aggregate; what inflates to anything else is a record of its own. */
function inflatedParts(value: Uint8Array): ReturnType<typeof decodeAggregate> {
  if (value[0] !== gzipMagic[0] || value[1] !== gzipMagic[1]) return undefined;
  try {
    return decodeAggregate(gunzipSync(value, { maxOutputLength: aggregateInflatedMaxBytes }));
  } catch {
    return undefined;
  }
}

/** Of the parts of a record those that point, by their number, and what they say of their size. */
interface Claimed {
  readonly byPart: ReadonlyMap<number, Claim>;
  readonly bytes: number;
}

function claimsOf(parts: readonly IncomingRecord[]): Claimed | undefined {
  let byPart: Map<number, Claim> | undefined;
  let bytes = 0;
  for (let n = 0; n < parts.length; n++) {
    const claim = claimOf(parts[n] as IncomingRecord);
    if (claim === undefined) continue;
    byPart ??= new Map();
    byPart.set(n, claim);
    bytes += claim.bytes;
  }
  return byPart === undefined ? undefined : { byPart, bytes };
}

async function withData(
  store: BlobStore,
  stream: string,
  parts: readonly IncomingRecord[],
  claimed: Claimed,
): Promise<readonly IncomingRecord[]> {
  const most = limits.bodyDecodedMaxBytes;
  if (claimed.bytes > most) {
    const unresolved = `the data that one record points to has ${claimed.bytes} bytes; the ingress accepts at most ${most}`;
    return parts.map((part, n) => (claimed.byPart.has(n) ? { ...part, unresolved } : part));
  }
  const whole: IncomingRecord[] = [];
  for (const [n, part] of parts.entries()) {
    const claim = claimed.byPart.get(n);
    const data = claim === undefined ? undefined : await fetched(store, stream, claim);
    if (data === undefined) whole.push(part);
    else
      whole.push(
        typeof data === 'string' ? { ...part, unresolved: data } : resolveClaim(part, data),
      );
  }
  return whole;
}

/** What comes after `claim:<team>/<app>/`: no dots, so that it leads nowhere else. */
const ownPart = /^[A-Za-z0-9_-]+(?:\/[A-Za-z0-9_-]+)*$/;

/** The data, or why it is not what the claim says. Rejects when the store cannot be asked. */
async function fetched(
  store: BlobStore,
  stream: string,
  claim: Claim,
): Promise<Uint8Array | string> {
  const own = `${claimScheme}${stream}/`;
  if (!claim.ref.startsWith(own) || !ownPart.test(claim.ref.slice(own.length)))
    return `claims of this stream begin with ${own}`;
  const data = await store.get(claim.ref.slice(claimScheme.length));
  if (data === undefined)
    return 'nothing is stored under that name; data older than the retention was deleted';
  if (data.length !== claim.bytes)
    return `${data.length} bytes are stored, ${claim.bytes} were sent`;
  const digest = await webcrypto.subtle.digest('SHA-256', data);
  if (Buffer.from(digest).toString('hex') !== claim.sha256)
    return 'the stored data is not what was sent: its SHA-256 differs';
  return data;
}
