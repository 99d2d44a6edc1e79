/**
 * Our own code for keywords that the compiler judges wrongly or slowly. For other keywords the
 * compiler's code is used.
 *
 * | keyword | what the compiler does |
 * |---|---|
 * | `const`, `enum` with objects | calls `constructor`, `valueOf`, `toString` of the data itself |
 * | `uniqueItems` | compares every pair |
 * | `multipleOf` | divides doubles: 0.3 fails as a multiple of 0.1, and 1e21 of 1 |
 */
import type { Ajv2020, CodeKeywordDefinition, KeywordCxt } from 'ajv/dist/2020.js';
import { _ } from 'ajv/dist/2020.js';

/**
 * Whether two values of JSON are equal: numbers by value, objects by their own members, whatever
 * their order.
 */
export function jsonEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    return (
      Array.isArray(a) &&
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((part, index) => jsonEqual(part, b[index]))
    );
  }
  const names = Object.keys(a);
  if (names.length !== Object.keys(b).length) return false;
  const [first, second] = [
    a as Readonly<Record<string, unknown>>,
    b as Readonly<Record<string, unknown>>,
  ];
  return names.every((name) => Object.hasOwn(second, name) && jsonEqual(first[name], second[name]));
}

/** JSON text that equal values share. */
export function canonicalJson(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value === 0 ? 0 : value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const members = value as Readonly<Record<string, unknown>>;
  const names = Object.keys(members).sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonicalJson(members[name])}`).join(',')}}`;
}

export function areUnique(items: readonly unknown[]): boolean {
  const seen = new Set<string>();
  for (const item of items) {
    const text = canonicalJson(item);
    if (seen.has(text)) return false;
    seen.add(text);
  }
  return true;
}

/** Exact, of the decimals that both numbers are written as. */
export function isMultipleOf(value: number, of: number): boolean {
  if (Number.isInteger(value) && Number.isInteger(of)) return value % of === 0;
  const [a, b] = [decimalOf(value), decimalOf(of)];
  const least = Math.min(a.exponent, b.exponent);
  return (
    (a.digits * 10n ** BigInt(a.exponent - least)) %
      (b.digits * 10n ** BigInt(b.exponent - least)) ===
    0n
  );
}

/** The shortest decimal of a double: digits times ten to the exponent. */
function decimalOf(value: number): { readonly digits: bigint; readonly exponent: number } {
  const [mantissa = '0', power = '0'] = value.toExponential().split('e');
  const [whole = '0', fraction = ''] = mantissa.split('.');
  return { digits: BigInt(whole + fraction), exponent: Number(power) - fraction.length };
}

const isPrimitive = (value: unknown): boolean => typeof value !== 'object' || value === null;

/** Puts them in place of the compiler's own. */
export function useOwnKeywords(ajv: Ajv2020): void {
  replace(ajv, 'const', ({ schema }) => isPrimitive(schema), jsonEqual);
  replace(
    ajv,
    'enum',
    ({ schema }) => Array.isArray(schema) && schema.every(isPrimitive),
    (value, schema) => (schema as readonly unknown[]).some((one) => jsonEqual(value, one)),
  );
  replace(
    ajv,
    'uniqueItems',
    ({ schema }) => schema === false,
    (value) => areUnique(value as readonly unknown[]),
    'must not have equal items',
  );
  replace(
    ajv,
    'multipleOf',
    () => false,
    (value, schema) => isMultipleOf(value as number, schema as number),
  );
}

function replace(
  ajv: Ajv2020,
  keyword: string,
  keeps: (cxt: KeywordCxt) => boolean,
  holds: (value: unknown, schema: unknown) => boolean,
  message?: string,
): void {
  const native = ajv.getKeyword(keyword) as CodeKeywordDefinition;
  ajv.removeKeyword(keyword);
  ajv.addKeyword({
    ...native,
    keyword,
    ...(message === undefined ? {} : { error: { message } }),
    code(cxt) {
      if (keeps(cxt)) {
        native.code(cxt);
        return;
      }
      const check = cxt.gen.scopeValue('func', { ref: holds });
      const schema = cxt.gen.scopeValue('schema', { ref: cxt.schema as object });
      cxt.pass(_`${check}(${cxt.data}, ${schema})`);
    },
  });
}
