/**
 * Creates and alters what the streams of the configuration need of Kinesis and Kafka. It owns what
 * `streams` names, and the ledger, and of those the settings that are configured: all else is left
 * as it is.
 *
 * Invariants:
 * 1. Without `apply` nothing is changed.
 * 2. One resource after the other; a failure of one keeps no other from being done.
 * 3. `applied` is said of what was read back as configured.
 */
import type { SluiceConfig, StreamConfig } from '../../schemas/config.ts';
import { ledgerStream } from '../../schemas/config.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { sleep } from '../../schemas/kernel/clock.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import { kafkaShapes } from '../streams/kafka/shape-topics.ts';
import { kinesisShapes } from '../streams/kinesis/shape-streams.ts';
import type { ShapeChange, ShapedResource, ShapeRefusal } from '../streams/shape-plan.ts';

/** How often what was done is read back: brokers hear of it one after the other. */
const looksMax = 20;
const lookMs = 500;

export interface ShapedResult {
  readonly what: string;
  readonly stream: string;
  readonly isNew: boolean;
  readonly changes: readonly ShapeChange[];
  readonly refusals: readonly ShapeRefusal[];
  /** `planned` and `applied` have changes; `unchanged` has none. */
  readonly outcome: 'planned' | 'applied' | 'unchanged' | 'failed';
  /** Of `failed`. */
  readonly error?: { readonly code: string; readonly message: string; readonly fix?: string };
}

export interface TopicsOptions {
  readonly config: SluiceConfig;
  /** Which services: the others are somebody else's. */
  readonly only: 'kinesis' | 'kafka' | undefined;
  /** `team/app`; empty: all. */
  readonly streams: readonly string[];
  readonly apply: boolean;
  readonly clock: Clock;
  readonly random: Random;
  /** Told before something is changed. */
  readonly begun: (what: string) => void;
}

/** Throws `SluiceError` `config-incomplete`, `option-invalid`. */
export async function shapeTopics(options: TopicsOptions): Promise<readonly ShapedResult[]> {
  const { config, only, clock, random } = options;
  const streams = chosen(options);
  const kafka = only === 'kinesis' ? undefined : kafkaShapes(config.kafka, clock, random);
  const kinesis = only === 'kafka' ? undefined : kinesisShapes(config.kinesis, clock);
  try {
    const results: ShapedResult[] = [];
    for (const stream of streams)
      for (const resource of [kinesis?.of(stream), kafka?.of(stream)])
        if (resource !== undefined) results.push(await shape(resource, options));
    return results;
  } finally {
    kinesis?.close();
    await kafka?.close();
  }
}

function chosen({ config, streams: names }: TopicsOptions): readonly StreamConfig[] {
  const all = [...config.streams, ledgerStream];
  const unknown = names.find((name) => !all.some((stream) => stream.name === name));
  if (unknown !== undefined)
    throw new SluiceError('option-invalid', `there is no stream '${unknown}' in ${config.file}`, {
      fix: `name one of ${all.map(({ name }) => name).join(', ')}`,
    });
  return names.length === 0 ? all : all.filter(({ name }) => names.includes(name));
}

async function shape(
  resource: ShapedResource,
  { apply, clock, begun }: TopicsOptions,
): Promise<ShapedResult> {
  const { what, stream } = resource;
  let plan: Awaited<ReturnType<ShapedResource['plan']>> | undefined;
  const result = (outcome: ShapedResult['outcome']): ShapedResult => ({
    what,
    stream,
    isNew: plan?.isNew ?? false,
    changes: plan?.changes ?? [],
    refusals: plan?.refusals ?? [],
    outcome,
  });
  try {
    plan = await resource.plan();
    if (plan.actions.length === 0) return result('unchanged');
    if (!apply) return result('planned');
    begun(what);
    await resource.apply(plan);
    await readBack(resource, clock);
    return result('applied');
  } catch (thrown) {
    if (!(thrown instanceof SluiceError)) throw thrown;
    const { code, message, fix } = thrown;
    return {
      ...result('failed'),
      error: { code, message, ...(fix === undefined ? {} : { fix }) },
    };
  }
}

async function readBack(resource: ShapedResource, clock: Clock): Promise<void> {
  const { what } = resource;
  for (let look = 1; ; look++) {
    const { isNew, changes, actions } = await resource.plan();
    if (actions.length === 0) return;
    if (look === looksMax) {
      const left = isNew ? 'it is not there' : changes.map(({ setting }) => setting).join(', ');
      throw new SluiceError('topics-failed', `${what} was changed, and does not show it: ${left}`, {
        fix: 'run the command again; if it says the same, somebody else sets it otherwise',
      });
    }
    await sleep(clock, lookMs);
  }
}
