/**
 * What happens to the table of the drill, a step a checkpoint: known from the number of the step
 * alone, so that whatever is killed, anyone can tell what the table has after it.
 */
import { seededRandom } from '../../../schemas/kernel/random.ts';
import type { Manifest } from '../../../topology/checkpoint/manifest.ts';
import type { Plan } from '../../../topology/plan/plan.ts';
import { never } from '../../../topology/state/entries.ts';

export type Row = readonly [time: number, value: string];

export interface Rows {
  put(key: string, row: Row): void;
  remove(key: string): void;
}

export const topology = 'drill';

/** What nodes there are is asked of manifests of before version 4 only. */
export const noPlan = { nodes: [] } as unknown as Plan;

export const stepOf = ({ operators }: Manifest): number =>
  (operators['node'] as { readonly step: number }).step;

const keys = 20_000;
const changes = 1_500;
/** Rows that die do so within so many steps. */
const longest = 40;
/** Time that passes with a step. */
const stepTime = 10;

export const deadThroughOf = (step: number): number => step * stepTime;

/** What comes and goes in a step. */
export function play(step: number, rows: Rows): void {
  const random = seededRandom(step);
  for (let n = 0; n < changes; n++) {
    const key = `["user ${Math.floor(random.next() * keys)}","page"]`;
    const chance = random.next();
    if (chance < 0.2) {
      rows.remove(key);
      continue;
    }
    const time = chance < 0.6 ? never : (step + random.next() * longest) * stepTime;
    rows.put(key, [time, `{"step":${step},"n":${n},"text":"${'x'.repeat(n % 100)}"}`]);
  }
}

/** The rows after a step. */
export class Played implements Rows {
  readonly #rows: Map<string, Row>;
  #step: number;

  constructor(before?: Played) {
    this.#rows = new Map(before === undefined ? [] : before.#rows);
    this.#step = before === undefined ? 0 : before.#step;
  }

  put(key: string, row: Row): void {
    this.#rows.set(key, row);
  }

  remove(key: string): void {
    this.#rows.delete(key);
  }

  /** Goes on to a step that is not before the last one. */
  to(step: number): void {
    while (this.#step < step) play(++this.#step, this);
  }

  get live(): ReadonlyMap<string, Row> {
    return new Map([...this.#rows].filter(([, [time]]) => time > deadThroughOf(this.#step)));
  }
}
