/**
 * `GET /v1/{team}/{app}/warnings`: what was refused lately of what the asking key sent to the
 * stream, and why.
 */
import type { HttpResponse } from 'uWebSockets.js';
import { limits } from '../../../schemas/limits.ts';
import { headFaults, jsonOf, refusals, streamParameters } from '../../documents/parts.ts';
import { isRefusal } from '../../event/refusal.ts';
import type { PostContext } from '../../http/body.ts';
import { Exchange } from '../../http/exchange.ts';
import { admit, identify, refuseEarly } from '../../http/gate.ts';
import type { IncomingRequest } from '../../http/request.ts';
import { streamNameOf } from '../../http/request.ts';
import { warningsBody } from '../../telemetry/warnings.ts';
import type { EndpointProtocol } from '../protocol.ts';

function onWarnings(
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

export const warnings = {
  kind: 'endpoint',
  name: 'warnings',
  summary: 'What was refused lately of what a key sent, and why.',
  match: [{ path: '/v1/:team/:app/warnings', carriesEvents: false }],
  answer: warningsBody,
  serve: (context) => ({
    get: (res, req, head) => onWarnings(context, res, head, streamNameOf(req)),
  }),
  limits: { warningsPerSenderMax: limits.warningsPerSenderMax, warningsMax: limits.warningsMax },
  conformance: ['paths.yaml', 'protocols.yaml'],
  documentation: {
    paths: {
      '/v1/{team}/{app}/warnings': {
        parameters: streamParameters,
        get: {
          operationId: 'warnings',
          summary: 'What was refused lately, or taken with a warning (status 200), and why',
          responses: {
            '200': { description: 'Latest first', content: jsonOf('Warnings') },
            ...refusals(...headFaults, '401', '403', '404', '429', '503'),
          },
        },
      },
    },
    schemas: {
      Warnings: {
        type: 'object',
        required: ['stream', 'warnings'],
        properties: {
          stream: { type: 'string' },
          warnings: {
            type: 'array',
            maxItems: limits.warningsPerSenderMax,
            items: {
              type: 'object',
              required: ['code', 'status', 'message', 'count', 'first', 'last'],
              properties: {
                code: { type: 'string' },
                status: { type: 'integer' },
                message: { type: 'string' },
                expected: { type: 'string' },
                pointer: { type: 'string' },
                count: { type: 'integer', minimum: 1 },
                first: { type: 'string', format: 'date-time' },
                last: { type: 'string', format: 'date-time' },
                sample: { type: 'string', description: 'The beginning of one that this key sent' },
              },
            },
          },
        },
      },
    },
  },
} satisfies EndpointProtocol;
