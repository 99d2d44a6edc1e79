/**
 * The network load balancer in front of the ingress. It is made here and not by the cluster, so that
 * it outlives the chart, and API Gateway can name its listener; the chart binds its target groups
 * (TargetGroupBinding).
 *
 * Invariants:
 * 1. With a certificate clients come by TLS, from the addresses that the stage names. Without one
 *    the load balancer is inside the VPC.
 * 2. A target group has the tag without which EKS in Auto Mode registers no pods in it.
 */
import { CfnOutput, Duration, Stack, Tags, Validations } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import type * as eks from 'aws-cdk-lib/aws-eks-v2';
import * as elb from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import type * as s3 from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import type { Deployment } from '../deployment.ts';
import { podSubnets } from './network.ts';

/** Pods leave the target groups within this time; the chart's `preStop` is longer. */
const deregistration = Duration.seconds(30);
const everybody = '0.0.0.0/0';
const [plainPort, tlsPort] = [80, 443];

export interface LoadBalancerProps {
  readonly deployment: Deployment;
  readonly vpc: ec2.IVpc;
  readonly cluster: eks.Cluster;
  readonly accessLogs: s3.IBucket;
}

export class LoadBalancer extends Construct {
  readonly balancer: elb.NetworkLoadBalancer;
  /** What is inside the VPC connects here: API Gateway's link, or clients where there is no TLS. */
  readonly inside: elb.NetworkListener | undefined;
  /** By the name of their listener. */
  readonly targets = new Map<string, elb.NetworkTargetGroup>();
  readonly #props: LoadBalancerProps;

  constructor(scope: Construct, id: string, props: LoadBalancerProps) {
    super(scope, id);
    this.#props = props;
    const { deployment, vpc, cluster, accessLogs } = props;
    const { certificateArn, clientCidrs, apiGateway } = deployment.stage.edge;
    const access = new ec2.SecurityGroup(this, 'Access', {
      vpc,
      description: 'Load balancer of the ingress',
      allowAllOutbound: false,
    });
    const isOutside = certificateArn !== undefined;
    this.balancer = new elb.NetworkLoadBalancer(this, 'Balancer', {
      vpc,
      internetFacing: isOutside,
      vpcSubnets: isOutside ? { subnetGroupName: 'public' } : podSubnets,
      securityGroups: [access],
      // Pods are spread over the zones: crossing them costs by the byte.
      crossZoneEnabled: false,
    });
    this.balancer.logAccessLogs(accessLogs, 'load-balancer');
    if (isOutside) {
      if (clientCidrs.includes(everybody))
        Validations.of(access).acknowledge({
          id: 'AwsSolutions::AwsSolutions-EC23',
          reason: 'The stage says that everybody may send: keys decide.',
        });
      for (const range of clientCidrs)
        access.addIngressRule(ec2.Peer.ipv4(range), ec2.Port.tcp(tlsPort), 'clients');
      this.balancer.addListener('Tls', {
        port: tlsPort,
        protocol: elb.Protocol.TLS,
        certificates: [elb.ListenerCertificate.fromArn(certificateArn)],
        sslPolicy: elb.SslPolicy.TLS13_RES,
        // The ingress speaks HTTP/1.1 and WebSockets.
        alpnPolicy: elb.AlpnPolicy.HTTP1_ONLY,
        defaultTargetGroups: [this.#targets('TlsTargets')],
      });
    }
    if (!isOutside || apiGateway) {
      const { cidr } = deployment.stage.network;
      access.addIngressRule(ec2.Peer.ipv4(cidr), ec2.Port.tcp(plainPort), 'inside the VPC');
      this.inside = this.balancer.addListener('Inside', {
        port: plainPort,
        protocol: elb.Protocol.TCP,
        defaultTargetGroups: [this.#targets('InsideTargets')],
      });
    }
    const port = ec2.Port.tcp(deployment.config.ingress.port);
    cluster.connections.allowFrom(this.balancer, port, 'load balancer to pods');
    new CfnOutput(Stack.of(this), 'LoadBalancerName', {
      value: this.balancer.loadBalancerDnsName,
    });
  }

  #targets(id: string): elb.NetworkTargetGroup {
    const { deployment, vpc, cluster } = this.#props;
    const { port } = deployment.config.ingress;
    const targets = new elb.NetworkTargetGroup(this, id, {
      vpc,
      port,
      protocol: elb.Protocol.TCP,
      targetType: elb.TargetType.IP,
      deregistrationDelay: deregistration,
      // The ingress bounds what one address may do.
      preserveClientIp: true,
      healthCheck: { protocol: elb.Protocol.HTTP, path: '/readyz', port: String(port) },
    });
    Tags.of(targets).add('eks:eks-cluster-name', cluster.clusterName);
    new CfnOutput(Stack.of(this), `${id}Arn`, { value: targets.targetGroupArn });
    this.targets.set(id, targets);
    return targets;
  }
}
