/**
 * What a stage is, beside the configuration of Sluice: the settings of `stage.yaml`, in the words
 * of Sluice's own table (schemas/config/setting.ts), which is a JSON Schema. Types, checks, defaults
 * and errors come from it.
 */
import type { ValueOf } from './sluice.ts';
import { flag, group, list, named, text, whole } from './sluice.ts';

const network = group({
  description: 'The VPC.',
  properties: {
    cidr: text({
      description: 'Addresses of the VPC.',
      pattern: '^\\d{1,3}(?:\\.\\d{1,3}){3}/16$',
      expected: 'a range of /16 such as 10.0.0.0/16',
      default: '10.0.0.0/16',
    }),
    zones: whole({
      description: 'Availability zones: the first of the region, in their order.',
      default: 3,
      minimum: 2,
      maximum: 3,
    }),
    nat_gateways: whole({
      description: 'NAT gateways, for what has no endpoint in the VPC. One per zone at most.',
      default: 1,
      minimum: 1,
      maximum: 3,
    }),
  },
});

const lake = group({
  description: 'The lake: a bucket with tables, checkpoints and claims, and how it is asked.',
  properties: {
    scan_limit_gib: whole({
      description: 'What one query of the workgroup of Athena may read, in GiB.',
      default: 100,
      minimum: 1,
      maximum: 100_000,
    }),
    first_date: text({
      description: 'First day that Athena looks for: rows of earlier days are not found by it.',
      pattern: '^\\d{4}-\\d{2}-\\d{2}$',
      expected: 'a day in quotes, such as "2026-01-01"',
      default: '2024-01-01',
    }),
    claims_days: whole({
      description: 'Days that claims are kept: longer than any stream or topic keeps its events.',
      default: 30,
      minimum: 2,
      maximum: 3_650,
    }),
    archive: list({
      description:
        'Streams (team/app) whose Kinesis records Firehose also keeps as they are, below `archive/`.',
      default: [],
      items: text({ description: 'Stream.', examples: ['shop/clicks'] }),
    }),
  },
});

const cidr = text({
  description: 'Range of addresses.',
  pattern: '^\\d{1,3}(?:\\.\\d{1,3}){3}/\\d{1,2}$',
  expected: 'a range such as 203.0.113.0/24',
  examples: ['203.0.113.0/24'],
});

const cluster = group({
  description: 'The cluster of EKS that the services run in.',
  required: ['admin_role_arn'],
  properties: {
    admin_role_arn: text({
      description: 'Role of those who install the chart: administrator of the cluster.',
      pattern: '^arn:[a-z-]+:iam::\\d{12}:role/\\S+$',
      expected: 'a role such as arn:aws:iam::123456789012:role/deployer',
      examples: ['arn:aws:iam::123456789012:role/deployer'],
    }),
    api_cidrs: list({
      description: 'From where the API of Kubernetes can be reached. None: from the VPC alone.',
      default: [],
      items: cidr,
    }),
    namespace: text({
      description: 'Namespace of the release.',
      pattern: '^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$',
      expected: 'the name of a namespace: 1 to 63 of a-z 0-9 -',
      default: 'sluice',
    }),
  },
});

const edge = group({
  description: 'How clients reach the ingress.',
  properties: {
    certificate_arn: text({
      description:
        'Certificate of ACM for the load balancer. Unset: it is inside the VPC and has no TLS.',
      pattern: '^arn:[a-z-]+:acm:[a-z0-9-]+:\\d{12}:certificate/\\S+$',
      expected: 'a certificate such as arn:aws:acm:eu-central-1:123456789012:certificate/ID',
    }),
    client_cidrs: list({
      description: 'Who may reach the load balancer. Needed with a certificate.',
      default: [],
      items: cidr,
    }),
    api_gateway: flag({
      description:
        'Whether API Gateway also takes requests, with an authorizer that checks keys. WebSockets come by the load balancer.',
      default: false,
    }),
    api_requests_per_second: whole({
      description: 'Requests a second that API Gateway lets through; an account has 10,000.',
      unit: 'requests/s',
      default: 5_000,
      minimum: 1,
      maximum: 100_000,
    }),
  },
});

