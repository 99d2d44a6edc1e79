/**
 * What is reported about failed requests to a stream. Failures that do not pass by themselves are
 * told once a stream or topic, until it takes something again; they are counted each time.
 */
export interface ToldFailure {
  readonly code: string;
  readonly message: string;
  readonly fix?: string;
}

export interface FailureNews {
  /**
   * Told of each request that failed, with the client's own error: it may name accounts, users and
   * principals, which outcomes do not. One that does not pass by itself has a `fix`, and is told
   * once until the stream takes something again.
   */
  readonly tell?: (stream: string, failure: ToldFailure, cause: unknown) => void;
  /** Called for each request that failed of what does not pass by itself. */
  readonly failedForGood?: () => void;
}

export class ToldFailures {
  readonly #news: FailureNews;
  readonly #codes = new Map<string, string>();

  constructor(news: FailureNews) {
    this.#news = news;
  }

  tell(
    stream: string,
    physical: string,
    { code, message }: ToldFailure,
    fix: string | undefined,
    cause: unknown,
  ): void {
    if (fix === undefined) return this.#news.tell?.(stream, { code, message }, cause);
    this.#news.failedForGood?.();
    if (this.#codes.get(physical) === code) return;
    this.#codes.set(physical, code);
    this.#news.tell?.(stream, { code, message, fix }, cause);
  }

  worked(physical: string): void {
    this.#codes.delete(physical);
  }
}
