/**
 * Whether a statement only asks the graph. Pure.
 *
 * What the database itself counts as reading (`isReadOnly()`) also reads and writes files, loads
 * extensions and changes settings: LOAD FROM, COPY ... TO, EXPORT, ATTACH, INSTALL, CALL threads =
 * 8 (version 0.19.1). So the tokens decide, before the database sees anything.
 *
 * Invariants:
 * 1. A statement begins with a clause that reads, and there is only one statement.
 * 2. A word that begins any other clause stands nowhere but after a dot, where it can only be a
 *    property; as a name it has backquotes.
 * 3. CALL is followed by a procedure of the list and its arguments.
 */
import type { Token } from './cypher-tokens.ts';
import { place, readCypher } from './cypher-tokens.ts';

export type ReadStatement =
  /** What the database is given. */
  | { readonly kind: 'asks'; readonly text: string }
  | { readonly kind: 'refused'; readonly reason: string };

const firstWords = new Set(['match', 'optional', 'unwind', 'with', 'return', 'call']);
const explaining = new Set(['explain', 'profile']);
const writing = new Set(['create', 'merge', 'set', 'delete', 'detach', 'drop', 'alter']);
const reaching = new Set([
  'load',
  'copy',
  'export',
  'import',
  'attach',
  'install',
  'uninstall',
  'use',
]);
/** Procedures that tell of the graph itself. */
export const callable: ReadonlySet<string> = new Set([
  'show_tables',
  'show_connection',
  'show_functions',
  'show_indexes',
  'show_macros',
  'show_sequences',
  'table_info',
  'stats_info',
  'storage_info',
  'db_version',
]);
const callHint = `there are SHOW_TABLES(), TABLE_INFO('Label'), SHOW_CONNECTION('EDGE')`;

export function readStatement(statement: string): ReadStatement {
  const read = readCypher(statement);
  if (read.kind === 'refused') return read;
  const tokens = withoutEnd(read.tokens);
  const reasons = [
    beginning(tokens),
    ...tokens.map((token, index) => tokenRefusal(statement, token, tokens, index)),
  ];
  const reason = reasons.find((found) => found !== undefined);
  return reason === undefined ? { kind: 'asks', text: read.text } : { kind: 'refused', reason };
}

/** One semicolon may end a statement. */
function withoutEnd(tokens: readonly Token[]): readonly Token[] {
  return tokens.at(-1)?.text === ';' ? tokens.slice(0, -1) : tokens;
}

function beginning(tokens: readonly Token[]): string | undefined {
  const first = wordOf(tokens[0]);
  if (!explaining.has(first)) {
    if (firstWords.has(first)) return undefined;
    return `a statement begins with MATCH, UNWIND, WITH, RETURN, CALL or EXPLAIN, not with '${tokens[0]?.text ?? ''}'`;
  }
  const explained = tokens[wordOf(tokens[1]) === 'logical' ? 2 : 1];
  return firstWords.has(wordOf(explained))
    ? undefined
    : `only a statement that reads can be explained, not '${explained?.text ?? ''}'`;
}

function tokenRefusal(
  statement: string,
  token: Token,
  tokens: readonly Token[],
  index: number,
): string | undefined {
  if (token.text === ';')
    return `only one statement is allowed; another begins at ${place(statement, token.at)}`;
  const word = tokens[index - 1]?.text === '.' ? '' : wordOf(token);
  const at = (): string => `${token.text} at ${place(statement, token.at)}`;
  if (writing.has(word))
    return `${at()}: only statements that read are allowed; topologies write the graph (to use it as a name, put it in backquotes)`;
  if (reaching.has(word))
    return `${at()} reads something other than the graph, which is not allowed (to use it as a name, put it in backquotes)`;
  if (word !== 'call') return undefined;
  const procedure = tokens[index + 1];
  if (callable.has(wordOf(procedure)) && tokens[index + 2]?.text === '(') return undefined;
  return `CALL of '${procedure?.text ?? ''}' at ${place(statement, token.at)} is not allowed; ${callHint}`;
}

const wordOf = (token: Token | undefined): string =>
  token?.kind === 'word' ? token.text.toLowerCase() : '';
