/**
 * Merges the watermarks of several inputs into one, by either of Flink's two rules. Pure state; an
 * operator feeds it what arrives per input.
 *
 * - `valve` (a union): the minimum over active and aligned inputs. An input that is active again
 *   counts once it has caught up, and the minimum is derived again at that moment. Watermarks of
 *   idle inputs are ignored.
 * - `combined` (the inputs of a join): the minimum over active inputs; active again only with an
 *   advance.
 *
 * Invariants:
 * 1. The output never goes back.
 * 2. Zero inputs emit nothing, never the end of time.
 * 3. An input that has ended counts no more. When all have, the end of time is emitted, once: what
 *    another one still gives never comes after it, also from one that is idle.
 * 4. When the last active input falls idle, the maximum of all is emitted, then idle: the result
 *    does not depend on which one was the last.
 *
 * Source of the rules: org.apache.flink.streaming.runtime.watermarkstatus.StatusWatermarkValve (as
 * of FLINK-40475) and org.apache.flink.api.common.eventtime.{CombinedWatermarkStatus,
 * IndexedCombinedWatermarkStatus} (as of FLINK-38454).
 */
import { present } from '../../schemas/kernel/assert.ts';
import type { EncodedTime, TimeSignal } from './watermark.ts';
import { decodeTime, encodeTime, maxTime, minTime } from './watermark.ts';

export type MergeRule = 'valve' | 'combined';

interface InputTime {
  watermark: number;
  idle: boolean;
  /** Rule `valve`: whether it counts for the minimum. */
  aligned: boolean;
  ended: boolean;
}

export interface MergeSnapshot {
  readonly inputs: readonly (readonly [watermark: EncodedTime, idle: boolean, aligned: boolean])[];
  readonly emitted: EncodedTime;
  readonly idle: boolean;
}

/** An input that has said nothing: it holds the output where it is. */
const unheard: MergeSnapshot['inputs'][number] = ['min', false, true];

export class WatermarkMerge {
  readonly #rule: MergeRule;
  #inputs: InputTime[];
  #emitted = minTime;
  #idle = false;

