/**
 * What is decided for a Kinesis stream, and what is asked of an endpoint that knows record sizes,
 * which the stand-in of the other tests does not; what a refusal becomes.
 */
import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { decideStream, shardSteps } from '../../../../deploy/streams/kinesis/decide-stream.ts';
import { kinesisShapes } from '../../../../deploy/streams/kinesis/shape-streams.ts';
import { parseConfig } from '../../../../schemas/config-file.ts';
import { manualClock } from '../../../../schemas/kernel/clock.ts';
import type { KinesisServer } from './kinesis-server.ts';
import { credentials, kinesisServer } from './kinesis-server.ts';

const found = { mode: 'provisioned', shards: 4, retentionHours: 24, recordMaxKib: 1_024 } as const;

describe('a Kinesis stream', () => {
  it('is raised in all that is configured, the mode first', () => {
    const wanted = {
      mode: 'provisioned',
      shards: 5,
      retentionMs: 48 * 3_600_000,
      recordMaxBytes: 2_048 * 1_024,
    } as const;
    expect(decideStream(wanted, { ...found, mode: 'on-demand' })).toMatchObject({
      isNew: false,
      refusals: [],
      actions: [
        { do: 'set-mode', mode: 'provisioned' },
        { do: 'set-shards', shards: 5 },
        { do: 'set-retention', hours: 48 },
        { do: 'set-record-max', kib: 2_048 },
      ],
    });
  });

  it('is left as it is where nothing is configured, or what is found', () => {
    expect(decideStream({}, found)).toEqual({
      isNew: false,
      changes: [],
      refusals: [],
      actions: [],
    });
    const same = { mode: 'provisioned', shards: 4, retentionMs: 86_400_000 } as const;
    expect(decideStream({ ...same, recordMaxBytes: 1_048_576 }, found).actions).toEqual([]);
  });

  it('is not made smaller, and what the service does not say is not guessed', () => {
    const wanted = { shards: 3, retentionMs: 86_400_000, recordMaxBytes: 1_048_576 };
    const larger = { ...found, retentionHours: 48 };
    expect(decideStream(wanted, { ...larger, recordMaxKib: 2_048 })).toMatchObject({
      actions: [],
      refusals: [
        { setting: 'shards', found: '4', wanted: '3' },
        { setting: 'retention_h', found: '48', wanted: '24' },
        { setting: 'record_max_kb', found: '2048', wanted: '1024' },
      ],
    });
    expect(decideStream(wanted, { ...larger, recordMaxKib: undefined }).refusals[2]).toMatchObject({
      found: 'unknown',
      why: 'the service does not say what it is now',
    });
  });

  it('is created as configured, by default with one shard', () => {
    expect(decideStream({}, undefined)).toEqual({
      isNew: true,
      changes: [
        { setting: 'mode', from: undefined, to: 'provisioned' },
        { setting: 'shards', from: undefined, to: '1' },
      ],
      refusals: [],
      actions: [{ do: 'create', mode: 'provisioned', shards: 1, recordMaxKib: undefined }],
    });
    // A day is what a new stream keeps.
    const day = decideStream({ mode: 'on-demand', retentionMs: 86_400_000 }, undefined);
    expect(day.actions).toMatchObject([{ do: 'create', mode: 'on-demand' }]);
    expect(day.changes.map(({ setting }) => setting)).toEqual(['mode', 'retention_h']);
  });

  it('is at most doubled in one step', () => {
    expect(shardSteps(1, 12)).toEqual([2, 4, 8, 12]);
    expect(shardSteps(4, 8)).toEqual([8]);
    expect(shardSteps(4, 4)).toEqual([]);
  });
});

