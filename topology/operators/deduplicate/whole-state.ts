/**
 * What manifests before version 4 have of a deduplication.
 */
import type { Random } from '../../../schemas/kernel/random.ts';
import { keyDigest, newDigestSecret } from '../../state/digest.ts';
import { firstSeenTable } from '../../state/first-seen.ts';
import { groupOfKeyText } from '../../state/key-group.ts';
import type { EncodedTime } from '../../time/watermark.ts';
import { decodeTime, encodeTime } from '../../time/watermark.ts';
import type { NewEntry, WholeState } from '../kind-state.ts';
import type { DeduplicateNode } from './node.ts';
import type { DeduplicateHead } from './operator.ts';

/** Version 3. */
interface Firsts {
  readonly watermark: EncodedTime;
  readonly forgottenThrough: EncodedTime;
  readonly firsts: readonly (readonly [key: string, timestamp: number])[];
}

/** Version 2: when a key was to be forgotten, instead of when it was first. */
interface Expiries {
  readonly watermark: EncodedTime;
  readonly expiries: readonly (readonly [key: string, expiresAt: number])[];
}

export function deduplicateFromWhole(
  whole: Firsts | Expiries,
  { withinMs }: DeduplicateNode,
  random: Random,
): WholeState {
  const secret = newDigestSecret(random);
  const head: DeduplicateHead = {
    watermark: whole.watermark,
    forgottenThrough: 'firsts' in whole ? whole.forgottenThrough : encodeTime(decodeTime('min')),
    secret: Buffer.from(secret).toString('base64'),
  };
  const firsts =
    'firsts' in whole
      ? whole.firsts
      : whole.expiries.map(([key, at]) => [key, at - withinMs] as const);
  return { head, entries: entriesOf(firsts, secret) };
}

function* entriesOf(firsts: Firsts['firsts'], secret: Uint8Array): Generator<NewEntry> {
  const digest = keyDigest(secret);
  const words = new Uint32Array(4);
  for (const [key, time] of firsts) {
    digest(key, words);
    yield {
      table: firstSeenTable,
      group: groupOfKeyText(key),
      key: Buffer.from(words.buffer.slice(0)),
      time,
      value: '',
    };
  }
}
