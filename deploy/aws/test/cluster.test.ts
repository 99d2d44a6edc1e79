/**
 * The cluster: roles with what the services call and no more, and a load balancer that is open to
 * whom the stage names.
 */
import { readFileSync } from 'node:fs';
import { Match } from 'aws-cdk-lib/assertions';
import { beforeAll, expect, it } from 'vitest';
import { rightsOf, services } from '../src/rights.ts';
import type { Resource, Synthesized } from './support.ts';
import { flightsConfig, minimalStage, synthesize } from './support.ts';

const tls =
  "edge: {certificate_arn: 'arn:aws:acm:eu-central-1:123456789012:certificate/a', client_cidrs: [198.51.100.0/24]}\n";

interface Statement {
  readonly Sid: string;
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
}

interface Policy {
  readonly Statement: readonly Statement[];
}

/** The actions of a documented policy, by statement. */
const documented = (service: string): ReadonlyMap<string, readonly string[]> => {
  const file = new URL(`../../../docs/operating/policies/${service}.json`, import.meta.url);
  const { Statement } = JSON.parse(readFileSync(file, 'utf8')) as Policy;
  return new Map(Statement.map(({ Sid, Action }) => [Sid, [Action].flat()]));
};

/** A cluster inside the VPC. */
let made: Synthesized;
beforeAll(async () => {
  made = await synthesize({ config: flightsConfig });
});
const roleNamed = (name: string): Resource | undefined =>
  made.resources('AWS::IAM::Role').find(({ Properties }) => Properties['RoleName'] === name);
const statementsOf = (name: string): ReadonlyMap<string, Statement> => {
  const { Policies } = (roleNamed(name) as Resource).Properties;
  const [policy] = Policies as { readonly PolicyDocument: Policy }[];
  return new Map(policy?.PolicyDocument.Statement.map((each) => [each.Sid, each]));
};
const actionsOf = (name: string): Readonly<Record<string, readonly string[]>> =>
  Object.fromEntries([...statementsOf(name)].map(([sid, { Action }]) => [sid, [Action].flat()]));

it('passes the checks', () => {
  expect(made.findings).toEqual([]);
});

it.each(services)('lets pods of %s do what the policy of the docs says', (service) => {
  const policy = documented(service);
  // Streams are made by their stack, and the stage has no enhanced fan-out.
  const isUsed = (action: string): boolean =>
    service === 'topics'
      ? action === 'kinesis:DescribeStreamSummary'
      : action !== 'kinesis:RegisterStreamConsumer';
  const ofPod = [...policy].filter(
    ([sid]) => !['Cluster', 'Topics', 'ConsumersOfFanOut'].includes(sid),
  );
  expect(actionsOf(`sluice-test-${service}`)).toEqual({
    ...Object.fromEntries(ofPod.map(([sid, actions]) => [sid, actions.filter(isUsed)])),
    KafkaRole: ['sts:AssumeRole', 'sts:TagSession'],
  });
  expect(actionsOf(`sluice-test-${service}-kafka`)).toEqual({
    Cluster: policy.get('Cluster'),
    Topics: policy.get('Topics'),
  });
});

