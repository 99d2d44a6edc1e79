/**
 * From the configured shape of a Kafka topic and what was found to what is done. Pure.
 */
import type { StreamConfig } from '../../../schemas/config.ts';
import type { ShapePlan, ShapeStep } from '../shape-plan.ts';
import { decideRaise, planOf } from '../shape-plan.ts';

type Wanted = Pick<StreamConfig, 'kafka' | 'order'>;

export interface FoundTopic {
  readonly partitions: number;
  /** Of the partition that has the fewest. */
  readonly replicas: number;
  /** `retention.ms`; -1 means forever. Undefined: the brokers do not say. */
  readonly retentionMs: number | undefined;
  /** `max.message.bytes`. Undefined: the brokers do not say. */
  readonly messageMaxBytes: number | undefined;
}

/** Settings of a topic by their names, as Kafka has them. */
export type TopicSettings = Readonly<Record<string, string>>;

export type TopicAction =
  | {
      readonly do: 'create';
      readonly partitions: number;
      /** Undefined: as the brokers say. */
      readonly replicas: number | undefined;
      readonly settings: TopicSettings;
    }
  | { readonly do: 'add-partitions'; readonly partitions: number }
  | { readonly do: 'configure'; readonly settings: TopicSettings };

const hourMs = 3_600_000;
const partitionsWhenNew = 1;
const orderNote =
  'events of a key may go to another partition: their order is not kept across the change';

/** `found` undefined: there is no such topic. */
export function decideTopic(
  { kafka: wanted, order }: Wanted,
  found: FoundTopic | undefined,
): ShapePlan<TopicAction> {
  if (found === undefined) return planOf(true, newTopic(wanted));
  return planOf(false, [
    decideRaise(wanted.partitions, found.partitions, {
      setting: 'partitions',
      show: String,
      whyNotLower: 'Kafka cannot remove partitions',
      raise: (partitions) => [{ do: 'add-partitions', partitions }],
      note: order === 'key' ? orderNote : undefined,
    }),
    decideReplicas(wanted.replicas, found.replicas),
    decideRaise(wanted.retentionMs, forever(found.retentionMs), {
      setting: 'retention_h',
      show: hoursText,
      whyNotLower: 'a shorter retention removes records',
      raise: (retentionMs) => [{ do: 'configure', settings: settingsOf({ retentionMs }) }],
    }),
    decideRaise(wanted.messageMaxBytes, found.messageMaxBytes, {
      setting: 'message_max_kb',
      show: kibText,
      whyNotLower:
        "producers may send batches that large; lower max.message.bytes with Kafka's own tools if none does",
      raise: (messageMaxBytes) => [{ do: 'configure', settings: settingsOf({ messageMaxBytes }) }],
    }),
  ]);
}

function newTopic(wanted: Wanted['kafka']): readonly (ShapeStep<TopicAction> | undefined)[] {
  const { partitions = partitionsWhenNew, replicas, retentionMs, messageMaxBytes } = wanted;
  const added = (setting: string, value: string | undefined): ShapeStep<TopicAction> | undefined =>
    value === undefined
      ? undefined
      : { change: { setting, from: undefined, to: value }, actions: [] };
  return [
    {
      change: { setting: 'partitions', from: undefined, to: String(partitions) },
      actions: [{ do: 'create', partitions, replicas, settings: settingsOf(wanted) }],
    },
    added('replicas', replicas === undefined ? undefined : String(replicas)),
    added('retention_h', retentionMs === undefined ? undefined : hoursText(retentionMs)),
    added('message_max_kb', messageMaxBytes === undefined ? undefined : kibText(messageMaxBytes)),
  ];
}

function decideReplicas(
  wanted: number | undefined,
  found: number,
): ShapeStep<TopicAction> | undefined {
  if (wanted === undefined || wanted === found) return undefined;
  return {
    refusal: {
      setting: 'replicas',
      found: String(found),
      wanted: String(wanted),
      why: "replicas are set for a new topic only; reassign partitions with Kafka's own tools",
    },
  };
}

function settingsOf({
  retentionMs,
  messageMaxBytes,
}: Pick<Wanted['kafka'], 'retentionMs' | 'messageMaxBytes'>): TopicSettings {
  return {
    ...(retentionMs === undefined ? {} : { 'retention.ms': String(retentionMs) }),
    ...(messageMaxBytes === undefined ? {} : { 'max.message.bytes': String(messageMaxBytes) }),
  };
}

const forever = (retentionMs: number | undefined): number | undefined =>
  retentionMs === -1 ? Number.POSITIVE_INFINITY : retentionMs;
const hoursText = (ms: number): string => (Number.isFinite(ms) ? rounded(ms / hourMs) : 'forever');
const kibText = (bytes: number): string => rounded(bytes / 1_024);
const rounded = (value: number): string => String(Math.round(value * 100) / 100);
