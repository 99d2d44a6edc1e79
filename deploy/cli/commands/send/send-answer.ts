/**
 * What an answer of the ingress means for each event that was posted. Pure.
 */

export interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly expected?: string;
  readonly pointer?: string;
}

export type EventResult =
  | { readonly kind: 'sent'; readonly route: string }
  | { readonly kind: 'again' }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

export type AnswerDecision =
  /** `waitSeconds`: what the answer itself says of when to send again those that go again. */
  | {
      readonly kind: 'events';
      readonly results: readonly EventResult[];
      readonly waitSeconds?: number;
    }
  /** Nobody answered for the events: all go again. */
  | { readonly kind: 'all-again' }
  /** The request as a whole was refused, and a smaller one may not be. */
  | { readonly kind: 'halve' }
  /** No event will ever be accepted there. */
  | { readonly kind: 'stop'; readonly message: string; readonly fix: string };

export interface Answer {
  /** 0: there was none, and `body` says why. */
  readonly status: number;
  readonly body: string;
  readonly retryAfter?: string | undefined;
  readonly location?: string | undefined;
}

interface ResultBody {
  readonly index?: number;
  readonly status: number;
  readonly route?: string;
  readonly error?: Partial<Refusal>;
}

interface AnswerBody {
  readonly results?: readonly ResultBody[];
  readonly error?: Partial<Refusal>;
}

/** Statuses of requests that may succeed later. */
const passing = [408, 425, 429];
const shownMaxChars = 200;

/** What an answer means for each of the `count` events that were posted. */
export function decideAnswer({ status, body, location }: Answer, count: number): AnswerDecision {
  if (status === 0) return { kind: 'all-again' };
  const parsed = parse(body);
  if (parsed?.results !== undefined && parsed.results.length === count)
    return { kind: 'events', results: parsed.results.map(resultOf) };
  if (status === 207) return streamedResults(body, count);
  if (passing.includes(status) || status >= 500) return { kind: 'all-again' };
  if (status === 400 || status === 409 || status === 413) {
    if (count > 1) return { kind: 'halve' };
    return {
      kind: 'events',
      results: [{ kind: 'refused', refusal: refusalOf(status, parsed?.error, body) }],
    };
  }
  // A proxy that answers in place of the ingress: nothing says what became of the events.
  const said =
    status < 300
      ? 'with no result for each event'
      : (parsed?.error?.message ?? body.slice(0, shownMaxChars).trim());
  return {
    kind: 'stop',
    message: `${status}${said === '' ? '' : `: ${said}`}`,
    fix: fixOf(status, location),
  };
}

function fixOf(status: number, location: string | undefined): string {
  if (status >= 300 && status < 400) {
    return `redirects are not followed: a key must not go to another address; pass the right one with --url${location === undefined ? '' : ` (the redirect names ${location})`}`;
  }
  switch (status) {
    case 401:
      return 'set SLUICE_KEY, or pass --key, to an API key of this ingress';
    case 403:
      return 'use a key whose streams include this one';
    case 404:
      return 'check the team and app of --stream, and the path of --url';
    case 421:
      return 'pass in --url the host name that the ingress is configured with';
    default:
      return 'check that --url is the address of a Sluice ingress';
  }
}

/**
 * The answer to a long body: a result a line, in any order, the verdict last. An event without a
 * result goes again, when the verdict says.
 */
function streamedResults(body: string, count: number): AnswerDecision {
  const results: EventResult[] = Array.from({ length: count }, () => ({ kind: 'again' }));
  let waitSeconds: number | undefined;
  for (const line of body.split('\n')) {
    const parsed = parse(line) as
      | (Partial<ResultBody> & { readonly retryAfter?: unknown })
      | undefined;
    if (
      typeof parsed?.index === 'number' &&
      parsed.index < count &&
      typeof parsed.status === 'number'
    )
      results[parsed.index] = resultOf({ ...parsed, status: parsed.status });
    else if (typeof parsed?.retryAfter === 'number') waitSeconds = parsed.retryAfter;
  }
  return { kind: 'events', results, ...(waitSeconds === undefined ? {} : { waitSeconds }) };
}

function resultOf({ status, route, error }: ResultBody): EventResult {
  if (status >= 200 && status < 300) return { kind: 'sent', route: route ?? 'unknown' };
  if (status === 429 || status >= 500) return { kind: 'again' };
  return { kind: 'refused', refusal: refusalOf(status, error, '') };
}

function refusalOf(status: number, error: Partial<Refusal> | undefined, body: string): Refusal {
  const {
    code = `status-${status}`,
    message = body.slice(0, shownMaxChars).trim(),
    expected,
    pointer,
  } = error ?? {};
  return {
    code,
    message,
    ...(expected === undefined ? {} : { expected }),
    ...(pointer === undefined ? {} : { pointer }),
  };
}

function parse(body: string): AnswerBody | undefined {
  try {
    const parsed: unknown = JSON.parse(body);
    return typeof parsed === 'object' && parsed !== null ? (parsed as AnswerBody) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * How long `Retry-After` (RFC 9110, section 10.2.3: seconds or a date) asks to wait; 0 when it does
 * not say.
 */
export function retryAfterMs(value: string | undefined, nowMs: number): number {
  if (value === undefined) return 0;
  const asked = /^\d+$/.test(value.trim()) ? Number(value) * 1_000 : Date.parse(value) - nowMs;
  return Number.isFinite(asked) && asked > 0 ? asked : 0;
}
