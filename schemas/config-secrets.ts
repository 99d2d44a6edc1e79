/**
 * What nobody is shown of a configuration: in `config check`, in a problem, in an error, in a line
 * of the log.
 *
 * Invariants:
 * 1. A setting that the table (config/table.ts) calls `writeOnly` is never shown, even in part or
 *    when it is wrong.
 * 2. Of any address, wherever it stands in a text, the user information is masked, and so are
 *    members of its query that are named like secrets. Too much is masked rather than too little:
 *    everything up to the last @ that belongs to it.
 */

export const hidden = '***';

/**
 * A scheme and its slashes; schemes of the web and of Neo4j also without: a parser takes
 * `https:user@host` for an address.
 */
const userInfo =
  /\b([a-z][a-z0-9+.-]*:[\\/]+|(?:https?|wss?|(?:bolt|neo4j)(?:\+s(?:sc)?)?):)[^\s"'`<>]*@/gi;
const secretMember =
  /([?&;][^=&#\s"'`]*(?:key|token|secret|passw|pwd|sig|auth|cred|session)[^=&#\s"'`]*=)(?!\{key\}|\$\{\w+\}(?:[&#'"`\s]|$))[^&#\s"'`]+/gi;

/** `text` without what must not be shown of the addresses in it. */
export function maskAddresses(text: string): string {
  if (!text.includes(':')) return text;
  return text.replaceAll(userInfo, `$1${hidden}@`).replaceAll(secretMember, `$1${hidden}`);
}

/**
 * A copy of `value` with every text in it replaced by what may be shown of it: what `shown` says
 * for that very text, else as above.
 */
export function maskAll(value: unknown, shown: ReadonlyMap<string, string>): unknown {
  if (typeof value === 'string') return shown.get(value) ?? maskAddresses(value);
  if (Array.isArray(value)) return value.map((one: unknown) => maskAll(one, shown));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, maskAll(member, shown)]),
  );
}
