/**
 * What a request is called in its answer and in the log.
 */

const requestIdPattern = /^[A-Za-z0-9._-]{1,128}$/;

/** The client's own id of a request, where it can be sent back; else a new one. */
export function requestIdOf(given: string, newId: () => string): string {
  return given !== '' && requestIdPattern.test(given) ? given : newId();
}
