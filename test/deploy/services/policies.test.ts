/**
 * The documented policies: made of what the code calls, and enough for it, against a moto that
 * refuses what no policy allows. KMS, Kinesis and Kafka have no stand-in that looks at policies:
 * there it is what the calls say they need (schemas/aws-rights.ts).
 *
 * moto asks for `s3:HeadBucket` where AWS asks for `s3:ListBucket`, and looks at resources for S3
 * alone: `forMoto` makes it understand.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CreateDeliveryStreamCommand, FirehoseClient } from '@aws-sdk/client-firehose';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkBucket } from '../../../deploy/stores/s3/s3-blob-store.ts';
import { createS3Client } from '../../../deploy/stores/s3/s3-client.ts';
import { createFirehoseClient } from '../../../deploy/streams/firehose/firehose-client.ts';
import { awsRights } from '../../../schemas/aws-rights.ts';
import { systemClock } from '../../../schemas/kernel/clock.ts';
import { systemRandom } from '../../../schemas/kernel/random.ts';
import { pythonMissing } from '../../servers/cache.ts';
import type { Moto } from '../../servers/moto.ts';
import { startMoto, useTestCredentials } from '../../servers/moto.ts';
import type { Policy, PolicyPlaces } from '../../tools/policies.ts';
import { callsOf, policyFile, policyOf, policyText, roles } from '../../tools/policies.ts';

const root = fileURLToPath(new URL('../../../..', import.meta.url));
const account = '123456789012';
const region = 'us-east-1';

describe('the documented policies', () => {
  it.each(roles)(
    'of %s are what its code makes now (node dist/test/tools/policies.js writes them)',
    (role) => {
      expect(readFileSync(policyFile(role), 'utf8')).toBe(policyText(role));
    },
  );

  it('are made of calls that are there, and of all of them', () => {
    const made = [...new Set(roles.flatMap((role) => callsOf(role)))].sort();
    expect(made).toEqual(Object.keys(awsRights).sort());
    expect(callsOf('ingest')).toContain('kinesis:PutRecords');
    expect(callsOf('ingest')).not.toContain('kinesis:GetRecords');
    expect(callsOf('enrich')).toContain('firehose:PutRecordBatch');
    expect(callsOf('enrich')).not.toContain('kinesis:PutRecords');
    expect(callsOf('topics')).toEqual([
      'kinesis:CreateStream',
      'kinesis:DescribeStreamSummary',
      'kinesis:IncreaseStreamRetentionPeriod',
      'kinesis:UpdateMaxRecordSize',
      'kinesis:UpdateShardCount',
      'kinesis:UpdateStreamMode',
    ]);
  });

  it('have the rights that are seen only when something goes wrong, or is encrypted', () => {
    for (const role of ['ingest', 'enrich'] as const) {
      const actions = policyOf(role).Statement.flatMap(({ Action }) => Action);
      expect(actions).toEqual(
        expect.arrayContaining(['s3:AbortMultipartUpload', 'kms:Decrypt', 'kms:GenerateDataKey']),
      );
    }
  });

  it('are linked where the docs say how to deploy', () => {
    const page = readFileSync(join(root, 'docs/operating/deploy.md'), 'utf8');
    for (const role of roles) expect(page).toContain(`(policies/${role}.json)`);
  });
});

describe.skipIf(pythonMissing() !== undefined)(
  'a role that has its policy and no more',
  { timeout: 120_000 },
  () => {
    const places: PolicyPlaces = {
      bucket: 'guarded',
      prefix: 'p/',
      region,
      account,
      stream: 's',
      deliveryStream: 'hose',
      key: 'k',
      cluster: 'c/*',
      topic: 'c/*/t',
    };
    let moto: Moto;
    let users = 0;
    const before = { ...process.env };

    beforeAll(async () => {
      useTestCredentials();
      moto = await startMoto();
      const client = { endpoint: moto.endpoint, region: moto.region };
      await new S3Client({ ...client, forcePathStyle: true }).send(
        new CreateBucketCommand({ Bucket: places.bucket }),
      );
      const ExtendedS3DestinationConfiguration = {
        RoleARN: `arn:aws:iam::${account}:role/r`,
        BucketARN: `arn:aws:s3:::${places.bucket}`,
      };
      await new FirehoseClient(client).send(
        new CreateDeliveryStreamCommand({
          DeliveryStreamName: places.deliveryStream,
          ExtendedS3DestinationConfiguration,
        }),
      );
    }, 300_000);
    afterAll(async () => {
      Object.assign(process.env, {
        AWS_ACCESS_KEY_ID: before['AWS_ACCESS_KEY_ID'],
        AWS_SECRET_ACCESS_KEY: before['AWS_SECRET_ACCESS_KEY'],
      });
      await moto?.stop();
    });

    /** Requests from now on are refused unless a policy allows them; `free` come first. */
    const guard = (free: string): Promise<Response> =>
      fetch(`${moto.endpoint}/moto-api/reset-auth`, { method: 'POST', body: free });
    const iam = async (action: Readonly<Record<string, string>>): Promise<string> => {
      const reply = await fetch(`${moto.endpoint}/`, {
        method: 'POST',
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          authorization:
            'AWS4-HMAC-SHA256 Credential=testing/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=none',
        },
        body: new URLSearchParams({ ...action, Version: '2010-05-08' }).toString(),
      });
      const text = await reply.text();
      if (!reply.ok) throw new Error(text);
      return text;
    };

    const forMoto = (policy: Policy): Policy => ({
      ...policy,
      Statement: policy.Statement.map((of) => ({
        ...of,
        Action: of.Action.flatMap((action) =>
          action === 's3:ListBucket' ? [action, 's3:HeadBucket'] : [action],
        ),
        Resource: of.Sid === 'DeliveryStreams' ? ['*'] : of.Resource,
      })),
    });

    const asUserOf = async <T>(policy: Policy, what: () => Promise<T>): Promise<T> => {
      await guard('inf');
      const UserName = `user-${users++}`;
      await iam({ Action: 'CreateUser', UserName });
      await iam({
        Action: 'PutUserPolicy',
        UserName,
        PolicyName: 'p',
        PolicyDocument: JSON.stringify(forMoto(policy)),
      });
      const keys = await iam({ Action: 'CreateAccessKey', UserName });
      process.env['AWS_ACCESS_KEY_ID'] = /<AccessKeyId>([^<]+)/.exec(keys)?.[1] ?? '';
      process.env['AWS_SECRET_ACCESS_KEY'] = /<SecretAccessKey>([^<]+)/.exec(keys)?.[1] ?? '';
      await guard('0');
      return what();
    };

    const place = (): {
      readonly bucket: string;
      readonly endpoint: string;
      readonly region: string;
    } => ({
      bucket: places.bucket,
      endpoint: moto.endpoint,
      region: moto.region,
    });

    /** Every call to S3 below `prefix`; resolves with those that were refused. */
    const refusedS3 = async (prefix: string): Promise<readonly string[]> => {
      const api = createS3Client({ ...place(), clock: systemClock });
      const refused: string[] = [];
      const trying = async <T>(call: string, make: () => Promise<T>): Promise<T | undefined> => {
        try {
          return await make();
        } catch (thrown) {
          const status = (thrown as { readonly $metadata?: { readonly httpStatusCode?: number } })
            .$metadata?.httpStatusCode;
          if (status === 403) refused.push(call);
          return undefined;
        }
      };
      const key = `${prefix}a`;
      await trying('HeadBucket', () => api.headBucket());
      await trying('ListObjectsV2', () => api.list(prefix, true, undefined));
      await trying('PutObject', () =>
        api.put(key, Buffer.from('1'), { mark: 'm', condition: 'always' }),
      );
      await trying('HeadObject', () => api.head(key));
      await trying('GetObject', () => api.get(key));
      const upload = await trying('CreateMultipartUpload', () => api.beginUpload(key, 'm'));
      if (upload !== undefined) {
        const part = await trying('UploadPart', () =>
          api.putPart(key, upload, 1, Buffer.from('1')),
        );
        await trying('CompleteMultipartUpload', () =>
          api.completeUpload(key, upload, part === undefined ? [] : [part], 'always'),
        );
        await trying('AbortMultipartUpload', async () =>
          api.abortUpload(key, await api.beginUpload(key, 'm')),
        );
      }
      await trying('DeleteObject', () => api.delete(key));
      api.close();
      return refused;
    };

    const without = (policy: Policy, action: string): Policy => ({
      ...policy,
      Statement: policy.Statement.map((of) => ({
        ...of,
        Action: of.Action.filter((each) => each !== action),
      })).filter(({ Action }) => Action.length > 0),
    });

    it.each([
      ['ingest', 'p/claims/'],
      ['enrich', 'p/'],
    ] as const)('makes all calls of %s to S3, and passes its checks', async (role, prefix) => {
      const policy = policyOf(role, places);
      expect(await asUserOf(policy, () => refusedS3(prefix))).toEqual([]);
      await asUserOf(policy, () =>
        checkBucket({
          ...place(),
          prefix: prefix.slice(0, -1),
          clock: systemClock,
          random: systemRandom,
        }),
      );
    });

    it('needs each right that the policy gives on the bucket', async () => {
      const policy = policyOf('enrich', places);
      const refused: Record<string, readonly string[]> = {};
      for (const action of policy.Statement.flatMap(({ Action }) => Action).filter((each) =>
        each.startsWith('s3:'),
      )) {
        refused[action] = await asUserOf(without(policy, action), () => refusedS3('p/'));
      }
      expect(refused).toMatchObject({
        's3:ListBucket': expect.arrayContaining(['HeadBucket', 'ListObjectsV2']) as unknown,
        's3:AbortMultipartUpload': ['AbortMultipartUpload'],
        's3:DeleteObject': ['DeleteObject'],
        's3:GetObject': expect.arrayContaining(['GetObject', 'HeadObject']) as unknown,
        's3:PutObject': expect.arrayContaining(['PutObject', 'CreateMultipartUpload']) as unknown,
      });
    });

    it('of ingest reaches the claims alone', async () => {
      expect(await asUserOf(policyOf('ingest', places), () => refusedS3('p/lake/'))).toEqual(
        expect.arrayContaining(['PutObject', 'GetObject', 'DeleteObject']),
      );
    });

    it('delivers by Firehose with the policy of enrich, and not with that of ingest', async () => {
      const deliver = async (): Promise<void> => {
        const api = createFirehoseClient({
          endpoint: moto.endpoint,
          region: moto.region,
          clock: systemClock,
        });
        await api.describe(places.deliveryStream);
        await api.put(places.deliveryStream, [Buffer.from('{}\n')]);
        api.close();
      };
      await asUserOf(policyOf('enrich', places), deliver);
      await expect(asUserOf(policyOf('ingest', places), deliver)).rejects.toMatchObject({
        $response: { statusCode: 403 },
      });
    });
  },
);
