/**
 * A topic that is asked, over connections that are made again when they are to blame for a failure.
 *
 * Invariants:
 * 1. What fails because of connections, leaders or principals is tried over new ones next time.
 *    While that fails, they are made less and less often, and until then the failure is given
 *    again.
 * 2. A permanent fault is reported once, and again after an answer.
 */
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import type { KafkaConnection } from './kafka-connection.ts';
import { paceOf } from './kafka-connection.ts';
import type { KafkaFailure } from './kafka-failure.ts';
import { deriveKafkaFailure, isPermanent } from './kafka-failure.ts';
import type { KafkaFetcher } from './kafka-fetcher.ts';
import { createKafkaFetcher } from './kafka-fetcher.ts';
import { readerError } from './reader-errors.ts';

export type AskedNews = 'reconnected' | 'permanent-failure';

/**
 * Failures that are answers: the connections are not to blame, and whoever lists the splits has the
 * metadata asked again.
 */
const answered: ReadonlySet<KafkaFailure> = new Set([
  'out-of-range',
  'partition-missing',
  'topic-replaced',
  'codec-refused',
]);

/** Failures of one broker, or of what is known of one: the fetcher itself sees to that. */
const ofOneBroker: ReadonlySet<KafkaFailure> = new Set(['stale', 'not-connected', 'unclear']);

export class AskedTopic {
  /** The topic, in errors. */
  readonly name: string;
  readonly #connection: KafkaConnection;
  readonly #topic: string;
  readonly #tell: (news: AskedNews) => void;
  readonly #pace;
  #fetcher: Promise<KafkaFetcher> | undefined;
  #connects = 0;
  #closed = false;
  /** The error that had the connections made again, and what of it was told already. */
  #lastError: SluiceError | undefined;
  #toldOf: KafkaFailure | undefined;

  constructor(connection: KafkaConnection, topic: string, tell: (news: AskedNews) => void) {
    this.name = `Kafka topic '${topic}'`;
    this.#connection = connection;
    this.#topic = topic;
    this.#tell = tell;
    this.#pace = paceOf(connection);
  }

  /** Rejects with what `readerError` says of the failure; `position` is what is asked for. */
  async ask<T>(what: (using: KafkaFetcher) => Promise<T>, position?: string): Promise<T> {
    const using = this.#connected();
    let asked: KafkaFetcher | undefined;
    try {
      asked = await using;
      const found = await what(asked);
      this.#pace.worked(this.name);
      this.#toldOf = undefined;
      return found;
    } catch (thrown) {
      const failure = deriveKafkaFailure(thrown);
      const error = readerError(this.name, failure, thrown, position);
      if (isPermanent(failure) && this.#toldOf !== failure) {
        this.#toldOf = failure;
        this.#tell('permanent-failure');
      }
      const isKept = ofOneBroker.has(failure) && asked?.isConnected() === true;
      if (!answered.has(failure) && !isKept && this.#fetcher === using) {
        this.#fetcher = undefined;
        this.#lastError = error;
        this.#pace.failed(this.name);
        void using.then((old) => old.close()).catch(() => undefined);
      }
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    const old = this.#fetcher;
    this.#fetcher = undefined;
    await old?.then((using) => using.close()).catch(() => undefined);
  }

  #connected(): Promise<KafkaFetcher> {
    // A connection that nobody ends would keep its thread alive.
    if (this.#closed)
      throw new SluiceError('reader-closed', `${this.name}: its reader is closed`, {
        retryable: true,
      });
    if (this.#fetcher === undefined) {
      if (this.#lastError !== undefined && this.#pace.waitMs(this.name) > 0) throw this.#lastError;
      if (this.#connects++ > 0) this.#tell('reconnected');
      this.#fetcher = createKafkaFetcher(this.#connection, this.#topic);
    }
    return this.#fetcher;
  }
}
