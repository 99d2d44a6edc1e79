/**
 * Event times as authors give them, in the one form that is calculated with.
 */

/** RFC 3339 with a zone, as event times come; anything else that `Date.parse` would take depends on the engine. */
const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;

/** Whole epoch milliseconds of an RFC 3339 time (a fraction of a millisecond is cut off) or of whole epoch milliseconds; undefined of anything else. */
export function epochMs(time: unknown): number | undefined {
  if (typeof time === 'number') return Number.isSafeInteger(time) ? time : undefined;
  if (typeof time !== 'string' || !rfc3339.test(time)) return undefined;
  const ms = Date.parse(time);
  return Number.isNaN(ms) ? undefined : Math.trunc(ms);
}
