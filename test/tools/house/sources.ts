/**
 * The repository's files as the measures read them: path, text and, of TypeScript, the syntax tree
 * of the compiler that builds them.
 *
 * Invariant: generated files are left out, as nobody edits them.
 */

import { type Node, SyntaxKind } from 'typescript/unstable/ast';
import { createVirtualFileSystem } from 'typescript/unstable/fs';
import { API } from 'typescript/unstable/sync';

export interface Source {
  /** From the root, with `/`. */
  readonly path: string;
  readonly text: string;
  readonly tree: Node;
}

/** Calls `look` on every node, parents first. */
export function walk(node: Node, look: (node: Node) => void): void {
  look(node);
  node.forEachChild((child) => walk(child, look));
}

/** The 1-based line of a position. */
export function lineAt({ text }: Source, position: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at >= 0 && at < position; at = text.indexOf('\n', at + 1)) {
    line++;
  }
  return line;
}

/** The value of a string without substitutions, or undefined. */
export function stringOf(node: Node | undefined): string | undefined {
  if (
    node?.kind === SyntaxKind.StringLiteral ||
    node?.kind === SyntaxKind.NoSubstitutionTemplateLiteral
  ) {
    return (node as Node & { readonly text: string }).text;
  }
  return undefined;
}

/** The name of an identifier or a string used as a name. */
export function nameOf(node: Node | undefined): string | undefined {
  if (node?.kind === SyntaxKind.Identifier) {
    return (node as Node & { readonly text: string }).text;
  }
  return stringOf(node);
}

export function isInTests({ path }: Source): boolean {
  return path.startsWith('test/');
}

/** Files that show how the product is used: adding a part does not touch them. */
export function isExample({ path }: Source): boolean {
  return path.startsWith('topology/examples/') || path.startsWith('deploy/cli/template/');
}

function parsed(api: API, root: string): Source[] {
  const configuration = `${root}/tsconfig.json`;
  const project = api.updateSnapshot({ openProjects: [configuration] }).getProject(configuration);
  if (project === undefined) throw new Error(`${configuration} cannot be read`);
  return project.rootFiles
    .filter((file) => !file.endsWith('.gen.ts') && !file.endsWith('.d.ts'))
    .map((file) => {
      const tree = project.program.getSourceFile(file);
      if (tree === undefined) throw new Error(`${file} cannot be read`);
      return { path: file.slice(root.length + 1), text: tree.text, tree };
    });
}

/** Calls `use` with all TypeScript sources of the project in `root`. */
export function withSources<T>(root: string, use: (sources: readonly Source[]) => T): T {
  const api = new API({ cwd: root });
  try {
    return use(parsed(api, root));
  } finally {
    api.close();
  }
}

/** Calls `use` with files that exist in memory alone (path to text). */
export function withPlanted<T>(
  files: Readonly<Record<string, string>>,
  use: (sources: readonly Source[]) => T,
): T {
  const root = '/planted';
  const api = new API({
    cwd: root,
    fs: createVirtualFileSystem({
      [`${root}/tsconfig.json`]: JSON.stringify({
        compilerOptions: { noLib: true, types: [], allowImportingTsExtensions: true, noEmit: true },
        files: Object.keys(files),
      }),
      ...Object.fromEntries(Object.entries(files).map(([path, text]) => [`${root}/${path}`, text])),
    }),
  });
  try {
    return use(parsed(api, root));
  } finally {
    api.close();
  }
}
