/**
 * Which parts of a configuration are never shown, in `config check`, a problem, an error or a log
 * line.
 *
 * Invariants:
 * 1. A setting that is `writeOnly` in the table (config/table.ts) is never shown, even in part or
 *    when it is invalid.
 * 2. In any address, anywhere in a text, the user information is masked, and so are query members
 *    with names of secrets. Rather too much is masked than too little: everything up to the last @
 *    of the address.
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
