/**
 * The README and docs/ are true: every command in an ```sh fence is run by a test (the table below
 * says by which; that the named file really runs it is for its reader), every ```ts fence compiles,
 * every ```yaml fence is a configuration, and every link leads somewhere.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { parseConfig } from '../../schemas/config-file.ts';
import { metricsIn, metricsPage, metricsReference } from '../tools/metrics-reference.ts';
import { commandsOf, repositoryFiles, root, run, tool } from './support.ts';

/** Command line as the docs show it, and the file that runs it. */
const freshClone = 'test/repo/npm-ci.test.ts';
const runBy: Readonly<Record<string, string>> = {
  'docker build -f deploy/docker/Dockerfile -t sluice .': 'test/deploy/docker/image.test.ts',
  'docker run --read-only --tmpfs /tmp --cap-drop all -p 8080:8080 -v sluice:/var/lib/sluice sluice':
    'test/deploy/docker/image.test.ts',
  'docker compose -f deploy/docker/compose.yaml up --build': 'test/deploy/docker/compose.test.ts',
  'docker exec CONTAINER sluice status': 'test/deploy/docker/image.test.ts',
  'docker exec CONTAINER cat /var/lib/sluice/key': 'test/deploy/docker/image.test.ts',
  'npm run image': 'test/deploy/docker/image.test.ts',
  'npm run image:test': 'test/deploy/docker/image.test.ts',
  'npm run test:node -- 22': 'test/repo/node-versions.test.ts',
  'npm run test:node -- 24 schemas': 'test/repo/node-versions.test.ts',
  'npm run chart:test': 'test/deploy/helm/chart.test.ts',
  'npm run chart:apiserver': 'test/deploy/helm/api-server.test.ts',
  'helm install sluice deploy/helm/sluice --namespace sluice --timeout 15m --values values.yaml --set-file config=sluice.yaml':
    'test/deploy/helm/page.test.ts',
  'helm upgrade sluice deploy/helm/sluice --namespace sluice --timeout 15m --values values.yaml --set-file config=sluice.yaml':
    'test/deploy/helm/page.test.ts',
  'helm test sluice --namespace sluice': 'test/deploy/helm/release-life.ts',
  'helm rollback sluice --namespace sluice --timeout 15m': 'test/deploy/helm/release-life.ts',
  'helm uninstall sluice --namespace sluice': 'test/deploy/helm/release-life.ts',
  'npm run check:licenses': 'test/repo/package.test.ts',
  'npm run --silent sbom': 'test/repo/package.test.ts',
  'npm run audit': 'test/repo/package.test.ts',
  'npm run check': '.ci/run',
  'npm ci && npm test': '.ci/run',
  'npm run example:flights': 'test/examples/flights.test.ts',
  'npm run example:flights -- --kill 3 --twice': 'test/examples/flights.test.ts',
  'npm run conformance -- test/conformance/cases/*.yaml': 'test/conformance/conformance.test.ts',
  'npm run conformance:http': 'test/conformance/http.test.ts',
  'npm run example:late': 'test/examples/flights.test.ts',
  'npm run upgrade:test': 'test/examples/upgrade.test.ts',
  'npm run bench:smoke': 'test/examples/flights.test.ts',
  'npm run bench:operators': 'test/bench/operators.test.ts',
  'npm run bench:ingress': 'test/bench/ingress.test.ts',
  'npm run bench:sinks': 'test/bench/sinks.test.ts',
  'npm run bench:aggregation': 'test/bench/aggregation.test.ts',
  'npm run bench:target': 'test/bench/target.test.ts',
  'npm run flink:test': 'test/deploy/flink/parquet.test.ts',
  'npm run flights:flink -- --kill 2': 'test/examples/flights-flink.test.ts',
  'npm run example:flights -- --real': 'test/examples/flights-real.test.ts',
  'npm run drill': 'test/drill/drill.test.ts',
  'npm run drill:streams': 'test/drill/streams/streams.test.ts',
  'npm run drill:door': 'test/drill/door/door.test.ts',
  'npm run drill:state': 'test/drill/state/state.test.ts',
  'npm run soak -- --minutes 30': 'test/drill/soak/soak.test.ts',
  'npm run faults:engine': 'test/faults/faults.test.ts',
  'npm run property:engine': 'test/property/engine.test.ts',
  'npm run fuzz': 'test/fuzz/http.test.ts',
  'npx --no sluice topology check topology.ts --for flink':
    'test/deploy/flink/check-for-flink.test.ts',
  ...Object.fromEntries(
    [
      'run topology.ts --settings settings.json',
      'submit topology.ts --settings settings.json',
      'submit topology.ts --settings settings.json --from PATH',
      'status clicks',
      'savepoint clicks',
      'cancel clicks --keep',
      'drain clicks',
      'build topology.ts --settings settings.json --into clicks.jar',
    ].map((command) => [`npx --no sluice flink ${command}`, 'test/deploy/flink/submit.test.ts']),
  ),
  ...Object.fromEntries(
    [
      'drain clicks',
      'start --from savepoint:clicks/back',
      'flink return topology.ts --log job.log --name back',
    ].map((command) => [`npx --no sluice ${command}`, 'test/deploy/flink/positions.test.ts']),
  ),
  ...Object.fromEntries(
    [
      'positions topology.ts --settings settings.json --out moved.json',
      'submit topology.ts --settings moved.json',
      'return topology.ts --name back',
    ].map((command) => [`npx --no sluice flink ${command}`, 'test/deploy/flink/move.test.ts']),
  ),
  ...Object.fromEntries(
    ['start', 'describe', 'stop'].map((verb) => [
      `aws kinesisanalyticsv2 ${verb}-application --application-name sluice-prod-clicks`,
      'deploy/aws/test/flink.test.ts',
    ]),
  ),
  'npm run fuzz:http': 'test/fuzz/http-parity.test.ts',
};

