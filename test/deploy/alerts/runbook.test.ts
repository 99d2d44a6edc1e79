/**
 * The pages for operators say what is there: a page for each alert and an alert for each page, and
 * in them only commands, metrics, panels, settings, codes and tests that exist.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { commandLine } from '../../../deploy/cli/command-line.ts';
import type { Entry } from '../../../deploy/cli/find-commands.ts';
import { findEntries } from '../../../deploy/cli/find-commands.ts';
import { root } from '../../repo/files.ts';
import { exportedSeries } from './exported.ts';
import { readAlerts, readDashboards } from './rule-files.ts';

const folder = 'docs/operating/runbook';
const index = 'README.md';
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const files = readdirSync(join(root, folder)).filter((file) => file !== index);
const pages = files.map((file) => ({ file, text: read(join(folder, file)) }));
const handbook = [
  ...pages,
  ...[
    `runbook/${index}`,
    'scaling.md',
    'secrets.md',
    'disaster.md',
    'monitor.md',
    'recover.md',
  ].map((file) => ({ file, text: read(join('docs/operating', file)) })),
];

/** The names of the alarms that the stacks for AWS make, from where they are made. */
function alarmNames(): readonly string[] {
  const specs = read('deploy/aws/src/alarms.ts').matchAll(/\bid: `(\w+)-\$/g);
  const made = read('deploy/aws/src/stacks/observability.ts').matchAll(
    /(?:Alarm\(this, `|const id = ')(\w+)-/g,
  );
  return [...specs, ...made].map(([, name = '']) => name);
}

/** What stands between backquotes, fences left out. */
const quotedIn = (text: string): readonly string[] =>
  [...text.replace(/^```.*?^```$/gms, '').matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code);

/** What is wrong with names of one form in the pages: each with its page. */
function wrongIn(
  form: RegExp,
  isThere: (name: string) => boolean,
  least: number,
): readonly string[] {
  const found = handbook.flatMap(({ file, text }) =>
    quotedIn(text)
      .filter((code) => form.test(code))
      .map((code) => ({ file, code })),
  );
  expect(found.length).toBeGreaterThanOrEqual(least);
  return found.filter(({ code }) => !isThere(code)).map(({ file, code }) => `${file}: ${code}`);
}

