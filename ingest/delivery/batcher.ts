/**
 * Gathers records of one stream and path into writes. What arrives while the allowed writes are under way waits and leaves together in the
 * next: the batch grows with the load, and a lone event waits for nobody.
 *
 * Invariants:
 * 1. A record is settled only with an outcome of the writer: nothing is acknowledged from memory.
 * 2. Only records that were refused as retryable are written again; an unknown outcome is never repeated here, the client decides.
 * 3. At most `batchesInFlightMax` writes are under way, each within `batchMaxRecords` and `batchMaxBytes`.
 */
import type { BackoffOptions } from '../../schemas/kernel/backoff.ts';
import { backoffMs } from '../../schemas/kernel/backoff.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { sleep } from '../../schemas/kernel/clock.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import { limits } from '../../schemas/limits.ts';
import type { RecordWriter, WriteOutcome } from '../../schemas/ports/record-writer.ts';
import type { RoutedRecord } from './route.ts';

export interface Batcher {
  /** `settle` is called once, with the record's outcome. */
  add(record: RoutedRecord, settle: (outcome: WriteOutcome) => void): void;
  /** Bytes that wait or are under way. */
  readonly pendingBytes: number;
}

interface Waiting {
  readonly routed: RoutedRecord;
  readonly settle: (outcome: WriteOutcome) => void;
}

const retriesMax = 3;
const retryBackoff: BackoffOptions = { baseMs: 20, maxMs: 500 };

export function createBatcher(writer: RecordWriter, stream: string, clock: Clock, random: Random): Batcher {
  let waiting: Waiting[] = [];
  let head = 0;
  let inFlight = 0;
  let pendingBytes = 0;
  let scheduled = false;

  const take = (): readonly Waiting[] => {
    const batch: Waiting[] = [];
    let bytes = 0;
    while (head < waiting.length && batch.length < limits.batchMaxRecords) {
      const next = waiting[head] as Waiting;
      if (batch.length > 0 && bytes + next.routed.bytes > limits.batchMaxBytes) break;
      batch.push(next);
      bytes += next.routed.bytes;
      head++;
    }
    if (head === waiting.length) {
      waiting = [];
      head = 0;
    }
    return batch;
  };

  const send = async (batch: readonly Waiting[]): Promise<void> => {
    let left = batch;
    for (let attempt = 0; left.length > 0; attempt++) {
      const outcomes = await writer.write(
        stream,
        left.map((item) => item.routed.record),
      );
      const again: Waiting[] = [];
      for (const [index, item] of left.entries()) {
        const outcome = outcomes[index] as WriteOutcome;
        if (outcome.kind === 'refused' && outcome.retryable && attempt < retriesMax) again.push(item);
        else {
          pendingBytes -= item.routed.bytes;
          item.settle(outcome);
        }
      }
      left = again;
      if (left.length > 0) await sleep(clock, backoffMs(attempt, retryBackoff, random));
    }
  };

  const pump = (): void => {
    scheduled = false;
    while (inFlight < limits.batchesInFlightMax && head < waiting.length) {
      inFlight++;
      void send(take()).finally(() => {
        inFlight--;
        pump();
      });
    }
  };

  return {
    add(routed, settle) {
      waiting.push({ routed, settle });
      pendingBytes += routed.bytes;
      // The requests of one tick of the event loop go together.
      if (!scheduled && inFlight < limits.batchesInFlightMax) {
        scheduled = true;
        queueMicrotask(pump);
      }
    },
    get pendingBytes() {
      return pendingBytes;
    },
  };
}
