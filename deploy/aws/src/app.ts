/**
 * The stacks of one deployment, in the order in which they depend on each other.
 */
import { createRequire } from 'node:module';
import type { AppProps } from 'aws-cdk-lib';
import { App, Tags, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { acknowledge } from './acknowledged.ts';
import type { Deployment } from './deployment.ts';
import { hasFlink, nameOf } from './deployment.ts';
import { ClusterStack } from './stacks/cluster.ts';
import { EdgeStack } from './stacks/edge.ts';
import { FlinkStack } from './stacks/flink.ts';
import { LakeStack } from './stacks/lake.ts';
import { NetworkStack } from './stacks/network.ts';
import { ObservabilityStack } from './stacks/observability.ts';
import { StreamsStack } from './stacks/streams.ts';

/** The behavior of CDK that its own release recommends; older defaults apply without it. */
const recommended = createRequire(import.meta.url)(
  'aws-cdk-lib/recommended-feature-flags.json',
) as Readonly<Record<string, unknown>>;

/**
 * Values that one stack has of another are exports, which CloudFormation guards: what another stack
 * uses cannot be deleted. Only what stays is passed so; streams and tables are named.
 */
const exported = { '@aws-cdk/core:defaultCrossStackReferences': 'strong' };

export function createApp({ context, ...props }: AppProps = {}): App {
  return new App({ ...props, context: { ...recommended, ...exported, ...context } });
}

export interface Stacks {
  readonly network: NetworkStack;
  readonly streams: StreamsStack;
  readonly lake: LakeStack;
  readonly cluster: ClusterStack;
  readonly observability: ObservabilityStack;
  /** Where the stage wants API Gateway. */
  readonly edge?: EdgeStack;
  /** Where the stage has topologies on Managed Flink. */
  readonly flink?: FlinkStack;
}

/** Adds the stacks; a template that a check refuses then fails the synthesis. */
export function addStacks(app: App, deployment: Deployment): Stacks {
  const { region, account, stage } = deployment.stage;
  const env = { region, ...(account === undefined ? {} : { account }) };
  const name = (part: string): string => nameOf(deployment, part);
  const network = new NetworkStack(app, name('network'), deployment, { env });
  const { vpc } = network;
  const stateful = { env, terminationProtection: true };
  const streams = new StreamsStack(app, name('streams'), deployment, { ...stateful, vpc });
  const { key } = streams;
  const lake = new LakeStack(app, name('lake'), deployment, { ...stateful, key });
  lake.addStackDependency(streams);
  const cluster = new ClusterStack(app, name('cluster'), deployment, { env, vpc, streams, lake });
  const listener = cluster.loadBalancer.inside;
  const edge =
    deployment.stage.edge.apiGateway && listener !== undefined
      ? new EdgeStack(app, name('edge'), deployment, { env, vpc, listener })
      : undefined;
  const flink = hasFlink(deployment)
    ? new FlinkStack(app, name('flink'), deployment, { env, vpc, streams })
    : undefined;
  flink?.addStackDependency(lake);
  const watched = { env, streams, cluster };
  const observability = new ObservabilityStack(app, name('observability'), deployment, watched);
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  Tags.of(app).add('project', 'sluice');
  Tags.of(app).add('stage', stage);
  const stacks = {
    ...{ network, streams, lake, cluster, observability },
    ...(edge === undefined ? {} : { edge }),
    ...(flink === undefined ? {} : { flink }),
  };
  acknowledge(stacks);
  return stacks;
}
