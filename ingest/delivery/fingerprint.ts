/**
 * How a repeated event is recognized: a digest of its identity, and digests of its content.
 *
 * The identity is (team, app, source, id). Its digest is compared with those of all teams, so it is
 * a SHA-256, which resists collisions. Content is compared only under the same identity, among
 * senders of one stream, so a fast hash is enough (XXH3, https://github.com/Cyan4973/xxHash, a
 * fourth of the time of SHA-256 at 5 KB). Its seed is drawn at the start and never shown, so that
 * nobody can prepare two contents that look alike. With 64 bits, two contents are equal by chance
 * once in 10^19.
 *
 * Invariants:
 * 1. Content is compared as it is written: data by its bytes, attributes by their text. Data with
 *    other blanks or another order of members is other data.
 * 2. What the ingress adds (`receivedtime`, `traceparent`, a time that the client did not say, what
 *    its connection was) is not content.
 * 3. Each attribute has a digest of its own, so that a conflict can say which of them differ; 32
 *    bits, as whoever could make two of them collide might as well send the same event.
 */
import { hash } from 'node:crypto';
import { createXXHash3 } from 'hash-wasm';
import type { EventAttributes } from '../../schemas/event.ts';
import type { Span } from '../../schemas/json-scan.ts';
import type { Random } from '../../schemas/kernel/random.ts';

/**
 * Digests of 32 bits each, as integers with a sign, by the name of what they are of. The data has
 * two.
 */
export const contentParts = [
  'data',
  'data',
  'type',
  'time',
  'subject',
  'partitionkey',
  'dataschema',
  'datacontenttype',
  'extensions',
] as const;

export interface Fingerprint {
  /** 32 characters, each a byte of the digest. */
  readonly identity: string;
  /** As `contentParts`; 0 for an attribute that is not there. */
  readonly content: readonly number[];
}

/** An event as it is compared. */
export interface Comparable {
  readonly attributes: EventAttributes;
  /** The client said the time. */
  readonly ownTime: boolean;
  /** The extensions that the client said. */
  readonly ownExtensions: Readonly<Record<string, string>> | undefined;
  /**
   * Parts of the data that a sender's library writes again each time it tries, in order and apart;
   * they are not compared.
   */
  readonly restless?: readonly Span[];
}

/** `offset`: where the data begins in what the spans of `restless` count in. */
export type FingerprintOf = (event: Comparable, data: Uint8Array, offset: number) => Fingerprint;

export async function createFingerprints(random: Random): Promise<FingerprintOf> {
  const seeds = new Uint32Array(3);
  random.fill(new Uint8Array(seeds.buffer));
  const [low = 0, high = 0, seed = 0] = seeds;
  const hasher = await createXXHash3(low, high);

  const text = (value: string | undefined): number => {
    if (value === undefined) return 0;
    let digest = seed;
    for (let at = 0; at < value.length; at++)
      digest = Math.imul(digest ^ value.charCodeAt(at), 0x01_00_01_93);
    // The last signs get to all bits as well; never 0, which is what is not there.
    digest = Math.imul(digest ^ (digest >>> 15), 0x2c_1b_3c_6d);
    return (digest ^ (digest >>> 13)) | 1;
  };

  return ({ attributes, ownTime, ownExtensions, restless }, data, offset) => {
    hasher.init();
    let from = 0;
    for (const { start, end } of restless ?? []) {
      hasher.update(data.subarray(from, start - offset));
      from = end - offset;
    }
    hasher.update(from === 0 ? data : data.subarray(from));
    const digest = hasher.digest('binary');
    const {
      team,
      app,
      source,
      id,
      type,
      time,
      subject,
      partitionkey,
      dataschema,
      datacontenttype,
    } = attributes;
    return {
      // A source may have any sign in it: its length says where the id begins.
      identity: hash('sha256', `${team}/${app}\n${source.length}\n${source}${id}`, 'binary'),
      content: [
        wordAt(digest, 0),
        wordAt(digest, 4),
        text(type),
        ownTime ? text(time) : 0,
        text(subject),
        // Where it follows from the others it says nothing more.
        partitionkey === (subject ?? id) ? 0 : text(partitionkey),
        text(dataschema),
        text(mediaOf(datacontenttype)),
        text(joined(ownExtensions)),
      ],
    };
  };
}

/** Which parts of two contents are not the same, each once. */
export function differences(one: readonly number[], other: readonly number[]): readonly string[] {
  return [...new Set(contentParts.filter((_name, at) => one[at] !== other[at]))];
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}

/**
 * Without its parameters: the modes of CloudEvents and what stands in between differ in a charset,
 * not in the data.
 */
function mediaOf(contentType: string): string {
  if (contentType === 'application/json') return contentType;
  return (contentType.split(';')[0] as string).trim().toLowerCase();
}

/** In the order of their names: that of a request's headers means nothing. */
function joined(extensions: Readonly<Record<string, string>> | undefined): string | undefined {
  if (extensions === undefined) return undefined;
  const names = Object.keys(extensions).sort();
  return names
    .map((name) => `${name}=${(extensions[name] as string).length}:${extensions[name] as string}`)
    .join(',');
}
