/** Measures that are counted in text: widths, words, and how often a limit is used. */
import { type Node, SyntaxKind } from 'typescript/unstable/ast';
import { isInTests, nameOf, type Source, walk } from './sources.ts';

const url = /https?:\/\/\S+/g;
const literals = new Set<SyntaxKind>([
  SyntaxKind.StringLiteral,
  SyntaxKind.NoSubstitutionTemplateLiteral,
  SyntaxKind.RegularExpressionLiteral,
  SyntaxKind.TemplateExpression,
]);

/** The longest run of a string, pattern or address on each line that has one. */
function uncutByLine(source: Source): Map<number, number> {
  const uncut = new Map<number, number>();
  const starts = [0, ...[...source.text.matchAll(/\n/g)].map(({ index }) => index + 1)];
  const lineOf = (at: number): number => {
    let [low, high] = [0, starts.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((starts[middle] as number) <= at) low = middle;
      else high = middle;
    }
    return low;
  };
  const note = (start: number, end: number): void => {
    for (let line = lineOf(start); line <= lineOf(end - 1); line++) {
      const from = Math.max(start, starts[line] as number);
      const to = Math.min(end, (starts[line + 1] ?? source.text.length + 1) - 1);
      uncut.set(line, Math.max(uncut.get(line) ?? 0, to - from));
    }
  };
  for (const match of source.text.matchAll(url)) note(match.index, match.index + match[0].length);
  walk(source.tree, (node) => {
    if (literals.has(node.kind)) note(node.getStart(), node.end);
  });
  return uncut;
}

/** Lines that would have more than `most` columns even without their longest literal. */
export function wideLines(most: number, sources: readonly Source[]): string[] {
  return sources.flatMap((source) => {
    const lines = source.text.split('\n');
    if (lines.every((line) => line.length <= most)) return [];
    const uncut = uncutByLine(source);
    return lines.flatMap((line, index) =>
      line.length - (uncut.get(index) ?? 0) > most || (line.length > most && !uncut.has(index))
        ? [`${source.path}:${index + 1}`]
        : [],
    );
  });
}

/** Words of a page: code blocks and tables are not read as text and do not count. */
export function wordsOfPage(markdown: string): number {
  return markdown
    .replace(/^[ \t]*```[\s\S]*?^[ \t]*```[ \t]*$/gm, '')
    .split('\n')
    .filter((line) => !line.trimStart().startsWith('|'))
    .join(' ')
    .split(/\s+/)
    .filter((word) => /[\p{L}\p{N}]/u.test(word)).length;
}

export interface LimitUse {
  readonly name: string;
  /** Files of the product that use it, other than the one that has it. */
  readonly files: number;
}

/** The names that a node takes from the object `limits`: of `limits.x`, or of `{ x } = limits`. */
function limitsTaken(node: Node): (string | undefined)[] {
  const { expression, initializer, name } = node as Node & {
    readonly expression?: Node;
    readonly initializer?: Node;
    readonly name?: Node & {
      readonly elements?: readonly (Node & {
        readonly propertyName?: Node;
        readonly name?: Node;
      })[];
    };
  };
  if (node.kind === SyntaxKind.PropertyAccessExpression && nameOf(expression) === 'limits') {
    return [nameOf(name)];
  }
  if (node.kind === SyntaxKind.VariableDeclaration && nameOf(initializer) === 'limits') {
    return (name?.elements ?? []).map((element) => nameOf(element.propertyName ?? element.name));
  }
  return [];
}

/** The properties of the object `limits` in `path`, and how many files of the product use each. */
export function limitUses(path: string, sources: readonly Source[]): LimitUse[] {
  const table = sources.find((source) => source.path === path);
  if (table === undefined) throw new Error(`${path} is not among the sources`);
  const names: string[] = [];
  walk(table.tree, (node) => {
    const { name, initializer } = node as Node & {
      readonly name?: Node;
      readonly initializer?: Node;
    };
    if (node.kind !== SyntaxKind.VariableDeclaration || nameOf(name) !== 'limits') return;
    const object =
      initializer?.kind === SyntaxKind.ObjectLiteralExpression
        ? initializer
        : (initializer as (Node & { readonly expression?: Node }) | undefined)?.expression;
    object?.forEachChild((property) => {
      const key = nameOf((property as Node & { readonly name?: Node }).name);
      if (key !== undefined) names.push(key);
    });
  });
  const others = sources.filter((source) => !isInTests(source) && source.path !== path);
  const used = others.map((source) => {
    const found = new Set<string>();
    walk(source.tree, (node) => {
      for (const name of limitsTaken(node)) found.add(name ?? '');
    });
    return found;
  });
  return names.map((name) => ({ name, files: used.filter((found) => found.has(name)).length }));
}
