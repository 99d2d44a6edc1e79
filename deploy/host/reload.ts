/**
 * Whether a running server takes a changed configuration over. Pure.
 *
 * Invariant: what is read while somebody saves it, or by mistake, never lets more people in. A
 * server goes from closed to open, or loses a way to tell who sends, only at a restart.
 */
import type { SluiceConfig } from '../../schemas/config.ts';

type Reloaded = Pick<SluiceConfig, 'access' | 'endsInLineBreak'>;

/** Why `next` is refused, whole, while `inForce` stays; undefined when it is taken over. */
export function refuseReload(inForce: Reloaded, next: Reloaded): string | undefined {
  if (inForce.endsInLineBreak && !next.endsInLineBreak)
    return 'its last line has no line break, so it may be half saved; end it with one';
  const { access } = next;
  for (const section of ['keys', 'jwt'] as const) {
    const { [section]: entries, sections } = inForce.access;
    if (entries.length > 0 && sections[section] && !access.sections[section])
      return `the section '${section}' was removed; if you mean it, write an empty list, or restart`;
  }
  const isClosed = inForce.access.keys.length > 0 || inForce.access.jwt.length > 0;
  if (isClosed && access.keys.length === 0 && access.jwt.length === 0)
    return 'it has neither keys nor issuers, so everybody could send; if you mean it, restart';
  return undefined;
}
