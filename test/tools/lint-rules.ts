/**
 * What of `.oxlintrc.json` is made of tables: `npm run lint:update` writes it. The other rules
 * there are written by hand.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root, run, tool } from '../repo/files.ts';
import { layers } from './layers.ts';

export interface Override {
  readonly files: readonly string[];
  readonly rules: Readonly<Record<string, unknown>>;
}

export interface LintConfig {
  readonly overrides: readonly Override[];
}

/** How long a function of the product may be. */
export const functionMaxLines = 70;

export const lintConfigFile = '.oxlintrc.json';

const imports = 'no-restricted-imports';
const length = 'max-lines-per-function';

/** The rules of imports, a layer each, and how long functions of the product may be. */
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
