/**
 * The values of the chart that only a deployment knows, from the outputs of the stacks
 * (`cdk deploy --outputs-file`). Pure except at its end, where it is run:
 * `node dist/helm-values.js outputs.json STAGE.yaml`.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { secretVariablesIn } from './secret-variables.ts';
import { messageOf, SluiceError } from './sluice.ts';
import { loadStage } from './stage-file.ts';
import type { Stage } from './stage-table.ts';

/** RFC 1918, and what is link-local, such as the resolver of a VPC. */
const privateAddresses = [
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '169.254.0.0/16',
] as const;

/** By stack, then by name. */
export type Outputs = Readonly<Record<string, Readonly<Record<string, string>>>>;

/**
 * YAML, without variables in `secrets`: these come to the pods from a Secret. Throws `SluiceError`
 * `config-invalid` where an output is missing, as after a deployment of some stacks only.
 */
export function helmValues(
  outputs: Outputs,
  { stage, region, edge, environment, flink }: Stage,
  secrets: ReadonlySet<string>,
): string {
  const output = (name: string, part = 'cluster'): string => {
    const stack = `sluice-${stage}-${part}`;
    const value = outputs[stack]?.[name];
    if (value !== undefined) return value;
    throw new SluiceError('config-invalid', `no output '${name}' of the stack ${stack} found`, {
      fix: 'deploy all stacks with --outputs-file, for the stage that you name here',
    });
  };
  const isOutside = edge.certificateArn !== undefined;
  const groups = [
    ...(isOutside ? [`    tls: ${output('TlsTargetsArn')}`] : []),
    ...(!isOutside || edge.apiGateway ? [`    inside: ${output('InsideTargetsArn')}`] : []),
  ];
  const variables = Object.entries(environment ?? {})
    .filter(([name]) => !secrets.has(name))
    .map(([name, value]) => `  ${name}: ${JSON.stringify(value)}`);
  return [
    '# environment.KAFKA_BROKERS is missing here: it is what this prints.',
    `# aws kafka get-bootstrap-brokers --region ${region} --cluster-arn ${output('KafkaArn', 'streams')} --query BootstrapBrokerStringSaslIam --output text`,
    ...[...secrets].map((name) => `# ${name} is a secret: name its Secret in extraEnv.`),
    ...Object.keys(flink.applications).map(
      (topology) => `# ${topology} runs on Managed Flink: leave it out of topologies.`,
    ),
    ...(variables.length === 0 ? [] : ['environment:', ...variables]),
    'aws:',
    `  region: ${region}`,
    '  podIdentity: true',
    '  kafkaRoleArns:',
    ...['ingest', 'enrich', 'topics'].map(
      (service) => `    ${service}: ${output(`KafkaRole${service}`)}`,
    ),
    '  targetGroups:',
    ...groups,
    '# DNS of Auto Mode is on the nodes: any private address.',
    'networkPolicy:',
    '  dnsTo:',
    ...privateAddresses.map((cidr) => `    - ipBlock: {cidr: ${cidr}}`),
    '# The stack `streams` makes those of Kinesis.',
    'topics: {only: kafka}',
    '',
  ].join('\n');
}

function outputsIn(file: string): Outputs {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Outputs;
  } catch (cause) {
    throw new SluiceError(
      'config-invalid',
      `the outputs in ${file} cannot be read: ${messageOf(cause)}`,
      { cause, fix: 'name the file that `cdk deploy --outputs-file` wrote' },
    );
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    const [outputs = 'outputs.json', stage = 'stage.yaml'] = process.argv.slice(2);
    const loaded = loadStage(stage);
    const secrets = secretVariablesIn(loaded.config);
    process.stdout.write(helmValues(outputsIn(outputs), loaded, secrets));
  } catch (thrown) {
    if (!(thrown instanceof SluiceError)) throw thrown;
    console.error(`${thrown.message}${thrown.fix === undefined ? '' : `\n  ${thrown.fix}`}`);
    process.exitCode = 1;
  }
}
