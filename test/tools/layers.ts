/**
 * Who may import whom: the one table that the import rules of `.oxlintrc.json` are made of.
 * `npm run lint:update` writes them; test/repo/lint-rules.test.ts says when they are stale, and
 * test/repo/layers.test.ts plants a violation of each, in every form an import has, `import()`
 * among them.
 *
 * Invariant: of two layers that a file is in, the later one counts alone, as in oxlint.
 */

/** What is refused, by the text of the import, and what is told to who writes it. */
export type Refused =
  | { readonly regex: string; readonly message: string }
  | { readonly group: readonly string[]; readonly message: string };

export interface Layer {
  readonly files: readonly string[];
  readonly refused: readonly Refused[];
}

const escaped = (text: string): string => text.replaceAll('.', '\\.');

/** Files of ours below folders of these names. */
function folders(names: readonly string[], message: string): Refused {
  return { regex: `^\\.\\.?/(.*/)?(${names.join('|')})/`, message };
}

/** Packages, with what is in them. */
function packages(names: readonly string[], message: string): Refused {
  return { regex: `^(${names.map(escaped).join('|')})($|/)`, message };
}

/** Nothing but these packages and files nearby. */
function only(names: readonly string[], message: string): Refused {
  return { group: ['*', ...names.map((name) => `!${name}`), '!./**', '!../**'], message };
}

const http = ['uWebSockets.js'];
const turns = ['rxjs'];
const tables = [
  '@duckdb/node-api',
  '@ladybugdb/core',
  'hyparquet',
  'hyparquet-writer',
  'hyparquet-compressors',
];
const clients = ['@aws-sdk', '@smithy', 'kafkajs', 'aws-msk-iam-sasl-signer-js'];
const neo4j = ['neo4j-driver'];

const noVendor = 'Vendor packages stay out of schemas and topology (rxjs: only topology/runtime).';
const noTest = folders(['test'], 'Nothing imports test.');
const noOwnName = packages(['sluice'], 'Only the examples and test use the name of the package.');
const noAmbient: Refused = {
  regex: '^(node:)?(timers|process)($|/)',
  message: 'Time and the environment come through schemas/kernel/clock.ts and the configuration.',
};
const noClients = packages(
  clients,
  'Clients of streams and stores live in deploy/streams and deploy/stores.',
);
const vendors = packages([...http, ...turns, ...tables, ...clients, ...neo4j], noVendor);
const sides = folders(
  ['ingest', 'enrich', 'deploy'],
  'topology imports schemas and topology only.',
);
const noExample = folders(['examples'], 'Nothing imports an example.');
const noEntry: Refused = {
  regex: '^\\.\\./(.*/)?(index|testing)\\.ts$',
  message: 'Inside topology nothing imports topology/index.ts or topology/testing.ts.',
};
const exampleMessage = "An example imports 'sluice' and its own files only.";
const exampleOnly = only(['sluice', 'sluice/enrich'], exampleMessage);
const templateMessage = "The template of a pipeline imports 'sluice' and its own files only.";
const deployVendors = packages(
  [...http, ...turns, ...tables, ...neo4j],
  'uWebSockets.js belongs to ingest, rxjs to topology/runtime, duckdb, ladybug, neo4j and hyparquet to enrich.',
);

const stacksMessage = 'deploy/aws is a package of its own: it imports CDK, Node and its own files.';
const noStacks = folders(['aws'], 'Nothing imports deploy/aws: it is a package of its own.');
const allOfDeploy = [deployVendors, noClients, noStacks, noOwnName, noTest];

