#!/usr/bin/env -S node --no-memory-reducer --min-semi-space-size=64 --max-semi-space-size=64
/**
 * The command `sluice`. Each command is in its own file and is loaded when it is called: the start
 * must not pay for the others. This is the one place where defects are caught, to be printed.
 */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError } from 'commander';
import { systemClock } from '../../schemas/kernel/clock.ts';
import { printable } from '../../schemas/kernel/printable.ts';
import { systemRandom } from '../../schemas/kernel/random.ts';
import { limits } from '../../schemas/limits.ts';
import type { Output } from './output.ts';
import { reportFailure, terminalOutput } from './output.ts';
import type { SkipCommand } from './skip.ts';

interface GlobalOptions {
  readonly json?: boolean;
  readonly dir: string;
  readonly config?: string;
}

/**
 * Commands that write to the instance's folder. The others write what a person asked for, as that
 * person's umask says.
 */
const writers: ReadonlySet<string> = new Set([
  'start',
  'ingest',
  'enrich',
  'send',
  'query',
  'graph',
  'refused',
  'reset',
]);
const usageExitCode = 2;
const { version } = JSON.parse(
  readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
) as { readonly version: string };
const exampleConfig = fileURLToPath(
  new URL('../../../topology/examples/flights/sluice.yaml', import.meta.url),
);

/** The configuration to use: the one named, else `sluice.yaml` here, else the shipped example's. */
function configFile(options: GlobalOptions): string {
  if (options.config !== undefined) return options.config;
  return existsSync('sluice.yaml') ? 'sluice.yaml' : exampleConfig;
}

interface StartOptions {
  readonly port?: string;
  /** `true` where it was given without ids. */
  readonly dropState?: readonly string[] | true;
  readonly from?: string;
}

interface RefusedOptions {
  readonly limit: string;
  readonly url?: string;
  readonly key?: string;
  readonly yes?: boolean;
}

const fromHelp =
  'where to begin what no checkpoint knows, or what is not kept any more: oldest, latest, or a time of RFC 3339';
const dropStateHelp =
  'let go of the state of these nodes, such as once,per-minute; what sinks staged is committed in any case';

function dropStateIds(ids: string, before: StartOptions['dropState']): readonly string[] | true {
  return before === true
    ? before
    : [...(before ?? []), ...ids.split(',').filter((id) => id !== '')];
}

/** Without ids, none are named: that is refused with those there are. */
function startOptionsOf({ port, dropState, from }: StartOptions): {
  readonly port?: string;
  readonly dropState?: readonly string[];
  readonly from?: string;
} {
  return {
    ...(from === undefined ? {} : { from }),
    ...(port === undefined ? {} : { port }),
    ...(dropState === undefined ? {} : { dropState: dropState === true ? [] : dropState }),
  };
}

