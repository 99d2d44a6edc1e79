/**
 * Topologies on Amazon Managed Service for Apache Flink: for each that the stage names an
 * application, its role, its log and its place in the VPC.
 *
 * Invariants:
 * 1. The role has what the job calls (docs/operating/policies/flink.json), on what this deployment
 *    has, and what the service itself needs in the application's name: the jar, the log, the VPC.
 * 2. An update starts from a snapshot that was taken when the application stopped for it. State
 *    that no operator takes stops the update, and the service goes back to what ran before.
 * 3. The application is made, not started: the first start is somebody's decision, after the same
 *    topology was drained where it runs now.
 */
import type { StackProps } from 'aws-cdk-lib';
import { ArnFormat, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as iam from 'aws-cdk-lib/aws-iam';
import {
  CfnApplication,
  CfnApplicationCloudWatchLoggingOption,
} from 'aws-cdk-lib/aws-kinesisanalyticsv2';
import * as logs from 'aws-cdk-lib/aws-logs';
import { Asset } from 'aws-cdk-lib/aws-s3-assets';
import type { Construct } from 'constructs';
import type { Deployment } from '../deployment.ts';
import { applicationOf, flinkOf } from '../deployment.ts';
import { placesOf } from '../places.ts';
import { rightsOf } from '../rights.ts';
import type { Right } from '../roles.ts';
import { acceptBelow, roleOf } from '../roles.ts';
import { present } from '../sluice.ts';
import type { FlinkApplication } from '../stage-table.ts';
import { kafkaPort } from './cluster.ts';
import { podSubnets } from './network.ts';
import type { StreamsStack } from './streams.ts';

/** Java 11, for which the job is compiled. */
const runtime = 'FLINK-1_20';
/** Between the end of a checkpoint and the next one; the service's own default. */
const pauseMs = 5_000;

export interface FlinkProps extends StackProps {
  readonly vpc: ec2.IVpc;
  readonly streams: StreamsStack;
}

const described = ['Vpcs', 'Subnets', 'SecurityGroups', 'DhcpOptions', 'NetworkInterfaces'];
const useInterface = ['ec2:CreateNetworkInterfacePermission', 'ec2:DeleteNetworkInterface'];
const [logFolder, logStreamName] = ['/aws/kinesis-analytics/', 'job'];

/** A jar in a bucket. */
interface Code {
  readonly bucketArn: string;
  readonly key: string;
}

export class FlinkStack extends Stack {
  /** By the name of the topology. */
  readonly applications = new Map<string, CfnApplication>();
  readonly #deployment: Deployment;
  readonly #vpc: ec2.IVpc;
  readonly #network: iam.ManagedPolicy;
  readonly #access: ec2.SecurityGroup;
  readonly #rights: readonly Right[];

  constructor(scope: Construct, id: string, deployment: Deployment, props: FlinkProps) {
    super(scope, id, props);
    const { vpc, streams } = props;
    this.#deployment = deployment;
    this.#vpc = vpc;
    // Out: Kinesis, S3, brokers, and what look-ups and the graph are at.
    this.#access = new ec2.SecurityGroup(this, 'Access', { vpc, description: 'Jobs of Flink' });
    new ec2.CfnSecurityGroupIngress(this, 'KafkaFromFlink', {
      groupId: streams.kafkaAccess.securityGroupId,
      ipProtocol: 'tcp',
      fromPort: kafkaPort,
      toPort: kafkaPort,
      sourceSecurityGroupId: this.#access.securityGroupId,
      description: 'Jobs of Flink to brokers',
    });
    this.#network = this.#networkPolicy();
    // The service signs in under one session name, so the role of the job is Kafka's, too.
    const { pod, kafka } = rightsOf('flink', placesOf(this, 'flink', deployment, streams));
    this.#rights = [...pod, ...kafka];
    for (const [topology, settings] of flinkOf(deployment))
      this.applications.set(topology, this.#application(topology, settings));
  }

  /**
   * What the service does in the VPC for an application
   * (https://docs.aws.amazon.com/managed-flink/latest/java/vpc-permissions.html). To describe has no
   * resource in IAM; to make is only in the subnets and with the group of this stack.
   */
  #networkPolicy(): iam.ManagedPolicy {
    const arn = (resource: string, resourceName: string): string =>
      this.formatArn({ service: 'ec2', resource, resourceName });
    const { subnetIds } = this.#vpc.selectSubnets(podSubnets);
    const interfaces = arn('network-interface', '*');
    const group = arn('security-group', this.#access.securityGroupId);
    const make = [interfaces, group, ...subnetIds.map((subnet) => arn('subnet', subnet))];
    const describe = described.map((what) => `ec2:Describe${what}`);
    const policy = new iam.ManagedPolicy(this, 'Network', {
      description: 'Network interfaces of jobs of Flink',
      statements: [
        statement('Describe', describe, ['*']),
        statement('Make', ['ec2:CreateNetworkInterface'], make),
        statement('Use', useInterface, [interfaces]),
      ],
    });
    acceptBelow(policy, interfaces);
    Validations.of(policy).acknowledge({
      id: 'AwsSolutions::AwsSolutions-IAM5[Resource::*]',
      reason: 'To describe parts of a VPC has no resource in IAM: only these actions are on all.',
    });
    return policy;
  }

  #application(topology: string, settings: FlinkApplication): CfnApplication {
    const name = applicationOf(this.#deployment, topology);
    const code = this.#code(topology, settings);
    const group = new logs.LogGroup(this, `Log-${topology}`, {
      logGroupName: `${logFolder}${name}`,
      retention: logs.RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const log = new logs.LogStream(this, `LogStream-${topology}`, {
      logGroup: group,
      logStreamName,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const role = this.#role(topology, name, code);
    const made = new CfnApplication(this, `Application-${topology}`, {
      applicationName: name,
      applicationDescription: `The topology ${topology} of Sluice`,
      runtimeEnvironment: runtime,
      applicationMode: 'STREAMING',
      serviceExecutionRole: role.roleArn,
      applicationConfiguration: this.#configuration(code, settings),
      runConfiguration: {
        applicationRestoreConfiguration: {
          applicationRestoreType: 'RESTORE_FROM_LATEST_SNAPSHOT',
        },
        flinkRunConfiguration: { allowNonRestoredState: false },
      },
    });
    new CfnApplicationCloudWatchLoggingOption(this, `Logging-${topology}`, {
      applicationName: made.ref,
      cloudWatchLoggingOption: { logStreamArn: this.#logArn(name, logStreamName) },
    }).node.addDependency(log);
    return made;
  }

  #configuration(
    { bucketArn, key }: Code,
    { parallelism, parallelismPerKpu, autoscaling, checkpointIntervalMs }: FlinkApplication,
  ): CfnApplication.ApplicationConfigurationProperty {
    const configurationType = 'CUSTOM';
    const { subnetIds } = this.#vpc.selectSubnets(podSubnets);
    return {
      applicationCodeConfiguration: {
        codeContentType: 'ZIPFILE',
        codeContent: { s3ContentLocation: { bucketArn, fileKey: key } },
      },
      applicationSnapshotConfiguration: { snapshotsEnabled: true },
      applicationSystemRollbackConfiguration: { rollbackEnabled: true },
      flinkApplicationConfiguration: {
        checkpointConfiguration: {
          configurationType,
          checkpointingEnabled: true,
          checkpointInterval: checkpointIntervalMs,
          minPauseBetweenCheckpoints: pauseMs,
        },
        monitoringConfiguration: {
          configurationType,
          logLevel: 'INFO',
          metricsLevel: 'APPLICATION',
        },
        parallelismConfiguration: {
          configurationType,
          parallelism,
          parallelismPerKpu,
          autoScalingEnabled: autoscaling,
        },
      },
      vpcConfigurations: [{ subnetIds, securityGroupIds: [this.#access.securityGroupId] }],
    };
  }

  #role(topology: string, name: string, { bucketArn, key }: Code): iam.Role {
    const { account } = this;
    const application = this.formatArn({
      service: 'kinesisanalytics',
      resource: 'application',
      resourceName: name,
    });
    return roleOf(this, `Role-${topology}`, {
      roleName: `${name}-flink`,
      description: `The topology ${topology} on Managed Flink`,
      // Not for what another account asks the service to do.
      assumedBy: new iam.ServicePrincipal('kinesisanalytics.amazonaws.com', {
        conditions: {
          StringEquals: { 'aws:SourceAccount': account },
          ArnEquals: { 'aws:SourceArn': application },
        },
      }),
      managedPolicies: [this.#network],
      rights: [
        {
          sid: 'Jar',
          actions: ['s3:GetObject', 's3:GetObjectVersion'],
          on: [`${bucketArn}/${key}`],
        },
        { sid: 'LogGroups', actions: ['logs:DescribeLogGroups'], on: [this.#logArn('*')] },
        { sid: 'LogStreams', actions: ['logs:DescribeLogStreams'], on: [this.#logArn(name, '*')] },
        { sid: 'Log', actions: ['logs:PutLogEvents'], on: [this.#logArn(name, logStreamName)] },
        ...this.#rights,
      ],
    });
  }

  /** Of an application's log; without `stream`: of the group. */
  #logArn(name: string, stream?: string): string {
    const group = `${logFolder}${name}`;
    return this.formatArn({
      service: 'logs',
      resource: 'log-group',
      resourceName: stream === undefined ? group : `${group}:log-stream:${stream}`,
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    });
  }

  /** One of the two is there: see problems.ts. */
  #code(topology: string, { jar, jarS3 }: FlinkApplication): Code {
    if (jar === undefined) {
      const { hostname, pathname } = new URL(present(jarS3, `the jar of ${topology}`));
      return {
        bucketArn: `arn:${this.partition}:s3:::${hostname}`,
        key: decodeURIComponent(pathname.slice(1)),
      };
    }
    const asset = new Asset(this, `Jar-${topology}`, { path: jar });
    return { bucketArn: asset.bucket.bucketArn, key: asset.s3ObjectKey };
  }
}

const statement = (sid: string, actions: readonly string[], on: readonly string[]) =>
  new iam.PolicyStatement({ sid, actions: [...actions], resources: [...on] });
