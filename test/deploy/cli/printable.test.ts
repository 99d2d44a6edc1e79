/**
 * No command gives the terminal a control character that somebody else wrote: a name, a row, a
 * configuration, an answer. Every command is run with such a folder, configuration, arguments and
 * options; what a command reads besides has a case of its own.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Command } from '../../../deploy/cli/command.ts';
import { flagsOf } from '../../../deploy/cli/command.ts';
import { findCommands } from '../../../deploy/cli/find-commands.ts';
import { printable } from '../../../schemas/kernel/printable.ts';
import type { Started } from '../support.ts';
import { main, startSluice, until } from '../support.ts';

/**
 * A colour, a title, the same in C1, DEL, a carriage return, an override and an isolate of
 * direction, a line separator.
 */
const hostile = '\u001b[31m\u001b]0;t\u0007\u009b1m\u007f\r\u202e\u2066\u2028';
// oxlint-disable-next-line no-control-regex
const raw = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/;

const root = mkdtempSync(join(tmpdir(), 'sluice-printable-'));
const data = join(root, 'data');
const empty = join(root, 'empty');
let started: Started;
let url: string;

/** Answers everything with a refusal that has such text. */
const server = createServer((_req, res) => {
  res.writeHead(404, { 'content-type': 'application/json' });
  res.end(JSON.stringify({ error: { code: `x${hostile}`, message: `no${hostile}` } }));
});

beforeAll(async () => {
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  const topology = `import { schemaOf, stream, table, topology } from 'sluice';
const description = \`${hostile.replaceAll(/[\r\u2028]/g, '')}\`;
const row = schemaOf<{ text: string }>({ $id: 'row', description, type: 'object', required: ['text'], properties: { text: { type: 'string' } } });
export default topology('shown', { version: 1, owner: 'a/b' }, (t) => {
  t.source('in', stream('a/b')).validate('valid', row).map((e) => e.data).sinkTo('rows', table('shown', row));
});
`;
  writeFileSync(join(root, 'topology.ts'), topology);
  writeFileSync(
    join(root, 'sluice.yaml'),
    `streams: [{team: a, app: b}]\ningress: {port: 0}\ntopologies: [${join(root, 'topology.ts')}]\n`,
  );
  writeFileSync(
    join(root, 'bad.yaml'),
    `streams: [{team: a, app: "b${escaped}"}]\n"x${escaped}": 1\n`,
  );
  started = await startSluice(data, ['--config', join(root, 'sluice.yaml')]);
  const answer = await fetch(`${started.url}/v1/a/b`, {
    method: 'POST',
    body: JSON.stringify({ text: hostile }),
  });
  expect(answer.status).toBe(200);
}, 60_000);
afterAll(async () => {
  await started.stop();
  server.close();
  rmSync(root, { recursive: true, force: true });
});

/** For YAML and JSON. */
const escaped = '\\u001b[31m\\u009b1m\\u007f\\u202e';

async function run(
  args: readonly string[],
  stdin = '',
): Promise<{ readonly text: string; readonly code: unknown }> {
  const child = spawn(process.execPath, [main, ...args], { cwd: root });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  child.stdin.on('error', () => undefined);
  child.stdin.end(stdin);
  const code = await new Promise((resolve) => child.once('close', resolve));
  return { text, code };
}

/** A command, what of it is printed, and what it reads. */
type Case = readonly [args: readonly string[], shows: RegExp, stdin?: string];

/** With such text for its folder, its configuration, each argument and each option with a value. */
function caseOf({ name, arguments: places = {}, options = {} }: Command): Case {
  const given = `x${hostile}`;
  const asked = Object.entries(options).filter(([, { value }]) => value !== undefined);
  const args = [
    ...['--dir', given, '--config', given, ...name.split(' ')],
    ...asked.flatMap(([key, option]) => [flagsOf(key, option).split(' ')[0] as string, given]),
    ...['--', ...Object.keys(places).map(() => given)],
  ];
  const isAsked = Object.keys({ ...places, ...options }).length > 0;
  return [args, isAsked ? shownWhole : /./];
}
/** All of it, escaped; Cypher's own check names its first character and where that is. */
const shownWhole = new RegExp(
  `${printable(`x${hostile}`).replaceAll(/[\\[\]]/g, '\\$&')}|U\\+001B at 1:2\\b`,
);

