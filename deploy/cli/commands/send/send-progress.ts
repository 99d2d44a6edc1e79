/**
 * Progress of `send`: a bar with rate and time left on a terminal, a line now and then elsewhere,
 * nothing for programs.
 */
import { SingleBar } from 'cli-progress';
import type { Clock } from '../../../../schemas/kernel/clock.ts';
import type { Output } from '../../output.ts';
import { mebibytes } from './send-totals.ts';

export interface SendProgress {
  /** `events` so far, and bytes of the file that were read. */
  update(events: number, bytes: number): void;
  stop(events: number, bytes: number): void;
}

const lineEveryMs = 5_000;

export function sendProgress(totalBytes: number, output: Output, clock: Clock): SendProgress {
  const startedMs = clock.monotonic();
  const rateOf = (events: number): number =>
    Math.round(events / Math.max((clock.monotonic() - startedMs) / 1_000, 0.001));
  const leftOf = (bytes: number): string => {
    if (bytes === 0 || totalBytes === 0) return '?';
    // Of a compressed file too: both count what was read of it.
    const seconds = (((clock.monotonic() - startedMs) / 1_000) * (totalBytes - bytes)) / bytes;
    return `${Math.ceil(Math.max(0, seconds))} s`;
  };
  if (output.json) return { update: () => undefined, stop: () => undefined };
  if (process.stderr.isTTY && totalBytes > 0) {
    const bar = new SingleBar({
      format: '{bar} {percentage}% | {read} | {events} events | {rate}/s | {left} left',
      stream: process.stderr,
      hideCursor: true,
    });
    bar.start(totalBytes, 0, { events: 0, rate: 0, left: '?', read: mebibytes(0) });
    const update = (events: number, bytes: number): void =>
      bar.update(bytes, {
        events,
        rate: rateOf(events),
        left: leftOf(bytes),
        read: mebibytes(bytes),
      });
    return {
      update,
      stop(events, bytes) {
        update(events, bytes);
        bar.stop();
      },
    };
  }
  let lastMs = startedMs;
  return {
    update(events, bytes) {
      if (clock.monotonic() - lastMs < lineEveryMs) return;
      lastMs = clock.monotonic();
      const left = totalBytes === 0 ? '' : `, ${leftOf(bytes)} left`;
      output.note(`${events} events, ${mebibytes(bytes)} read, ${rateOf(events)}/s${left}`);
    },
    stop: () => undefined,
  };
}
