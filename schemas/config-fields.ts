/**
 * One value of the configuration: what it may be, what is wrong with it, in words, and how much of
 * it people are shown.
 */
import { hidden, isSecret, maskAddresses } from './config-secrets.ts';

export type FieldValue = string | number | boolean;

export interface Field {
  readonly type: 'string' | 'integer' | 'boolean';
  readonly default?: FieldValue;
  readonly min?: number;
  readonly max?: number;
  readonly oneOf?: readonly string[];
  readonly check?: (value: string) => string | undefined;
  /**
   * `written`: what comes from the environment is shown as the variable's name. Secrets are listed
   * in config-secrets.ts.
   */
  readonly shown?: 'written';
}

/**
 * What may be told of the value of the setting `path`. `written` is the text in the file, where the
 * environment had a part in it.
 */
export function shownOf(path: string, value: unknown, written: unknown, field: Field): unknown {
  if (isSecret(path)) return hidden;
  const shown = field.shown === 'written' && written !== undefined ? written : value;
  return typeof shown === 'string' ? maskAddresses(shown) : shown;
}

/**
 * What is wrong with the value of the setting `path`; it repeats nothing that must not be shown.
 */
export function problemOf(value: unknown, field: Field, path = ''): string | undefined {
  const problem = faultOf(value, field, isSecret(path) || field.shown !== undefined);
  return problem === undefined ? undefined : maskAddresses(problem);
}

function faultOf(value: unknown, field: Field, isHidden: boolean): string | undefined {
  if (field.type === 'integer') {
    if (typeof value !== 'number' || !Number.isInteger(value))
      return `it is ${JSON.stringify(value)}`;
    return value < (field.min ?? -Infinity) || value > (field.max ?? Infinity)
      ? `it is ${value}`
      : undefined;
  }
  if (field.type === 'boolean')
    return typeof value === 'boolean' ? undefined : `it is ${JSON.stringify(value)}`;
  const told = (text: string): string => (isHidden ? 'it does not fit' : `it is ${text}`);
  if (value === '') return 'it is ""';
  if (typeof value !== 'string') return told(JSON.stringify(value));
  if (field.oneOf !== undefined)
    return field.oneOf.includes(value) ? undefined : told(`'${value}'`);
  return field.check?.(value) === undefined ? undefined : told(`'${value}'`);
}

export function expectedOf(field: Field): string {
  if (field.type === 'integer') return `a whole number from ${field.min} to ${field.max}`;
  if (field.type === 'boolean') return 'true or false';
  return field.oneOf?.join(' or ') ?? field.check?.('') ?? 'text';
}

/** The candidate that was probably meant. */
export function nearest(key: string, known: readonly string[]): string | undefined {
  const scored = known
    .map((candidate) => [distance(key, candidate), candidate] as const)
    .sort(([a], [b]) => a - b);
  const [best] = scored;
  return best !== undefined && best[0] <= 3 ? best[1] : undefined;
}

/** Levenshtein. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(
        (row[j] as number) + 1,
        (next[j - 1] as number) + 1,
        (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1),
      );
    }
    row = next;
  }
  return row[b.length] as number;
}
