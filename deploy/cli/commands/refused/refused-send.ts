/**
 * Sends refused events again, through the ingress as anybody would: it routes them by the limits
 * that there are now. An event keeps its id, source, type, time, subject, partition key and
 * extensions; `receivedtime` is the new one's.
 */
import type { Spool, SpooledRecord } from '../../../../ingest/delivery/spool.ts';
import type { SpoolFolder } from '../../../../ingest/delivery/spool-folders.ts';
import { backoffMs } from '../../../../schemas/kernel/backoff.ts';
import type { Clock } from '../../../../schemas/kernel/clock.ts';
import { sleep } from '../../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../../schemas/kernel/errors.ts';
import type { Random } from '../../../../schemas/kernel/random.ts';
import type { ReadBounds } from '../../../../schemas/ports/record-reader.ts';
import { decodeRecord, encodeStructured } from '../../../../schemas/wire.ts';
import { findInstance } from '../../../host/instance.ts';
import type { EventResult } from '../send/send-answer.ts';
import { decideAnswer, retryAfterMs } from '../send/send-answer.ts';
import { targetOf } from '../send/send-options.ts';
import type { Sender } from '../send/send-request.ts';
import { openSender } from '../send/send-request.ts';

/** How long a command waits for an answer of the ingress. */
const refusedSendMaxMs = 60_000;

export interface ResendOptions {
  readonly folder: SpoolFolder;
  readonly bounds: ReadBounds;
  readonly url: string | undefined;
  readonly key: string | undefined;
  readonly dir: string;
  readonly clock: Clock;
  readonly random: Random;
}

export interface Resent {
  readonly sent: number;
  readonly refused: number;
  /** Why events were refused again, and how many. */
  readonly reasons: ReadonlyMap<string, number>;
}

const defaultUrl = 'http://127.0.0.1:8080';
const batchType = 'application/cloudevents-batch+json';
const backoff = { baseMs: 100, maxMs: 2_000 };

/**
 * What is there when it begins. Throws `SluiceError` `send-refused`, `send-timeout`, `url-invalid`,
 * `spool-failed`; what was settled before is settled.
 */
export async function sendAgain(spool: Spool, options: ResendOptions): Promise<Resent> {
  const { folder, url, key, dir, bounds } = options;
  const target = targetOf(url ?? (await findInstance(dir))?.url ?? defaultUrl, folder.stream);
  const sender = openSender(target, key, 1, batchType);
  const reasons = new Map<string, number>();
  let [sent, refused] = [0, 0];
  try {
    for (let left = spool.records; left > 0; ) {
      const batch = await spool.read({ ...bounds, maxRecords: Math.min(left, bounds.maxRecords) });
      if (batch.length === 0) break;
      left -= batch.length;
      for (const spooled of batch) {
        const result = await settle(spooled, sender, target, options);
        if (result.kind === 'refused') {
          const { code, message } = result.refusal;
          // It stays: first it is behind the others, then its place is free.
          const kept = await spool.append([spooled.record]);
          if (kept.kind !== 'applied')
            throw new SluiceError(
              'spool-failed',
              `a refused event cannot be kept: ${kept.message}`,
              { retryable: true },
            );
          reasons.set(`${code}: ${message}`, (reasons.get(`${code}: ${message}`) ?? 0) + 1);
          refused++;
        } else sent++;
        await spool.drainedTo(spooled.offset);
      }
    }
  } finally {
    sender.close();
  }
  return { sent, refused, reasons };
}

/** Resolves with `sent` or `refused`. */
async function settle(
  spooled: SpooledRecord,
  sender: Sender,
  target: URL,
  { clock, random }: ResendOptions,
): Promise<EventResult> {
  const decoded = decodeSpooled(spooled);
  if ('problem' in decoded)
    return { kind: 'refused', refusal: { code: 'not-an-event', message: decoded.problem } };
  const event = Buffer.concat([
    Buffer.from('['),
    ...encodeStructured(decoded.attributes, decoded.data),
    Buffer.from(']'),
  ]);
  const begunMs = clock.monotonic();
  for (let attempt = 0; ; attempt++) {
    const answer = await sender.post([event]);
    const decision = decideAnswer(answer, 1);
    if (decision.kind === 'stop')
      throw new SluiceError('send-refused', `${target.href} answers ${decision.message}`, {
        fix: decision.fix,
      });
    const [result] = decision.kind === 'events' ? decision.results : [];
    if (result !== undefined && result.kind !== 'again') return result;
    if (clock.monotonic() - begunMs > refusedSendMaxMs) {
      throw new SluiceError(
        'send-timeout',
        `${target.href} has not accepted an event for ${refusedSendMaxMs / 1_000} s`,
        {
          fix: 'start the ingress, or pass another with --url; run the same command to resume',
          retryable: true,
        },
      );
    }
    await sleep(
      clock,
      retryAfterMs(answer.retryAfter, clock.now()) + backoffMs(attempt, backoff, random),
    );
  }
}

export function decodeSpooled({ offset, record }: SpooledRecord): ReturnType<typeof decodeRecord> {
  const value =
    record.value.length === 1 ? (record.value[0] as Uint8Array) : Buffer.concat(record.value);
  const { key, headers } = record;
  return decodeRecord({
    position: String(offset),
    arrivedAtMs: 0,
    key,
    value,
    ...(headers === undefined ? {} : { headers }),
  });
}
