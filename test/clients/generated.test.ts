/**
 * Clients that generators made of the served documents: they compile, each sends one event of each
 * kind that it can, and their types read the answers.
 *
 * What openapi-python-client 0.29.1 cannot: a list as one of several bodies (its `send` would
 * raise), text bodies, a parameter of JSON. NDJSON and compression are for a client that is written
 * by hand.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { asyncapiText } from '../../ingest/documents/documents.ts';
import { cached, npmPackages, pythonMissing, pythonPackages } from '../servers/cache.ts';
import { goMissing, openGo } from '../servers/go.ts';
import type { RealInstance } from './support.ts';
import { realInstance } from './support.ts';

const run = promisify(execFile);
const programs = fileURLToPath(new URL('../../../test/clients/generated', import.meta.url));
const python = ['openapi-python-client==0.29.1'];
const typescript = [
  'openapi-typescript@7.13.0',
  'openapi-fetch@0.17.0',
  'typescript@5.9.3',
  '@types/node@20.19.43',
];
const asyncapi = ['@asyncapi/parser@3.6.6'];
const oapiCodegen = 'github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2';
const keys = {
  web: 'slc_generatedgeneratedgeneratedgenera',
  wrapped: 'slc_wrappedwrappedwrappedwrappedwrapp',
};
const timeout = 300_000;

const scratch = mkdtempSync(join(tmpdir(), 'sluice-generated-'));
let instance: RealInstance;
let document: string;

beforeAll(async () => {
  const digest = (key: string): string => createHash('sha256').update(key).digest('hex');
  instance =
    await realInstance(`streams: [{team: t, app: web}, {team: t, app: wrapped, envelope: sluice}]
ingress: {port: 0}
keys:
  - {name: web, sha256: ${digest(keys.web)}, streams: [t/web]}
  - {name: wrapped, sha256: ${digest(keys.wrapped)}, streams: [t/wrapped]}
`);
  document = join(scratch, 'openapi.json');
  writeFileSync(document, await (await fetch(`${instance.url}/openapi.json`)).text());
});
afterAll(async () => {
  await instance.stop();
  rmSync(scratch, { recursive: true, force: true });
});

/** Runs the program in `cwd`, and gives what it printed and what landed of `by`. */
async function sends(by: string, cwd: string, command: string, ...args: readonly string[]) {
  const env = {
    ...process.env,
    SLUICE_URL: instance.url,
    SLUICE_KEY: keys.web,
    SLUICE_WRAPPED_KEY: keys.wrapped,
  };
  const { stdout } = await run(command, args, { cwd, env });
  const landed = [...(await instance.landed('t/web')), ...(await instance.landed('t/wrapped'))];
  const own = landed.filter(
    ({ attributes, text }) => attributes.id.startsWith(`${by}-`) || text.includes(`"by":"${by}"`),
  );
  return {
    printed: stdout.trim().split('\n'),
    ids: own
      .map(({ attributes: { id } }) => (id.startsWith(`${by}-`) ? id.slice(by.length + 1) : 'made'))
      .toSorted(),
    extensions: own.filter(({ attributes }) => attributes.extensions?.['campaign'] === 'spring')
      .length,
  };
}

const printed = (by: string): readonly string[] => [
  `json ${by}-json`,
  `envelope ${by}-envelope`,
  'array 2',
  `structured ${by}-structured`,
  `binary ${by}-binary`,
  'batch 2',
  'track true',
  'messages true',
  'pixel 200',
];
const ids = [
  ...['batch-1', 'batch-2', 'binary', 'envelope', 'json', 'made', 'made'],
  ...['messages-1', 'messages-2', 'pixel', 'structured', 'track'],
];

