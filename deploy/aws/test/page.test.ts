/**
 * docs/operating/aws.md is true: its stage is accepted, what needs no account is run as it stands,
 * and what does need one names what is there.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseStage } from '../src/stage-file.ts';
import { minimalConfig } from './support.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const page = readFileSync(join(root, 'docs/operating/aws.md'), 'utf8');
const fences = (language: string): readonly string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(
    ([, text = '']) => text,
  );
const commands = fences('sh').flatMap((text) =>
  text
    .trim()
    .replace(/\\\n\s*/g, '')
    .split('\n'),
);
const stage = fences('yaml').find((text) => text.startsWith('# stage.yaml')) ?? '';

/** What the page shows and only an account can run. */
const needAccount = /^(?:npx cdk (?:bootstrap|diff|deploy)|aws|docker|kubectl|helm) /;

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-aws-page-'));
  writeFileSync(join(folder, 'stage.yaml'), stage);
  writeFileSync(join(folder, 'sluice.yaml'), minimalConfig);
  const roles = ['ingest', 'enrich', 'topics'].map((name) => [`KafkaRole${name}`, 'arn:role']);
  writeFileSync(
    join(folder, 'outputs.json'),
    JSON.stringify({
      'sluice-prod-streams': { KafkaArn: 'arn:kafka' },
      'sluice-prod-cluster': { TlsTargetsArn: 'arn:targets', ...Object.fromEntries(roles) },
    }),
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('shows a stage that is accepted', () => {
  expect(parseStage(stage, 'stage.yaml').stage).toBe('prod');
});

it('shows commands that build and synthesize without an account', () => {
  const script = commands
    .filter((command) => !needAccount.test(command) && !command.endsWith(' ci'))
    .map((command) => command.replaceAll('../../stage.yaml', join(folder, 'stage.yaml')))
    .map((command) => command.replace('../../outputs.json', join(folder, 'outputs.json')))
    .map((command) => command.replace('../../aws-values.yaml', join(folder, 'aws-values.yaml')))
    .map((command) => command.replace('cdk synth', `cdk synth --output ${join(folder, 'out')}`));
  expect(script.length).toBeGreaterThan(2);
  const run = spawnSync('bash', ['-ec', script.join('\n')], { cwd: root, encoding: 'utf8' });
  expect(run.status, `${run.stdout}${run.stderr}`).toBe(0);
  const made = readdirSync(join(folder, 'out')).filter((name) => name.endsWith('.template.json'));
  expect(made).toContain('sluice-prod-streams.template.json');
  const values = readFileSync(join(folder, 'aws-values.yaml'), 'utf8');
  expect(values).toContain('    tls: arn:targets\n');
  expect(values).toContain('  S3_BUCKET: "events-prod"\n');
  const cluster = readFileSync(join(folder, 'out/sluice-prod-cluster.template.json'), 'utf8');
  for (const name of ['"sluice-prod-cluster"', '"LoadBalancerName"', '"TlsTargetsArn"'])
    expect(cluster).toContain(name);
});

it('shows an upgrade with all that the install has', () => {
  const [install, upgrade] = ['install', 'upgrade'].map((verb) =>
    commands
      .find((command) => command.startsWith(`helm ${verb} `))
      ?.split(' ')
      .slice(2),
  );
  expect(upgrade).toEqual(install?.filter((word) => word !== '--create-namespace'));
  expect(upgrade).toContain('../../aws-values.yaml');
});

it('shows commands of `cdk` that are there', () => {
  const shown = commands.filter(
    (command) => command.startsWith('npx cdk ') && needAccount.test(command),
  );
  expect(shown).toHaveLength(3);
  const help = spawnSync('npx', ['cdk', 'deploy', '--help'], {
    cwd: join(root, 'deploy/aws'),
    encoding: 'utf8',
  });
  for (const option of ['--all', '--context', '--outputs-file'])
    expect(help.stdout).toContain(option);
});