it('gives rights on what the configuration names, and on nothing else', () => {
  const ingest = statementsOf('sluice-test-ingest');
  expect(JSON.stringify(ingest.get('Objects'))).toContain(':s3:::flights-test/claims/*');
  const text = JSON.stringify(ingest.get('Streams')?.Resource);
  for (const name of ['nyc-departures', 'nyc-weather', 'nyc-schedules', 'sluice-ledger'])
    expect(text).toContain(`:stream/${name}"`);
  const enrich = statementsOf('sluice-test-enrich');
  expect(JSON.stringify(enrich.get('DeliveryStreams'))).toContain(':deliverystream/nyc-weather"');
  const topics = JSON.stringify(statementsOf('sluice-test-enrich-kafka').get('Topics'));
  expect(topics.match(/\/(?:nyc|sluice)-\w+"/g)).toHaveLength(4);
  for (const { Properties } of made.resources('AWS::IAM::Role'))
    expect(JSON.stringify(Properties['Policies'] ?? [])).not.toContain('"Resource":"*"');
});

it('lets a pod be its service account, and assume its role for Kafka with the tags it has', () => {
  const identities = made
    .resources('AWS::EKS::PodIdentityAssociation')
    .map(({ Properties }) => [Properties['Namespace'], Properties['ServiceAccount']]);
  expect(identities).toEqual(
    ['ingest', 'enrich', 'topics'].map((service) => ['sluice', `sluice-${service}`]),
  );
  const trusted = (name: string): unknown =>
    roleNamed(name)?.Properties['AssumeRolePolicyDocument'];
  const actions = ['sts:AssumeRole', 'sts:TagSession'];
  expect(trusted('sluice-test-ingest')).toMatchObject({
    Statement: [{ Action: actions, Principal: { Service: 'pods.eks.amazonaws.com' } }],
  });
  expect(trusted('sluice-test-ingest-kafka')).toMatchObject({
    Statement: [{ Action: actions, Principal: { AWS: expect.anything() as unknown } }],
  });
});

it('is reached from the VPC alone', () => {
  const cluster = made.template('cluster');
  cluster.hasResourceProperties('AWS::EKS::Cluster', {
    ResourcesVpcConfig: { EndpointPublicAccess: false, EndpointPrivateAccess: true },
  });
  cluster.hasResourceProperties('AWS::ElasticLoadBalancingV2::LoadBalancer', {
    Scheme: 'internal',
    Type: 'network',
  });
  cluster.resourceCountIs('AWS::ElasticLoadBalancingV2::Listener', 1);
  cluster.hasResourceProperties('AWS::EKS::AccessEntry', {
    PrincipalArn: 'arn:aws:iam::123456789012:role/deployer',
  });
});

it('has a target group where EKS may register pods, checked by the route of readiness', () => {
  made.template('cluster').hasResourceProperties('AWS::ElasticLoadBalancingV2::TargetGroup', {
    HealthCheckPath: '/readyz',
    TargetType: 'ip',
    Port: 8_080,
    TargetGroupAttributes: Match.arrayWith([{ Key: 'preserve_client_ip.enabled', Value: 'true' }]),
    Tags: Match.arrayWith([Match.objectLike({ Key: 'eks:eks-cluster-name' })]),
  });
});

it('with a certificate, clients come by TLS from where the stage says', async () => {
  const open = await synthesize({ stage: `${minimalStage}${tls}` });
  expect(open.findings).toEqual([]);
  const cluster = open.template('cluster');
  cluster.resourceCountIs('AWS::ElasticLoadBalancingV2::Listener', 1);
  cluster.hasResourceProperties('AWS::ElasticLoadBalancingV2::Listener', {
    Protocol: 'TLS',
    AlpnPolicy: ['HTTP1Only'],
  });
  const ranges = open
    .resources('AWS::EC2::SecurityGroup')
    .flatMap(({ Properties }) => Properties['SecurityGroupIngress'] ?? []) as { CidrIp: string }[];
  expect(new Set(ranges.map(({ CidrIp }) => CidrIp))).toEqual(
    new Set(['10.0.0.0/16', '198.51.100.0/24']),
  );
});

it('rights without fan-out and Firehose are fewer, and a statement that nobody knows is refused', () => {
  const places = {
    Streams: ['s'],
    ConsumersOfFanOut: [],
    Bucket: ['b'],
    Objects: ['o'],
    DeliveryStreams: [],
    KeyWhereYoursEncrypts: ['k'],
    Cluster: ['c'],
    Topics: ['t'],
  };
  const sids = (of: typeof places): readonly string[] =>
    rightsOf('enrich', of).pod.map(({ sid }) => sid);
  expect(sids(places)).toEqual(['Streams', 'Bucket', 'Objects', 'KeyWhereYoursEncrypts']);
  const fanOut = { ...places, ConsumersOfFanOut: ['f'], DeliveryStreams: ['d'] };
  expect(rightsOf('enrich', fanOut).pod.flatMap(({ actions }) => actions)).toEqual(
    expect.arrayContaining(['kinesis:RegisterStreamConsumer', 'firehose:PutRecordBatch']),
  );
  const { Streams: _streams, ...missing } = places;
  expect(() => sids(missing as typeof places)).toThrow("the policy of enrich has 'Streams'");
});