const stream = ['--stream', 'a/b'];
/** What is wrong behind the arguments, and what is found or answered. */
const cases = (): readonly Case[] => [
  [[`nothing${hostile}`], /unknown command 'nothing\\u001b/],
  [['send', '-', ...stream, `--x${hostile}`], /unknown option '--x\\u001b/],
  [['--config', join(root, 'bad.yaml'), '--dir', empty, 'start'], /\\u001b/],
  [['--dir', empty, 'start', '--port', hostile], /invalid --port '\\u001b/],
  [['send', `none${hostile}`, ...stream], /none\\u001b/],
  [['send', '-', ...stream, '--url', `x${hostile}`], /'x\\u001b/],
  [['send', '-', ...stream, '--url', url], /no\\u001b/, '1'],
  [['--dir', data, 'send', '-', ...stream], /2 not-json/, `{"text":${hostile}}\n${hostile}\n`],
  [['--json', 'send', '-', ...stream, '--url', url], /\\u001b/, '1'],
  [['load', ...stream, '--url', `x${hostile}`], /'x\\u001b/],
  [
    ['load', ...stream, '--url', url, '--rate', '5', '--duration', '1s', '--connections', '1'],
    /404/,
  ],
  [['--dir', data, 'query', 'SELECT * FROM shown'], /\\u001b\[31m/],
  [['--dir', data, '--json', 'query', 'SELECT * FROM shown'], /\\u009b1m\\u007f/],
  [['--dir', data, 'query', `SELECT 1 AS "n${hostile}"`], /n\\u001b/],
  [['--dir', data, 'query', `SELECT ${hostile}`], /\\u001b/],
  [['--dir', data, 'status'], /topology shown/],
  [['--dir', data, 'drain', `none${hostile}`], /none\\u001b/],
  [['--dir', data, 'skip', `none${hostile}`, 'x', '--whole'], /none\\u001b/],
  [['--dir', data, 'skip', 'shown', `x${hostile}`, '--whole'], /x\\u001b/],
  [['--dir', empty, 'refused', 'show', `none${hostile}`], /none\\u001b/],
  [['topology', 'describe', join(root, 'topology.ts'), '--format', hostile], /'\\u001b/],
  [['topology', 'describe', join(root, 'topology.ts'), '--format', 'mermaid'], /flowchart/],
  [['--json', 'topology', 'describe', join(root, 'topology.ts')], /\\u009b1m/],
  [['schema', 'types', `none${hostile}.schema.json`], /none\\u001b/],
  [['key', 'new', '--name', 'x', '--stream', hostile], /'\\u001b/],
  [['config', 'check', join(root, 'bad.yaml')], /\\u001b/],
  [['--json', 'config', 'check', join(root, 'bad.yaml')], /\\u001b/],
];

/** What is wrong with what a run prints. */
async function faultsOf([args, shows, stdin]: Case): Promise<readonly string[]> {
  const { text } = await run(args, stdin);
  const shown = JSON.stringify(args);
  return [
    ...(raw.test(text)
      ? [`${shown} printed ${JSON.stringify(raw.exec(text)?.[0])} in ${JSON.stringify(text)}`]
      : []),
    ...(shows.test(text) ? [] : [`${shown} does not show ${shows.source}: ${text}`]),
  ];
}

describe('a command prints no control character', () => {
  it('of its folder, configuration, arguments and options', { timeout: 180_000 }, async () => {
    const commands = await findCommands();
    const folders = readdirSync(join(dirname(main), 'commands'), { withFileTypes: true });
    expect(new Set(commands.map(({ name }) => name.split(' ')[0]))).toEqual(
      new Set(folders.filter((entry) => entry.isDirectory()).map(({ name }) => name)),
    );
    const found: string[] = [];
    for (const one of commands.map(caseOf)) found.push(...(await faultsOf(one)));
    expect(found).toEqual([]);
  });

  it('of what it is answered, or of what it finds', { timeout: 180_000 }, async () => {
    await until(
      async () =>
        (await run(['--dir', data, 'query', 'SELECT * FROM shown'])).text.includes('(1 row)'),
      started.output,
    );
    const found: string[] = [];
    for (const one of cases()) found.push(...(await faultsOf(one)));
    expect(found).toEqual([]);
    expect(raw.test(started.output())).toBe(false);
  });
});

describe('printable text', () => {
  it('has none of what moves a terminal, keeps the rest, and means the same in JSON', () => {
    const unit = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom(...hostile));
    fc.assert(
      fc.property(fc.array(unit), (parts) => {
        const text = parts.join('');
        expect(printable(text)).not.toMatch(raw);
        expect(JSON.parse(printable(JSON.stringify(text)))).toBe(text);
      }),
    );
    expect(printable('a\tb\nç 日本 \u200d')).toBe('a\tb\nç 日本 \u200d');
  });
});
