/**
 * API Gateway in front of the load balancer, where a stage wants it: `POST /v1/{team}/{app}`, with
 * an authorizer that knows the keys. It costs more than everything else at thousands of events a
 * second. WebSockets and the other protocols do not pass an HTTP API: they come by the load balancer.
 *
 * Invariant: answers of the authorizer are kept by key and path together; by the key alone, one
 * stream that it may write to would open all others.
 */
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { StackProps } from 'aws-cdk-lib';
import { CfnOutput, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import * as api from 'aws-cdk-lib/aws-apigatewayv2';
import {
  HttpLambdaAuthorizer,
  HttpLambdaResponseType,
} from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { HttpNlbIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import type { INetworkListener } from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import type { Deployment } from '../deployment.ts';
import { nameOf } from '../deployment.ts';
import { roleOf } from '../roles.ts';
import { podSubnets } from './network.ts';

const source = fileURLToPath(new URL('../../lambda/authorize.mjs', import.meta.url));
/** The most that an HTTP API waits for an authorizer is longer. */
const [authorizeWithin, answerWithin] = [Duration.seconds(3), Duration.seconds(29)];
const answersKept = Duration.minutes(5);

export interface EdgeProps extends StackProps {
  readonly vpc: ec2.IVpc;
  readonly listener: INetworkListener;
}

export class EdgeStack extends Stack {
  readonly #deployment: Deployment;

  constructor(scope: Construct, id: string, deployment: Deployment, props: EdgeProps) {
    super(scope, id, props);
    const { vpc, listener } = props;
    this.#deployment = deployment;
    const access = new ec2.SecurityGroup(this, 'LinkAccess', {
      vpc,
      description: 'API Gateway to the load balancer',
    });
    const vpcLink = new api.VpcLink(this, 'Link', {
      vpc,
      subnets: podSubnets,
      securityGroups: [access],
    });
    const http = new api.HttpApi(this, 'Api', {
      apiName: nameOf(deployment, 'edge'),
      createDefaultStage: false,
    });
    http.addRoutes({
      path: '/v1/{team}/{app}',
      methods: [api.HttpMethod.POST],
      integration: new HttpNlbIntegration('Ingest', listener, { vpcLink, timeout: answerWithin }),
      authorizer: new HttpLambdaAuthorizer('Keys', this.#authorizer(), {
        responseTypes: [HttpLambdaResponseType.SIMPLE],
        identitySource: ['$request.header.Authorization', '$context.path'],
        resultsCacheTtl: answersKept,
      }),
    });
    this.#stage(http);
    new CfnOutput(this, 'ApiEndpoint', { value: http.apiEndpoint });
  }

  #log(id: string): logs.LogGroup {
    return new logs.LogGroup(this, id, {
      retention: logs.RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    });
  }

  #stage(http: api.HttpApi): void {
    const { apiRequestsPerSecond: rateLimit } = this.#deployment.stage.edge;
    const stage = new api.HttpStage(this, 'Stage', {
      httpApi: http,
      stageName: '$default',
      autoDeploy: true,
      throttle: { rateLimit, burstLimit: rateLimit },
      detailedMetricsEnabled: true,
    });
    const told = {
      requestId: '$context.requestId',
      path: '$context.path',
      status: '$context.status',
      latencyMs: '$context.responseLatency',
      ingestMs: '$context.integrationLatency',
      authorizerError: '$context.authorizer.error',
      error: '$context.error.message',
    };
    (stage.node.defaultChild as api.CfnStage).accessLogSettings = {
      destinationArn: this.#log('Requests').logGroupArn,
      format: JSON.stringify(told),
    };
  }

  /** The code as it stands, and the digests of the keys: nothing is bundled at synthesis. */
  #authorizer(): lambda.Function {
    const { keys, jwt } = this.#deployment.config.access;
    const log = this.#log('AuthorizerLog');
    const folder = mkdtempSync(join(tmpdir(), 'sluice-authorizer-'));
    try {
      copyFileSync(source, join(folder, 'authorize.mjs'));
      const known = {
        keys: keys.map(({ sha256, streams }) => ({ sha256, streams })),
        tokens: jwt.length > 0,
      };
      writeFileSync(join(folder, 'keys.json'), JSON.stringify(known));
      return new lambda.Function(this, 'Authorizer', {
        code: lambda.Code.fromAsset(folder),
        handler: 'authorize.handler',
        runtime: lambda.Runtime.NODEJS_24_X,
        architecture: lambda.Architecture.ARM_64,
        memorySize: 256,
        timeout: authorizeWithin,
        logGroup: log,
        role: roleOf(this, 'AuthorizerRole', {
          assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com'),
          rights: [
            {
              sid: 'Log',
              actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
              on: [log.logGroupArn],
            },
          ],
        }).withoutPolicyUpdates(),
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
}
