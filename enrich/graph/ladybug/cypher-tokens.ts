/**
 * Cypher as tokens, for whoever has to judge a statement before the database sees it. Pure.
 *
 * Invariants:
 * 1. What cannot be told apart with certainty is refused: outside of strings and backquoted names
 *    there are only printable ASCII, tab and line breaks, so no blank and no letter means one thing
 *    here and another to the database.
 * 2. The database is given `text`: the same characters at the same places, with blanks for
 *    comments. It sees the tokens that were judged.
 * 3. Every token ends where the grammar of the database ends it (its `Cypher.g4`, version 0.19): a
 *    string knows the same escapes, and a number that runs into a word is refused.
 */

export interface Token {
  readonly kind: 'word' | 'string' | 'name' | 'number' | 'symbol';
  readonly text: string;
  /** Where it begins, in UTF-16 units from 0. */
  readonly at: number;
}

export type CypherTokens =
  | { readonly kind: 'tokens'; readonly tokens: readonly Token[]; readonly text: string }
  | { readonly kind: 'refused'; readonly reason: string };

const loneSurrogate = /\p{Surrogate}/u;
const blanks = /[ \t\r\n]+/y;
const comment = /\/\*[^]*?\*\/|\/\/[^\r\n]*/y;
const patterns: readonly (readonly [Token['kind'], RegExp])[] = [
  ['word', /[A-Za-z_][A-Za-z0-9_$]*/y],
  ['number', /(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE]-?[0-9]+)?/y],
  ['string', /'(?:[^'\\\0]|\\(?:[\\'"bfnrtBFNRT]|[xX][0-9A-Fa-f]{2}|[uU][0-9A-Fa-f]{4}))*'/y],
  ['string', /"(?:[^"\\\0]|\\(?:[\\'"bfnrtBFNRT]|[xX][0-9A-Fa-f]{2}|[uU][0-9A-Fa-f]{4}))*"/y],
  ['name', /`[^`\0]+`/y],
  ['symbol', /\.\.|[-!$%&()*+,./:;<=>[\]^{|}~]/y],
];

export function readCypher(statement: string): CypherTokens {
  if (loneSurrogate.test(statement))
    return refused('a statement must be valid Unicode; it has half of a surrogate pair');
  const tokens: Token[] = [];
  let text = '';
  while (text.length < statement.length) {
    const at = text.length;
    const blank = matchAt(blanks, statement, at);
    if (blank !== undefined) {
      text += blank;
      continue;
    }
    const remark = matchAt(comment, statement, at);
    if (remark !== undefined) {
      text += remark.replace(/[^\r\n]/g, ' ');
      continue;
    }
    const token = tokenAt(statement, at);
    if (typeof token === 'string') return refused(token);
    tokens.push(token);
    text += token.text;
  }
  return { kind: 'tokens', tokens, text };
}

/** The token that begins there, or why there is none. */
function tokenAt(statement: string, at: number): Token | string {
  const first = statement[at] ?? '';
  for (const [kind, pattern] of patterns) {
    const text = matchAt(pattern, statement, at);
    if (text === undefined) continue;
    if (kind === 'symbol' && statement.startsWith('/*', at))
      return `the comment at ${place(statement, at)} has no end`;
    const next = statement[at + text.length] ?? '';
    if (kind === 'number' && /[A-Za-z0-9_$]/.test(next))
      return `the number at ${place(statement, at)} runs into '${next}'`;
    return { kind, text, at };
  }
  if (first === "'" || first === '"')
    return `the string at ${place(statement, at)} has no end, or an escape that is not Cypher's`;
  if (first === '`')
    return `the name at ${place(statement, at)} is empty or has no closing backquote`;
  const code = (statement.codePointAt(at) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  return `U+${code} at ${place(statement, at)} is not allowed outside of strings and backquoted names`;
}

/** Line and column, from 1. */
export function place(statement: string, at: number): string {
  const before = statement.slice(0, at).split('\n');
  return `${before.length}:${(before.at(-1) ?? '').length + 1}`;
}

function matchAt(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

const refused = (reason: string): CypherTokens => ({ kind: 'refused', reason });
