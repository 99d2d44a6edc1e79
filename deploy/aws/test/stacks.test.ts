/**
 * What the templates have, stack by stack.
 */
import { Match } from 'aws-cdk-lib/assertions';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Synthesized } from './support.ts';
import { synthesize } from './support.ts';

describe('the stacks of a stage', () => {
  let made: Synthesized;
  beforeAll(async () => {
    made = await synthesize();
  });

  it('pass the checks, and have what the configuration says', () => {
    expect(made.findings).toEqual([]);

    const network = made.template('network');
    network.resourceCountIs('AWS::EC2::NatGateway', 1);
    const endpoints = made.resources('AWS::EC2::VPCEndpoint');
    const kinds = endpoints.map(({ Properties }) => Properties['VpcEndpointType']);
    expect(kinds.filter((kind) => kind === 'Gateway')).toHaveLength(1);
    expect(made.endpoints).toEqual(
      'ecr.api ecr.dkr eks-auth kafka kinesis-streams logs monitoring sts'.split(' '),
    );
    for (const { Properties } of endpoints)
      if (Properties['VpcEndpointType'] === 'Interface')
        expect(Properties).toMatchObject({ PrivateDnsEnabled: true });

    const streams = made.template('streams');
    streams.resourceCountIs('AWS::Kinesis::Stream', 3);
    for (const Name of ['shop-clicks-test', 'shop-orders', 'sluice-ledger'])
      streams.hasResourceProperties('AWS::Kinesis::Stream', {
        Name,
        ShardCount: 1,
        RetentionPeriodHours: 24,
        MaxRecordSizeInKiB: 1_024,
        StreamEncryption: { EncryptionType: 'KMS', KeyId: Match.anyValue() },
      });
    streams.hasResourceProperties('AWS::MSK::ServerlessCluster', {
      ClientAuthentication: { Sasl: { Iam: { Enabled: true } } },
      VpcConfigs: [{ SubnetIds: Array.from({ length: 3 }, () => Match.anyValue()) }],
    });
  });

  it('keep what is stored when a stack is deleted', () => {
    const stored = ['AWS::Kinesis::Stream', 'AWS::MSK::ServerlessCluster', 'AWS::KMS::Key'];
    for (const type of stored) {
      const found = made.resources(type);
      expect(found.length, type).toBeGreaterThan(0);
      for (const { DeletionPolicy } of found) expect(DeletionPolicy, type).toBe('Retain');
    }
  });
});
