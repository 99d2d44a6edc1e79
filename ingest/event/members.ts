/**
 * The members of an object in which attributes are looked for. Pure. Bounded: of millions of
 * members, which a small packed body can have, the list alone would hold everything else up for
 * seconds.
 */
import type { JsonFault, ScannedObject } from '../../schemas/json-scan.ts';
import { isFault, scanObject } from '../../schemas/json-scan.ts';
import { kibi } from '../../schemas/kernel/bytes.ts';
import type { Refusal } from './refusal.ts';

/**
 * Members of an object in which the ingress looks for attributes: an envelope, a CloudEvent, a
 * Segment message.
 */
export const attributeMembersMax = kibi;

/** A refusal is to be told from a fault first: both say what was expected. */
export function scanMembers(
  body: Buffer,
  start = 0,
  end = body.length,
): ScannedObject | JsonFault | Refusal {
  const most = attributeMembersMax;
  const scanned = scanObject(body, start, end, most + 1);
  if (isFault(scanned) || scanned.kind !== 'object' || scanned.members.length <= most)
    return scanned;
  return {
    status: 400,
    code: 'too-many-members',
    message: `the event has more than ${most} members`,
    expected: `at most ${most}; any number inside its data`,
  };
}
