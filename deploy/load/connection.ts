/**
 * What the injector needs of a connection, over HTTP or WebSocket alike: room for requests, and
 * what became of each.
 */

export interface LoadRequest {
  readonly id: string;
  readonly key: string;
  readonly body: string;
}

/** What became of a request. Status 0: no answer. */
export interface LoadAnswer {
  readonly status: number;
  readonly ack: string;
  readonly route: string;
  /** As the server says, in ms; undefined where it does not. */
  readonly networkMs: number | undefined;
  readonly processingMs: number | undefined;
  readonly busMs: number | undefined;
  /** `reset`, `connect`, `timeout`, or a code of the server. */
  readonly error: string;
  readonly unknown: boolean;
}

export interface LoadConnection {
  /** Requests that may be started now. */
  readonly room: number;
  send(request: LoadRequest, done: (answer: LoadAnswer) => void): void;
  close(): void;
}

export type OpenConnection = (ready: () => void) => LoadConnection;

export function noAnswer(error: string): LoadAnswer {
  return {
    status: 0,
    ack: '',
    route: '',
    networkMs: undefined,
    processingMs: undefined,
    busMs: undefined,
    error,
    unknown: true,
  };
}
