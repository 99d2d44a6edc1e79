/**
 * What a running job lost: kept in its checkpoints, reported at once, and, if the job continues
 * without help, a row of the rejected table. When retention removed records of a split that still
 * exists, the job waits for a person, whose skip becomes that row.
 */
import type { Clock } from '../../schemas/kernel/clock.ts';
import type { Losses, LossRecord } from '../checkpoint/losses.ts';
import { addLoss, lossText, noLosses } from '../checkpoint/losses.ts';
import type { Reject } from '../operators/operator.ts';
import { originOfPlace } from './enter.ts';
import type { SourceSchedule } from './source-schedule.ts';

export interface LossNews {
  readonly kind: 'records-lost';
  readonly loss: LossRecord;
}

export class JobLosses {
  readonly #clock: Clock;
  readonly #reject: Reject;
  readonly #tell: (news: LossNews) => void;
  #all: Losses;

  constructor(
    clock: Clock,
    reject: Reject,
    restored: Losses | undefined,
    tell: (news: LossNews) => void,
  ) {
    this.#clock = clock;
    this.#reject = reject;
    this.#tell = tell;
    this.#all = restored ?? noLosses;
  }

  /** For the checkpoint, and for status. */
  get all(): Losses {
    return this.#all;
  }

  /** Between two turns; says whether there is something new. */
  look(schedule: SourceSchedule): boolean {
    let any = false;
    for (const loss of schedule.losses()) {
      const all = addLoss(this.#all, loss);
      if (all === undefined) continue;
      const isNew = all.total > this.#all.total;
      this.#all = all;
      any = true;
      if (isNew) this.#tell({ kind: 'records-lost', loss });
      if (loss.kind !== 'trimmed') this.#row(loss);
    }
    return any;
  }

  #row(loss: LossRecord): void {
    const { stream, source, path, split, after, kind } = loss;
    const place = `${kind}-after-${after ?? 'begin'}`;
    const origin = originOfPlace(
      { source: { id: source, stream }, route: path, split },
      place,
      this.#clock.now(),
      Buffer.from(JSON.stringify(loss)),
    );
    this.#reject({
      node: source,
      code: 'records-lost',
      message: lossText(loss),
      pointer: null,
      schema: null,
      value: undefined,
      origin,
    });
  }
}
