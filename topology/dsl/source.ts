/**
 * What a topology reads.
 */
import type { SluiceEvent } from '../../schemas/event.ts';

/**
 * An event that carries the client's own bytes of `data` as text: numbers beyond 2^53 and white
 * space stay as they were sent.
 */
export interface TextEvent<T = unknown> extends SluiceEvent<T> {
  readonly dataText: string;
}

/** The event type after its data was found to be a `T`. */
export type Validated<E, T> = E extends { readonly dataText: string }
  ? TextEvent<T>
  : SluiceEvent<T>;

export interface StreamDefinition<out E> {
  readonly stream: string;
  readonly dataText: boolean;
  /** Never present; carries the event type. */
  readonly gives?: () => E;
}

/**
 * A stream by its name `team/app`: its Kinesis stream and its Kafka topic, read as one.
 *
 * @example
 * const orders = t.source('orders', stream('shop/orders')).validate('orders-valid', order);
 */
export function stream(
  name: string,
  options: { readonly dataText: true },
): StreamDefinition<TextEvent>;
export function stream(
  name: string,
  options?: { readonly dataText?: false },
): StreamDefinition<SluiceEvent>;
export function stream(
  name: string,
  options: { readonly dataText?: boolean } = {},
): StreamDefinition<SluiceEvent> {
  return { stream: name, dataText: options.dataText ?? false };
}
