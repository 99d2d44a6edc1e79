/**
 * What Neo4j and its driver throw, as faults of Sluice: what may pass by itself, and what somebody
 * has to do. Pure. https://neo4j.com/docs/status-codes/current/errors/all-errors/
 */
import type { OperationalCode } from '../../../schemas/kernel/error-codes.ts';
import { messageOf, SluiceError } from '../../../schemas/kernel/errors.ts';

export function codeOf(thrown: unknown): string {
  const code = (thrown as { readonly code?: unknown } | undefined | null)?.code;
  return typeof code === 'string' ? code : '';
}

/**
 * A transaction that waited for locks until its time was over, or was ended there. The driver does
 * not try these again.
 */
const endedPattern =
  /^Neo\.ClientError\.Transaction\.(TransactionTimedOut|TransactionTimedOutClientConfiguration|LockClientStopped|TransactionTerminated)$/;
const busyPattern =
  /^Neo\.TransientError\.(Transaction|Request|General\.(MemoryPool|OutOfMemory|StackOverFlow))/;
const unreachableCodes: ReadonlySet<string> = new Set([
  'ServiceUnavailable',
  'SessionExpired',
  'N/A',
]);
const bookmarkPattern =
  /^Neo\.(TransientError|ClientError)\.Transaction\.(BookmarkTimeout|InvalidBookmark|InvalidBookmarkMixture)$/;

/**
 * Whether a server does not know what a bookmark says was committed: it is another database, or an
 * older copy of it.
 */
export const isOfBookmark = (thrown: unknown): boolean => bookmarkPattern.test(codeOf(thrown));

/**
 * `graph-denied`, `graph-missing`, `graph-unreachable`, `graph-busy`, `graph-write-failed`: all may
 * pass. A `SluiceError` stays what it is. `mayPass`: what the driver says of an error.
 */
export function faultOf(
  thrown: unknown,
  url: string,
  mayPass: (thrown: Error) => boolean,
): SluiceError {
  if (thrown instanceof SluiceError) return thrown;
  const code = codeOf(thrown);
  const fault = (as: OperationalCode, message: string, fix?: string): SluiceError =>
    new SluiceError(as, `Neo4j at ${url} ${message}`, {
      cause: thrown,
      retryable: true,
      ...(fix === undefined ? {} : { fix }),
    });
  const said = messageOf(thrown);
  if (code.startsWith('Neo.ClientError.Security.')) {
    const rights =
      'the user needs to write nodes, edges, properties and names, and to show indexes and to show and make constraints';
    return fault(
      'graph-denied',
      `does not let this user log in or do this: ${said}`,
      `correct neo4j.user and neo4j.password_file; ${rights}`,
    );
  }
  if (code === 'Neo.ClientError.Database.DatabaseNotFound') {
    return fault(
      'graph-missing',
      `has no such database: ${said}`,
      'create it, or correct neo4j.database',
    );
  }
  if (endedPattern.test(code) || busyPattern.test(code)) {
    return fault(
      'graph-busy',
      `is busy, or the data to write is locked: ${said}`,
      'SHOW TRANSACTIONS lists who holds locks for long',
    );
  }
  if (unreachableCodes.has(code) || (thrown instanceof Error && mayPass(thrown))) {
    return fault('graph-unreachable', `does not answer as it should: ${said}`);
  }
  return fault('graph-write-failed', `fails: ${said}`);
}
