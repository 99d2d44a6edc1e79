/**
 * Stateful: the Kinesis streams, the Kafka cluster (MSK Serverless) and the key that encrypts what
 * is stored. The topics of Kafka are not made here: CloudFormation has none for MSK Serverless.
 *
 * Invariants:
 * 1. Each stream of the configuration, and the ledger, has its Kinesis stream under its own name.
 * 2. All of it stays when the stack is deleted.
 */
import type { StackProps } from 'aws-cdk-lib';
import { CfnOutput, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as kinesis from 'aws-cdk-lib/aws-kinesis';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as msk from 'aws-cdk-lib/aws-msk';
import type { Construct } from 'constructs';
import type { Deployment } from '../deployment.ts';
import { nameOf } from '../deployment.ts';
import type { StreamConfig } from '../sluice.ts';
import { podSubnets } from './network.ts';

const [shardsWhenUnset, retentionWhenUnsetMs, recordWhenUnsetBytes] = [1, 86_400_000, 1_048_576];

export interface StreamsProps extends StackProps {
  readonly vpc: ec2.IVpc;
}

export class StreamsStack extends Stack {
  /** Encrypts streams, the lake, secrets of the cluster and alarms. */
  readonly key: kms.Key;
  /** By `team/app`. */
  readonly streams: ReadonlyMap<string, kinesis.Stream>;
  readonly kafka: msk.CfnServerlessCluster;
  readonly kafkaAccess: ec2.SecurityGroup;

  constructor(scope: Construct, id: string, deployment: Deployment, props: StreamsProps) {
    super(scope, id, props);
    const { vpc } = props;
    this.key = new kms.Key(this, 'Key', {
      alias: `sluice/${deployment.stage.stage}`,
      enableKeyRotation: true,
      removalPolicy: RemovalPolicy.RETAIN,
    });
    // Alarms are published to a topic that the key encrypts:
    // https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
    this.key.addToResourcePolicy(
      new iam.PolicyStatement({
        sid: 'Alarms',
        principals: [new iam.ServicePrincipal('cloudwatch.amazonaws.com')],
        actions: ['kms:Decrypt', 'kms:GenerateDataKey*'],
        resources: ['*'],
      }),
    );
    this.streams = new Map(
      deployment.streams.map((stream) => [stream.name, this.#kinesisStream(stream)]),
    );
    this.kafkaAccess = new ec2.SecurityGroup(this, 'KafkaAccess', {
      vpc,
      description: 'Brokers of Kafka',
      allowAllOutbound: false,
    });
    const { subnetIds } = vpc.selectSubnets(podSubnets);
    this.kafka = new msk.CfnServerlessCluster(this, 'Kafka', {
      clusterName: nameOf(deployment, 'kafka'),
      clientAuthentication: { sasl: { iam: { enabled: true } } },
      vpcConfigs: [{ subnetIds, securityGroups: [this.kafkaAccess.securityGroupId] }],
    });
    this.kafka.applyRemovalPolicy(RemovalPolicy.RETAIN);
    new CfnOutput(this, 'KafkaArn', { value: this.kafka.attrArn });
  }

  #kinesisStream({ kinesisStream: streamName, kinesis: shape }: StreamConfig): kinesis.Stream {
    const isOnDemand = shape.mode === 'on-demand';
    const stream = new kinesis.Stream(this, `Stream-${streamName}`, {
      streamName,
      retentionPeriod: Duration.millis(shape.retentionMs ?? retentionWhenUnsetMs),
      removalPolicy: RemovalPolicy.RETAIN,
      encryption: kinesis.StreamEncryption.KMS,
      encryptionKey: this.key,
      ...(isOnDemand
        ? { streamMode: kinesis.StreamMode.ON_DEMAND }
        : {
            streamMode: kinesis.StreamMode.PROVISIONED,
            shardCount: shape.shards ?? shardsWhenUnset,
          }),
    });
    // The construct has no property for it.
    const resource = stream.node.defaultChild as kinesis.CfnStream;
    resource.maxRecordSizeInKiB = (shape.recordMaxBytes ?? recordWhenUnsetBytes) / 1_024;
    return stream;
  }
}
