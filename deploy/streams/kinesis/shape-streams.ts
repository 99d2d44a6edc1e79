/**
 * Kinesis streams as `sluice topics` finds, creates and alters them.
 *
 * Invariants:
 * 1. `plan` only asks.
 * 2. Each action waits until the stream is active again: Kinesis accepts none before. So does a
 *    plan.
 */
import type { KinesisClient, StreamDescriptionSummary } from '@aws-sdk/client-kinesis';
import {
  CreateStreamCommand,
  IncreaseStreamRetentionPeriodCommand,
  ResourceInUseException,
  ResourceNotFoundException,
  UpdateMaxRecordSizeCommand,
  UpdateShardCountCommand,
  UpdateStreamModeCommand,
} from '@aws-sdk/client-kinesis';
import type { AwsCall } from '../../../schemas/aws-rights.ts';
import { rightsText } from '../../../schemas/aws-rights.ts';
import { awsOptions } from '../../../schemas/config/aws-place.ts';
import type { KinesisConfig, StreamConfig } from '../../../schemas/config.ts';
import { present } from '../../../schemas/kernel/assert.ts';
import type { Clock } from '../../../schemas/kernel/clock.ts';
import { sleep } from '../../../schemas/kernel/clock.ts';
import { messageOf, SluiceError } from '../../../schemas/kernel/errors.ts';
import type { ShapedResource, ShapePlan } from '../shape-plan.ts';
import type { FoundStream, StreamAction } from './decide-stream.ts';
import { decideStream } from './decide-stream.ts';
import { createKinesisClient, describeStream, http1 } from './kinesis-client.ts';
import { statusOf } from './put-records-reply.ts';

const kinesisShapeCallMaxMs = 15_000;
/** How long a stream may take until it is active, and how often it is looked at. */
const activeMaxMs = 600_000;
const activeLookMs = 1_000;
const modes = { provisioned: 'PROVISIONED', 'on-demand': 'ON_DEMAND' } as const;
const calls = [
  'kinesis:DescribeStreamSummary',
  'kinesis:CreateStream',
  'kinesis:UpdateShardCount',
  'kinesis:IncreaseStreamRetentionPeriod',
  'kinesis:UpdateStreamMode',
  'kinesis:UpdateMaxRecordSize',
] as const satisfies readonly AwsCall[];

export interface KinesisShapes {
  of(stream: StreamConfig): ShapedResource;
  close(): void;
}

export function kinesisShapes(kinesis: KinesisConfig, clock: Clock): KinesisShapes {
  const client = createKinesisClient(awsOptions(kinesis), http1(kinesisShapeCallMaxMs));
  return {
    of: (stream) => shapedStream(client, stream, clock),
    close: () => client.destroy(),
  };
}

function shapedStream(
  client: KinesisClient,
  { name, kinesisStream, kinesis: wanted }: StreamConfig,
  clock: Clock,
): ShapedResource {
  const told = <T>(work: Promise<T>): Promise<T> =>
    work.catch((thrown: unknown) => {
      throw asError(kinesisStream, thrown);
    });
  return {
    what: `Kinesis stream ${kinesisStream}`,
    stream: name,
    plan: () =>
      told(find(client, kinesisStream, clock).then((found) => decideStream(wanted, found))),
    apply: ({ actions }) =>
      told(
        (async () => {
          for (const action of actions as ShapePlan<StreamAction>['actions']) {
            await act(client, kinesisStream, action);
            await becomeActive(client, kinesisStream, clock);
          }
        })(),
      ),
  };
}

async function summaryOf(
  client: KinesisClient,
  stream: string,
): Promise<StreamDescriptionSummary | undefined> {
  try {
    return present(await describeStream(client, stream), 'the summary of a stream');
  } catch (thrown) {
    if (thrown instanceof ResourceNotFoundException) return undefined;
    throw thrown;
  }
}

