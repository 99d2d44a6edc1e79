/**
 * The commands: names, options and what each command is given from them; its help.
 */
import { expect, it } from 'vitest';
import type { Command, Context } from '../../../deploy/cli/command.ts';
import { flagsOf, placeholderOf } from '../../../deploy/cli/command.ts';
import { commandLine } from '../../../deploy/cli/command-line.ts';
import { findCommands, findEntries } from '../../../deploy/cli/find-commands.ts';
import { sluice } from '../support.ts';

const entries = await findEntries();
const commands = await findCommands();

/** Usage of every command: what a script may rely on. */
it('these commands, arguments and options are there', () => {
  const usage = commands.map(({ name, arguments: places = {}, options = {} }) =>
    [
      name,
      ...Object.entries(places).map(([place, argument]) => placeholderOf(place, argument)),
      ...Object.entries(options).map(
        ([key, option]) =>
          `${flagsOf(key, option)}${option.default === undefined ? '' : `=${option.default}`}`,
      ),
    ].join(' '),
  );
  const pinned = [
    'start --port <port> --key-file <file> --drop-state [ids] --from <where>',
    'ingest --port <port> --key-file <file>',
    'enrich --port <port> --drop-state [ids] --from <where>',
    'init <dir>',
    'send <file> --stream <team/app> --url <url> --key <key> --batch <events>=500 --concurrency <requests>=1 --key-pointer <pointer> --format <format>=auto --give-up-after <seconds>=60 --no-resume',
    'load --stream <team/app> --url <url> --rate <events> --ramp <from:to> --duration <time>=30s --size <bytes>=5kb --connections <number>=64 --protocol <protocol>=http --keys <number>=1000 --parts <number>=1 --part <index> --start-at <time> --key <key> --html <file> --remote',
    'load merge <reports...> --partial --html <file>',
    'query <sql> --max-rows <rows> --format <format> --exact',
    'graph <cypher>',
    'status [topology] --details',
    'health --ready',
    'drain <topology>',
    'skip <topology> <split> --to <position> --whole --undo',
    'refused <action> [stream] --limit <events>=20 --url <url> --key <key> --yes',
    'reset --yes --drop-spooled',
    'topology describe <file> --format <format>=mermaid',
    'topology check <file> --for <target>',
    'topology build [files...]',
    'schema types <files...> --check',
    'key new --name <name> --stream <patterns...> --origin <origins...>',
    'config check [file] --explain',
    'config schema',
  ];
  expect(usage.filter((line) => pinned.includes(line))).toEqual(pinned);
});

it('a command of two words is in the group of the first, and every example is of its command', () => {
  for (const entry of entries)
    for (const { name } of 'commands' in entry ? entry.commands : [entry])
      expect(name.split(' ')).toEqual(
        'commands' in entry ? [entry.name, expect.stringMatching(/^[a-z]+$/)] : [entry.name],
      );
  const own = entries.flatMap((entry) => ('commands' in entry && entry.own ? [entry] : []));
  expect(own.map((entry) => [entry.name, entry.own?.name])).toEqual([['load', 'load']]);
  for (const { name, summary, examples } of commands) {
    expect(summary).toMatch(/^[A-Z].*[^.]$/);
    expect(examples.length).toBeGreaterThan(0);
    for (const example of examples) expect(` ${example} `).toContain(` ${name} `);
  }
});

/** What a command is given: called with `args`, and nothing run. */
async function given(...args: readonly string[]): Promise<unknown> {
  let found: unknown;
  const recorded = (command: Command): Command => ({
    ...command,
    run: (_context, values) => {
      found = { command: command.name, ...values };
      return 0;
    },
  });
  const line = commandLine(
    '1.2.3',
    async (globals, _command, run) => {
      await run({} as Context);
      found = { ...(found as object), globals };
    },
    entries.map((entry) =>
      'commands' in entry ? { ...entry, commands: entry.commands.map(recorded) } : recorded(entry),
    ),
  );
  await line.parseAsync(['node', 'sluice', ...args]);
  return found;
}

it('an option that may be without a value names none without one', async () => {
  const dropState = async (...args: readonly string[]): Promise<unknown> =>
    ((await given('start', ...args)) as { options: { dropState: unknown } }).options.dropState;
  expect(await dropState()).toBeUndefined();
  expect(await dropState('--drop-state')).toEqual([]);
  expect(await dropState('--drop-state', 'a,b', '--drop-state', 'c')).toEqual(['a', 'b', 'c']);
  expect(await dropState('--drop-state', '--drop-state', 'c')).toEqual([]);
  expect(await dropState('--drop-state', 'c', '--drop-state')).toEqual([]);
});

it('arguments come by name, flags as truths, defaults as text, and options of all commands beside', async () => {
  expect(await given('--json', '--dir', 'd', 'refused', 'list', '--yes')).toEqual({
    command: 'refused',
    arguments: { action: 'list', stream: undefined },
    options: { limit: '20', url: undefined, key: undefined, yes: true },
    globals: { json: true, dir: 'd' },
  });
  expect(await given('send', '-', '--stream', 'a/b', '--no-resume')).toMatchObject({
    arguments: { file: '-' },
    options: { stream: 'a/b', batch: '500', keyPointer: undefined, resume: false },
  });
  expect(await given('key', 'new', '--name', 'k', '--stream', 'a/b', 'c/*')).toMatchObject({
    options: { name: 'k', stream: ['a/b', 'c/*'], origin: [] },
  });
  expect(await given('topology', 'build', 'x.ts', 'y.ts')).toMatchObject({
    arguments: { files: ['x.ts', 'y.ts'] },
  });
});

it('help says what a command does, its options with their defaults, and an example', async () => {
  const { code, out } = await sluice(['send', '--help']);
  expect([code, out]).toEqual([
    0,
    expect.stringMatching(
      /^Usage: sluice send \[options\] <file>[^]*Send events from a file[^]*--batch <events>[^]*default: "500"[^]*Examples:\n {2}sluice send events\.ndjson --stream shop\/clicks\n/,
    ) as string,
  ]);
});
