/**
 * What `sluice`, `sluice/enrich` and `sluice/testing` export, as text: each name with its
 * declaration, in the order of names, and behind them what these declarations use of ours.
 * Comments are left out. `npm run api:update` writes test/repo/public-api/ anew;
 * test/repo/public-api.test.ts refuses a change that did not.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Node, SyntaxKind } from 'typescript/unstable/ast';
import { API, type Symbol as Named, type Project, SymbolFlags } from 'typescript/unstable/sync';
import { root } from '../repo/files.ts';
import { walk } from './house/sources.ts';

/** The entries by the name of their snapshot, as package.json exports them. */
export const entries = {
  sluice: 'dist/topology/index.d.ts',
  'sluice-enrich': 'dist/enrich/index.d.ts',
  'sluice-testing': 'dist/topology/testing.d.ts',
} as const;
export type Entry = keyof typeof entries;

export const snapshotOf = (entry: Entry): string => `test/repo/public-api/${entry}.txt`;

const declared = new Set<SyntaxKind>([
  SyntaxKind.ClassDeclaration,
  SyntaxKind.FunctionDeclaration,
  SyntaxKind.InterfaceDeclaration,
  SyntaxKind.TypeAliasDeclaration,
  SyntaxKind.VariableDeclaration,
]);

/** A symbol's declarations in files of ours. */
function declarationsOf(project: Project, symbol: Named): Node[] {
  return symbol.declarations
    .map((handle) => handle.resolve(project))
    .filter((node) => node !== undefined)
    .filter(
      (node) =>
        declared.has(node.kind) && node.getSourceFile().fileName.startsWith(`${root}/dist/`),
    );
}

function targetOf(project: Project, symbol: Named): Named {
  return (symbol.flags & SymbolFlags.Alias) === 0
    ? symbol
    : project.checker.getAliasedSymbol(symbol);
}

/** A declaration without comments and modifiers that say nothing to those who use it. */
function textOf(node: Node): string {
  const statement = node.kind === SyntaxKind.VariableDeclaration ? node.parent.parent : node;
  return statement
    .getText()
    .replace(/[ \t]*\/\*\*[\s\S]*?\*\/\n?/g, '')
    .replace(/^export (?:declare )?/, '')
    .replace(/^declare /, '');
}

interface Declared {
  readonly name: string;
  readonly text: string;
}

/**
 * What `from` and the types of ours that it uses declare. Tables are not followed into: of a type
 * that is made of one (`keyof typeof table`) the name says enough here.
 */
function closureOf(project: Project, from: readonly Named[]): Map<number, Declared> {
  const found = new Map<number, Declared>();
  const next = [...from];
  for (const symbol of next) {
    if (found.has(symbol.id)) continue;
    const nodes = declarationsOf(project, symbol);
    const isTable = nodes.every(({ kind }) => kind === SyntaxKind.VariableDeclaration);
    if (nodes.length === 0 || (isTable && !from.includes(symbol))) continue;
    found.set(symbol.id, { name: symbol.name, text: nodes.map(textOf).join('\n') });
    const identifiers: Node[] = [];
    for (const node of nodes) {
      walk(node, (part) => {
        if (part.kind === SyntaxKind.Identifier) identifiers.push(part);
      });
    }
    for (const used of project.checker.getSymbolAtLocation(identifiers)) {
      if (used !== undefined) next.push(targetOf(project, used));
    }
  }
  return found;
}

const byName = (a: Declared, b: Declared): number =>
  a.name === b.name ? (a.text < b.text ? -1 : 1) : a.name < b.name ? -1 : 1;

function exportsOf(project: Project, entry: Entry): readonly Named[] {
  const file = project.program.getSourceFile(join(root, entries[entry]));
  const module = file === undefined ? undefined : project.checker.getSymbolAtLocation(file);
  if (module === undefined) throw new Error(`${entries[entry]} is not there: run npm run build`);
  return project.checker.getExportsOfModule(module);
}

