/**
 * Sends a history's events, so that none of them can be late unless it is meant to be: where splits
 * fall idle no event is further behind what was sent before it than the bound, in whichever split;
 * where none does, each split has a time of its own. Those that are to be late are behind that, and
 * are known.
 */
import type { EventAttributes } from '../../schemas/event.ts';
import { encodeStructured } from '../../schemas/wire.ts';
import { streamName } from './build.ts';
import type { SentEvent } from './oracle.ts';
import type { Plan, Step } from './plan.ts';
import { keyOfNumber } from './rows.ts';
import type { World, WorldSplit, WorldStream } from './world.ts';
import { mend, worldSplit } from './world.ts';

type Place = { readonly stream: number; readonly split: number };

const hourMs = 3_600_000;

export class Sender {
  readonly #world: World;
  readonly #plan: Plan;
  readonly #startMs: number;
  readonly #times = new Map<WorldSplit | undefined, number>();
  #sent: SentEvent[][] = [];
  #count = 0;

  constructor(world: World, plan: Plan, startMs: number) {
    this.#world = world;
    this.#plan = plan;
    this.#startMs = startMs;
    this.take();
  }

  /** What was sent since it was taken last, by stream. */
  take(): readonly (readonly SentEvent[])[] {
    const sent = this.#sent;
    this.#sent = this.#world.streams.map(() => []);
    return sent;
  }

  #stream({ stream }: Place): WorldStream {
    return this.#world.streams[stream % this.#world.streams.length] as WorldStream;
  }

  split(place: Place): WorldSplit {
    const { splits } = this.#stream(place);
    return splits[place.split % splits.length] as WorldSplit;
  }

  mendAll(): void {
    for (const { splits } of this.#world.streams) for (const split of splits) mend(split);
  }

  /** The split takes no more, and two others go on where it was. */
  reshard(place: Place): void {
    const { splits } = this.#stream(place);
    const parent = this.split(place);
    if (parent.closed || parent.path === 'kafka' || splits.length > 6) return;
    parent.closed = true;
    for (const child of ['a', 'b']) {
      const made = worldSplit(`${parent.id}${child}`, 'kinesis', [parent.id]);
      splits.push(made);
      this.#times.set(made, this.#times.get(parent) ?? this.#startMs);
    }
  }

  send(step: Extract<Step, { do: 'event' }>, nowMs: number): void {
    const open = this.#stream(step).splits.filter(({ closed }) => !closed);
    const split = open[step.split % open.length] as WorldSplit;
    const ownTime = this.#plan.idleAfterMs === 0 ? split : undefined;
    const time = (this.#times.get(ownTime) ?? this.#startMs - 3_000) + step.onMs;
    this.#times.set(ownTime, time);
    const behindMs =
      Math.floor((step.behind * this.#plan.outOfOrdernessMs) / 10) * 10 + step.lateMs;
    const at = step.flaw === 'future' ? nowMs + 1_000 * hourMs : time - behindMs;
    const event: SentEvent = {
      id: `e${++this.#count}`,
      data: { k: keyOfNumber(step.k), n: step.n, at },
      flaw: step.flaw,
      mayBeLate: step.lateMs > 0,
    };
    this.#put(step, split, event, nowMs);
    if (step.twice)
      this.#put(
        step,
        ownTime ?? (open[(step.split + 1) % open.length] as WorldSplit),
        event,
        nowMs,
      );
  }

  #put(place: Place, split: WorldSplit, event: SentEvent, nowMs: number): void {
    const n = place.stream % this.#world.streams.length;
    (this.#sent[n] as SentEvent[]).push(event);
    const value = event.flaw === 'bytes' ? Buffer.from('{"not an event') : recordOf(event, n);
    split.records.push({
      key: event.data.k,
      position: String(split.records.length + 1),
      arrivedAtMs: nowMs,
      value,
    });
  }
}

function recordOf({ id, data, flaw }: SentEvent, stream: number): Uint8Array {
  const [team = '', app = ''] = streamName(stream).split('/');
  const received = '2026-01-01T00:00:00.000Z';
  const attributes: EventAttributes = {
    id,
    source: `/${team}/${app}`,
    type: `${team}.${app}`,
    time: received,
    datacontenttype: 'application/json',
    team: flaw === 'foreign' ? 'other' : team,
    app,
    partitionkey: id,
    receivedtime: received,
  };
  return Buffer.concat(
    encodeStructured(
      attributes,
      Buffer.from(JSON.stringify(flaw === 'schema' ? { ...data, n: 'many' } : data)),
    ),
  );
}
