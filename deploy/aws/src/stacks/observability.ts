/**
 * What is watched: one dashboard, with dollars an hour; alarms to one topic; and a budget.
 *
 * Invariant: streams and delivery streams are watched by name, so this stack can be deleted and made
 * again without touching what it watches.
 */
import type { StackProps } from 'aws-cdk-lib';
import { CfnOutput, Duration, Stack } from 'aws-cdk-lib';
import * as budgets from 'aws-cdk-lib/aws-budgets';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as sns from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import type { Construct } from 'constructs';
import { alarmsOf, describeAlarm } from '../alarms.ts';
import type { Deployment } from '../deployment.ts';
import { nameOf } from '../deployment.ts';
import type { HourMetric } from '../hourly-cost.ts';
import { hourCosts } from '../hourly-cost.ts';
import type { ClusterStack } from './cluster.ts';
import type { StreamsStack } from './streams.ts';

const hour = Duration.hours(1);
const [half, whole] = [12, 24];
/** ACM renews its own certificates 60 days before they end. */
const certificateDays = 14;
/** The names that the bill has; its metrics are in one region, for all others. */
const billed = [
  'AmazonKinesis',
  'AmazonKinesisFirehose',
  'AmazonKinesisAnalytics',
  'AmazonMSK',
  'AmazonEC2',
  'AmazonEKS',
  'AmazonS3',
  'AmazonApiGateway',
];

export interface ObservabilityProps extends StackProps {
  readonly streams: StreamsStack;
  readonly cluster: ClusterStack;
}

export class ObservabilityStack extends Stack {
  readonly #deployment: Deployment;

  constructor(scope: Construct, id: string, deployment: Deployment, props: ObservabilityProps) {
    super(scope, id, props);
    this.#deployment = deployment;
    const { alarmEmail } = deployment.stage.observability;
    const topic = new sns.Topic(this, 'Alarms', {
      masterKey: props.streams.key,
      enforceSSL: true,
    });
    // The topic's own policy stands in place of the one that would allow it.
    topic.grantPublish(new iam.ServicePrincipal('cloudwatch.amazonaws.com'));
    if (alarmEmail !== undefined) topic.addSubscription(new EmailSubscription(alarmEmail));
    this.#alarms(topic, props.cluster);
    this.#dashboard();
    this.#budget();
    new CfnOutput(this, 'AlarmTopicArn', { value: topic.topicArn });
  }