describe('the runbook', () => {
  it('has a page for each alert and alarm, and none of another', () => {
    const byRule = readAlerts().map(({ alert, annotations }) => [
      alert,
      annotations['runbook_url'],
    ]);
    const titles = pages.map(({ file, text }) => [
      /^# (.+)\n/.exec(text)?.[1],
      `${folder}/${file}`,
    ]);
    const ofAws = titles.filter(([title]) => !title?.startsWith('Sluice'));
    const ofRules = titles.filter(([title]) => title?.startsWith('Sluice'));
    expect(Object.fromEntries(ofRules)).toEqual(Object.fromEntries(byRule));
    expect(ofRules).toHaveLength(byRule.length);
    expect(new Set(ofAws.map(([title]) => title))).toEqual(new Set(alarmNames()));
    expect(ofAws.length).toBeGreaterThanOrEqual(8);
  });

  it('lists each page with the severity of its alert', () => {
    const list = read(join(folder, index));
    for (const { file, text } of pages) {
      const title = /^# (.+)\n/.exec(text)?.[1] ?? '';
      const severity = readAlerts().find(({ alert }) => alert === title)?.labels['severity'];
      expect(list).toContain(
        `| [${title}](${file}) |${severity === undefined ? '' : ` ${severity} |`}`,
      );
    }
    expect(list.match(/^\| \[/gm)).toHaveLength(pages.length);
  });

  it('says in each what it means, how to see it, what to do and what not to do', () => {
    for (const { file, text } of pages) {
      const [means = '', ...sections] = text.split(/^## /m);
      expect(means.split('\n\n')[1]?.length, file).toBeGreaterThan(60);
      expect(
        sections.map((section) => section.split('\n')[0]),
        file,
      ).toEqual(['How to see it', 'What to do', 'What not to do']);
      for (const section of sections)
        expect(section.match(/^(?:- |\d+\. )/gm), file).not.toBe(null);
    }
  });
});

describe('the pages for operators', () => {
  let entries: readonly Entry[];
  let metrics: ReadonlySet<string>;
  beforeAll(async () => {
    entries = await findEntries();
    metrics = new Set((await exportedSeries()).map(({ metric }) => metric));
  });

  /** Whether the command line takes it: a name alone says only which command is meant. */
  async function isTaken(code: string): Promise<boolean> {
    const words = (code.match(/"[^"]*"|'[^']*'|\S+/g) ?? []).slice(1);
    const args = words.map((word) => word.replace(/^(["'])(.*)\1$/, '$2'));
    const names = entries.flatMap((entry) => [
      entry.name,
      ...('commands' in entry ? entry.commands.map(({ name }) => name) : []),
    ]);
    if (names.includes(args.join(' '))) return true;
    let ran = 0;
    const program = commandLine('0', async () => void ran++, entries);
    for (const each of [
      program,
      ...program.commands,
      ...program.commands.flatMap((c) => c.commands),
    ])
      each.exitOverride().configureOutput({ writeErr: () => undefined });
    await program.parseAsync(args, { from: 'user' }).catch(() => undefined);
    return ran === 1;
  }

  it('name commands that the command line takes', async () => {
    const commands = handbook.flatMap(({ file, text }) =>
      quotedIn(text)
        .filter((code) => /^sluice [a-z-]/.test(code))
        .map((code) => ({ file, code })),
    );
    const refused = [];
    for (const { file, code } of commands)
      if (!(await isTaken(code))) refused.push(`${file}: ${code}`);
    expect(refused).toEqual([]);
    expect(commands.length).toBeGreaterThan(60);
    expect(await isTaken('sluice status --all')).toBe(false);
    expect(await isTaken('sluice nothing')).toBe(false);
  });

  it('name few commands of others, in forms that are known', () => {
    const known = [
      /^kubectl (?:describe pod POD|logs POD(?: --previous)?|get pods -n NAMESPACE)$/,
      /^kubectl describe certificate -n NAMESPACE$/,
      /^kubectl exec POD -- sluice (?:status|health --ready)$/,
      /^docker exec CONTAINER sluice status$/,
      /^helm test$/,
      /^aws cloudformation detect-stack-drift$/,
      /^aws kinesisanalyticsv2 describe-application --application-name NAME$/,
      /^aws kinesis start-stream-encryption --stream-name NAME --encryption-type KMS --key-id KEY$/,
      /^openssl s_client -connect HOST:443 < \/dev\/null$/,
      /^npm run (?:drill|drill:streams|bench:(?:ingress|smoke|sinks|operators|state|target|threads))$/,
    ];
    const form = /^(?:kubectl|docker|openssl|npm|aws|helm) /;
    expect(wrongIn(form, (code) => known.some((each) => each.test(code)), 8)).toEqual([]);
  });

  it('name metrics that instances print', () => {
    expect(
      wrongIn(
        /^(?:sluice|process|kube|container|probe|certmanager)_[a-z_]+$/,
        (name) => metrics.has(name),
        8,
      ),
    ).toEqual([]);
  });

  it('name settings that there are', () => {
    const settings = read('docs/reference/config.md');
    const sections = ['ingress', 'enrich', 'local', 'kinesis', 'kafka', 'metrics', 'neo4j', 's3'];
    const form = new RegExp(`^(?:${sections.join('|')})\\.[a-z_.]+$`);
    const isThere = (code: string): boolean =>
      settings.includes(`| \`${code}\` |`) || settings.includes(`| \`streams[].${code}\` |`);
    expect(wrongIn(form, isThere, 10)).toEqual([]);
  });

  it('name codes, drills and tests that there are', () => {
    const drills = ['test/drill/scenarios.ts', ...scenarioFiles()].map(read).join('\n');
    const codes = read('docs/reference/errors.md');
    const happened = ['kinesis-throttled', 'firehose-throttled'];
    const isThere = (name: string): boolean =>
      codes.includes(`\`${name}\``) || drills.includes(`'${name}'`) || happened.includes(name);
    expect(wrongIn(/^[a-z]+(?:-[a-z]+)+$/, isThere, 30)).toEqual([]);
    expect(wrongIn(/^test\/\S+\.ts$/, (path) => existsSync(join(root, path)), 5)).toEqual([]);
  });

  it('name panels that the dashboards have', () => {
    const boards = new Map(
      readDashboards().map(({ title, panels }) => [title, panels.map((panel) => panel.title)]),
    );
    const named = handbook.flatMap(({ file, text }) =>
      [
        ...text
          .replace(/\s+/g, ' ')
          .matchAll(/dashboard \*([^*]+)\*, panel ((?:\*[^*]+\*(?:, | and )?)+)/g),
      ].flatMap(([, board = '', list = '']) =>
        [...list.matchAll(/\*([^*]+)\*/g)].map(([, panel = '']) => ({ file, board, panel })),
      ),
    );
    expect(named.filter(({ board, panel }) => !boards.get(board)?.includes(panel))).toEqual([]);
    expect(named.length).toBeGreaterThan(50);
  });
});

function scenarioFiles(): readonly string[] {
  const of = 'test/drill/streams/scenarios';
  return readdirSync(join(root, of)).map((file) => join(of, file));
}
