/**
 * The Segment tracking API
 * (https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/): its clients
 * need no change but the host. The write key is a key of ours; it names the stream.
 */
import { limits } from '../../../schemas/limits.ts';
import type { EndpointProtocol } from '../protocol.ts';
import { answerSegment } from './answer.ts';
import { documentation } from './documentation.ts';
import { readSegment, segmentCalls } from './read.ts';
import { onSegment } from './serve.ts';
import { onSegmentMetrics, onSegmentSettings } from './settings.ts';

const libraryMetrics = '/v1/m';
const settings = '/v1/projects/:writeKey/settings';
const pathOf = (name: string): string => `/v1/${name}`;
const callOfPath = new Map(
  Object.entries(segmentCalls).map(([name, call]) => [pathOf(name), call]),
);

export const segment = {
  kind: 'endpoint',
  name: 'segment',
  summary: 'The Segment tracking API: its clients need no change but the host.',
  match: [
    ...[...callOfPath.keys()].map((path) => ({ path, carriesEvents: true })),
    { path: libraryMetrics, carriesEvents: false },
    { path: settings, carriesEvents: false },
  ],
  read: readSegment,
  answer: answerSegment,
  serve(context, _door, { path }) {
    const call = callOfPath.get(path);
    if (call !== undefined)
      return { post: (res, _req, head) => onSegment(context, res, head, call) };
    if (path === libraryMetrics)
      return { post: (res, _req, head) => onSegmentMetrics(context, res, head) };
    return {
      get: (res, req, head) => {
        const asked = { host: head.host, forwardedProto: req.getHeader('x-forwarded-proto') };
        onSegmentSettings(context, res, head, req.getParameter(0) ?? '', asked);
      },
    };
  },
  limits: {
    requestEventsMax: limits.requestEventsMax,
    strangerBodyMaxBytes: limits.strangerBodyMaxBytes,
  },
  conformance: ['segment.yaml', 'more-segment.yaml'],
  documentation,
} satisfies EndpointProtocol;
