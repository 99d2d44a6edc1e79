/**
 * What the writer knows of its topics, asked once and then again.
 *
 * Invariants:
 * 1. A topic is asked about once at a time, whoever wants to know.
 * 2. What is older than `kafkaDescriptionMaxAgeMs` is asked again beside the writes, which do not
 *    wait for it.
 * 3. What an error calls stale is no longer used, nor what has another number of partitions than the
 *    producer's metadata, once for each such number: of the two that may lag, either may be right.
 */
import type { Clock } from '../../../schemas/kernel/clock.ts';
import { deriveKafkaFailure } from './kafka-failure.ts';

/**
 * How old what is known of the limits of a topic may get. After an error that says so they are
 * asked for at once.
 */
export const kafkaDescriptionMaxAgeMs = 300_000;

interface Description {
  readonly partitions: number;
}

export interface TopicDescriptions<T> {
  /** Rejects with kafkajs' error. */
  of(topic: string): Promise<T>;
  /** It is asked for when it is wanted next. */
  forget(topic: string): void;
  /** The producer's metadata has so many partitions. */
  saw(topic: string, partitions: number): void;
}

interface Known<T> {
  readonly found: T;
  /** Monotonic. */
  askedAtMs: number;
}

export function createTopicDescriptions<T extends Description>(
  ask: (topic: string) => Promise<T>,
  clock: Clock,
): TopicDescriptions<T> {
  const known = new Map<string, Known<T>>();
  const seen = new Map<string, number>();
  const asking = new Map<string, Promise<T>>();

  const askOnce = (topic: string): Promise<T> => {
    const before = asking.get(topic);
    if (before !== undefined) return before;
    const askedAtMs = clock.monotonic();
    const answer = ask(topic)
      .then((found) => {
        // What was forgotten meanwhile may be what this says.
        if (asking.get(topic) === answer) known.set(topic, { found, askedAtMs });
        return found;
      })
      .finally(() => {
        if (asking.get(topic) === answer) asking.delete(topic);
      });
    asking.set(topic, answer);
    return answer;
  };

  const refresh = async (topic: string): Promise<void> => {
    try {
      await askOnce(topic);
    } catch (thrown) {
      if (deriveKafkaFailure(thrown) === 'topic-missing') known.delete(topic);
    }
  };

  const forget = (topic: string): void => {
    known.delete(topic);
    asking.delete(topic);
  };

  return {
    forget,
    saw(topic, partitions) {
      if (seen.get(topic) === partitions) return;
      seen.set(topic, partitions);
      if (known.get(topic)?.found.partitions !== partitions) forget(topic);
    },
    of(topic) {
      const entry = known.get(topic);
      if (entry === undefined) return askOnce(topic);
      const nowMs = clock.monotonic();
      if (nowMs - entry.askedAtMs >= kafkaDescriptionMaxAgeMs) {
        entry.askedAtMs = nowMs;
        void refresh(topic);
      }
      return Promise.resolve(entry.found);
    },
  };
}
