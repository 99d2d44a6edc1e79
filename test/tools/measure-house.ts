/**
 * `npm run measure:house`: how far the code is from what the house wants, row by row, in plain text
 * (`-- --json` for the same as data). Each row has one measure, which test/tools/house explains and
 * test/repo/measure-house.test.ts proves on planted files.
 *
 * It measures and never fails for a number.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorCodes } from '../../schemas/kernel/error-codes.ts';
import { repositoryFiles, root } from '../repo/files.ts';
import { families, kinds, registry, vendors } from './house/families.ts';
import { functionsOver } from './house/functions.ts';
import {
  codesOutside,
  kindSwitches,
  type Place,
  pointerFiles,
  proseMatches,
  vendorRooms,
} from './house/rules.ts';
import { type Source, withSources } from './house/sources.ts';
import { limitUses, wideLines, wordsOfPage } from './house/text.ts';
import { touchedFiles } from './house/touched.ts';

export interface Row {
  readonly what: string;
  readonly measured: number;
  readonly wanted: string;
  /** What was counted, for whoever wants to change it. */
  readonly found: readonly string[];
}

const shown = ({ path, line, what }: Place): string => `${path}:${line} ${what}`;

function touchedRows(sources: readonly Source[]): Row[] {
  const pages = repositoryFiles()
    .filter((path) => path.endsWith('.md') && path !== 'CHANGELOG.md')
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
  return touchedFiles(families, sources, pages).map(({ family, touched }) => ({
    what: `files to touch for one more ${family.name} (as ${touched.sample})`,
    measured: touched.files.length,
    wanted: `at most ${family.wanted}`,
    found: touched.files,
  }));
}

function rowsOf(sources: readonly Source[], codes: ReadonlySet<string>): Row[] {
  const row = (what: string, wanted: string, found: readonly string[]): Row => ({
    what,
    measured: found.length,
    wanted,
    found,
  });
  const functions = (most: number) =>
    functionsOver(most, sources).map(
      ({ name, path, line, lines }) => `${lines} lines: ${name} (${path}:${line})`,
    );
  const limits = limitUses('schemas/limits.ts', sources);
  const readme = wordsOfPage(readFileSync(join(root, 'README.md'), 'utf8'));
  return [
    ...touchedRows(sources),
    row(
      'switches or tables over the kinds of nodes outside the registry',
      '0',
      kindSwitches(kinds, registry, sources).map(shown),
    ),
    row('functions over 50 lines', 'few', functions(50)),
    row('functions over 70 lines', '0', functions(70)),
    row(
      'vendor packages that several folders import',
      '0',
      vendorRooms(vendors, sources).map(({ vendor, rooms }) => `${vendor}: ${rooms.join(', ')}`),
    ),
    row('files that escape JSON pointers', '1', pointerFiles(sources)),
    row('codes outside the table of codes', '0', codesOutside(codes, sources).map(shown)),
    row('lines of tests that match prose', '0', proseMatches(sources).map(shown)),
    row('lines over 100 columns, strings and URLs aside', '0', wideLines(100, sources)),
    { what: 'words of README.md', measured: readme, wanted: 'at most 500', found: [] },
    row(
      'keys of limits.ts',
      'what several parts share',
      limits.map(({ name }) => name),
    ),
    row(
      'keys of limits.ts that one file uses',
      '0',
      limits.filter(({ files }) => files === 1).map(({ name }) => name),
    ),
  ];
}

/** How many of what was found a row shows in plain text; `--all` shows everything. */
const shownMax = 10;

function textOf(rows: readonly Row[], all: boolean): string {
  return rows
    .map(({ what, measured, wanted, found }) => {
      const lines = all ? found : found.slice(0, shownMax);
      const rest = found.length - lines.length;
      return [
        `${what}: ${measured} (wanted: ${wanted})`,
        ...lines.map((line) => `  ${line}`),
        ...(rest > 0 ? [`  and ${rest} more (-- --all shows them)`] : []),
        '',
      ].join('\n');
    })
    .join('\n');
}

const codes = new Set(errorCodes.map(({ code }) => code));
const rows = withSources(root, (sources) => rowsOf(sources, codes));
const args = process.argv.slice(2);
process.stdout.write(
  args.includes('--json')
    ? `${JSON.stringify(rows, null, 2)}\n`
    : textOf(rows, args.includes('--all')),
);
