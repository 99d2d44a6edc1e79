/**
 * A record writer that answers as a test says, and time that moves only when nothing else does.
 */
import type { ManualClock } from '../../../schemas/kernel/clock.ts';
import type { OutgoingRecord, Route } from '../../../schemas/ports/record.ts';
import type { RecordWriter, WriteOutcome } from '../../../schemas/ports/record-writer.ts';

export interface StreamDouble extends RecordWriter {
  /** What is in the stream, as text, in order. */
  readonly texts: string[];
  /** What each write was asked for. */
  readonly writes: (readonly string[])[];
  /**
   * Decides about each record, by its text and how often it was met; `undefined` takes it. `lost`
   * takes it and says `unknown`.
   */
  decide: (text: string, attempt: number) => WriteOutcome | 'lost' | undefined;
  /** While set, writes wait for it. */
  gate: Promise<void> | undefined;
}

export const down: WriteOutcome = {
  kind: 'refused',
  code: 'stream-unreachable',
  message: 'it is down',
  retryable: true,
};
export const never = {
  kind: 'refused',
  code: 'record-too-large',
  message: 'it is too large',
  retryable: false,
} as const satisfies WriteOutcome;

export const textOf = (record: OutgoingRecord): string => Buffer.concat(record.value).toString();

export function streamDouble(path: Route = 'kafka'): StreamDouble {
  const attempts = new Map<string, number>();
  const double: StreamDouble = {
    route: path,
    texts: [],
    writes: [],
    decide: () => undefined,
    gate: undefined,
    describe: () => Promise.resolve({ recordMaxBytes: 1_000_000, splits: ['s'] }),
    async write(_stream, records) {
      const texts = records.map(textOf);
      double.writes.push(texts);
      await double.gate;
      return texts.map((text) => {
        const attempt = (attempts.get(text) ?? 0) + 1;
        attempts.set(text, attempt);
        const decided = double.decide(text, attempt);
        if (decided !== undefined && decided !== 'lost') return decided;
        double.texts.push(text);
        if (decided === 'lost')
          return { kind: 'unknown', code: 'reply-missing', message: 'the answer was lost' };
        return { kind: 'applied', split: 's', position: String(double.texts.length) };
      });
    },
    close: () => Promise.resolve(),
  };
  return double;
}

/**
 * What is ready in the event loop, and now and then the next timer, until `isMet`; the disk takes
 * its own time.
 */
export async function until(isMet: () => boolean, clock: ManualClock): Promise<void> {
  for (let round = 1; !isMet(); round++) {
    if (round > roundsMax) throw new Error('it never happens');
    await new Promise((resolve) => setImmediate(resolve));
    if (round % roundsPerTimer === 0 && !isMet()) clock.advanceToNext();
  }
}

const roundsPerTimer = 20;
/** Many seconds: a test that fails ends by its own timeout. */
const roundsMax = 20_000_000;
