/**
 * The pure parts of `send`: lines into batches, and answers into what becomes of each line.
 */

export interface Batch {
  readonly lines: readonly Buffer[];
  /** The number in the file of each line, from 1. */
  readonly lineNumbers: readonly number[];
  readonly firstLine: number;
  readonly lastLine: number;
}

export interface BatchBounds {
  readonly events: number;
  /** A line that alone is larger goes alone. */
  readonly bytes: number;
  /** Lines up to this number are passed over. */
  readonly after: number;
}

/** Groups the non-blank lines of `input` into batches within bounds. */
export async function* batchLines(input: AsyncIterable<Buffer>, bounds: BatchBounds): AsyncGenerator<Batch> {
  let lines: Buffer[] = [];
  let numbers: number[] = [];
  let bytes = 0;
  let number = 0;
  const take = (): Batch => {
    const batch = { lines, lineNumbers: numbers, firstLine: numbers[0] as number, lastLine: numbers.at(-1) as number };
    lines = [];
    numbers = [];
    bytes = 0;
    return batch;
  };
  for await (const line of linesOf(input)) {
    number++;
    if (number <= bounds.after || line.toString('latin1').trim() === '') continue;
    if (lines.length > 0 && bytes + line.length > bounds.bytes) yield take();
    lines.push(line);
    numbers.push(number);
    bytes += line.length;
    if (lines.length >= bounds.events) yield take();
  }
  if (lines.length > 0) yield take();
}

async function* linesOf(input: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest: Buffer[] = [];
  for await (const chunk of input) {
    let start = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, start)) {
      rest.push(chunk.subarray(start, end));
      yield rest.length === 1 ? (rest[0] as Buffer) : Buffer.concat(rest);
      rest = [];
      start = end + 1;
    }
    if (start < chunk.length) rest.push(chunk.subarray(start));
  }
  if (rest.length > 0) yield Buffer.concat(rest);
}

export type LineResult =
  | { readonly kind: 'sent'; readonly route: string }
  | { readonly kind: 'again' }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string };

export type RetryDecision =
  | { readonly kind: 'lines'; readonly results: readonly LineResult[] }
  /** Nobody answered for the lines: all go again. */
  | { readonly kind: 'all-again' }
  /** No line will ever be taken there. */
  | { readonly kind: 'stop'; readonly message: string };

interface AnswerBody {
  readonly results?: readonly {
    readonly index: number;
    readonly status: number;
    readonly route?: string;
    readonly error?: { readonly code: string; readonly message: string };
  }[];
  readonly error?: { readonly code: string; readonly message: string };
}

/** What an answer means for each of the `count` lines that were posted. Status 0: there was no answer. */
export function decideRetry(status: number, body: string, count: number): RetryDecision {
  if (status === 0) return { kind: 'all-again' };
  const parsed = parse(body);
  if (parsed?.results !== undefined && parsed.results.length === count) {
    return { kind: 'lines', results: parsed.results.map(lineResult) };
  }
  if (status === 207) return { kind: 'lines', results: streamedResults(body, count) };
  if (status === 429 || status >= 500) return { kind: 'all-again' };
  if (status === 400 || status === 409 || status === 413) {
    const { code = `status-${status}`, message = body.slice(0, 200) } = parsed?.error ?? {};
    return { kind: 'lines', results: Array.from({ length: count }, () => ({ kind: 'refused', code, message })) };
  }
  return { kind: 'stop', message: parsed?.error?.message ?? body.slice(0, 200) };
}

/** The answer to a long body: a result a line, in any order, the verdict last. A line without a result goes again. */
function streamedResults(body: string, count: number): readonly LineResult[] {
  const results: LineResult[] = Array.from({ length: count }, () => ({ kind: 'again' }));
  for (const line of body.split('\n')) {
    const parsed = parse(line) as NonNullable<AnswerBody['results']>[number] | undefined;
    if (typeof parsed?.index === 'number' && parsed.index < count) results[parsed.index] = lineResult(parsed);
  }
  return results;
}

function lineResult(result: NonNullable<AnswerBody['results']>[number]): LineResult {
  if (result.status >= 200 && result.status < 300) return { kind: 'sent', route: result.route ?? 'unknown' };
  if (result.status === 429 || result.status >= 500) return { kind: 'again' };
  return { kind: 'refused', code: result.error?.code ?? `status-${result.status}`, message: result.error?.message ?? '' };
}

function parse(body: string): AnswerBody | undefined {
  try {
    return JSON.parse(body) as AnswerBody;
  } catch {
    return undefined;
  }
}
