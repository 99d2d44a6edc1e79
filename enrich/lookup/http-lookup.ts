/**
 * A look-up over HTTP: one GET a key.
 *
 * Invariants:
 * 1. What an answer says is in http-answer.ts; a fault may pass, and is tried again.
 * 2. A `Retry-After` of an answer that is a fault goes with the fault, as ms from the time of the
 *    answer: whoever asks leaves the server alone for so long.
 * 3. A key stays within its place in the address: its text is URL-encoded, and one that an address
 *    cannot carry there (`..`, half a character) has nothing.
 * 4. No fault tells the address or a header: both may carry secrets. Redirects are not followed, so
 *    that headers reach no other host.
 */

import type { HttpLookupConfig } from '../../schemas/config.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { systemClock } from '../../schemas/kernel/clock.ts';
import { messageOf, systemCodeOf } from '../../schemas/kernel/errors.ts';
import type { Key, LookupFunction } from '../../topology/index.ts';
import { answerOf, lookupAnswerMaxBytes, noAnswer } from './http-answer.ts';
import { keyInAddress } from './key-in-address.ts';
import { retryAfter } from './retry-after.ts';

/**
 * Its calls reject with `SluiceError` `lookup-unreachable`, `lookup-refused`,
 * `lookup-answer-invalid`, all retryable.
 */
export function httpLookup(
  name: string,
  { url, headers }: Omit<HttpLookupConfig, 'from'>,
  clock: Pick<Clock, 'now'> = systemClock,
): LookupFunction {
  const addressOf = addresses(url);
  return async (key, { signal }) => {
    const address = addressOf(key);
    if (address === undefined) return undefined;
    let status: number;
    let body: Uint8Array | undefined;
    let retryAfterMs: number | undefined;
    try {
      const response = await fetch(address, {
        headers: { accept: 'application/json', ...headers },
        redirect: 'manual',
        signal,
      });
      status = response.status;
      if (!response.ok) retryAfterMs = retryAfter(response.headers, clock.now());
      // Also read where it is not wanted: a connection is used again only once its answer is read.
      body = await boundedBody(response);
    } catch (thrown) {
      throw noAnswer(name, reasonOf(thrown), retryAfterMs);
    }
    const text = (): string | undefined =>
      body && new TextDecoder('utf-8', { fatal: true }).decode(body);
    return answerOf(name, { status, retryAfterMs, text });
  };
}

const placeholder = '%7Bkey%7D';

/** The address of a key; undefined where there cannot be one. */
function addresses(template: string): (key: Key) => string | undefined {
  const { href } = new URL(template.replaceAll('{key}', placeholder));
  return (key) => {
    const text = keyInAddress(key);
    if (text === undefined) return undefined;
    try {
      const address = href.replaceAll(placeholder, () => text);
      // `.` and `..` are steps in a path, however they are written
      // (https://url.spec.whatwg.org/#double-dot-path-segment).
      return new URL(address).href === address ? address : undefined;
    } catch {
      return undefined;
    }
  };
}

/** Undefined when it is too large; what is left of it is not read. */
async function boundedBody({ body }: Response): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > lookupAnswerMaxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/**
 * The code of what is behind fetch's own message; never a message that could repeat the request.
 */
function reasonOf(thrown: unknown): string {
  const cause = thrown instanceof Error ? thrown.cause : undefined;
  return (
    systemCodeOf(cause) ??
    systemCodeOf(thrown) ??
    (thrown instanceof Error ? thrown.name : messageOf(thrown))
  );
}