export const layers: readonly Layer[] = [
  {
    files: ['schemas/**/*.ts'],
    refused: [
      folders(['topology', 'ingest', 'enrich', 'deploy'], 'schemas imports only schemas.'),
      vendors,
      noOwnName,
      noTest,
      noAmbient,
    ],
  },
  {
    files: ['schemas/kernel/**/*.ts'],
    refused: [
      { regex: '^\\.\\./', message: 'schemas/kernel imports nothing of ours.' },
      vendors,
      noOwnName,
      noAmbient,
    ],
  },
  {
    // The table of codes has those of what sinks write to, which stand with their owner.
    files: ['schemas/kernel/error-codes.ts'],
    refused: [
      { regex: '^\\.\\./([^s]|s[^i])', message: 'schemas/kernel imports nothing else of ours.' },
      vendors,
      noOwnName,
      noAmbient,
    ],
  },
  {
    files: ['topology/*.ts'],
    refused: [sides, noExample, vendors, noOwnName, noTest, noAmbient],
  },
  {
    files: ['topology/{nodes,graph,time,state}/**/*.ts'],
    refused: [
      sides,
      folders(
        ['dsl', 'operators', 'plan', 'checkpoint', 'runtime', 'examples'],
        'nodes, graph, time and state import schemas and each other only.',
      ),
      noEntry,
      vendors,
      noOwnName,
      noTest,
      noAmbient,
    ],
  },
  {
    files: ['topology/{dsl,operators,plan,checkpoint}/**/*.ts'],
    refused: [
      sides,
      folders(
        ['runtime', 'examples'],
        'dsl, operators, plan and checkpoint never import the runtime or an example.',
      ),
      noEntry,
      vendors,
      noOwnName,
      noTest,
      noAmbient,
    ],
  },
  {
    files: ['topology/runtime/**/*.ts'],
    refused: [
      sides,
      noExample,
      noEntry,
      packages([...http, ...tables, ...clients, ...neo4j], noVendor),
      noOwnName,
      noTest,
      noAmbient,
    ],
  },
  {
    files: ['topology/examples/*/*.ts'],
    refused: [{ regex: '^\\.\\./', message: exampleMessage }, exampleOnly],
  },
  {
    files: ['topology/examples/*/*/**/*.ts'],
    refused: [{ regex: '^\\.\\./\\.\\./', message: exampleMessage }, exampleOnly],
  },
  {
    files: ['ingest/**/*.ts'],
    refused: [
      folders(['topology', 'enrich', 'deploy'], 'ingest imports schemas only.'),
      packages(
        [...turns, ...tables, ...neo4j],
        'rxjs belongs to topology/runtime; duckdb, ladybug, neo4j and hyparquet to enrich.',
      ),
      noClients,
      noOwnName,
      noTest,
      noAmbient,
    ],
  },
  {
    files: ['enrich/**/*.ts'],
    refused: [
      folders(['ingest', 'deploy'], 'enrich imports schemas and topology/index.ts only.'),
      {
        regex: '/topology/([^/]+/|[^i])',
        message: 'enrich imports schemas and topology/index.ts only.',
      },
      packages([...http, ...turns], 'uWebSockets.js belongs to ingest, rxjs to topology/runtime.'),
      noClients,
      noOwnName,
      noTest,
      noAmbient,
    ],
  },
  { files: ['deploy/**/*.ts'], refused: allOfDeploy },
  {
    // Arithmetic that whatever deploys may use: the command line, dashboards, pages of the docs.
    files: ['deploy/cost/**/*.ts'],
    refused: [
      folders(['topology', 'ingest', 'enrich'], 'deploy/cost imports schemas and itself only.'),
      {
        regex: '^\\.\\./(aws|cli|host|load|local|services|streams|stores)/',
        message: 'deploy/cost imports schemas and itself only.',
      },
      deployVendors,
      noClients,
      noOwnName,
      noTest,
      { regex: '^node:', message: 'deploy/cost is pure: its callers read and write.' },
    ],
  },
  {
    files: ['deploy/{host,local,services}/**/*.ts'],
    refused: [
      ...allOfDeploy,
      folders(['flink'], 'What runs topologies here knows nothing of Flink: deploy/cli does.'),
    ],
  },
  {
    files: ['deploy/flink/check/*.ts'],
    refused: [
      ...allOfDeploy,
      folders(
        ['cli', 'local', 'services', 'streams', 'stores', 'rest', 'ingest', 'enrich'],
        'deploy/flink/check imports schemas, topology, deploy/host and deploy/flink.',
      ),
    ],
  },
  {
    // It runs in GraalJS.
    files: ['deploy/flink/runtime/*.ts'],
    refused: [
      ...allOfDeploy,
      folders(
        ['ingest', 'cli', 'host', 'local', 'services', 'streams', 'stores', 'check', 'rest'],
        'deploy/flink/runtime imports schemas, topology, enrich and itself.',
      ),
    ],
  },
  {
    files: ['deploy/{streams,stores}/**/*.ts'],
    refused: [
      deployVendors,
      {
        regex:
          '^(\\.\\./)+(aws|cli|host|load|local|services|streams|stores|kafka|kinesis|embedded|firehose|s3)/',
        message: 'A room of one vendor imports schemas, ingest, enrich and itself.',
      },
      noOwnName,
      noTest,
    ],
  },
  {
    files: ['deploy/cli/template/*.ts'],
    refused: [
      { regex: '^\\.\\./', message: templateMessage },
      only(['sluice', 'sluice/enrich', 'sluice/testing', 'vitest'], templateMessage),
    ],
  },
  {
    files: ['deploy/aws/src/**/*.ts'],
    refused: [
      {
        regex: '/dist/',
        message: 'Only deploy/aws/src/sluice.ts imports what Sluice compiled.',
      },
      folders(['schemas', 'topology', 'ingest', 'enrich', 'host', 'test'], stacksMessage),
      only(['aws-cdk-lib', 'aws-cdk-lib/**', 'cdk-nag', 'constructs', 'node:*'], stacksMessage),
    ],
  },
  {
    files: ['deploy/aws/src/sluice.ts'],
    refused: [only([], stacksMessage)],
  },
];