/** One that is being created or changed is waited for: what it says of itself is not so yet. */
async function find(
  client: KinesisClient,
  stream: string,
  clock: Clock,
): Promise<FoundStream | undefined> {
  const first = await summaryOf(client, stream);
  if (first === undefined) return undefined;
  if (first.StreamStatus === 'DELETING')
    throw new SluiceError('topics-busy', `Kinesis stream '${stream}' is being deleted`, {
      retryable: true,
      fix: 'run the command again once it is gone',
    });
  const found = first.StreamStatus === 'ACTIVE' ? first : await becomeActive(client, stream, clock);
  return {
    mode: found.StreamModeDetails?.StreamMode === modes['on-demand'] ? 'on-demand' : 'provisioned',
    shards: found.OpenShardCount ?? 0,
    retentionHours: found.RetentionPeriodHours ?? 0,
    recordMaxKib: found.MaxRecordSizeInKiB,
  };
}

async function act(client: KinesisClient, stream: string, action: StreamAction): Promise<void> {
  const of = { StreamName: stream };
  const arn = async (): Promise<string> =>
    present((await summaryOf(client, stream))?.StreamARN, 'the ARN of a stream');
  switch (action.do) {
    case 'create': {
      const { mode, shards, recordMaxKib } = action;
      await client.send(
        new CreateStreamCommand({
          ...of,
          StreamModeDetails: { StreamMode: modes[mode] },
          ...(mode === 'provisioned' ? { ShardCount: shards } : {}),
          ...(recordMaxKib === undefined ? {} : { MaxRecordSizeInKiB: recordMaxKib }),
        }),
      );
      return;
    }
    case 'set-mode':
      await client.send(
        new UpdateStreamModeCommand({
          StreamARN: await arn(),
          StreamModeDetails: { StreamMode: modes[action.mode] },
        }),
      );
      return;
    case 'set-shards':
      await client.send(
        new UpdateShardCountCommand({
          ...of,
          TargetShardCount: action.shards,
          ScalingType: 'UNIFORM_SCALING',
        }),
      );
      return;
    case 'set-retention':
      await client.send(
        new IncreaseStreamRetentionPeriodCommand({ ...of, RetentionPeriodHours: action.hours }),
      );
      return;
    case 'set-record-max':
      await client.send(
        new UpdateMaxRecordSizeCommand({
          StreamARN: await arn(),
          MaxRecordSizeInKiB: action.kib,
        }),
      );
  }
}

async function becomeActive(
  client: KinesisClient,
  stream: string,
  clock: Clock,
): Promise<StreamDescriptionSummary> {
  const deadline = clock.monotonic() + activeMaxMs;
  for (;;) {
    const found = await summaryOf(client, stream);
    if (found?.StreamStatus === 'ACTIVE') return found;
    if (clock.monotonic() > deadline)
      throw new SluiceError(
        'topics-busy',
        `Kinesis stream '${stream}' is ${found?.StreamStatus ?? 'not there'} after ${activeMaxMs / 60_000} minutes`,
        { retryable: true, fix: 'run the command again: it continues from what is there' },
      );
    await sleep(clock, activeLookMs);
  }
}

function asError(stream: string, thrown: unknown): SluiceError {
  if (thrown instanceof SluiceError) return thrown;
  const of = `Kinesis stream '${stream}'`;
  const name = thrown instanceof Error ? thrown.name : '';
  if (thrown instanceof ResourceInUseException)
    return new SluiceError('topics-busy', `${of}: somebody else changes it: ${messageOf(thrown)}`, {
      cause: thrown,
      retryable: true,
      fix: 'run the command again',
    });
  if (/AccessDenied|UnrecognizedClient|InvalidSignature|ExpiredToken/.test(name))
    return new SluiceError('stream-denied', `${of}: ${messageOf(thrown)}`, {
      cause: thrown,
      fix: `allow ${rightsText(calls, 'the stream')}`,
    });
  if (statusOf(thrown) === undefined)
    return new SluiceError(
      'stream-unreachable',
      `${of}: Kinesis cannot be reached: ${messageOf(thrown)}`,
      {
        cause: thrown,
        retryable: true,
        fix: 'check kinesis.endpoint, the region, the credentials and the network',
      },
    );
  return new SluiceError('topics-failed', `${of}: ${name}: ${messageOf(thrown)}`, {
    cause: thrown,
    fix: 'correct what the message says, then run the command again',
  });
}
