/**
 * A delivery stream of Firehose as the sink uses it: each answer and each failure as what became of
 * the records.
 */
import type { DeliveryOutcome, DeliveryStream } from '../../../schemas/ports/delivery-stream.ts';
import type { FirehoseClientOptions } from './firehose-client.ts';
import { createFirehoseClient } from './firehose-client.ts';
import type { FirehoseOperation, PutOutcome } from './put-outcome.ts';
import { derivePutFault, derivePutReply, firehoseFault } from './put-outcome.ts';

export interface FirehoseStreamOptions extends FirehoseClientOptions {
  readonly deliveryStream: string;
}

/**
 * Its errors: `delivery-stream-missing`, `firehose-refused`, `firehose-failed` (retryable).
 * @example firehoseStream({ deliveryStream: 'sluice-clicks-dev', region: 'eu-central-1', clock })
 */
export function firehoseStream({
  deliveryStream,
  ...client
}: FirehoseStreamOptions): DeliveryStream {
  const api = createFirehoseClient(client);
  const outcomeOf = (
    operation: FirehoseOperation,
    outcome: PutOutcome,
    cause?: unknown,
  ): DeliveryOutcome => {
    if (outcome.kind === 'done') return outcome;
    const isRefused = outcome.kind === 'refused';
    const error = firehoseFault(deliveryStream, operation, outcome.code, isRefused, cause);
    if (outcome.kind === 'refused') return { kind: 'refused', error };
    return { kind: 'again', places: outcome.places, why: outcome.why, error };
  };
  return {
    put: (records) =>
      api.put(deliveryStream, records).then(
        (reply) => outcomeOf('PutRecordBatch', derivePutReply(reply, records.length)),
        (thrown: unknown) =>
          outcomeOf('PutRecordBatch', derivePutFault(thrown, records.length), thrown),
      ),
    describe: () =>
      api.describe(deliveryStream).then(
        () => ({ kind: 'done' }),
        (thrown: unknown) => outcomeOf('DescribeDeliveryStream', derivePutFault(thrown, 0), thrown),
      ),
    close: () => api.close(),
  };
}
