/**
 * The findings of cdk-nag that are accepted, each in one stack and with its reason. Any other fails
 * the synthesis, and a test fails for an entry that no template needs any more.
 */
import { Validations } from 'aws-cdk-lib';
import type { Stacks } from './app.ts';

export interface Acknowledged {
  readonly stack: keyof Stacks;
  /** Of the rule, https://github.com/cdklabs/cdk-nag/blob/main/RULES.md. */
  readonly id: string;
  readonly reason: string;
}

/** https://docs.aws.amazon.com/eks/latest/userguide/auto-cluster-iam-role.html */
const managedOfEks = [
  'AmazonEC2ContainerRegistryReadOnly',
  'AmazonEKSBlockStoragePolicy',
  'AmazonEKSClusterPolicy',
  'AmazonEKSComputePolicy',
  'AmazonEKSLoadBalancingPolicy',
  'AmazonEKSNetworkingPolicy',
  'AmazonEKSWorkerNodePolicy',
];

export const acknowledged: readonly Acknowledged[] = [
  ...managedOfEks.map(
    (policy): Acknowledged => ({
      stack: 'cluster',
      id: `AwsSolutions::AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/${policy}]`,
      reason:
        'EKS in Auto Mode manages nodes, disks and load balancers, under the policies that AWS keeps for it.',
    }),
  ),
  {
    stack: 'cluster',
    id: 'CloudFormation-Validate::W9009',
    reason: 'The construct of CDK writes the deprecated property; without it secrets have no key.',
  },
  {
    stack: 'streams',
    id: 'AwsSolutions::AwsSolutions-KDS3',
    reason:
      'The rule wants the key of AWS. A key of its own encrypts the streams: its policy names who may decrypt, and its use is logged.',
  },
];

export function acknowledge(stacks: Stacks): void {
  for (const { stack, id, reason } of acknowledged)
    if (stacks[stack] !== undefined) Validations.of(stacks[stack]).acknowledge({ id, reason });
}