describe('the endpoint', () => {
  let server: KinesisServer;
  const asked: string[] = [];
  /** Of the next descriptions; then ACTIVE. */
  const statuses: string[] = [];
  const clock = manualClock();
  beforeEach(async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', credentials.accessKeyId);
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', credentials.secretAccessKey);
    vi.stubEnv('AWS_REGION', 'us-east-1');
    asked.length = 0;
    server = await kinesisServer();
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await server.close();
  });

  const answer = (res: ServerResponse, status: number, value: object): boolean => {
    res.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' });
    res.end(JSON.stringify(value));
    return true;
  };

  /** A stream whose records may have so many KiB; it refuses what `refuses` names. */
  function shaped(
    settings: string,
    recordMaxKib: number,
    refuses: Readonly<Record<string, string>>,
  ) {
    let kib = recordMaxKib;
    server.intercept = (target, res, body) => {
      asked.push(target);
      const refusal = refuses[target];
      if (refusal !== undefined) return answer(res, 400, { __type: refusal, message: 'not so' });
      if (target === 'UpdateMaxRecordSize')
        kib = (JSON.parse(body.toString()) as { MaxRecordSizeInKiB: number }).MaxRecordSizeInKiB;
      return answer(res, 200, {
        StreamDescriptionSummary: {
          StreamName: 'a-b',
          StreamARN: 'arn:aws:kinesis:us-east-1:111111111111:stream/a-b',
          StreamStatus: statuses.shift() ?? 'ACTIVE',
          OpenShardCount: statuses.length > 0 ? 0 : 2,
          RetentionPeriodHours: 24,
          MaxRecordSizeInKiB: kib,
        },
      });
    };
    const text = `streams: [{team: a, app: b, kinesis: {${settings}}}]\nkinesis: {endpoint: "${server.endpoint}"}\n`;
    const read = parseConfig(text, { file: 'f', env: {}, baseDir: '.' });
    if (!read.ok) throw new Error(JSON.stringify(read.problems));
    const [stream] = read.config.streams;
    if (stream === undefined) throw new Error('no stream');
    const shapes = kinesisShapes(read.config.kinesis, clock);
    onTestFinished(() => shapes.close());
    return shapes.of(stream);
  }

  it('is only asked for a plan, and for a change told what is raised', async () => {
    const stream = shaped('record_max_kb: 4096, shards: 3', 1_024, {});
    const plan = await stream.plan();
    expect(asked).toEqual(['DescribeStreamSummary']);
    await stream.apply(plan);
    expect(asked.filter((target) => !target.startsWith('Describe'))).toEqual([
      'UpdateShardCount',
      'UpdateMaxRecordSize',
    ]);
    expect((await stream.plan()).changes.map(({ setting }) => setting)).toEqual(['shards']);
  });

  it('is waited for while the stream is being created, and not while it is being deleted', async () => {
    const stream = shaped('shards: 2', 1_024, {});
    statuses.push('CREATING', 'CREATING', 'ACTIVE');
    let isOver = false;
    const planned = stream.plan().finally(() => {
      isOver = true;
    });
    while (!isOver) {
      clock.advance(1_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(asked).toHaveLength(3);
    // Of a stream that is not there yet it says 0 shards.
    expect((await planned).actions).toEqual([]);
    statuses.push('DELETING');
    await expect(stream.plan()).rejects.toMatchObject({ code: 'topics-busy', retryable: true });
  });

  it.each([
    [
      'AccessDeniedException',
      'stream-denied',
      /^allow kinesis:DescribeStreamSummary, kinesis:Create/,
    ],
    ['ResourceInUseException', 'topics-busy', /^run the command again$/],
    ['LimitExceededException', 'topics-failed', /run the command again$/],
  ])('that answers %s makes %s', async (refusal, code, fix) => {
    const stream = shaped('shards: 3', 1_024, { UpdateShardCount: refusal });
    const plan = await stream.plan();
    await expect(stream.apply(plan)).rejects.toMatchObject({
      code,
      message: expect.stringContaining("Kinesis stream 'a-b': ") as string,
      fix: expect.stringMatching(fix) as string,
    });
  });
});
