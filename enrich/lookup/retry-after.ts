/**
 * `Retry-After` of HTTP (RFC 9110, section 10.2.3): seconds, or a date in one of the three forms
 * that a recipient has to read (5.6.7). Pure.
 *
 * A date is compared with the answer's own `Date`, where it has one: the server's clock is not
 * ours.
 */

const seconds = /^\d{1,15}$/;
const day = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)';
const month = '(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)';
const time = '\\d{2}:\\d{2}:\\d{2}';
const zoned = new RegExp(
  `^(?:${day}, \\d{2} ${month} \\d{4} ${time} GMT|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, \\d{2}-${month}-\\d{2} ${time} GMT)$`,
);
const asctime = new RegExp(`^${day} ${month} [ \\d]\\d ${time} \\d{4}$`);

/** Milliseconds from the answer on; undefined where it says nothing that can be read. */
export function retryAfter(headers: Pick<Headers, 'get'>, nowMs: number): number | undefined {
  const said = headers.get('retry-after')?.trim();
  if (said === undefined) return undefined;
  if (seconds.test(said)) return Number(said) * 1_000;
  const until = dateOf(said);
  if (until === undefined) return undefined;
  return Math.max(0, until - (dateOf(headers.get('date')?.trim() ?? '') ?? nowMs));
}

function dateOf(text: string): number | undefined {
  const ms = zoned.test(text)
    ? Date.parse(text)
    : asctime.test(text)
      ? Date.parse(`${text} GMT`)
      : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}
