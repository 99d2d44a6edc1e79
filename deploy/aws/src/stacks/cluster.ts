/**
 * EKS in Auto Mode, who its pods are, and the load balancer in front of the ingress. What runs in
 * the cluster is the chart's.
 *
 * Invariants:
 * 1. A pod has the rights of its service account, by EKS Pod Identity: those of
 *    docs/operating/policies, on what this deployment has.
 * 2. Rights on Kafka belong to a second role, which the pod assumes under a session name that stays:
 *    MSK ends a connection whose name changes when it signs in again, and Pod Identity changes it at
 *    every refresh.
 */
import type { StackProps } from 'aws-cdk-lib';
import { CfnOutput, Stack } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import { CfnAddon, CfnPodIdentityAssociation } from 'aws-cdk-lib/aws-eks';
import * as eks from 'aws-cdk-lib/aws-eks-v2';
import * as iam from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import type { Deployment } from '../deployment.ts';
import { nameOf } from '../deployment.ts';
import { placesOf } from '../places.ts';
import type { Service } from '../rights.ts';
import { rightsOf, services } from '../rights.ts';
import type { Right } from '../roles.ts';
import { roleOf } from '../roles.ts';
import type { LakeStack } from './lake.ts';
import { LoadBalancer } from './load-balancer.ts';
import { podSubnets } from './network.ts';
import type { StreamsStack } from './streams.ts';

/** The port of brokers where clients sign in with IAM. */
export const kafkaPort = 9_098;

export interface ClusterProps extends StackProps {
  readonly vpc: ec2.IVpc;
  readonly streams: StreamsStack;
  readonly lake: LakeStack;
}

export class ClusterStack extends Stack {
  readonly cluster: eks.Cluster;
  readonly loadBalancer: LoadBalancer;
  readonly #deployment: Deployment;

  constructor(scope: Construct, id: string, deployment: Deployment, props: ClusterProps) {
    super(scope, id, props);
    const { vpc, streams, lake } = props;
    this.#deployment = deployment;
    this.cluster = this.#cluster(vpc, streams);
    new ec2.CfnSecurityGroupIngress(this, 'KafkaFromPods', {
      groupId: streams.kafkaAccess.securityGroupId,
      ipProtocol: 'tcp',
      fromPort: kafkaPort,
      toPort: kafkaPort,
      sourceSecurityGroupId: this.cluster.clusterSecurityGroupId,
      description: 'Pods to brokers',
    });
    for (const service of services) {
      const { pod, kafka } = rightsOf(service, placesOf(this, service, deployment, streams));
      this.#service(service, pod, kafka);
    }
    this.loadBalancer = new LoadBalancer(this, 'LoadBalancer', {
      deployment,
      vpc,
      cluster: this.cluster,
      accessLogs: lake.accessLogs,
    });
    new CfnOutput(this, 'ClusterName', { value: this.cluster.clusterName });
  }

  #cluster(vpc: ec2.IVpc, streams: StreamsStack): eks.Cluster {
    const { adminRoleArn, apiCidrs } = this.#deployment.stage.cluster;
    const { AUDIT, AUTHENTICATOR, API, CONTROLLER_MANAGER, SCHEDULER } = eks.ClusterLoggingTypes;
    const cluster = new eks.Cluster(this, 'Cluster', {
      clusterName: nameOf(this.#deployment, 'cluster'),
      version: eks.KubernetesVersion.V1_36,
      vpc,
      vpcSubnets: [podSubnets],
      endpointAccess:
        apiCidrs.length === 0
          ? eks.EndpointAccess.PRIVATE
          : eks.EndpointAccess.PUBLIC_AND_PRIVATE.onlyFrom(...apiCidrs),
      secretsEncryptionKey: streams.key,
      clusterLogging: [AUDIT, AUTHENTICATOR, API, CONTROLLER_MANAGER, SCHEDULER],
      bootstrapClusterCreatorAdminPermissions: false,
      outputConfigCommand: false,
    });
    cluster.grantAccess('Admin', adminRoleArn, [
      eks.AccessPolicy.fromAccessPolicyName('AmazonEKSClusterAdminPolicy', {
        accessScopeType: eks.AccessScopeType.CLUSTER,
      }),
    ]);
    // The autoscaling of pods reads it.
    new CfnAddon(this, 'MetricsServer', {
      clusterName: cluster.clusterName,
      addonName: 'metrics-server',
      resolveConflicts: 'OVERWRITE',
    });
    return cluster;
  }

  /** The role of a service account, and its role for Kafka. */
  #service(service: Service, rights: readonly Right[], kafka: readonly Right[]): void {
    const kafkaName = nameOf(this.#deployment, `${service}-kafka`);
    const kafkaArn = this.formatArn({
      service: 'iam',
      region: '',
      resource: 'role',
      resourceName: kafkaName,
    });
    const pod = roleOf(this, `Pod-${service}`, {
      roleName: nameOf(this.#deployment, service),
      description: `Pods of sluice ${service}`,
      assumedBy: new iam.SessionTagsPrincipal(new iam.ServicePrincipal('pods.eks.amazonaws.com')),
      rights: [
        ...rights,
        // The tags that Pod Identity gives a session go along.
        { sid: 'KafkaRole', actions: ['sts:AssumeRole', 'sts:TagSession'], on: [kafkaArn] },
      ],
    });
    new CfnPodIdentityAssociation(this, `Identity-${service}`, {
      clusterName: this.cluster.clusterName,
      namespace: this.#deployment.stage.cluster.namespace,
      serviceAccount: `sluice-${service}`,
      roleArn: pod.roleArn,
    });
    const role = roleOf(this, `Kafka-${service}`, {
      roleName: kafkaName,
      description: `Kafka, for pods of sluice ${service}`,
      assumedBy: new iam.SessionTagsPrincipal(new iam.ArnPrincipal(pod.roleArn)),
      rights: kafka,
    });
    new CfnOutput(this, `KafkaRole-${service}`.replace('-', ''), { value: role.roleArn });
  }
}
