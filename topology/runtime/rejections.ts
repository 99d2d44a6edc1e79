/**
 * From an operator's refusal to a row of the rejected table.
 *
 * Invariants:
 * 1. An element that came in a record is refused under that event's identity, with its original
 *    bytes.
 * 2. An element that the topology made (a window's result, a joined row, a timer's output) is
 *    refused under the topology's own identity: its value as JSON, and an id that is a hash of
 *    operator and of what the element was made of, so that a replay gives the same one and an equal
 *    element another; of its value where that is not known.
 */
import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { bufferOf } from '../../schemas/kernel/buffer-of.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { parseTime } from '../../schemas/kernel/time.ts';
import type { RejectedEvent } from '../../schemas/rejection.ts';
import { firstElement } from '../../schemas/rejection.ts';
import type { ElementBatch, Origin, Provenance } from '../nodes/sink.ts';
import type { Reject, Rejection } from '../operators/operator.ts';
import type { Plan } from '../plan/plan.ts';
import { jsonTextOf } from '../state/json-safe.ts';
import { identityOf } from '../state/origin.ts';

/** Characters of a rejection's message. */
const rejectionMessageMaxChars = 500;

function rejectedEventOf(rejection: Rejection, plan: Plan, nowMs: number): RejectedEvent {
  const reason = {
    topology: plan.name,
    topology_version: plan.version,
    operator: rejection.node,
    code: rejection.code,
    message: rejection.message.slice(0, rejectionMessageMaxChars),
    pointer: rejection.pointer,
    schema: rejection.schema,
  };
  const { origin } = rejection;
  const event =
    origin === undefined || origin.derived !== undefined
      ? derivedEvent(rejection, plan, nowMs)
      : recordedEvent(origin);
  return { ...event, ...reason };
}

type EventPart = Omit<
  RejectedEvent,
  'topology' | 'topology_version' | 'operator' | 'code' | 'message' | 'pointer' | 'schema'
>;

function recordedEvent({
  attributes,
  data,
  stream,
  path,
  split,
  position,
  element,
}: Origin): EventPart {
  const text = isUtf8(data);
  return {
    id: attributes.id,
    source: attributes.source,
    type: attributes.type,
    team: attributes.team,
    app: attributes.app,
    receivedtime: attributes.receivedtime,
    stream,
    path,
    split,
    position,
    element: element ?? firstElement,
    data: bufferOf(data).toString(text ? 'utf8' : 'base64'),
    data_encoding: text ? 'utf8' : 'base64',
  };
}

function derivedEvent(
  { node, value, origin }: Rejection,
  { name, owner }: Plan,
  nowMs: number,
): EventPart {
  const data = value === undefined ? 'null' : jsonTextOf(value);
  const identity = identityOf(origin);
  const told = identity === undefined ? data : JSON.stringify(identity);
  return {
    id: createHash('sha256').update(node).update('\n').update(told).digest('hex').slice(0, 32),
    source: `/${owner.team}/${owner.app}/${name}`,
    type: 'derived',
    team: owner.team,
    app: owner.app,
    receivedtime: new Date(nowMs).toISOString(),
    stream: `${owner.team}/${owner.app}`,
    path: '',
    split: '',
    position: '',
    element: firstElement,
    data,
    data_encoding: 'utf8',
  };
}

/** Collects the rejections of a turn, by column as sinks take them. */
export class Rejections implements ElementBatch {
  readonly values: RejectedEvent[] = [];
  readonly timestamps: number[] = [];
  readonly origins: (Provenance | undefined)[] = [];
  /** By the stage that rejected each. */
  readonly #stages: number[] = [];
  #stage = -1;
  /** Since the job began. */
  total = 0;
  readonly reject: Reject;

  constructor(plan: Plan, clock: Clock) {
    this.reject = (rejection) => {
      const nowMs = clock.now();
      const event = rejectedEventOf(rejection, plan, nowMs);
      const receivedMs = parseTime(event.receivedtime);
      this.total++;
      this.values.push(event);
      // A record of somebody else may say anything.
      this.timestamps.push(typeof receivedMs === 'number' ? receivedMs : nowMs);
      this.origins.push(undefined);
      this.#stages.push(this.#stage);
    };
  }

  /**
   * What is rejected from now on is of that stage: what came ahead of its turn leaves in the order
   * of the stages.
   */
  begin(stage: number): void {
    this.#stage = stage;
  }

  get length(): number {
    return this.values.length;
  }

  /** What was collected; this one is empty afterwards. */
  take(): ElementBatch {
    const stages = this.#stages;
    const order = [...stages.keys()].sort((a, b) => (stages[a] as number) - (stages[b] as number));
    const taken = {
      length: this.length,
      values: order.map((index) => this.values[index] as RejectedEvent),
      timestamps: order.map((index) => this.timestamps[index] as number),
      origins: [...this.origins],
    };
    this.#stages.length = 0;
    this.values.length = 0;
    this.timestamps.length = 0;
    this.origins.length = 0;
    return taken;
  }
}
