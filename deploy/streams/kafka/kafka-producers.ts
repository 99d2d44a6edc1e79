/**
 * The producer that requests go by now, and those before it that are not over yet.
 *
 * Invariants:
 * 1. Credentials of another principal get a new producer; requests that are in flight end on the
 *    old one.
 * 2. A producer that was retired is disconnected once nothing of it is in flight.
 */
import type { KafkaCompression } from '../../../schemas/kafka-compressions.ts';
import type { KafkaConnection } from './kafka-connection.ts';
import type { KafkaProducer } from './kafka-producer.ts';
import { createKafkaProducer } from './kafka-producer.ts';

/** A producer and the principal that it speaks for. */
export interface Client {
  readonly producer: KafkaProducer;
  readonly principal: string | undefined;
  underWay: number;
  spent: boolean;
}

export interface ProducerOptions {
  readonly connection: KafkaConnection;
  readonly compression: KafkaCompression;
  /** Told how many partitions a topic has, as a producer's metadata say. */
  readonly saw: (topic: string, partitions: number) => void;
}

export class KafkaProducers {
  readonly #options: ProducerOptions;
  #client: Promise<Client> | undefined;
  /** What `#client` has become. */
  #active: Client | undefined;

  constructor(options: ProducerOptions) {
    this.#options = options;
  }

  /** The producer to use now. Rejects when there can be none: then nothing was sent. */
  async current(): Promise<Client> {
    const { auth } = this.#options.connection;
    const principal = auth === undefined ? undefined : (await auth.token()).principal;
    const found = this.#client === undefined ? undefined : await this.#client;
    if (found !== undefined && found.principal === principal && !found.spent) return found;
    if (found !== undefined) this.retire(found);
    this.#client ??= this.#connect(principal).then(
      (made) => {
        this.#active = made;
        return made;
      },
      (thrown: unknown) => {
        this.#client = undefined;
        throw thrown;
      },
    );
    return this.#client;
  }

  retire(of: Client): void {
    of.spent = true;
    // A later one may be there already.
    if (this.#active === of) {
      this.#active = undefined;
      this.#client = undefined;
    }
    letGo(of);
  }

  release(of: Client): void {
    of.underWay--;
    letGo(of);
  }

  async close(): Promise<void> {
    const last = await this.#client?.catch(() => undefined);
    await last?.producer.disconnect().catch(() => undefined);
  }

  async #connect(principal: string | undefined): Promise<Client> {
    const { connection, compression, saw } = this.#options;
    const producer = createKafkaProducer(connection, compression, saw);
    try {
      await producer.connect();
    } catch (thrown) {
      await producer.disconnect().catch(() => undefined);
      throw thrown;
    }
    return { producer, principal, underWay: 0, spent: false };
  }
}

function letGo(of: Client): void {
  if (of.spent && of.underWay === 0) void of.producer.disconnect().catch(() => undefined);
}
