/**
 * What the tests share: a folder with a stage and a configuration, and what is synthesized of it.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import type { Stacks } from '../src/app.ts';
import { addStacks, createApp } from '../src/app.ts';
import { loadDeployment } from '../src/load-deployment.ts';

export const minimalStage = `stage: test
region: eu-central-1
cluster: {admin_role_arn: 'arn:aws:iam::123456789012:role/deployer'}
`;
const kafka =
  "kafka: {brokers: '${KAFKA_BROKERS}', auth: msk_iam, tls: true, role_arn: '${KAFKA_ROLE_ARN}', region: '${AWS_REGION}'}";
export const minimalConfig = `
streams:
  - {team: shop, app: clicks, kinesis_stream: shop-clicks-test}
  - {team: shop, app: orders}
s3: {bucket: events-test, prefix: sluice/}
${kafka}
`;

export const root = fileURLToPath(new URL('../../..', import.meta.url));
/** A pipeline with tables, of which Firehose writes one. */
export const flightsConfig = `
streams:
  - {team: nyc, app: departures, envelope: sluice}
  - {team: nyc, app: weather, envelope: sluice}
  - {team: nyc, app: schedules, envelope: sluice}
s3: {bucket: flights-test}
${kafka}
firehose: {tables: {weather: nyc-weather}}
topologies: ['${join(root, 'topology/examples/flights/topology.ts')}']
`;

/** What is deployed, as text of its files. */
export interface Files {
  readonly stage?: string;
  readonly config?: string;
}

/** Writes both files into a folder that is there while `use` runs. */
export async function withFiles<T>(
  { stage, config }: Files,
  use: (stageFile: string) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-aws-'));
  try {
    writeFileSync(join(folder, 'sluice.yaml'), config ?? minimalConfig);
    writeFileSync(join(folder, 'stage.yaml'), stage ?? minimalStage);
    return await use(join(folder, 'stage.yaml'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export interface Resource {
  readonly Type: string;
  readonly Properties: Readonly<Record<string, unknown>>;
  readonly DeletionPolicy?: string;
}

export interface Synthesized {
  /** What the checks say; empty of a synthesis that passes. */
  readonly findings: readonly string[];
  /** Rules whose findings were acknowledged. */
  readonly acknowledged: ReadonlySet<string>;
  /** By stack; none of a synthesis that fails. */
  readonly templates: ReadonlyMap<string, Template>;
  template(part: keyof Stacks): Template;
  /** Of all stacks, by type. */
  resources(type: string): readonly Resource[];
  /** The services that the VPC has interface endpoints of, in the order of their names. */
  readonly endpoints: readonly string[];
}

interface Report {
  readonly pluginReports: readonly {
    readonly violations: readonly { readonly ruleName: string; readonly description: string }[];
    readonly suppressedViolations?: readonly { readonly ruleName: string }[];
  }[];
}

/** Synthesizes a stage; `plant` puts something into its stacks before. */
export function synthesize(
  files: Files = {},
  plant?: (stacks: Stacks) => void,
): Promise<Synthesized> {
  return withFiles(files, async (stageFile) => {
    const outdir = join(stageFile, '..', 'out');
    const app = createApp({ outdir });
    const stacks = addStacks(app, await loadDeployment(stageFile));
    plant?.(stacks);
    const isValid = quietly(() => app.synth());
    const { pluginReports } = JSON.parse(
      readFileSync(join(outdir, 'validation-report.json'), 'utf8'),
    ) as Report;
    const templates = new Map<string, Template>(
      isValid
        ? Object.entries<Stack>({ ...stacks }).map(([part, stack]) => [
            part,
            Template.fromStack(stack),
          ])
        : [],
    );
    const resources = (type: string): readonly Resource[] =>
      [...templates.values()].flatMap((template) =>
        Object.values(template.findResources(type) as Record<string, Resource>),
      );
    return {
      findings: pluginReports.flatMap(({ violations }) =>
        violations.map(({ ruleName, description }) => `${ruleName}: ${description}`),
      ),
      acknowledged: new Set(
        pluginReports.flatMap(({ suppressedViolations = [] }) =>
          suppressedViolations.map(({ ruleName }) => ruleName),
        ),
      ),
      templates,
      template: (part) => templates.get(part) as Template,
      resources,
      endpoints: resources('AWS::EC2::VPCEndpoint')
        .filter(({ Properties }) => Properties['VpcEndpointType'] === 'Interface')
        .map(({ Properties: { ServiceName } }) =>
          String(ServiceName).replace(/^.*eu-central-1\./, ''),
        )
        .sort(),
    };
  });
}

/** Whether the checks pass. What they print is in their report, too. */
function quietly(synth: () => unknown): boolean {
  const printed = console.error;
  console.error = () => {};
  try {
    synth();
    return true;
  } catch (thrown) {
    if ((thrown as Error).name !== 'ValidationFailed') throw thrown;
    return false;
  } finally {
    console.error = printed;
  }
}