describe('a generated client sends each kind of event', () => {
  it.skipIf(pythonMissing() !== undefined)(
    'from openapi-python-client, but lists',
    async () => {
      const bin = await pythonPackages(...python);
      const made = [
        'generate',
        '--path',
        document,
        '--meta',
        'none',
        '--output-path',
        join(scratch, 'sluice_client'),
      ];
      // Its hooks reformat what was made, which nobody reads here.
      writeFileSync(join(scratch, 'config.yaml'), 'post_hooks: []\n');
      await run(join(bin, 'openapi-python-client'), [
        ...made,
        '--config',
        join(scratch, 'config.yaml'),
      ]);
      cpSync(join(programs, 'client.py'), join(scratch, 'client.py'));
      const sent = await sends('python', scratch, join(bin, 'python'), 'client.py');
      const lists = ['array 2', 'batch 2'];
      expect(sent.printed).toEqual(printed('python').filter((line) => !lists.includes(line)));
      expect(sent.ids).toEqual(ids.filter((id) => id !== 'made' && !id.startsWith('batch')));
      expect(sent.extensions).toBe(1);
    },
    timeout,
  );

  it.skipIf(goMissing() !== undefined)(
    'from oapi-codegen',
    async () => {
      const go = await openGo();
      const dir = await cached('oapi-codegen-2.8.2', (made) =>
        go(made, made, 'install', oapiCodegen),
      );
      const client = join(scratch, 'go');
      cpSync(programs, client, { recursive: true });
      const made = [
        '-generate',
        'types,client',
        '-package',
        'main',
        '-o',
        join(client, 'made.go'),
        document,
      ];
      await run(join(dir, 'bin', 'oapi-codegen'), made);
      await go(dir, client, 'build', '-o', join(client, 'client'), '.');
      expect(await sends('go', client, join(client, 'client'))).toEqual({
        printed: printed('go'),
        ids,
        extensions: 3,
      });
    },
    timeout,
  );

  it(
    'from openapi-typescript, with openapi-fetch',
    async () => {
      const dir = await npmPackages(...typescript);
      const client = join(scratch, 'typescript');
      cpSync(join(programs, 'client.ts.txt'), join(client, 'client.mts'));
      symlinkSync(join(dir, 'node_modules'), join(client, 'node_modules'));
      const bin = (name: string): string => join(dir, 'node_modules', '.bin', name);
      await run(bin('openapi-typescript'), [document, '-o', join(client, 'api.d.ts')]);
      const strict = [
        '--strict',
        '--skipLibCheck',
        '--noUncheckedIndexedAccess',
        '--target',
        'es2022',
        '--module',
        'nodenext',
      ];
      await run(bin('tsc'), [...strict, 'client.mts'], { cwd: client }).catch(
        (thrown: { stdout?: string }) => {
          throw new Error(thrown.stdout);
        },
      );
      const sent = await sends('typescript', client, process.execPath, 'client.mjs');
      expect(sent).toEqual({ printed: printed('typescript'), ids, extensions: 3 });
    },
    timeout,
  );
});

describe('the AsyncAPI document', () => {
  it(
    "has no fault for AsyncAPI's own parser, which finds one where there is",
    async () => {
      const dir = await npmPackages(...asyncapi);
      const { Parser } = createRequire(join(dir, 'package.json'))('@asyncapi/parser') as {
        readonly Parser: new () => AsyncapiParser;
      };
      const parsed = await new Parser().parse(asyncapiText);
      // That a newer version of the specification exists is no fault.
      expect(parsed.diagnostics.filter(({ code }) => code !== 'asyncapi-latest-version')).toEqual(
        [],
      );
      expect(parsed.document?.version()).toBe('3.0.0');
      const broken = await new Parser().parse(
        asyncapiText.replace('"action":"send"', '"action":"shout"'),
      );
      expect(broken.document).toBeUndefined();
    },
    timeout,
  );
});

interface AsyncapiParser {
  parse(text: string): Promise<{
    readonly document?: { version(): string };
    readonly diagnostics: readonly { readonly code: string | number; readonly message: string }[];
  }>;
}