function snapshot(project: Project, entry: Entry): string {
  const exported = exportsOf(project, entry);
  const targets = exported.map((symbol) => targetOf(project, symbol));
  const all = closureOf(project, targets);
  const names = new Map(targets.map(({ id }, index) => [id, exported[index]?.name ?? '']));
  const shown = [...all].map(([id, { name, text }]) => ({
    isExported: names.has(id),
    name: names.get(id) ?? name,
    text,
  }));
  const block = (isExported: boolean): string[] =>
    shown
      .filter((one) => one.isExported === isExported)
      .sort(byName)
      .map(({ text }) => `${text}\n`);
  return [
    `// ${entry}: what it exports. Written by npm run api:update.\n`,
    ...block(true),
    '// What these use, and what is not exported.\n',
    ...block(false),
  ].join('\n');
}

/**
 * Opens a project of the entries' declarations and of `files`, which are in memory alone (path from
 * the root to text).
 */
export function withDeclarations<T>(
  files: Readonly<Record<string, string>>,
  use: (project: Project) => T,
): T {
  const configuration = join(root, 'public-api.tsconfig.json');
  const planted = new Map(
    Object.entries(files).map(([path, text]) => [join(root, path), text] as const),
  );
  planted.set(
    configuration,
    JSON.stringify({
      extends: './tsconfig.json',
      compilerOptions: { noEmit: true, incremental: false, noUnusedLocals: false },
      include: [],
      files: [...Object.values(entries), ...Object.keys(files)],
    }),
  );
  const api = new API({
    cwd: root,
    fs: {
      readFile: (path) => planted.get(path),
      fileExists: (path) => (planted.has(path) ? true : undefined),
    },
  });
  try {
    const opened = api.updateSnapshot({ openProjects: [configuration] });
    const project = opened.getProject(configuration);
    if (project === undefined) throw new Error('the declarations cannot be read');
    return use(project);
  } finally {
    api.close();
  }
}

const names = Object.keys(entries) as Entry[];

/** The text of each entry's snapshot, by what dist has. */
export function publicApi(): ReadonlyMap<Entry, string> {
  return withDeclarations(
    {},
    (project) => new Map(names.map((entry) => [entry, snapshot(project, entry)])),
  );
}

export interface PublicFunction {
  readonly entry: Entry;
  readonly name: string;
  /** Of the source, such as `dist/topology/dsl/windows.d.ts`. */
  readonly path: string;
  /** The code of its first `@example`. */
  readonly example: string | undefined;
}

/** The functions that the entries export, with their examples. */
export function publicFunctions(project: Project): PublicFunction[] {
  return names.flatMap((entry) =>
    exportsOf(project, entry).flatMap((symbol) => {
      const functions = declarationsOf(project, targetOf(project, symbol)).filter(
        ({ kind }) => kind === SyntaxKind.FunctionDeclaration,
      );
      const [first] = functions;
      if (first === undefined) return [];
      const path = first.getSourceFile().fileName.slice(root.length + 1);
      const example = functions.map(exampleOf).find((code) => code !== undefined);
      return [{ entry, name: symbol.name, path, example }];
    }),
  );
}

function exampleOf(node: Node): string | undefined {
  const comment = /\/\*\*(?:(?!\*\/)[\s\S])*\*\/\s*$/.exec(
    node.getFullText().slice(0, node.getStart() - node.getFullStart()),
  );
  const code = /@example\s*\n([\s\S]*?)(?:\n\s*\* @|\s*\*\/)/.exec(comment?.[0] ?? '');
  return code?.[1]?.replace(/^\s*\* ?/gm, '');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  mkdirSync(join(root, 'test/repo/public-api'), { recursive: true });
  for (const [entry, text] of publicApi()) writeFileSync(join(root, snapshotOf(entry)), text);
}
