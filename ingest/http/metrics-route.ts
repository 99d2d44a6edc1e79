/**
 * `GET /metrics`: Prometheus text. It names the streams of every team, so where there are keys it is told on this machine, and elsewhere to a
 * key of all teams only.
 */
import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import { answerRefusal } from '../protocol/answer.ts';
import type { Refusal } from '../protocol/refusal.ts';
import { isRefusal } from '../protocol/refusal.ts';
import type { Gate } from './gate.ts';
import { identify } from './gate.ts';
import { fromHere } from './local-routes.ts';
import type { PlainAnswer } from './plain-answer.ts';
import { serve } from './plain-answer.ts';
import type { AddressRule } from './request.ts';
import { readHead } from './request.ts';

const notForThisKey: Refusal = {
  status: 403,
  code: 'metrics-not-allowed',
  message: 'this key is not for the metrics: they tell about every team',
  expected: "a key of '*/*', or a request on this machine",
};

export function onMetrics(gate: Gate, res: HttpResponse, req: HttpRequest, rule: AddressRule, headOnly: boolean): void {
  const isHere = fromHere(res, req);
  const head = readHead(res, req, rule);
  const { metrics } = gate;
  const answer = async (): Promise<PlainAnswer> => {
    const grant = isHere ? undefined : await identify(gate, head);
    const refusal = grant === undefined ? undefined : isRefusal(grant) ? grant : grant.isForAll ? undefined : notForThisKey;
    if (refusal !== undefined) return { status: refusal.status, contentType: 'application/json', body: answerRefusal(refusal).body };
    return { status: 200, contentType: metrics.contentType, body: await metrics.text() };
  };
  serve(res, answer, headOnly);
}
