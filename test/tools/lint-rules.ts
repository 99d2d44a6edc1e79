/**
 * What of `.oxlintrc.json` is made of tables: `npm run lint:update` writes it. The other rules
 * there are written by hand.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root, run, tool } from '../repo/files.ts';
import { layers } from './layers.ts';
import { functionMaxLines, toBeShortened } from './long-functions.ts';

export interface Override {
  readonly files: readonly string[];
  readonly rules: Readonly<Record<string, unknown>>;
}

export interface LintConfig {
  readonly overrides: readonly Override[];
}

export const lintConfigFile = '.oxlintrc.json';

const imports = 'no-restricted-imports';
const length = 'max-lines-per-function';

/** The rules of imports, a layer each; how long functions may be, and where they are longer yet. */
export function madeOverrides(): Override[] {
  return [
    ...layers.map(({ files, refused }) => ({
      files,
      rules: { [imports]: ['error', { patterns: refused }] },
    })),
    {
      files: ['{schemas,topology,ingest,enrich,deploy}/**/*.ts'],
      rules: { [length]: ['error', { max: functionMaxLines, IIFEs: true }] },
    },
    {
      files: [...new Set(toBeShortened.map((place) => place.slice(0, place.indexOf(' '))))],
      rules: { [length]: 'off' },
    },
  ];
}

export function isMade({ rules }: Override): boolean {
  return imports in rules || length in rules;
}

export function readLintConfig(): LintConfig {
  return JSON.parse(readFileSync(join(root, lintConfigFile), 'utf8')) as LintConfig;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const config = readLintConfig();
  const byHand = config.overrides.filter((override) => !isMade(override));
  const made: LintConfig = { ...config, overrides: [...madeOverrides(), ...byHand] };
  writeFileSync(join(root, lintConfigFile), JSON.stringify(made, null, 2));
  run(root, tool('biome'), 'format', '--write', lintConfigFile);
}
