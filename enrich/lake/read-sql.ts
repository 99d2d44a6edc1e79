/**
 * Whether a statement only asks the tables of a lake, judged by DuckDB's own syntax tree of it.
 * Pure.
 *
 * `json_serialize_sql` gives a tree for what selects (SELECT, FROM, VALUES, WITH, SHOW, DESCRIBE,
 * SUMMARIZE) and for nothing else: not COPY, EXPORT, ATTACH, INSTALL, LOAD, SET, PRAGMA, CALL or
 * CREATE, https://duckdb.org/docs/stable/data/json/sql_to_and_from_json.
 *
 * Invariants:
 * 1. Table functions are those of a list: all others read files, memory or settings, or change them
 *    (`enable_logging` writes files).
 * 2. What the statement means is DuckDB's to say, so no comment, quote or blank hides anything.
 */

export type ReadSql =
  | { readonly kind: 'asks' }
  | { readonly kind: 'refused'; readonly reason: string };

/** Table functions that only compute, or list tables, columns and functions. */
export const tableFunctions: ReadonlySet<string> = new Set([
  'range',
  'generate_series',
  'unnest',
  'repeat',
  'repeat_row',
  'json_each',
  'json_tree',
  'summary',
  'query_table',
  'histogram',
  'histogram_values',
  'duckdb_columns',
  'duckdb_tables',
  'duckdb_views',
  'duckdb_types',
  'duckdb_functions',
  'duckdb_keywords',
  'pragma_table_info',
  'icu_calendar_names',
  'pg_timezone_names',
]);
/** Functions that read or write more than their arguments. */
const reachingFunctions: ReadonlySet<string> = new Set([
  'current_setting',
  'getenv',
  'getvariable',
  'write_log',
  'json_execute_serialized_sql',
  'nextval',
  'currval',
]);
/** Views over what such functions would tell. */
const reachingTables: ReadonlySet<string> = new Set(['pg_settings', 'duckdb_logs']);
const onlyQuestions =
  'only one statement that reads is allowed: SELECT, FROM, VALUES, WITH, SHOW, DESCRIBE, SUMMARIZE or EXPLAIN (PIVOT with IN)';

/** EXPLAIN has no tree: what it explains is judged in its place. */
export function explainedSql(sql: string): string {
  return sql.replace(/^[ \t\r\n]*explain[ \t\r\n]+(?:analyze[ \t\r\n]+)?/i, '');
}

/**
 * `tree` is what `json_serialize_sql` gives for `explainedSql(sql)`. What does not parse by itself
 * is not run: after EXPLAIN it might mean something.
 */
export function readSql(tree: string): ReadSql {
  const {
    error,
    error_type: type,
    error_message: message = '',
    statements,
  } = JSON.parse(tree) as Tree;
  if (error)
    return {
      kind: 'refused',
      reason: type === 'parser' ? `Parser Error: ${message}` : onlyQuestions,
    };
  if (statements?.length !== 1) return { kind: 'refused', reason: onlyQuestions };
  const reason = refusalIn(statements[0]);
  return reason === undefined ? { kind: 'asks' } : { kind: 'refused', reason };
}

interface Tree {
  readonly error: boolean;
  readonly error_type?: string;
  readonly error_message?: string;
  readonly statements?: readonly unknown[];
}

interface TreeNode {
  readonly type?: unknown;
  readonly class?: unknown;
  readonly table_name?: unknown;
  readonly function_name?: unknown;
  readonly function?: { readonly function_name?: unknown };
}

/** A loop, as a statement may be nested deeper than the stack. */
function refusalIn(statement: unknown): string | undefined {
  const waiting: unknown[] = [statement];
  while (waiting.length > 0) {
    const value = waiting.pop();
    if (typeof value !== 'object' || value === null) continue;
    const node = value as TreeNode;
    const [kind, name] = reached(node);
    if (kind !== undefined)
      return `the ${kind} '${name}' is not allowed: a query reads only the tables of the lake`;
    for (const part of Object.values(value)) waiting.push(part);
  }
  return undefined;
}

function reached(node: TreeNode): readonly [kind: string | undefined, name: string] {
  if (node.type === 'TABLE_FUNCTION') {
    const name = nameOf(node.function?.function_name);
    return [tableFunctions.has(name) ? undefined : 'table function', name];
  }
  if (node.class === 'FUNCTION') {
    const name = nameOf(node.function_name);
    return [reachingFunctions.has(name) ? 'function' : undefined, name];
  }
  const name = node.type === 'BASE_TABLE' ? nameOf(node.table_name) : '';
  return [reachingTables.has(name) ? 'table' : undefined, name];
}

const nameOf = (name: unknown): string => String(name).toLowerCase();