const observability = group({
  description: 'What is watched, and who is told.',
  properties: {
    alarm_email: text({
      description: 'Who gets alarms and the warnings of the budget. Unset: nobody by mail.',
      pattern: '^[^@\\s]+@[^@\\s]+$',
      expected: 'an address such as data@shop.example',
      examples: ['data@shop.example'],
    }),
    budget_usd: whole({
      description: 'Dollars a month above which `alarm_email` is warned. Unset: no budget.',
      minimum: 1,
      maximum: 100_000_000,
      examples: [2_500],
    }),
    reader_lag_s: whole({
      description: 'Age of the oldest record that no reader has read, above which an alarm goes.',
      unit: 's',
      as: 'readerLagMs',
      default: 600,
      minimum: 60,
      maximum: 86_400,
    }),
  },
});

/** Up to what Kinesis Analytics takes: a quota of the account, which can be raised, is lower. */
const [parallelismMost, perKpuMost] = [256, 8];

const flink = group({
  description: 'Topologies that run on Amazon Managed Service for Apache Flink. Unset: none.',
  properties: {
    applications: named({
      description: 'By the name of a topology: its application.',
      propertyNames: {
        pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$',
        expected: 'the name of a topology of the configuration',
      },
      additionalProperties: group({
        description: 'An application. It needs `jar` or `jar_s3`.',
        properties: {
          jar: text({
            description:
              'The jar that `sluice flink build --into` wrote, relative to this file: it is uploaded by the deployment.',
            format: 'file',
            examples: ['clicks.jar'],
          }),
          jar_s3: text({
            description:
              'The same in a bucket. Another jar needs another key, or the application keeps the old one.',
            pattern: '^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/\\S+$',
            expected: 'a place such as s3://builds-prod/clicks-2026-11-30.jar',
            examples: ['s3://builds-prod/clicks-2026-11-30.jar'],
          }),
          parallelism: whole({
            description: 'Parallel subtasks of each operator.',
            default: 1,
            minimum: 1,
            maximum: parallelismMost,
          }),
          parallelism_per_kpu: whole({
            description: 'Subtasks that share a KPU (one CPU and 4 GB).',
            default: 1,
            minimum: 1,
            maximum: perKpuMost,
          }),
          autoscaling: flag({
            description: 'Whether AWS changes the parallelism by the use of CPU.',
            default: false,
          }),
          checkpoint_s: whole({
            description: 'Between two checkpoints.',
            unit: 's',
            as: 'checkpointIntervalMs',
            default: 60,
            minimum: 5,
            maximum: 3_600,
          }),
        },
      }),
    }),
  },
});

export const stageTable = group({
  description: 'One deployment of Sluice on AWS.',
  required: ['stage', 'region', 'cluster'],
  properties: {
    stage: text({
      description: 'Name of the deployment: the middle of the names of its stacks and roles.',
      pattern: '^[a-z][a-z0-9-]{0,15}$',
      expected: '1 to 16 of a-z 0-9 -, starting with a letter',
      examples: ['prod'],
    }),
    region: text({
      description: 'Region of AWS.',
      pattern: '^[a-z]{2}(?:-[a-z]+)+-\\d$',
      expected: 'a region such as eu-central-1',
      examples: ['eu-central-1'],
    }),
    account: text({
      description: 'Account. Unset: that of the credentials at the time of deployment.',
      pattern: '^\\d{12}$',
      expected: '12 digits in quotes',
      examples: ['123456789012'],
    }),
    config: text({
      description: 'The configuration of Sluice, relative to this file.',
      format: 'file',
      default: 'sluice.yaml',
    }),
    environment: named({
      description:
        'Variables that the configuration refers to by `${NAME}`. Nothing is read from the environment of the command.',
      propertyNames: { pattern: '^[A-Za-z_][A-Za-z0-9_]*$', expected: 'the name of a variable' },
      additionalProperties: text({ description: 'Value of the variable.' }),
    }),
    network,
    lake,
    cluster,
    edge,
    flink,
    observability,
  },
});

export type Stage = ValueOf<typeof stageTable>;
/** One topology on Managed Flink. */
export type FlinkApplication = Stage['flink']['applications'][string];
