/**
 * The checks of a synthesis bite: a planted fault of each kind is refused, and what is acknowledged
 * is needed.
 */
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import type { CfnStream } from 'aws-cdk-lib/aws-kinesis';
import { expect, it } from 'vitest';
import { acknowledged } from '../src/acknowledged.ts';
import type { Stacks } from '../src/app.ts';
import { synthesize } from './support.ts';

interface Fault {
  readonly what: string;
  readonly plant: (stacks: Stacks) => void;
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

it('planted faults fail the synthesis, each by its rule', () => {
  const { findings } = synthesize({}, (stacks) => {
    for (const { plant } of faults) plant(stacks);
  });
  const text = findings.join('\n');
  expect(faults.filter(({ rule }) => !text.includes(rule)).map(({ what }) => what)).toEqual([]);
});

it('each acknowledged finding is one that the templates have, and says why it is accepted', () => {
  const { acknowledged: found, findings } = synthesize();
  expect(findings).toEqual([]);
  expect(found).toEqual(new Set(acknowledged.map(({ id }) => id.split('::').at(-1))));
  for (const { reason } of acknowledged) expect(reason.length).toBeGreaterThan(40);
});
