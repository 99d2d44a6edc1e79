/**
 * Where a text stops being JSON, as a refusal.
 */
import type { JsonFault } from '../../schemas/json-scan.ts';
import type { Refusal } from './refusal.ts';

/** Offsets count from `start`: where the body, or in NDJSON the line, begins. */
export function notJson(fault: JsonFault, start = 0): Refusal {
  const code = fault.expected === 'UTF-8' ? 'not-utf8' : 'not-json';
  const { expected, found } = fault;
  const offset = fault.offset - start;
  return { status: 400, code, message: `at byte ${offset} there is ${found}`, expected, offset };
}