function program(): Command {
  const root = new Command('sluice')
    .description('Captures every event, of any size, and enriches the streams.')
    .version(version, '--version', 'the version of Sluice')
    .option('--json', 'answer as JSON, for programs')
    .option('--dir <dir>', 'where everything local lives', '.sluice')
    .option(
      '--config <file>',
      'the configuration (default: sluice.yaml here, else the shipped example)',
    )
    .showSuggestionAfterError()
    // What a person wrote comes back in errors.
    .configureOutput({
      writeOut: (text) => void process.stdout.write(printable(text)),
      writeErr: (text) => void process.stderr.write(printable(text)),
    })
    .exitOverride();
  const run = <A extends unknown[]>(
    action: (options: GlobalOptions, output: Output, ...args: A) => number | Promise<number>,
  ) => {
    return async (...args: unknown[]): Promise<void> => {
      const options = root.opts<GlobalOptions>();
      const output = terminalOutput(options.json ?? false);
      try {
        process.exitCode = await action(options, output, ...(args as A));
      } catch (thrown) {
        process.exitCode = reportFailure(thrown, output);
      }
    };
  };

  // What these write is in the instance's folder and is its user's alone, files of child processes
  // and libraries too.
  root.hook('preAction', (_root, command) => {
    if (writers.has(command.name())) process.umask(0o077);
  });
  const service = { clock: systemClock, random: systemRandom, env: process.env } as const;

  root
    .command('start')
    .description('Run ingress, topologies and tables in this process')
    .option(
      '--port <port>',
      'listen here instead of where the configuration says; 0 takes any free port, for metrics too',
    )
    .option('--drop-state [ids]', dropStateHelp, dropStateIds)
    .option('--from <where>', fromHelp)
    .action(
      run(async (options, output, own: StartOptions) => {
        const { startCommand } = await import('./start.ts');
        return startCommand({
          ...startOptionsOf(own),
          ...service,
          config: configFile(options),
          dir: options.dir,
          output,
        });
      }),
    );
  root
    .command('ingest')
    .description('Run the ingress alone, on Kinesis and Kafka')
    .option(
      '--port <port>',
      'listen here instead of where the configuration says; 0 takes any free port, for metrics too',
    )
    .action(
      run(async (options, output, own: { readonly port?: string }) => {
        const { ingestCommand } = await import('./services.ts');
        return ingestCommand({
          ...own,
          ...service,
          config: configFile(options),
          dir: options.dir,
          output,
        });
      }),
    );
  root
    .command('enrich')
    .description('Run the topologies alone, from Kinesis and Kafka into S3, Firehose and Neo4j')
    .option(
      '--port <port>',
      'answer health here instead of where the configuration says; 0 takes any free port, for metrics too',
    )
    .option('--drop-state [ids]', dropStateHelp, dropStateIds)
    .option('--from <where>', fromHelp)
    .action(
      run(async (options, output, own: StartOptions) => {
        const { enrichCommand } = await import('./services.ts');
        return enrichCommand({
          ...startOptionsOf(own),
          ...service,
          config: configFile(options),
          dir: options.dir,
          output,
        });
      }),
    );
  root
    .command('init')
    .description('Write a pipeline of your own: configuration, schemas, topology, test')
    .argument('<dir>', 'a folder that does not exist yet, or is empty')
    .action(
      run(async (_options, output, dir: string) => {
        const { initCommand } = await import('./init.ts');
        return initCommand(dir, output);
      }),
    );
  root
    .command('send')
    .description('Send the events of a file: NDJSON, or any JSON; plain, gzip or Zstandard')
    .argument('<file>', 'the file; - for standard input')
    .requiredOption('--stream <team/app>', 'the target stream')
    .option(
      '--url <url>',
      'the ingress, http or https (default: the running instance, else http://127.0.0.1:8080)',
    )
    .option(
      '--key <key>',
      'an API key; better in the environment as SLUICE_KEY, where other users of the machine do not see it',
    )
    .option('--batch <events>', 'events a request', '500')
    .option(
      '--concurrency <requests>',
      'concurrent requests; with more than one only --key-pointer keeps an order',
      '1',
    )
    .option(
      '--key-pointer <pointer>',
      'what keeps its order among concurrent requests, such as /userId',
    )
    .option(
      '--format <format>',
      'lines (an event a line), json (any JSON; elements of an array are events), or auto',
      'auto',
    )
    .option('--give-up-after <seconds>', 'time out when nothing is accepted for so long', '60')
    .option('--no-resume', 'begin at the first event, whatever was sent before')
    .action(
      run(
        async (
          options,
          output,
          file: string,
          own: Record<string, string | boolean | undefined>,
        ) => {
          const { sendCommand } = await import('./send.ts');
          const environmentKey = process.env['SLUICE_KEY'];
          return sendCommand({
            file,
            own,
            environmentKey,
            dir: options.dir,
            clock: systemClock,
            random: systemRandom,
            output,
          });
        },
      ),
    );
  root
    .command('load')
    .description('Send events at a rate that nothing slows down, and measure')
    .requiredOption('--stream <team/app>', 'the target stream')
    .option(
      '--url <url>',
      'the ingress (default: the running instance, else http://127.0.0.1:8080)',
    )
    .option('--rate <events>', 'events a second')
    .option('--ramp <from:to>', 'rise evenly over the first half, then hold')
    .option('--duration <time>', 'such as 30s or 5m', '30s')
    .option('--size <bytes>', 'of an event, such as 200b, 5kb, 1mb', '5kb')
    .option('--connections <number>', 'connections', '64')
    .option('--protocol <protocol>', 'http or ws', 'http')
    .option('--keys <number>', 'different partition keys', '1000')
    .option('--key <key>', 'an API key; better in the environment as SLUICE_KEY')
    .option('--html <file>', 'write the report as a page')
    .option('--remote', 'the target is meant not to be this machine')
    .action(
      run(async (options, output, own: Record<string, string | boolean | undefined>) => {
        const { loadCommand } = await import('./load.ts');
        const interrupted = new Promise<void>(
          (resolve) => void process.once('SIGINT', () => resolve()),
        );
        return loadCommand({
          own,
          environmentKey: process.env['SLUICE_KEY'],
          dir: options.dir,
          clock: systemClock,
          random: systemRandom,
          output,
          interrupted,
        });
      }),
    );
  root
    .command('query')
    .description('Ask the tables in SQL')
    .argument('<sql>')
    .option(
      '--max-rows <rows>',
      `rows of the answer, up to ${limits.queryMaxRows} (default: ${limits.queryDefaultRows}; with --json the most)`,
    )
    .action(
      run(async (options, output, sql: string, own: { readonly maxRows?: string }) => {
        const { queryCommand } = await import('./query.ts');
        return queryCommand(
          { sql, dir: options.dir, maxRows: own.maxRows, clock: systemClock },
          output,
        );
      }),
    );
  root
    .command('graph')
    .description('Ask the graph in Cypher')
    .argument('<cypher>')
    .action(
      run(async (options, output, statement: string) => {
        const { graphCommand } = await import('./graph.ts');
        return graphCommand(statement, options.dir, output, systemClock);
      }),
    );
  root
    .command('status')
    .description('Show what runs, how far it is, and what holds it back: a line a topology')
    .argument('[topology]', 'the name of the one to tell all of')
    .option('--details', 'tell all of every topology')
    .action(
      run(
        async (
          options,
          output,
          topology: string | undefined,
          own: { readonly details?: boolean },
        ) => {
          const { statusCommand } = await import('./status.ts');
          return statusCommand({
            dir: options.dir,
            topology,
            details: own.details ?? false,
            output,
            clock: systemClock,
          });
        },
      ),
    );
  root
    .command('drain')
    .description('Read everything, emit all windows, and end a topology')
    .argument('<topology>', 'its name')
    .action(
      run(async (options, output, topology: string) => {
        const { drainCommand } = await import('./drain.ts');
        return drainCommand(topology, options.dir, output, systemClock);
      }),
    );
  root
    .command('skip')
    .description('Have a topology go past what it cannot read of a split')
    .argument('<topology>', 'its name')
    .argument('<split>', "its name in `sluice status`, or '<source> <path> <split>'")
    .option(
      '--to <position>',
      'the last position to go past; latest: what is there now; oldest: what is not kept any more',
    )
    .option('--whole', 'leave the split out, until --undo')
    .option('--undo', 'read a split that was left out again, from where it was')
    .action(
      run(
        async (
          options,
          output,
          topology: string,
          split: string,
          own: Pick<SkipCommand, 'to' | 'whole' | 'undo'>,
        ) => {
          const { skipCommand } = await import('./skip.ts');
          return skipCommand({ ...own, topology, split, dir: options.dir, output });
        },
      ),
    );
  root
    .command('refused')
    .description(
      'List, show, send again or drop events that their stream refused after they were acknowledged',
    )
    .argument('<action>', 'list, show, send or drop')
    .argument('[stream]', 'team/app (default: all; drop needs one)')
    .option('--limit <events>', 'events to show', '20')
    .option(
      '--url <url>',
      'the ingress to send to (default: the running instance, else http://127.0.0.1:8080)',
    )
    .option('--key <key>', 'an API key; better in the environment as SLUICE_KEY')
    .option('--yes', 'drop them: they are nowhere else')
    .action(
      run(
        async (
          { dir },
          output,
          action: string,
          stream: string | undefined,
          own: RefusedOptions,
        ) => {
          const { refusedCommand } = await import('./refused.ts');
          const { limit, url, key: named, yes = false } = own;
          const key = named ?? process.env['SLUICE_KEY'];
          return refusedCommand({
            action,
            stream,
            limit,
            yes,
            url,
            key,
            dir,
            clock: systemClock,
            random: systemRandom,
            output,
          });
        },
      ),
    );
  root
    .command('reset')
    .description('Delete everything local')
    .option('--yes', 'do not ask')
    .option(
      '--drop-spooled',
      'delete events as well that were acknowledged and are on this disk only',
    )
    .action(
      run(
        async (
          options,
          output,
          own: { readonly yes?: boolean; readonly dropSpooled?: boolean },
        ) => {
          const { resetCommand } = await import('./reset.ts');
          const { yes = false, dropSpooled = false } = own;
          return resetCommand({ dir: options.dir, yes, dropSpooled, clock: systemClock, output });
        },
      ),
    );
  const topology = root.command('topology').description('Look at a topology file').exitOverride();
  topology
    .command('describe')
    .argument('<file>')
    .option('--format <format>', 'json, mermaid or dot', 'mermaid')
    .action(
      run(async (_options, output, file: string, own: { readonly format: string }) => {
        const { describeCommand } = await import('./topology.ts');
        return describeCommand(file, output.json ? 'json' : own.format, output);
      }),
    );
  topology
    .command('check')
    .description('Find everything that would keep a topology from running, before it is started')
    .argument('<file>')
    .action(
      run(async (options, output, file: string) => {
        const { checkCommand } = await import('./topology.ts');
        return checkCommand(
          { file, config: options.config, dir: options.dir, env: process.env, clock: systemClock },
          output,
        );
      }),
    );
  topology
    .command('build')
    .description(
      'Check topologies and bundle each into a file beside it, which is what enrich runs',
    )
    .argument('[files...]', 'default: those of the configuration')
    .action(
      run(async (options, output, files: readonly string[]) => {
        const { buildCommand } = await import('./topology.ts');
        const config = configFile(options);
        return buildCommand(
          { files, config, dir: options.dir, env: process.env, clock: systemClock },
          output,
        );
      }),
    );
  const schema = root.command('schema').description('Work with JSON Schemas').exitOverride();
  schema
    .command('types')
    .description('Write <name>.gen.ts beside each <name>.schema.json')
    .argument('<files...>')
    .option('--check', 'write nothing; exit 1 when one is stale')
    .action(
      run(async (_options, output, files: string[], own: { readonly check?: boolean }) => {
        const { schemaTypes } = await import('./schema-types.ts');
        return schemaTypes(files, own.check ?? false, output);
      }),
    );
  const key = root.command('key').description('Work with API keys').exitOverride();
  key
    .command('new')
    .description('Make a key, and the entry for the configuration')
    .requiredOption('--name <name>', 'shown in logs, metrics and warnings')
    .requiredOption('--stream <patterns...>', 'what it may write to: team/app, team/* or */*')
    .option('--origin <origins...>', 'pages that may use it, such as https://shop.example')
    .action(
      run(
        async (
          _options,
          output,
          own: { readonly name: string; readonly stream: string[]; readonly origin?: string[] },
        ) => {
          const { keyCommand } = await import('./key.ts');
          return keyCommand({
            name: own.name,
            streams: own.stream,
            origins: own.origin ?? [],
            random: systemRandom,
            output,
          });
        },
      ),
    );
  const config = root.command('config').description('Look at a configuration').exitOverride();
  config
    .command('check')
    .argument('[file]')
    .action(
      run(async (options, output, file?: string) => {
        const { configCheck } = await import('./config-check.ts');
        return configCheck(file ?? configFile(options), process.env, output);
      }),
    );
  return root;
}

// A reader that has seen enough, such as `head`, is no failure.
process.stdout.on('error', (thrown: NodeJS.ErrnoException) => {
  if (thrown.code === 'EPIPE') process.exit(0);
  throw thrown;
});

program()
  .parseAsync(process.argv.map((argument, index) => (index < 2 ? resolve(argument) : argument)))
  .catch((thrown: unknown) => {
    if (thrown instanceof CommanderError)
      process.exitCode = thrown.exitCode === 0 ? 0 : usageExitCode;
    else process.exitCode = reportFailure(thrown, terminalOutput(false));
  });