  constructor(inputs: number, rule: MergeRule) {
    this.#rule = rule;
    this.#inputs = Array.from({ length: inputs }, () => ({
      watermark: minTime,
      idle: false,
      aligned: true,
      ended: false,
    }));
  }

  /** The last watermark that was emitted. */
  get watermark(): number {
    return this.#emitted;
  }

  advance(input: number, at: number): readonly TimeSignal[] {
    const time = present(this.#inputs[input], 'an input of this operator');
    if (this.#rule === 'combined') {
      time.idle = false;
      if (at > time.watermark) time.watermark = at;
      return this.#combine();
    }
    if (this.#idle || time.idle || at <= time.watermark) return [];
    time.watermark = at;
    if (!time.aligned && at >= this.#emitted) time.aligned = true;
    return this.#minimumOfAligned();
  }

  idle(input: number): readonly TimeSignal[] {
    const time = present(this.#inputs[input], 'an input of this operator');
    if (time.idle) return [];
    time.idle = true;
    if (this.#rule === 'combined') return this.#combine();
    time.aligned = false;
    if (this.#inputs.every((other) => other.idle || other.ended)) return this.#flush();
    return time.watermark === this.#emitted ? this.#minimumOfAligned() : [];
  }

  active(input: number): readonly TimeSignal[] {
    const time = present(this.#inputs[input], 'an input of this operator');
    if (!time.idle) return [];
    time.idle = false;
    if (this.#rule === 'combined') return this.#combine();
    if (time.watermark >= this.#emitted) time.aligned = true;
    const woke: TimeSignal[] = this.#idle ? [{ kind: 'active' }] : [];
    this.#idle = false;
    return [...woke, ...this.#minimumOfAligned()];
  }

  /** The input gives nothing more. */
  end(input: number): readonly TimeSignal[] {
    const time = present(this.#inputs[input], 'an input of this operator');
    time.ended = true;
    time.idle = false;
    time.watermark = maxTime;
    if (this.#inputs.every(({ watermark }) => watermark === maxTime))
      return this.#wake(this.#emit(maxTime));
    // Those that are idle are about to end too, and may give what waits for it: nothing is said of
    // time before.
    if (this.#inputs.every((other) => other.idle || other.ended)) return [];
    return this.#rule === 'combined' ? this.#combine() : this.#minimumOfAligned();
  }

  /** All are idle: none moves on, so that what any of them has reached holds. */
  #flush(): readonly TimeSignal[] {
    const open = this.#inputs.filter(({ ended }) => !ended);
    return open.length === 0
      ? []
      : this.#emitThenIdle(Math.max(...open.map(({ watermark }) => watermark)));
  }

  #wake(advance: readonly TimeSignal[]): readonly TimeSignal[] {
    if (!this.#idle || advance.length === 0) return advance;
    this.#idle = false;
    return [{ kind: 'active' }, ...advance];
  }

  /**
   * While idle an advance is said between active and idle: downstream ignores what an idle input
   * says.
   */
  #emitThenIdle(at: number): readonly TimeSignal[] {
    const wasIdle = this.#idle;
    this.#idle = true;
    const advance = this.#emit(at);
    if (!wasIdle) return [...advance, { kind: 'idle' }];
    return advance.length === 0 ? [] : [{ kind: 'active' }, ...advance, { kind: 'idle' }];
  }

  #combine(): readonly TimeSignal[] {
    let minimum = maxTime;
    let active = false;
    for (const time of this.#inputs) {
      if (time.idle || time.ended) continue;
      active = true;
      minimum = Math.min(minimum, time.watermark);
    }
    if (!active) return this.#flush();
    return this.#wake(this.#emit(minimum));
  }

  #minimumOfAligned(): readonly TimeSignal[] {
    let minimum: number | undefined;
    for (const time of this.#inputs) {
      if (time.aligned && !time.ended && (minimum === undefined || time.watermark < minimum))
        minimum = time.watermark;
    }
    return minimum === undefined ? [] : this.#emit(minimum);
  }

  #emit(at: number): readonly TimeSignal[] {
    if (at <= this.#emitted) return [];
    this.#emitted = at;
    return [{ kind: 'watermark', at }];
  }

  snapshot(): MergeSnapshot {
    const inputs = this.#inputs.map(
      (time) => [encodeTime(time.watermark), time.idle, time.aligned] as const,
    );
    return { inputs, emitted: encodeTime(this.#emitted), idle: this.#idle };
  }

  /**
   * Of a merge of other inputs, which a checkpoint before version 3 does not name, only what was
   * emitted is known.
   */
  restore(snapshot: MergeSnapshot): void {
    const isSame = snapshot.inputs.length === this.#inputs.length;
    const inputs = isSame ? snapshot.inputs : this.#inputs.map(() => unheard);
    this.#inputs = inputs.map(([watermark, idle, aligned]) => ({
      watermark: decodeTime(watermark),
      idle,
      aligned,
      ended: false,
    }));
    this.#emitted = decodeTime(snapshot.emitted);
    this.#idle = snapshot.idle;
  }
}

/**
 * The state of a merge whose inputs are other ones now, by name. What comes to it holds the output
 * where it is until it speaks; what is gone holds nothing.
 */
export function withInputs(
  snapshot: MergeSnapshot,
  was: readonly string[],
  is: readonly string[],
): MergeSnapshot {
  const left = was.map((name, index) => ({ name, state: snapshot.inputs[index] }));
  const inputs = is.map((name) => {
    const at = left.findIndex((input) => input.name === name && input.state !== undefined);
    const [found] = at < 0 ? [] : left.splice(at, 1);
    return found?.state ?? unheard;
  });
  return { ...snapshot, inputs };
}
