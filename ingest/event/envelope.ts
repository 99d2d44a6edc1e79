/**
 * Sluice's own envelope: an object with `data` and what the event says of itself. Pure.
 */
import type { JsonMember, Span } from '../../schemas/json-scan.ts';
import { isFault } from '../../schemas/json-scan.ts';
import type { Given } from './given.ts';
import { scanMembers } from './members.ts';
import type { Refusal } from './refusal.ts';
import { isRefusal, pointerTo } from './refusal.ts';
import { stringAt } from './scalars.ts';

export const envelopeMembers = ['id', 'type', 'time', 'subject', 'partitionkey', 'source'] as const;

/** Puts into `given` what the envelope at `span` says; where its data lies, or why it is none. */
export function openEnvelope(
  body: Buffer,
  span: Span,
  given: Given,
  beside: readonly string[],
): Span | Refusal {
  const scanned = scanMembers(body, span.start, span.end);
  if (isRefusal(scanned)) return scanned;
  const expected =
    "an object with 'data' and optional id, type, time, subject, partitionkey, source";
  const refuse = (message: string, pointer: string): Refusal => ({
    status: 400,
    code: 'envelope-invalid',
    message,
    expected,
    pointer,
  });
  if (isFault(scanned) || scanned.kind !== 'object')
    return refuse('the event must be an object', '');
  let data: JsonMember | undefined;
  for (const member of scanned.members) {
    const { name } = member;
    const pointer = pointerTo(name);
    if (name === 'data') {
      if (data !== undefined) return refuse("'data' appears twice", pointer);
      data = member;
      continue;
    }
    if (beside.includes(name)) continue;
    if (!isEnvelopeMember(name))
      return refuse(`'${name.slice(0, 64)}' is not a member of the envelope`, pointer);
    if (given[name] !== undefined) return refuse(`'${name}' appears twice`, pointer);
    const value = stringAt(body, member);
    if (value === undefined) return refuse(`'${name}' must be a string`, pointer);
    given[name] = value;
  }
  return data ?? refuse("'data' is missing", '/data');
}

function isEnvelopeMember(name: string): name is (typeof envelopeMembers)[number] {
  return (envelopeMembers as readonly string[]).includes(name);
}