  #alarms(topic: sns.Topic, { loadBalancer }: ClusterStack): void {
    const action = new SnsAction(topic);
    for (const alarm of alarmsOf(this.#deployment)) {
      const { id, description, metric, above, minutes, isBadWhenMissing } = alarm;
      const period = Duration.minutes(minutes);
      new cloudwatch.Alarm(this, id, {
        alarmName: nameOf(this.#deployment, id),
        alarmDescription: describeAlarm(id, description),
        metric: metric(period),
        threshold: above,
        comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
        evaluationPeriods: 3,
        datapointsToAlarm: 2,
        treatMissingData:
          isBadWhenMissing === true
            ? cloudwatch.TreatMissingData.BREACHING
            : cloudwatch.TreatMissingData.NOT_BREACHING,
      }).addAlarmAction(action);
    }
    for (const [name, targets] of loadBalancer.targets)
      new cloudwatch.Alarm(this, `NoPods-${name}`, {
        alarmName: nameOf(this.#deployment, `NoPods-${name}`),
        alarmDescription: describeAlarm(
          'NoPods',
          'No pod of the ingress is ready: clients get no answer. Look at the pods and their /readyz.',
        ),
        metric: targets.metrics.healthyHostCount({
          period: Duration.minutes(1),
          statistic: 'Maximum',
        }),
        threshold: 1,
        comparisonOperator: cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
        evaluationPeriods: 3,
        treatMissingData: cloudwatch.TreatMissingData.BREACHING,
      }).addAlarmAction(action);
    this.#certificate(action);
  }

  /** ACM tells the days that are left, twice a day. */
  #certificate(action: SnsAction): void {
    const { certificateArn } = this.#deployment.stage.edge;
    if (certificateArn === undefined) return;
    const id = 'CertificateEnds-edge';
    new cloudwatch.Alarm(this, id, {
      alarmName: nameOf(this.#deployment, id),
      alarmDescription: describeAlarm(
        id,
        `The certificate of the load balancer ends within ${certificateDays} days. Look in ACM why it was not renewed.`,
      ),
      metric: new cloudwatch.Metric({
        namespace: 'AWS/CertificateManager',
        metricName: 'DaysToExpiry',
        dimensionsMap: { CertificateArn: certificateArn },
        statistic: 'Minimum',
        period: Duration.days(1),
      }),
      threshold: certificateDays,
      comparisonOperator: cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
      evaluationPeriods: 1,
      treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING,
    }).addAlarmAction(action);
  }

  #dashboard(): void {
    const dashboard = new cloudwatch.Dashboard(this, 'Dashboard', {
      dashboardName: nameOf(this.#deployment, 'overview'),
      periodOverride: cloudwatch.PeriodOverride.INHERIT,
    });
    dashboard.addWidgets(this.#hourCost(), bill());
    for (const { kinesisStream } of this.#deployment.streams) {
      const metric = (metricName: string, statistic: string): cloudwatch.Metric =>
        new cloudwatch.Metric({
          namespace: 'AWS/Kinesis',
          metricName,
          dimensionsMap: { StreamName: kinesisStream },
          statistic,
          period: Duration.minutes(1),
        });
      dashboard.addWidgets(
        new cloudwatch.GraphWidget({
          title: `${kinesisStream}: bytes in and out`,
          width: half,
          left: [metric('IncomingBytes', 'Sum'), metric('GetRecords.Bytes', 'Sum')],
        }),
        new cloudwatch.GraphWidget({
          title: `${kinesisStream}: age of what is read, throttled writes`,
          width: half,
          left: [metric('GetRecords.IteratorAgeMilliseconds', 'Maximum')],
          right: [metric('WriteProvisionedThroughputExceeded', 'Sum')],
        }),
      );
    }
  }

  /** One line a part, stacked: the top is the sum. */
  #hourCost(): cloudwatch.GraphWidget {
    const { prices } = this.#deployment;
    const costs = hourCosts(this.#deployment, nameOf(this.#deployment, 'kafka'));
    return new cloudwatch.GraphWidget({
      title: `$ an hour now, without nodes (list prices of ${prices.region})`,
      width: whole,
      stacked: true,
      left: costs.map(
        ({ label, expression, metrics }, index) =>
          new cloudwatch.MathExpression({
            label,
            expression: renamed(expression, index),
            period: hour,
            usingMetrics: Object.fromEntries(
              Object.entries(metrics).map(([name, metric]) => [
                `${name}${index}`,
                hourMetric(metric),
              ]),
            ),
          }),
      ),
    });
  }

  #budget(): void {
    const { budgetUsd, alarmEmail } = this.#deployment.stage.observability;
    if (budgetUsd === undefined || alarmEmail === undefined) return;
    const warn = (notificationType: string, threshold: number) => ({
      notification: {
        notificationType,
        threshold,
        thresholdType: 'PERCENTAGE',
        comparisonOperator: 'GREATER_THAN',
      },
      subscribers: [{ subscriptionType: 'EMAIL', address: alarmEmail }],
    });
    new budgets.CfnBudget(this, 'Budget', {
      budget: {
        budgetName: nameOf(this.#deployment, 'month'),
        budgetType: 'COST',
        timeUnit: 'MONTHLY',
        budgetLimit: { amount: budgetUsd, unit: 'USD' },
        // Counts once the tag is activated for the bill.
        costFilters: { TagKeyValue: ['user:project$sluice'] },
      },
      notificationsWithSubscribers: [warn('ACTUAL', 80), warn('FORECASTED', 100)],
    });
  }
}

/** Names of metrics are of the whole graph. */
const renamed = (expression: string, index: number): string =>
  expression.replaceAll(/\b([a-z])\b/g, (_name, letter: string) => `${letter}${index}`);

const hourMetric = ({ namespace, metric, dimensions, statistic }: HourMetric): cloudwatch.Metric =>
  new cloudwatch.Metric({
    namespace,
    metricName: metric,
    dimensionsMap: { ...dimensions },
    statistic: statistic ?? 'Sum',
    period: hour,
  });

function bill(): cloudwatch.GraphWidget {
  return new cloudwatch.GraphWidget({
    title: 'Bill of the month so far, by service, of the whole account',
    width: whole,
    region: 'us-east-1',
    left: billed.map(
      (name) =>
        new cloudwatch.Metric({
          namespace: 'AWS/Billing',
          metricName: 'EstimatedCharges',
          dimensionsMap: { Currency: 'USD', ServiceName: name },
          statistic: 'Maximum',
          period: Duration.hours(6),
          label: name,
        }),
    ),
  });
}