/** Its commands are run in its own package, its stage is read there. */
const awsPage = 'docs/operating/aws.md';
const awsRunner = 'deploy/aws/test/page.test.ts';

/** What a fresh clone's tour runs, as it stands. */
const touredPages = ['README.md', 'docs/start.md'];

function runnerOf(page: string, command: string): string | undefined {
  const toured = /^(?:npm ci|npm start|curl |npx --no sluice )/.test(command);
  if (toured && touredPages.includes(page) && !command.includes('&&')) return freshClone;
  return page === awsPage ? awsRunner : runBy[command];
}

/** The text of each fence of `language`. */
function fencesOf(language: string, markdown: string): string[] {
  const fence = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms');
  return [...markdown.matchAll(fence)].map(([, text = '']) => text);
}

/** The anchor that a heading has: lower case, spaces to hyphens, punctuation gone. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replace(/\s/g, '-');
}

function anchorsIn(markdown: string): string[] {
  const prose = markdown.replace(/^```.*?^```$/gms, '');
  return [...prose.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchorOf(heading));
}

/** The links of a page that lead nowhere; addresses of other hosts are not asked. */
function brokenLinks(page: string, markdown: string): string[] {
  const prose = markdown.replace(/^```.*?^```$/gms, '').replace(/`[^`]*`/g, '');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^https?:/.test(target))
    .filter((target) => {
      const [path = '', anchor] = target.split('#');
      const file = path === '' ? page : join(dirname(page), path);
      if (!existsSync(join(root, file))) return true;
      return (
        anchor !== undefined && !anchorsIn(readFileSync(join(root, file), 'utf8')).includes(anchor)
      );
    });
}

const pages = repositoryFiles()
  .filter((path) => path.endsWith('.md') && (!path.includes('/') || path.startsWith('docs/')))
  .map((page) => ({ page, markdown: readFileSync(join(root, page), 'utf8') }));

describe('the docs', () => {
  it('show only commands that a test runs', () => {
    const shown = pages.flatMap(({ page, markdown }) =>
      commandsOf(markdown).map((command) => ({ page, command })),
    );
    expect(shown.filter(({ page, command }) => runnerOf(page, command) === undefined)).toEqual([]);
    expect(shown.length).toBeGreaterThan(30);
    const files = [freshClone, awsRunner, ...Object.values(runBy)];
    expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  });

  it('have no link that leads nowhere', () => {
    const broken = pages.flatMap(({ page, markdown }) =>
      brokenLinks(page, markdown).map((link) => `${page}: ${link}`),
    );
    expect(broken).toEqual([]);
  });

  it('list the metrics that are exported (npm run docs:reference writes them)', async () => {
    const page = readFileSync(metricsPage, 'utf8');
    expect(page).toBe(await metricsReference());
    expect(metricsIn('# HELP a What it is\n# TYPE a gauge\na 1\n')).toEqual([
      { name: 'a', type: 'gauge', help: 'What it is' },
    ]);
    expect(page.match(/^\| `sluice_/gm)?.length).toBeGreaterThan(30);
  });

  it('have a README of at most 500 words', () => {
    const readme = pages.find(({ page }) => page === 'README.md')?.markdown ?? '';
    expect(readme.split(/\s+/).length).toBeLessThanOrEqual(500);
    expect(readme).toContain('npm start');
  });

  it('show TypeScript that compiles', { timeout: 120_000 }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-docs-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const blocks = pages.flatMap(({ page, markdown }) =>
      fencesOf('ts', markdown).map((code, index) => ({
        file: /^\/\/ (\S+\.ts)\n/.exec(code)?.[1] ?? `${anchorOf(page)}-${index}.ts`,
        code,
      })),
    );
    for (const { file, code } of blocks) writeFileSync(join(folder, file), code);
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    const { compilerOptions } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8')) as {
      compilerOptions: object;
    };
    const paths = {
      sluice: [join(root, 'dist/topology/index.d.ts')],
      'sluice/enrich': [join(root, 'dist/enrich/index.d.ts')],
      'sluice/testing': [join(root, 'dist/topology/testing.d.ts')],
    };
    const options = { ...compilerOptions, paths, rootDir: '/', noEmit: true, incremental: false };
    const { tsBuildInfoFile: _, ...given } = { tsBuildInfoFile: '', ...options };
    const config = { compilerOptions: given, files: blocks.map(({ file }) => file) };
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
    const compiled = run(folder, tool('tsc'), '-p', '.', '--pretty', 'false');
    expect(compiled.output).toBe('');
    expect(compiled.status).toBe(0);
    expect(blocks.length).toBeGreaterThan(3);
  });

  it('show configurations that are accepted', () => {
    const minimal = 'streams: [{team: a, app: b, kinesis_stream: c, kafka_topic: d}]\n';
    const env = { PRICES_TOKEN: 'x' };
    const blocks = pages.flatMap(({ page, markdown }) =>
      fencesOf('yaml', markdown)
        .filter((text) => !/^(?:apiVersion:|# stage\.yaml|# values\.yaml)/.test(text))
        .map((text) => ({ page, text })),
    );
    const refused = blocks.flatMap(({ page, text }) => {
      const whole = 'streams' in (parse(text) as object) ? text : `${minimal}${text}`;
      const result = parseConfig(whole, { file: page, env, baseDir: root });
      return result.ok ? [] : [{ page, problems: result.problems }];
    });
    expect(refused).toEqual([]);
    expect(blocks.length).toBeGreaterThan(5);
  });
});

describe('the rules themselves', () => {
  it('the reader of the fences takes command lines and nothing else', () => {
    const markdown =
      'a\n```sh\n# note\n$ one --a \\\n  --b\n\ntwo  # why\n```\n```ts\nthree\n```\n  ```sh\n  four\n  ```\n';
    expect(commandsOf(markdown)).toEqual(['one --a --b', 'two', 'four']);
    expect(fencesOf('ts', markdown)).toEqual(['three\n']);
  });

  it('a command that no test runs is found', () => {
    expect(runnerOf('docs/guide/x.md', 'npm run nothing')).toBeUndefined();
    expect(runnerOf('docs/guide/x.md', 'npx --no sluice status')).toBeUndefined();
    expect(runnerOf('docs/start.md', 'npx --no sluice status')).toBe(freshClone);
  });

  it('a link to a file or a heading that is not there is found', () => {
    const markdown =
      '[a](nothing.md) [b](#no-heading) [c](README.md#run-it) `[d](none)`\n# Here\n[e](LICENSE)';
    expect(brokenLinks('README.md', markdown)).toEqual(['nothing.md', '#no-heading']);
  });
});
