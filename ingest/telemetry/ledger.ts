/**
 * The ledger: what the ingress received, accepted and refused in each minute, as events on the
 * stream `sluice/ledger` (received = accepted + repeated + refused). The ledger's own events are
 * not in it.
 *
 * Invariant: every count is reported once, whatever the clock does: an entry is the difference
 * between two readings of counters that only grow.
 */
import { ledgerStream } from '../../schemas/config.ts';
import type { EventAttributes } from '../../schemas/event.ts';
import type { Clock, Timer } from '../../schemas/kernel/clock.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import { uuidv7 } from '../../schemas/kernel/random.ts';
import type { Delivered } from '../delivery/delivered.ts';
import type { Log } from './log.ts';
import type { EventCounts, IngressCounts } from './metrics.ts';

export interface LedgerEntry extends EventCounts {
  /** RFC 3339: what lies between two readings. */
  readonly from: string;
  readonly to: string;
  readonly instance: string;
  /** `team/app`, or `*` for all, with what was refused before its stream was known. */
  readonly stream: string;
  readonly balanced: boolean;
}

export interface LedgerOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly instance: string;
  readonly log: Log;
  readonly counts: () => IngressCounts;
  readonly intake: {
    emit(stream: string, attributes: EventAttributes, data: Uint8Array): Promise<Delivered>;
  };
}

export interface Ledger {
  /** Writes the last entries. */
  stop(): Promise<void>;
}

const minuteMs = 60_000;
const ledgerType = 'sluice.ledger.minute';

export function startLedger(options: LedgerOptions): Ledger {
  const { clock, counts } = options;
  let before = counts();
  let fromMs = clock.now();
  let timer: Timer;

  const write = async (): Promise<void> => {
    const after = counts();
    const toMs = clock.now();
    const entries = deriveLedger(before, after, fromMs, toMs, options.instance);
    before = after;
    fromMs = toMs;
    await Promise.all(entries.map((entry) => emit(options, entry, toMs)));
  };
  const plan = (): void => {
    timer = clock.setTimer(minuteMs - (clock.now() % minuteMs), () => {
      plan();
      void write();
    });
  };
  plan();
  return {
    async stop() {
      timer.cancel();
      await write();
    },
  };
}

/**
 * The entries of one interval: one for each stream that something happened on, and one for all.
 * None when nothing did.
 */
export function deriveLedger(
  before: IngressCounts,
  after: IngressCounts,
  fromMs: number,
  toMs: number,
  instance: string,
): readonly LedgerEntry[] {
  const entry = (
    stream: string,
    earlier: EventCounts | undefined,
    later: EventCounts,
  ): LedgerEntry => {
    const counts = minus(later, earlier);
    const refused = Object.values(counts.refused).reduce((sum, count) => sum + count, 0);
    const balanced =
      counts.received ===
      counts.accepted.kinesis + counts.accepted.kafka + counts.repeated + refused;
    return {
      from: new Date(fromMs).toISOString(),
      to: new Date(toMs).toISOString(),
      instance,
      stream,
      ...counts,
      balanced,
    };
  };
  const streams = Object.entries(after.byStream).map(([stream, counts]) =>
    entry(stream, before.byStream[stream], counts),
  );
  return [entry('*', before, after), ...streams].filter(({ received }) => received > 0);
}

function minus(later: EventCounts, earlier: EventCounts | undefined): EventCounts {
  const refused = Object.entries(later.refused).map(
    ([code, count]) => [code, count - (earlier?.refused[code] ?? 0)] as const,
  );
  return {
    received: later.received - (earlier?.received ?? 0),
    accepted: {
      kinesis: later.accepted.kinesis - (earlier?.accepted.kinesis ?? 0),
      kafka: later.accepted.kafka - (earlier?.accepted.kafka ?? 0),
    },
    spooled: later.spooled - (earlier?.spooled ?? 0),
    buffered: later.buffered - (earlier?.buffered ?? 0),
    repeated: later.repeated - (earlier?.repeated ?? 0),
    refused: Object.fromEntries(refused.filter(([, count]) => count > 0)),
  };
}

async function emit(
  { intake, random, log }: LedgerOptions,
  entry: LedgerEntry,
  nowMs: number,
): Promise<void> {
  const id = uuidv7(nowMs, random);
  const { team, app, name } = ledgerStream;
  const attributes: EventAttributes = {
    id,
    source: `/${name}/${entry.instance}`,
    type: ledgerType,
    subject: entry.stream,
    time: entry.to,
    datacontenttype: 'application/json',
    team,
    app,
    partitionkey: entry.stream,
    receivedtime: new Date(nowMs).toISOString(),
  };
  const delivered = await intake.emit(name, attributes, Buffer.from(JSON.stringify(entry)));
  // The log has what the stream could not take.
  if (delivered.kind === 'not-delivered')
    log.warn({ entry, code: delivered.refusal.code }, 'a ledger entry was not written');
}
