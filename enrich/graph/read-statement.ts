/**
 * Whether a statement only asks the graph. The database itself refuses writes of nodes and edges to whoever only reads; what it counts as
 * reading and this refuses are files: a statement that came over the network must not read or write any with the rights of this process. Pure.
 */

/** Strings, quoted names and comments, which may hold any words. */
const quotedParts = /'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|`[^`]*`|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g;
const firstWords = new Set(['match', 'optional', 'unwind', 'with', 'return', 'call', 'explain', 'profile']);
const callable = /^(?:show_\w+|table_info|current_setting|db_version|storage_info|stats_info)$/;

/** Why the statement is not run, or undefined. */
export function readRefusal(statement: string): string | undefined {
  const words = statement.replaceAll(quotedParts, (part) => (part.startsWith('/') ? ' ' : ' ? ')).toLowerCase();
  const first = /^\s*([a-z]+)/.exec(words)?.[1] ?? '';
  if (!firstWords.has(first)) return `a statement begins with MATCH, UNWIND, WITH, RETURN, CALL or EXPLAIN, not with '${first}'`;
  if (/\bload\s+(?:from|with)\b/.test(words)) return 'LOAD reads files, and only the graph is asked here';
  const second = /^\s*(?:explain|profile)\s+([a-z]+)/.exec(words)?.[1];
  if (second !== undefined && !firstWords.has(second)) return `only a statement that asks can be explained, not '${second}'`;
  for (const [, name = ''] of words.matchAll(/\bcall\s+([a-z_0-9]*)/g)) {
    if (!callable.test(name))
      return `CALL of '${name}' is not taken; there are SHOW_TABLES(), TABLE_INFO('Label'), SHOW_CONNECTION('EDGE')`;
  }
  return undefined;
}
