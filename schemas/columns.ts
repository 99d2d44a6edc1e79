/**
 * A table's columns, from the JSON Schema of its rows; and rows as columns. Pure.
 *
 * | schema | column |
 * |---|---|
 * | string | STRING |
 * | string, format date-time (RFC 3339) | TIMESTAMP, milliseconds, UTC |
 * | integer | INT64; a row whose digits are not exact is refused (see below) |
 * | number | DOUBLE: rounded, as JSON.parse does |
 * | boolean | BOOLEAN |
 * | object, array, several types, no type | STRING with JSON text; refused as for integers |
 *
 * An integer is not exact from 2^53 on, or when the event wrote more digits than a double keeps.
 * A column is REQUIRED when the schema requires it and its type does not allow null, else OPTIONAL.
 * Text that UTF-8 cannot hold (a lone surrogate) is refused: it could not be read back as it was.
 */
import type { Inexact } from './exact-cells.ts';
import { inexactPlace, isExactNumber } from './exact-cells.ts';
import { isInherited } from './inherited-names.ts';
import { pointerPart } from './json-pointer.ts';
import { SluiceError } from './kernel/errors.ts';
import { parseTime } from './kernel/time.ts';
import { isWellFormed } from './kernel/well-formed.ts';
import type { JsonSchema, SchemaCheck } from './registry.ts';
import { compileSchema } from './registry.ts';

export type ColumnType = 'STRING' | 'TIMESTAMP' | 'INT64' | 'DOUBLE' | 'BOOLEAN' | 'JSON_TEXT';

/** `TEXT`: either kind of text, where only the files say what they have. */
export type KnownColumn = ColumnType | 'TEXT';

/** By name, of all columns that files of a table may have. */
export type KnownColumns = Readonly<Record<string, KnownColumn>>;

export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  readonly nullable: boolean;
  readonly description: string;
}

/** What a cell is between the row and the file: times as epoch ms, JSON as text. */
export type Cell = string | number | boolean | null;

/** Throws `SluiceError` `schema-invalid` when the schema describes no object. */
export function columnsOf(schema: JsonSchema): readonly Column[] {
  const properties = schema['properties'];
  if (typeof properties !== 'object' || properties === null) {
    throw new SluiceError(
      'schema-invalid',
      `the row schema ${String(schema['$id'])} has no properties, so its table would have no columns`,
    );
  }
  const required = new Set(
    Array.isArray(schema['required']) ? (schema['required'] as unknown[]) : [],
  );
  return Object.entries(properties as Readonly<Record<string, JsonSchema>>).map(
    ([name, property]) => {
      const listed = property['type'];
      const types = (Array.isArray(listed) ? listed : [listed]) as unknown[];
      // A property without a type (`{}`, `enum`, `anyOf`) may allow null, whatever it looks like.
      const nullable = types.includes('null') || listed === undefined || !required.has(name);
      const [type, ...more] = types.filter((entry) => entry !== 'null');
      const description =
        typeof property['description'] === 'string' ? property['description'] : '';
      return {
        name,
        type: more.length > 0 ? 'JSON_TEXT' : columnType(type, property),
        nullable,
        description,
      };
    },
  );
}

function columnType(type: unknown, property: JsonSchema): ColumnType {
  switch (type) {
    case 'string':
      return property['format'] === 'date-time' ? 'TIMESTAMP' : 'STRING';
    case 'integer':
      return 'INT64';
    case 'number':
      return 'DOUBLE';
    case 'boolean':
      return 'BOOLEAN';
    default:
      return 'JSON_TEXT';
  }
}

export interface RowProblem {
  readonly message: string;
  readonly pointer: string;
}

/**
 * The columns that a table's files have: what names a folder is in its path alone, as readers take
 * a column that is in both for two, or refuse it.
 */
export function storedColumns(schema: JsonSchema, folders: readonly string[]): readonly Column[] {
  return columnsOf(schema).filter(({ name }) => !folders.includes(name));
}

export interface RowReader {
  readonly columns: readonly Column[];
  /**
   * The row's cells in column order, or why the table cannot take it. `inexact`: of the event that
   * the row came of.
   */
  readonly read: (row: unknown, inexact?: Inexact) => readonly Cell[] | RowProblem;
}

/**
 * `folders`: properties that name the row's folder. They are looked at as the others are, and are
 * no cells.
 */
export function rowReader(schema: JsonSchema, folders: readonly string[] = []): RowReader {
  const columns = columnsOf(schema);
  const isFolder = columns.map(({ name }) => folders.includes(name));
  // What every object inherits is there only where the row has it.
  const inherited = columns.map(({ name }) => isInherited(name));
  const check: SchemaCheck = compileSchema(schema);
  return {
    columns: storedColumns(schema, folders),
    read(row, inexact) {
      const violation = check(row);
      if (violation !== undefined)
        return { message: violation.message, pointer: violation.pointer };
      const cells: Cell[] = [];
      for (let i = 0; i < columns.length; i++) {
        const column = columns[i] as Column;
        const { name, type } = column;
        const value =
          inherited[i] && !Object.hasOwn(row as object, name)
            ? undefined
            : (row as Readonly<Record<string, unknown>>)[name];
        const cell = cellOf(value, column);
        if (cell === undefined) return { message: unfit[type], pointer: `/${pointerPart(name)}` };
        const place =
          type === 'JSON_TEXT' || inexact !== undefined
            ? inexactIn(value, cell, type, inexact)
            : undefined;
        if (place !== undefined)
          return { message: notExact, pointer: `/${pointerPart(name)}${place}` };
        if (!isFolder[i]) cells.push(cell);
      }
      return cells;
    },
  };
}

const unfit: Readonly<Record<ColumnType, string>> = {
  STRING: 'the text has a lone surrogate, which UTF-8 cannot hold',
  TIMESTAMP: 'the time is not RFC 3339',
  INT64: 'the integer is beyond 2^53: its digits are not exact',
  DOUBLE: 'the number is not finite',
  BOOLEAN: 'it is neither true nor false',
  JSON_TEXT: 'it is not a JSON value',
};

const notExact =
  'the number is not exact: it is beyond 2^53 or has more digits than a double keeps; send it as text';

function inexactIn(
  value: unknown,
  cell: Cell,
  type: ColumnType,
  inexact: Inexact,
): string | undefined {
  if (type === 'INT64')
    return typeof value === 'number' && !isExactNumber(value, inexact) ? '' : undefined;
  return type === 'JSON_TEXT' && typeof cell === 'string'
    ? inexactPlace(value, cell, inexact)
    : undefined;
}

/** Undefined when the column cannot hold the value. */
function cellOf(value: unknown, column: Column): Cell | undefined {
  if (value === undefined || value === null) return null;
  switch (column.type) {
    case 'STRING':
      return isWellFormed(value as string) ? (value as string) : undefined;
    case 'DOUBLE':
    case 'BOOLEAN':
      return value as Cell;
    case 'INT64':
      return Number.isSafeInteger(value) ? (value as number) : undefined;
    case 'TIMESTAMP': {
      const ms = parseTime(value as string);
      return typeof ms === 'number' ? ms : undefined;
    }
    case 'JSON_TEXT':
      return JSON.stringify(value);
  }
}
