/**
 * What is wrong with a look-up's options. Pure.
 */
import type { Problem } from '../../nodes/node.ts';
import type { LookupCall, LookupFile } from './node.ts';

/** Look-ups in flight of one operator, tries of one look-up, answers that one cache keeps. */
export const lookupCapacityMax = 1_000;
export const lookupAttemptsMax = 100;
export const lookupCacheMaxEntries = 1_000_000;

export function lookupProblems(lookup: LookupFile | LookupCall): readonly Problem[] {
  return lookup.from === 'file' ? fileProblems(lookup) : callProblems(lookup);
}

function fileProblems({ file, key, schema }: LookupFile): readonly Problem[] {
  const properties = schema.document['properties'];
  if (typeof properties === 'object' && properties !== null && Object.hasOwn(properties, key))
    return [];
  return [
    {
      message: `the key '${key}' of ${file} is not a property of its schema`,
      fix: 'use a property of its rows as the key, or add this one to the schema',
    },
  ];
}

function callProblems(lookup: LookupCall): readonly Problem[] {
  const { capacity, attempts, cacheMaxEntries, timeoutMs } = lookup;
  return [
    ...wholeProblems('capacity', capacity, 1, lookupCapacityMax),
    ...wholeProblems('retry.attempts', attempts, 1, lookupAttemptsMax),
    ...wholeProblems('cache.maxEntries', cacheMaxEntries, 0, lookupCacheMaxEntries),
    ...(timeoutMs < 1
      ? [
          {
            message: 'timeout must be at least 1 ms',
            fix: "write how long one attempt may take, such as timeout: '5s'",
          },
        ]
      : []),
  ];
}

function wholeProblems(
  option: string,
  found: number,
  least: number,
  most: number,
): readonly Problem[] {
  if (Number.isInteger(found) && found >= least && found <= most) return [];
  return [
    {
      message: `${option} must be an integer from ${least} to ${most}, not ${found}`,
      fix: `set ${option} within these bounds`,
    },
  ];
}
