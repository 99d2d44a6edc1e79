/**
 * `GET /v1/{team}/{app}/warnings`: what was refused lately of what the asking key sent to the
 * stream, and why.
 */
import type { HttpResponse } from 'uWebSockets.js';
import { isRefusal } from '../protocol/refusal.ts';
import { warningsBody } from '../telemetry/warnings.ts';
import type { PostContext } from './body.ts';
import { Exchange } from './exchange.ts';
import { admit, identify, refuseEarly } from './gate.ts';
import type { IncomingRequest } from './request.ts';

export function onWarnings(
  context: PostContext,
  res: HttpResponse,
  head: IncomingRequest,
  name: string,
): void {
  const exchange = new Exchange(res, head, context, () => undefined);
  const early = refuseEarly(context, exchange);
  if (early !== undefined) return exchange.turnDown(early);
  void Promise.resolve(identify(context, head)).then((grant) => {
    const admitted = admit(context, exchange, grant, name);
    if (isRefusal(admitted)) return exchange.turnDown(admitted);
    // What one key sent wrongly is for it alone, and is another list the next time.
    exchange.extraHeaders += 'Cache-Control: no-store\r\n';
    exchange.answer({
      status: 200,
      body: warningsBody(name, context.warnings.of(name, admitted.grant.name, context.clock.now())),
    });
  });
}
