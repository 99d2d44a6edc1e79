/**
 * Pages that anybody may get, without a key: to GET their text, to HEAD its length.
 */
import type { Node } from '../../documents/parts.ts';
import { headFaults, refusals } from '../../documents/parts.ts';
import type { Handler } from '../../http/door.ts';
import type { PlainAnswer } from '../../http/plain-answer.ts';
import { serve } from '../../http/plain-answer.ts';

export function plain(status: number, body: string, contentType = 'text/plain'): PlainAnswer {
  return { status, contentType, body };
}

export function servePlain(answer: () => PlainAnswer): { get: Handler; head: Handler } {
  const told = (): Promise<PlainAnswer> => Promise.resolve(answer());
  return {
    get: (res, _req, head) => serve(res, head, told),
    head: (res, _req, head) => serve(res, head, told, true),
  };
}

/** The OpenAPI path item of such a page. */
export function plainItem(
  name: string,
  summary: string,
  type: 'text/plain' | 'application/json',
): Node {
  const content = {
    [type]: { schema: type === 'text/plain' ? { type: 'string' } : { type: 'object' } },
  };
  const notNow = { 'text/plain': { schema: { type: 'string' } } };
  const operation = (id: string, yes: Node, no: Node, refused: Node): Node => ({
    operationId: id,
    summary,
    security: [{}],
    responses: {
      '200': { description: 'Yes', ...yes },
      '503': { description: 'Not now', ...no },
      ...refused,
    },
  });
  const headless = Object.fromEntries(
    headFaults.map((status) => [status, { description: 'Refused' }]),
  );
  return {
    get: operation(name, { content }, { content: notNow }, refusals(...headFaults)),
    head: operation(`${name}-head`, {}, {}, headless),
  };
}
