/**
 * From the configured shape of a Kinesis stream and what was found to what is done. Pure.
 *
 * Quotas: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_UpdateShardCount.html (at most
 * double in one call), API_IncreaseStreamRetentionPeriod.html, API_UpdateStreamMode.html,
 * API_UpdateMaxRecordSize.html.
 */
import type { StreamConfig } from '../../../schemas/config.ts';
import { kibi } from '../../../schemas/kernel/bytes.ts';
import type { ShapePlan, ShapeStep } from '../shape-plan.ts';
import { decideRaise, planOf } from '../shape-plan.ts';

type Wanted = StreamConfig['kinesis'];
type Mode = NonNullable<Wanted['mode']>;

export interface FoundStream {
  readonly mode: Mode;
  readonly shards: number;
  readonly retentionHours: number;
  /** Undefined: the endpoint says nothing of it. */
  readonly recordMaxKib: number | undefined;
}

export type StreamAction =
  | {
      readonly do: 'create';
      readonly mode: Mode;
      readonly shards: number;
      readonly recordMaxKib: number | undefined;
    }
  | { readonly do: 'set-mode'; readonly mode: Mode }
  | { readonly do: 'set-shards'; readonly shards: number }
  | { readonly do: 'set-retention'; readonly hours: number }
  | { readonly do: 'set-record-max'; readonly kib: number };

const hourMs = 3_600_000;
const retentionWhenNewHours = 24;
const shardsWhenNew = 1;
const modeChangeNote = 'AWS allows two changes of mode in 24 hours';

/** `found` undefined: there is no such stream. */
export function decideStream(
  wanted: Wanted,
  found: FoundStream | undefined,
): ShapePlan<StreamAction> {
  if (found === undefined) return planOf(true, newStream(wanted));
  const mode = wanted.mode ?? found.mode;
  return planOf(false, [
    mode === found.mode
      ? undefined
      : {
          change: { setting: 'mode', from: found.mode, to: mode, note: modeChangeNote },
          actions: [{ do: 'set-mode', mode }],
        },
    decideShards(wanted.shards, found, mode),
    decideRetention(wanted.retentionMs, found.retentionHours),
    decideRecordMax(wanted.recordMaxBytes, found.recordMaxKib),
  ]);
}

function newStream({
  mode = 'provisioned',
  shards = shardsWhenNew,
  retentionMs,
  recordMaxBytes,
}: Wanted): readonly (ShapeStep<StreamAction> | undefined)[] {
  const recordMaxKib = recordMaxBytes === undefined ? undefined : recordMaxBytes / kibi;
  const create = { do: 'create', mode, shards, recordMaxKib } as const;
  return [
    { change: { setting: 'mode', from: undefined, to: mode }, actions: [create] },
    mode === 'on-demand'
      ? undefined
      : { change: { setting: 'shards', from: undefined, to: String(shards) }, actions: [] },
    recordMaxKib === undefined
      ? undefined
      : {
          change: { setting: 'record_max_kb', from: undefined, to: String(recordMaxKib) },
          actions: [],
        },
    newRetention(retentionMs),
  ];
}

/** A new stream keeps records for a day, which is also the least. */
function newRetention(wantedMs: number | undefined): ShapeStep<StreamAction> | undefined {
  if (wantedMs === undefined) return undefined;
  const hours = wantedMs / hourMs;
  return {
    change: { setting: 'retention_h', from: undefined, to: String(hours) },
    actions: hours > retentionWhenNewHours ? [{ do: 'set-retention', hours }] : [],
  };
}

function decideShards(
  wanted: number | undefined,
  found: FoundStream,
  mode: Mode,
): ShapeStep<StreamAction> | undefined {
  if (wanted !== undefined && mode === 'on-demand')
    return {
      refusal: {
        setting: 'shards',
        found: 'on-demand',
        wanted: String(wanted),
        why: 'AWS chooses the shards of a stream that is on-demand; set mode: provisioned as well',
      },
    };
  const counts = wanted === undefined ? [] : shardSteps(found.shards, wanted);
  return decideRaise(wanted, found.shards, {
    setting: 'shards',
    show: String,
    whyNotLower: 'a stream is never made smaller here; merge shards in AWS if you mean it',
    raise: () => counts.map((shards) => ({ do: 'set-shards', shards })),
    note: counts.length > 1 ? `by way of ${counts.slice(0, -1).join(', ')}` : undefined,
  });
}

/** Each at most double the one before. */
export function shardSteps(found: number, wanted: number): readonly number[] {
  const steps: number[] = [];
  for (let shards = found; shards < wanted; ) {
    shards = Math.min(wanted, 2 * shards);
    steps.push(shards);
  }
  return steps;
}

function decideRetention(
  wantedMs: number | undefined,
  foundHours: number,
): ShapeStep<StreamAction> | undefined {
  const wanted = wantedMs === undefined ? undefined : wantedMs / hourMs;
  return decideRaise(wanted, foundHours, {
    setting: 'retention_h',
    show: String,
    whyNotLower: 'a shorter retention removes records',
    raise: (hours) => [{ do: 'set-retention', hours }],
  });
}

function decideRecordMax(
  wantedBytes: number | undefined,
  foundKib: number | undefined,
): ShapeStep<StreamAction> | undefined {
  const wanted = wantedBytes === undefined ? undefined : wantedBytes / kibi;
  return decideRaise(wanted, foundKib, {
    setting: 'record_max_kb',
    show: String,
    whyNotLower: 'producers may send records that large; lower it in AWS if none does',
    raise: (kib) => [{ do: 'set-record-max', kib }],
  });
}
