/**
 * The one entrance for the events of every protocol: it counts them, records warnings, recognizes
 * repeats, and delivers.
 *
 * Invariants:
 * 1. Conservation: each event is counted once, as accepted, repeated or refused, when it is
 *    settled.
 * 2. An identity is (team, app, source, id): a repeat is answered only to senders of the stream
 *    that the first was sent to. The same identity with other content is a conflict.
 */
import type { StreamConfig } from '../schemas/config.ts';
import type { EventAttributes } from '../schemas/event.ts';
import type { Clock } from '../schemas/kernel/clock.ts';
import type { DataCheck } from './data-check.ts';
import type { Delivered } from './delivery/delivered.ts';
import type { FingerprintOf } from './delivery/fingerprint.ts';
import type { Repeats, RepeatsState } from './delivery/repeats.ts';
import { createRepeats } from './delivery/repeats.ts';
import type { StreamRouteState } from './delivery/route-delivery.ts';
import type { StreamDelivery } from './delivery/stream-delivery.ts';
import type { EventResult } from './event/answer.ts';
import { resultOf } from './event/answer.ts';
import type { AcceptedEvent } from './event/given.ts';
import type { Refusal } from './event/refusal.ts';
import { isRefusal } from './event/refusal.ts';
import type { IngressMetrics } from './telemetry/metrics.ts';
import type { Warnings } from './telemetry/warnings.ts';

export interface BoundStream {
  readonly config: StreamConfig;
  readonly delivery: StreamDelivery;
  /** Where its data has to fit a schema. */
  readonly check?: DataCheck;
}

/** Who sends what where. */
export interface Sender {
  readonly stream: BoundStream;
  /** The name of the key. */
  readonly keyName: string;
}

export interface IntakeOptions {
  readonly streams: ReadonlyMap<string, BoundStream>;
  readonly repeatWindowMs: number;
  readonly repeatWindowMaxBytes: number;
  readonly fingerprintOf: FingerprintOf;
  readonly clock: Clock;
  readonly metrics: IngressMetrics;
  readonly warnings: Warnings;
}

const noData = Buffer.from('null');

export class Intake {
  readonly #options: IntakeOptions;
  readonly #repeats: Repeats;

  constructor(options: IntakeOptions) {
    const { repeatWindowMs: windowMs, repeatWindowMaxBytes: maxBytes, clock } = options;
    this.#options = options;
    this.#repeats = createRepeats({ windowMs, maxBytes, now: () => clock.monotonic() });
  }

  get streams(): ReadonlyMap<string, BoundStream> {
    return this.#options.streams;
  }

  /**
   * Takes one event that was found in `body`, or why there is none. `settle` is called once; `body`
   * must not change until then.
   */
  take(
    from: Sender,
    event: AcceptedEvent | Refusal,
    body: Buffer,
    settle: (result: EventResult) => void,
  ): void {
    if (isRefusal(event)) {
      this.#count(from, event, body);
      settle(event);
      return;
    }
    const { attributes, data: span, ownId } = event;
    const data = span === undefined ? noData : body.subarray(span.start, span.end);
    const { delivery } = from.stream;
    const misfit = this.#checked(from, event, data);
    if (misfit !== undefined) return settle(misfit);
    const finish = (delivered: Delivered, repeated: boolean): void => {
      const result = resultOf(attributes.id, delivered, repeated);
      this.#count(from, result, data);
      settle(result);
    };
    // An id that was made here never comes again.
    if (!ownId) return delivery.deliver(attributes, data, (delivered) => finish(delivered, false));
    const fingerprint = this.#options.fingerprintOf(event, data, span?.start ?? 0);
    if (!this.#repeats.meet(fingerprint, finish)) return;
    delivery.deliver(attributes, data, (delivered) => {
      finish(delivered, false);
      this.#repeats.settled(from.keyName, fingerprint, delivered);
    });
  }

  /** An event of Sluice's own: not counted, not remembered. */
  emit(stream: string, attributes: EventAttributes, data: Uint8Array): Promise<Delivered> {
    const bound = this.streams.get(stream);
    return new Promise((resolve, reject) => {
      if (bound === undefined) reject(new Error(`there is no stream '${stream}'`));
      else bound.delivery.deliver(attributes, data, resolve);
    });
  }

  /** Bytes of events that were answered from memory and are on their way. */
  get bufferedBytes(): number {
    let bytes = 0;
    for (const { delivery } of this.streams.values()) bytes += delivery.bufferedBytes;
    return bytes;
  }

  get remembered(): RepeatsState {
    return this.#repeats.state;
  }

  states(): readonly StreamRouteState[] {
    return [...this.streams].flatMap(([stream, { delivery }]) =>
      delivery.states().map((state) => ({ ...state, stream })),
    );
  }

  async close(): Promise<void> {
    await Promise.all([...this.streams.values()].map(({ delivery }) => delivery.close()));
  }

  /** Why an event is refused that does not fit the schema of its stream. */
  #checked(from: Sender, event: AcceptedEvent, data: Buffer): Refusal | undefined {
    const { check } = from.stream;
    const misfit = check?.misfit(event, data);
    if (misfit === undefined) return undefined;
    if (check?.mode === 'reject') {
      this.#count(from, misfit, data);
      return misfit;
    }
    this.#warn(from, misfit, data);
    return undefined;
  }

  #count(from: Sender, result: EventResult, sample: Uint8Array | undefined): void {
    const { metrics, warnings, clock } = this.#options;
    const { name } = from.stream.config;
    if (isRefusal(result)) {
      metrics.refused(name, result.code);
      warnings.note(name, from.keyName, result, sample, clock.now());
    } else
      metrics.accepted(
        name,
        result.repeated === true ? 'repeated' : result.ack,
        result.route,
        sample?.length ?? 0,
      );
  }

  /** Of an event that is taken all the same. */
  #warn(from: Sender, misfit: Refusal, data: Uint8Array): void {
    const { metrics, warnings, clock } = this.#options;
    const { name } = from.stream.config;
    metrics.warned(name);
    warnings.note(
      name,
      from.keyName,
      { ...misfit, status: 200, code: 'schema-warning' },
      data,
      clock.now(),
    );
  }
}
