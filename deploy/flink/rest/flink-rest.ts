/**
 * Asks the REST API of a Flink cluster, as of 1.20 and 2.x
 * (https://nightlies.apache.org/flink/flink-docs-release-1.20/docs/ops/rest_api/).
 *
 * Invariants:
 * 1. No error tells what is sent for authorization. Redirects are not followed, so that it reaches
 *    no other host.
 * 2. Every call ends: within `requestMaxMs`, or the longer time of what it does. An answer is read
 *    up to `answerMaxBytes`.
 */
import { mebi } from '../../../schemas/kernel/bytes.ts';
import type { Clock } from '../../../schemas/kernel/clock.ts';
import { messageOf, SluiceError, systemCodeOf } from '../../../schemas/kernel/errors.ts';
import { flinkCause } from './flink-cause.ts';

const requestMaxMs = 30_000;
/** 53 MB were uploaded in 1.6 s on loopback; a slow line takes longer. */
const uploadMaxMs = 600_000;
/** The cluster runs the job's `main` before it answers. */
const runMaxMs = 120_000;
/** Details of a job with thousands of tasks. */
const answerMaxBytes = 32 * mebi;

export interface FlinkAddress {
  /** Of the JobManager, such as `http://127.0.0.1:8081`. */
  readonly url: URL;
  /** The header `Authorization`, as a whole. */
  readonly authorization: string | undefined;
  readonly clock: Clock;
}

export interface JarRun {
  readonly programArgsList: readonly string[];
  readonly parallelism?: number;
  readonly savepointPath?: string;
  readonly allowNonRestoredState?: boolean;
}

/** All methods throw `SluiceError` `flink-unreachable`, `flink-refused`. */
export class FlinkRest {
  readonly #address: FlinkAddress;

  constructor(address: FlinkAddress) {
    this.#address = address;
  }

  /** For people. */
  get shown(): string {
    return this.#address.url.origin;
  }

  get(path: string): Promise<unknown> {
    return this.#ask(path, {}, requestMaxMs);
  }

  post(path: string, body: object): Promise<unknown> {
    return this.#ask(path, withBody('POST', body), requestMaxMs);
  }

  /** Asks a job to end at once; the answer has no body. */
  async cancel(job: string): Promise<void> {
    await this.#ask(`/jobs/${job}?mode=cancel`, { method: 'PATCH' }, requestMaxMs);
  }

  /** The id that the cluster gives it: `<uuid>_<name>`. */
  async upload(name: string, jar: Uint8Array<ArrayBuffer>): Promise<string> {
    const form = new FormData();
    form.append('jarfile', new Blob([jar], { type: 'application/x-java-archive' }), name);
    const answer = await this.#ask('/jars/upload', { method: 'POST', body: form }, uploadMaxMs);
    const { filename } = answer as { readonly filename?: unknown };
    if (typeof filename !== 'string') throw this.#odd('/jars/upload', answer);
    return filename.slice(filename.lastIndexOf('/') + 1);
  }

  /** The id of the job. */
  async run(jar: string, run: JarRun): Promise<string> {
    const path = `/jars/${encodeURIComponent(jar)}/run`;
    const answer = await this.#ask(path, withBody('POST', run), runMaxMs);
    const { jobid } = answer as { readonly jobid?: unknown };
    if (typeof jobid !== 'string') throw this.#odd(path, answer);
    return jobid;
  }

  async #ask(path: string, init: RequestInit, maxMs: number): Promise<unknown> {
    const { status, text } = await this.#exchange(path, init, maxMs);
    if (status >= 200 && status < 300) {
      if (text === '') return {};
      const answer = parsed(text);
      if (typeof answer !== 'object' || answer === null) throw this.#odd(path, text);
      return answer;
    }
    throw this.#refusal(path, status, text);
  }

  async #exchange(
    path: string,
    init: RequestInit,
    maxMs: number,
  ): Promise<{ readonly status: number; readonly text: string }> {
    const { url, authorization, clock } = this.#address;
    const over = new AbortController();
    const timer = clock.setTimer(maxMs, () => over.abort());
    try {
      const response = await fetch(below(url, path), {
        ...init,
        headers: {
          accept: 'application/json',
          ...(init.headers as Readonly<Record<string, string>> | undefined),
          ...(authorization === undefined ? {} : { authorization }),
        },
        redirect: 'manual',
        signal: over.signal,
      });
      return { status: response.status, text: await boundedText(response) };
    } catch (cause) {
      if (cause instanceof SluiceError) throw cause;
      const why = over.signal.aborted
        ? `no answer within ${maxMs / 1_000} s`
        : (reasonOf(cause) ?? 'no complete answer');
      throw new SluiceError('flink-unreachable', `no Flink answers at ${this.shown}: ${why}`, {
        retryable: true,
        fix: 'start the cluster, or pass the address of its JobManager with --url',
      });
    } finally {
      timer.cancel();
    }
  }

  #refusal(path: string, status: number, text: string): SluiceError {
    const where = `Flink at ${this.shown}`;
    if (status === 401 || status === 403)
      return new SluiceError('flink-refused', `${where} wants other credentials (${status})`, {
        fix: 'name the variable of the environment that has the header with --authorization-from',
      });
    if (status >= 300 && status < 400)
      return new SluiceError('flink-refused', `${where} redirects to elsewhere (${status})`, {
        fix: 'pass the address that it redirects to with --url',
      });
    const { errors } = (parsed(text) ?? {}) as { readonly errors?: unknown };
    const said = Array.isArray(errors) ? errors.map(String).join('\n') : text;
    const cause = flinkCause(said);
    const shownPath = path.split('?')[0];
    const message = `${where} refused ${shownPath} (${status})${cause === '' ? '' : `: ${cause}`}`;
    return new SluiceError('flink-refused', message, { retryable: status >= 500 });
  }

  #odd(path: string, answer: unknown): SluiceError {
    const text = typeof answer === 'string' ? answer : JSON.stringify(answer);
    return new SluiceError(
      'flink-refused',
      `${this.shown} does not answer ${path} as Flink does: ${text.slice(0, 200)}`,
      { fix: 'pass the address of a JobManager of Flink 1.20 or newer with --url' },
    );
  }
}

function withBody(method: string, body: object): RequestInit {
  return {
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  };
}

/**
 * Of a cluster, maybe behind a path of a proxy. The address is copied, not read again: a path that
 * begins with two slashes would become the host, which the header is then sent to.
 */
function below(address: URL, path: string): URL {
  const url = new URL(address);
  const [pathname = '', search = ''] = path.split('?');
  url.pathname = `${address.pathname.replace(/^\/+/, '/').replace(/\/+$/, '')}${pathname}`;
  url.search = search;
  url.hash = '';
  return url;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

async function boundedText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let [text, bytes] = ['', 0];
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > answerMaxBytes)
      throw new SluiceError('flink-refused', `an answer of Flink is over ${answerMaxBytes} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/** What `fetch` has as a cause; its own message says nothing. */
function reasonOf(thrown: unknown): string | undefined {
  const cause = thrown instanceof Error ? (thrown.cause ?? thrown) : thrown;
  const code = systemCodeOf(cause);
  return code === undefined ? messageOf(cause) : `${code}`;
}
