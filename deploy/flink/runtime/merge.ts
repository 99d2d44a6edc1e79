/**
 * The watermarks of an operator's inputs as one, by the engine's own rules
 * (topology/time/merge.ts). Gives lines as a segment does: `W<time>`, `I`, `A`.
 */

import type { MergeRule, MergeSnapshot } from '../../../topology/time/merge.ts';
import { WatermarkMerge } from '../../../topology/time/merge.ts';
import type { EncodedTime, TimeSignal } from '../../../topology/time/watermark.ts';
import { decodeTime, encodeTime } from '../../../topology/time/watermark.ts';
import { saidText } from './wire.ts';

export class InputMerge {
  readonly #merge: WatermarkMerge;

  constructor(inputs: number, rule: MergeRule) {
    this.#merge = new WatermarkMerge(inputs, rule);
  }

  /** `at`: a number or `max`. The end of time is that of the input. */
  advance(input: number, at: EncodedTime): string {
    if (at === 'max') return textOf(this.#merge.end(input));
    return textOf(this.#merge.advance(input, decodeTime(at)));
  }

  idle(input: number): string {
    return textOf(this.#merge.idle(input));
  }

  active(input: number): string {
    return textOf(this.#merge.active(input));
  }

  /** What it said last of time, for what is behind it after a restore. */
  said(): string {
    const { emitted, idle } = this.#merge.snapshot();
    return saidText(decodeTime(emitted), idle);
  }

  snapshot(): string {
    return JSON.stringify(this.#merge.snapshot());
  }

  restore(text: string): void {
    this.#merge.restore(JSON.parse(text) as MergeSnapshot);
  }
}

function textOf(signals: readonly TimeSignal[]): string {
  return signals
    .map((signal) => {
      if (signal.kind === 'watermark') return `W${encodeTime(signal.at)}\n`;
      return signal.kind === 'idle' ? 'I\n' : 'A\n';
    })
    .join('');
}
