/**
 * A WebSocket of the injector: as many events in flight as the server gives credit for.
 */
import { WebSocket } from 'ws';
import type { LoadAnswer, LoadConnection } from './connection.ts';
import { noAnswer } from './connection.ts';
import type { HttpTarget } from './http-connection.ts';

interface Frame {
  readonly hello?: { readonly credit: number; readonly ack: string };
  readonly ref?: string;
  readonly status?: number;
  readonly ack?: string;
  readonly route?: string;
  readonly error?: { readonly code: string; readonly outcome?: string };
}

export function wsConnection(
  { url, stream, apiKey }: HttpTarget,
  ready: () => void,
): LoadConnection {
  const address = `${url.protocol === 'https:' ? 'wss' : 'ws'}://${url.host}/v1/${stream}/ws`;
  const waiting = new Map<string, (answer: LoadAnswer) => void>();
  let credit = 0;
  let closed = false;
  let socket: WebSocket;

  const dial = (): void => {
    const headers = apiKey === undefined ? {} : { Authorization: `Bearer ${apiKey}` };
    const dialed = new WebSocket(address, { perMessageDeflate: false, headers });
    socket = dialed;
    dialed.on('message', (message: Buffer) => {
      const frame = JSON.parse(message.toString()) as Frame;
      if (frame.hello !== undefined) credit = frame.hello.credit;
      else if (frame.ref !== undefined) {
        const done = waiting.get(frame.ref);
        waiting.delete(frame.ref);
        done?.(answerOf(frame));
      }
      ready();
    });
    dialed.once('error', () => undefined);
    dialed.once('close', () => {
      credit = 0;
      const lost = [...waiting.values()];
      waiting.clear();
      for (const done of lost) done(noAnswer('reset'));
      if (!closed) dial();
    });
  };
  dial();
  return {
    get room() {
      return Math.max(0, credit - waiting.size);
    },
    send({ id, key, body }, done) {
      waiting.set(id, done);
      socket.send(
        `{"ref":${JSON.stringify(id)},"id":${JSON.stringify(id)},"partitionkey":${JSON.stringify(key)},"data":${body}}`,
      );
    },
    close() {
      closed = true;
      socket.terminate();
    },
  };
}

function answerOf({ status = 0, ack, route = '', error }: Frame): LoadAnswer {
  return {
    status,
    ack: status < 300 ? (ack ?? 'replicated') : '',
    route,
    networkMs: undefined,
    processingMs: undefined,
    busMs: undefined,
    error: error?.code ?? '',
    unknown: error?.outcome === 'unknown',
  };
}
