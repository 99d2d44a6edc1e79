/**
 * The checks of a synthesis bite: a planted fault of each kind is refused, and what is acknowledged
 * is needed.
 */
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as iam from 'aws-cdk-lib/aws-iam';
import type { CfnStream } from 'aws-cdk-lib/aws-kinesis';
import * as s3 from 'aws-cdk-lib/aws-s3';
import { expect, it } from 'vitest';
import { acknowledged } from '../src/acknowledged.ts';
import type { Stacks } from '../src/app.ts';
import { roleOf } from '../src/roles.ts';
import { flightsConfig, minimalStage, synthesize } from './support.ts';

interface Fault {
  readonly what: string;
  readonly plant: (stacks: Stacks) => unknown;
  /** The rule that has to find it. */
  readonly rule: string;
}

const streamOf = ({ streams }: Stacks, place: number): CfnStream =>
  [...streams.streams.values()][place]?.node.defaultChild as CfnStream;

const faults: readonly Fault[] = [
  {
    what: 'a port that is open to the world',
    plant: ({ network }) => {
      const open = new ec2.SecurityGroup(network, 'Planted', { vpc: network.vpc });
      open.addIngressRule(ec2.Peer.anyIpv4(), ec2.Port.tcp(22));
    },
    rule: 'AwsSolutions-EC23',
  },
  {
    what: 'a role that may do everything',
    plant: ({ lake }) =>
      roleOf(lake, 'Planted', {
        assumedBy: new iam.ServicePrincipal('firehose.amazonaws.com'),
        rights: [{ sid: 'All', actions: ['s3:*'], on: ['*'] }],
      }),
    rule: 'AwsSolutions-IAM5[Resource::*]',
  },
  {
    what: 'a bucket that is asked without TLS',
    plant: ({ lake }) => new s3.Bucket(lake, 'PlantedBucket'),
    rule: 'AwsSolutions-S10',
  },
  {
    what: 'a property that does not exist',
    plant: (stacks) => streamOf(stacks, 0).addPropertyOverride('ShardCounts', 1),
    rule: 'F3002',
  },
  {
    what: 'a record larger than Kinesis accepts',
    plant: (stacks) => streamOf(stacks, 1).addPropertyOverride('MaxRecordSizeInKiB', 99_999),
    rule: 'F3034',
  },
];

it('planted faults fail the synthesis, each by its rule', async () => {
  const { findings } = await synthesize({}, (stacks) => {
    for (const { plant } of faults) plant(stacks);
  });
  const text = findings.join('\n');
  expect(faults.filter(({ rule }) => !text.includes(rule)).map(({ what }) => what)).toEqual([]);
});

it('what is acknowledged is there, has a reason, and is never a bare wildcard', async () => {
  const stage = `${minimalStage}lake: {archive: [nyc/weather]}\n`;
  const { acknowledged: found, findings } = await synthesize({ stage, config: flightsConfig });
  expect(findings).toEqual([]);
  const named = acknowledged.map(({ id }) => id.slice(id.indexOf('::') + '::'.length));
  expect([...found]).toEqual(expect.arrayContaining(named));
  // Those of one role or one delivery stream are acknowledged where these are made.
  const made = [...found].filter((finding) => !named.includes(finding));
  expect(made.filter((finding) => !/IAM5\[Resource::.|-KDF1$/.test(finding))).toEqual([]);
  for (const { reason } of acknowledged) expect(reason.length).toBeGreaterThan(40);
  expect(found).not.toContain('AwsSolutions-IAM5[Resource::*]');
});
