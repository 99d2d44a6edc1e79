/**
 * The VPC, and a private way to every service of AWS that the pods call: one endpoint in each zone,
 * and the free gateway of S3, so that tables and the layers of images do not pass a NAT gateway.
 */
import type { StackProps } from 'aws-cdk-lib';
import { CfnOutput, Fn, RemovalPolicy, Stack } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as logs from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import type { Deployment } from '../deployment.ts';

/** The subnets where pods, brokers and endpoints are. */
export const podSubnets: ec2.SubnetSelection = { subnetGroupName: 'pods' };

const services = ec2.InterfaceVpcEndpointAwsService;
/** By the name of the endpoint in the template. EKS Pod Identity asks `eks-auth`, Kafka's role STS. */
const always = {
  KinesisStreams: services.KINESIS_STREAMS,
  Sts: services.STS,
  EksAuth: services.EKS_AUTH,
  EcrApi: services.ECR,
  EcrDocker: services.ECR_DOCKER,
  Logs: services.CLOUDWATCH_LOGS,
  Monitoring: services.CLOUDWATCH_MONITORING,
  Kafka: services.KAFKA,
} as const;
/** Where Firehose writes tables. */
const ofFirehose = {
  Firehose: services.KINESIS_FIREHOSE,
  Glue: services.GLUE,
} as const;

/** By name, each in every zone. `sluice cost` counts the same. */
export function endpointsOf({
  config,
}: Deployment): ReadonlyMap<string, ec2.InterfaceVpcEndpointAwsService> {
  const hasFirehose = Object.keys(config.sinks.firehose.tables).length > 0;
  return new Map(Object.entries(hasFirehose ? { ...always, ...ofFirehose } : always));
}

export class NetworkStack extends Stack {
  readonly vpc: ec2.Vpc;
  readonly #zones: number;

  constructor(scope: Construct, id: string, deployment: Deployment, props: StackProps) {
    super(scope, id, props);
    const { stage } = deployment;
    const { cidr, zones, natGateways } = stage.network;
    this.#zones = zones;
    const rejected = new logs.LogGroup(this, 'RejectedFlows', {
      retention: logs.RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    this.vpc = new ec2.Vpc(this, 'Vpc', {
      ipAddresses: ec2.IpAddresses.cidr(cidr),
      maxAzs: zones,
      natGateways: Math.min(natGateways, zones),
      subnetConfiguration: [
        { name: 'public', subnetType: ec2.SubnetType.PUBLIC, cidrMask: 24 },
        { name: 'pods', subnetType: ec2.SubnetType.PRIVATE_WITH_EGRESS, cidrMask: 19 },
      ],
      flowLogs: {
        rejected: {
          destination: ec2.FlowLogDestination.toCloudWatchLogs(rejected),
          trafficType: ec2.FlowLogTrafficType.REJECT,
        },
      },
      gatewayEndpoints: { S3: { service: ec2.GatewayVpcEndpointAwsService.S3 } },
    });
    const access = new ec2.SecurityGroup(this, 'EndpointAccess', {
      vpc: this.vpc,
      description: 'Endpoints of services of AWS',
      allowAllOutbound: false,
    });
    access.addIngressRule(ec2.Peer.ipv4(cidr), ec2.Port.tcp(443), 'all of the VPC');
    for (const [name, service] of endpointsOf(deployment))
      this.vpc.addInterfaceEndpoint(name, {
        service,
        subnets: podSubnets,
        securityGroups: [access],
        open: false,
      });
    new CfnOutput(this, 'VpcId', { value: this.vpc.vpcId });
  }

  /**
   * The first zones of the region, by its own list: without an account there is none to look up,
   * and CDK would use two.
   */
  override get availabilityZones(): string[] {
    return Array.from({ length: this.#zones }, (_, index) => Fn.select(index, Fn.getAzs()));
  }
}
