/**
 * What tells a key's timer from its others where its time does not: a time that event time has
 * reached may be registered again and again, and one of processing time is another one after a
 * restart. Such a timer is told by the call that registered it.
 *
 * Invariants:
 * 1. Of one key and domain, two timers that fire have two identities, whether by their times or by
 *    their causes.
 * 2. A cause is bounded: along a chain of timers that register each other it is a digest of the one
 *    before.
 */
import { createHash } from 'node:crypto';
import type { Identity, Provenance } from '../../nodes/sink.ts';
import type { Domain, KeyState } from '../../state/key-state.ts';
import { identityOf } from '../../state/origin.ts';

/**
 * Of the registration number `nth` of a call for an element or a timer of `origin`; undefined where
 * that is not known.
 */
export function causeOf(origin: Provenance | undefined, nth: number): Identity | undefined {
  const by = identityOf(origin);
  if (by === undefined) return undefined;
  const isChained = origin?.derived?.kind === 'timer' && typeof origin.derived.by !== 'number';
  return [
    isChained ? createHash('sha256').update(JSON.stringify(by)).digest('base64url') : by,
    nth,
  ];
}

export function causeAt({ causes }: KeyState, domain: Domain, at: number): Identity | undefined {
  return causes?.[domain].get(at);
}

export function keepCause(state: KeyState, domain: Domain, at: number, cause: Identity): void {
  state.causes ??= { event: new Map(), processing: new Map() };
  state.causes[domain].set(at, cause);
}

export function dropCause(state: KeyState, domain: Domain, at: number): void {
  if (state.causes === undefined) return;
  state.causes[domain].delete(at);
  if (state.causes.event.size === 0 && state.causes.processing.size === 0) state.causes = undefined;
}
